"""Reads a run folder back: every file checked against the manifest, the fitted folds as they were."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from houseprices.preprocessing.house_array import CodedHouses, code_houses
from houseprices.cross_validation.cross_validate import FittedFold, combine
from houseprices.intervals.error_scale import N_SIGNS, ErrorScale
from houseprices.errors import RunError, SettingsError
from houseprices.preprocessing.house_features import HouseFeatures
from houseprices.intervals.calibration import Calibration
from houseprices.engine.mlp import Architecture, BatchedMLP
from houseprices.runs.write import FORMAT_VERSION
from houseprices.data.schema import ID
from houseprices.settings import Settings, load_settings
from houseprices.files import sha256_of

Floats = NDArray[np.float64]

_MANIFEST = "manifest.json"
_EXACT = ("log_price", "prediction", "spread", "error_scale")
_FILES = (
    "config.toml",
    "metrics.json",
    "curves.csv",
    "oof.csv",
    "submission.csv",
    "members.safetensors",
    "preprocessing.json",
)


@dataclass(frozen=True)
class SavedRun:
    """A run folder's content.

    Attributes:
        folder: where it is.
        settings: of the run.
        metrics: metrics.json.
        manifest: manifest.json.
        out_of_fold: oof.csv, (n_rows, 6 + n_repeats - 1): Id, fold, log_price, prediction, spread, error_scale,
            fold_2 ..
        curves: curves.csv.
        folds: what was fitted, n_repeats x n_folds of them in that order, on the CPU and without learning curves.
        error_scales: by fold.
    """

    folder: Path
    settings: Settings
    metrics: dict[str, Any]
    manifest: dict[str, Any]
    out_of_fold: pd.DataFrame
    curves: pd.DataFrame
    folds: list[FittedFold]
    error_scales: list[ErrorScale]

    @cached_property
    def fold_of_row(self) -> NDArray[np.int64]:
        """(n_repeats, n_rows): the fold that held each training row out."""
        names = ["fold", *(f"fold_{repeat}" for repeat in range(2, self.settings.folds.n_repeats + 1))]
        return self.out_of_fold[names].to_numpy(dtype=np.int64).T

    @property
    def residuals(self) -> Floats:
        """(n_rows,) log price - out-of-fold prediction."""
        return (self.out_of_fold["log_price"] - self.out_of_fold["prediction"]).to_numpy()

    @property
    def calibration(self) -> Calibration:
        """What intervals of new houses are made from."""
        names = ("prediction", "spread", "error_scale")
        prediction, spread, scale_of_row = (self.out_of_fold[name].to_numpy() for name in names)
        return Calibration(self.fold_of_row, prediction, spread, self.residuals, scale_of_row, self.error_scales)

    def predict_folds(self, houses: pd.DataFrame | CodedHouses) -> Floats:
        """Log prices that each fold's ensemble predicts for typed houses: (n_repeats, n_folds, n_rows).

        Their mean is the run's prediction of a new house; for the training houses, row by row those of the fold that
        held it out are its out-of-fold prediction. Both have the bits that the run computed, on the same machine.
        """
        return predict_folds(self.folds, houses)


def predict_folds(folds: list[FittedFold], houses: pd.DataFrame | CodedHouses) -> Floats:
    """What `SavedRun.predict_folds` says, of folds in the order of their repeats."""
    coded = code_houses(houses)
    # The networks of one fold compute while the next one's features are made.
    with ThreadPoolExecutor(1) as executor:
        pending = [executor.submit(_ensemble, fold, fold.features.matrix(coded)) for fold in folds]
    n_repeats = folds[-1].repeat + 1
    return np.stack([one.result() for one in pending]).reshape(n_repeats, len(folds) // n_repeats, len(houses))


def _ensemble(fold: FittedFold, matrix: NDArray[np.float32]) -> Floats:
    return combine({group: fold.predict(group, matrix) for group in fold.networks})


def mean_over_folds(predictions: Floats) -> Floats:
    """(n_repeats, n_folds, n_rows) -> (n_rows,), added up in the order in which a run adds them up."""
    of_folds = predictions.reshape(-1, predictions.shape[2])
    return np.asarray(sum(fold / len(of_folds) for fold in of_folds))


def read_run(folder: Path) -> SavedRun:
    """Read a run folder.

    Raises:
        RunError: a file is missing, was truncated or altered after the run, holds what no run writes, or comes from
            another version; the line names the file.
    """
    manifest = _read_manifest(folder)
    for name in _FILES:
        _check_unaltered(folder / name, manifest)
    try:
        settings = load_settings(folder / "config.toml")
    except SettingsError as error:
        raise RunError(str(error).replace("\n", "; ")) from None
    out_of_fold = _read_csv(folder / "oof.csv", (ID, "fold", *_EXACT))
    folds, error_scales = _read_folds(folder, settings, out_of_fold)
    return SavedRun(
        folder=folder,
        settings=settings,
        metrics=_read_json(folder / "metrics.json"),
        manifest=manifest,
        out_of_fold=out_of_fold,
        curves=_read_csv(folder / "curves.csv", ("repeat", "fold", "group", "epoch")),
        folds=folds,
        error_scales=error_scales,
    )


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; accepted: a run folder as `houseprices cv` writes it")
    file = folder / _MANIFEST
    manifest = _read_json(file)
    _check_version(file, manifest)
    checksums = manifest.get("outputs_sha256")
    for name in _FILES:
        if not isinstance(checksums, dict) or not isinstance(checksums.get(name), str):
            raise _alien(file, f"outputs_sha256 has no checksum of {name}")
    return manifest


def _check_version(file: Path, content: Any) -> None:
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise RunError(
            f"{file}: format_version is {version!r}; accepted: {FORMAT_VERSION}, as this version of houseprices writes"
            " it (make the run anew, or read it with the version that made it)"
        )


def _check_unaltered(file: Path, manifest: dict[str, Any]) -> None:
    try:
        found = sha256_of(file)
    except OSError as error:
        raise _unreadable(file, error) from None
    if found != manifest["outputs_sha256"][file.name]:
        raise _alien(file, "was truncated or altered since the run (its SHA-256 is not the manifest's)")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise _unreadable(file, error) from None
    except ValueError as error:
        raise _alien(file, str(error)) from None
    if not isinstance(content, dict):
        raise _alien(file, "holds no JSON object")
    return content


def _unreadable(file: Path, error: OSError) -> RunError:
    return RunError(f"{file}: {error.strerror}; accepted: a whole run folder as `houseprices cv` writes it")


def _read_csv(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        # Python reads back the very number that was written; a faster parser may err in the last bit.
        table = pd.read_csv(file, converters=dict.fromkeys(_EXACT, float))
    except ValueError as error:
        raise _alien(file, str(error)) from None
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise _alien(file, f"column {missing[0]} is missing")
    return table


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class _FoldRecord:
    """One fold in preprocessing.json."""

    repeat: int
    fold: int
    log_price_mean: float
    log_price_std: float
    features: dict[str, Any]
    columns: dict[str, list[int]]
    error_scale: ErrorScale


def _read_folds(
    folder: Path, settings: Settings, out_of_fold: pd.DataFrame
) -> tuple[list[FittedFold], list[ErrorScale]]:
    file = folder / "preprocessing.json"
    content = _read_json(file)
    _check_version(file, content)
    try:
        records = TypeAdapter(list[_FoldRecord]).validate_python(content.get("folds"))
    except ValidationError as error:
        first = error.errors()[0]
        raise _alien(file, f"folds.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    expected = list(np.ndindex(settings.folds.n_repeats, settings.folds.n_folds))
    if [(record.repeat, record.fold) for record in records] != expected:
        raise _alien(file, "its folds are not those of config.toml")
    log_price = out_of_fold["log_price"].to_numpy(dtype=np.float64)
    folds = [
        FittedFold(
            record.repeat,
            record.fold,
            _read_features(file, record),
            record.log_price_mean,
            record.log_price_std,
            ((log_price - record.log_price_mean) / record.log_price_std).astype(np.float32),
            {group: np.array(columns, dtype=np.intp) for group, columns in record.columns.items()},
        )
        for record in records
    ]
    _read_networks(folder / "members.safetensors", folds, settings)
    return folds, [_read_error_scale(file, record) for record in records]


def _read_error_scale(file: Path, record: _FoldRecord) -> ErrorScale:
    scale = record.error_scale
    for name in ("centre", "coefficients"):
        if len(getattr(scale, name)) != N_SIGNS:
            raise _alien(file, f"the error scale of fold {record.fold} has no {N_SIGNS} numbers in {name}")
    return scale


def _read_features(file: Path, record: _FoldRecord) -> HouseFeatures:
    try:
        features = HouseFeatures.from_dict(record.features)
        known = features.to_dict()
        n_columns = len(features.get_feature_names_out())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _alien(file, f"the features of fold {record.fold} cannot be read ({error})") from None
    unknown = set(record.features) - set(known)
    if unknown:
        raise _alien(file, f"folds.{record.fold}.features.{min(unknown)} is unknown")
    for group, columns in record.columns.items():
        if not all(0 <= column < n_columns for column in columns):
            raise _alien(file, f"the columns of group {group} in fold {record.fold} are not among the {n_columns}")
    return features


def _read_networks(file: Path, folds: list[FittedFold], settings: Settings) -> None:
    """Enter each fold's networks; the settings say their shape, the tensors must fit it."""
    import safetensors

    try:
        with safetensors.safe_open(file, "pt") as saved:
            metadata = json.loads((saved.metadata() or {}).get("houseprices", "null"))
            tensors = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118  # no mapping
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        raise _alien(file, str(error)) from None
    _check_version(file, metadata)
    expected = {f"{fold.repeat}/{fold.fold}/{group}" for fold in folds for group in settings.groups}
    if tensors.keys() != expected:
        odd = min(tensors.keys() ^ expected)
        raise _alien(file, f"tensor {odd} is {'missing' if odd in expected else 'not of this run'}")
    for fold in folds:
        if fold.columns.keys() != settings.groups.keys():
            raise _alien(file.with_name("preprocessing.json"), f"the groups of fold {fold.fold} are not config.toml's")
        for name, group in settings.groups.items():
            shape = Architecture(len(fold.columns[name]), group.hidden, group.activation, group.linear_path)
            parameters = tensors[f"{fold.repeat}/{fold.fold}/{name}"]
            wanted = (group.n_members, shape.n_parameters)
            if tuple(parameters.shape) != wanted or str(parameters.dtype) != "torch.float32":
                found = f"{tuple(parameters.shape)} {parameters.dtype}"
                raise _alien(file, f"tensor {fold.repeat}/{fold.fold}/{name} is {found}, not {wanted} torch.float32")
            fold.networks[name] = BatchedMLP(shape, parameters=parameters)


def _alien(file: Path, what: str) -> RunError:
    return RunError(f"{file}: {what}; accepted: the file as the run wrote it")
