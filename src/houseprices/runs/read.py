"""Reading a run folder: every file checked against the manifest, the fitted folds as they were."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors
from numpy.typing import NDArray

from houseprices.cross_validation.ensemble import Ensemble, OutOfFold
from houseprices.cross_validation.fold import FittedFold
from houseprices.data.schema import ID, PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE
from houseprices.data.table import read_houses
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import architecture_of
from houseprices.errors import ColumnsError, RunError, SettingsError
from houseprices.files import sha256_of
from houseprices.preprocessing.custom_features import CustomFeatures, saved_custom_file
from houseprices.preprocessing.features import HouseFeatures
from houseprices.preprocessing.houses import house_array
from houseprices.runs.format import (
    CURVE_COLUMNS,
    CURVES,
    CUSTOM_FEATURES,
    EXACT_COLUMNS,
    MEMBERS,
    METRICS,
    OUT_OF_FOLD,
    PREPROCESSING,
    SETTINGS,
    FoldRecord,
    Manifest,
    Metrics,
    Preprocessing,
    check_run,
    check_version,
    damaged,
    find_run,
    fold_columns,
    read_record,
    tensor_name,
)
from houseprices.settings import Settings, load_settings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SavedRun:
    """The content of a run folder.

    Attributes:
        curves: curves.csv.
        ensemble: the fitted folds on the CPU, and oof.csv.
    """

    folder: Path
    settings: Settings
    metrics: Metrics
    manifest: Manifest
    curves: pd.DataFrame
    ensemble: Ensemble

    def houses(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The typed training houses, in the order of oof.csv and without prices, and the test houses.

        Raises:
            RunError: a file is missing or is not the one that the run was made with.
        """
        training, test = (_read_kept_houses(self.folder, self.manifest, name) for name in (TRAIN_FILE, TEST_FILE))
        _check_ids(self.folder, self.ensemble.out_of_fold, training)
        return training.drop(columns=PRICE), test


def read_run(folder: Path, columns: Path | None = None) -> SavedRun:
    """Read a run folder.

    Args:
        folder: the run's folder, or its name in runs/.
        columns: the file of the run's user-defined features, if it is no longer where the run's settings name it.

    Raises:
        ColumnsError: the file of user-defined features fails, or returns other columns than in the run.
        RunError: a file is missing, was truncated or altered after the run, holds what no run writes, or comes from
            another version; the line names the file.
    """
    folder = find_run(folder)
    manifest = check_run(folder)
    try:
        settings = load_settings(folder / SETTINGS)
    except SettingsError as error:
        raise RunError(str(error).replace("\n", "; ")) from None
    records = _read_folds(folder / PREPROCESSING, settings)
    metrics = read_record(Metrics, folder / METRICS)
    if metrics.models.keys() != settings.models.keys() or not {"median", "ridge"} <= metrics.baselines.keys():
        raise damaged(folder / METRICS, f"its models are not those of {SETTINGS}, or a baseline is missing")
    out_of_fold = _read_out_of_fold(folder / OUT_OF_FOLD, settings)
    custom: list[CustomFeatures | None] = [None] * len(records)
    sha256 = manifest.outputs_sha256.get(CUSTOM_FEATURES)
    file = saved_custom_file(folder / CUSTOM_FEATURES, sha256, settings.features.columns, columns)
    if file is not None:
        training = _read_kept_houses(folder, manifest, TRAIN_FILE)
        _check_ids(folder, out_of_fold, training)
        houses, log_price = house_array(training.drop(columns=PRICE)), np.log(training[PRICE].to_numpy())
        held_out = [out_of_fold.fold_of_row[record.repeat] == record.fold for record in records]
        custom = [file.fit(houses.rows(~rows), log_price[~rows]) for rows in held_out]
    features = [_read_features(folder / PREPROCESSING, *pair) for pair in zip(records, custom, strict=True)]
    networks = _read_networks(folder / MEMBERS, records, settings)
    folds = [
        FittedFold(
            record.repeat,
            record.fold,
            fitted,
            record.log_price_mean,
            record.log_price_std,
            {model: np.array(columns, dtype=np.intp) for model, columns in record.columns.items()},
            by_model,
        )
        for record, fitted, by_model in zip(records, features, networks, strict=True)
    ]
    curves = _read_curves(folder / CURVES, settings)
    return SavedRun(folder, settings, metrics, manifest, curves, Ensemble(folds, out_of_fold))


def _read_kept_houses(folder: Path, manifest: Manifest, name: str) -> pd.DataFrame:
    """The typed table of the run's train.csv, with prices, or test.csv."""
    file = folder / name
    if not file.is_file():
        raise RunError(f"{file}: no such file; accepted: a run folder with its houses (repeat the run)")
    if sha256_of(file) != manifest.data.sha256.get(name):
        raise RunError(f"{file}: was altered since the run; accepted: the file that the run was trained on")
    return read_houses(file, priced=name == TRAIN_FILE, absent=manifest.data.missing)


def _check_ids(folder: Path, out_of_fold: OutOfFold, training: pd.DataFrame) -> None:
    if training.index.tolist() != out_of_fold.ids.tolist():
        raise RunError(f"{folder / OUT_OF_FOLD}: its Ids are not those of {TRAIN_FILE}; accepted: one run's files")


def _read_csv(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        # Python's float reads back the number that was written; pandas' faster parser may differ in the last bit.
        table = pd.read_csv(file, converters={**dict.fromkeys(EXACT_COLUMNS, float), "model": str})
    except ValueError as error:
        raise damaged(file, str(error)) from None
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise damaged(file, f"column {missing[0]} is missing")
    return table


def _read_out_of_fold(file: Path, settings: Settings) -> OutOfFold:
    folds = fold_columns(settings.folds.n_repeats)
    table = _read_csv(file, (ID, *EXACT_COLUMNS, *folds))
    if any(table[name].dtype.kind != "i" for name in (ID, *folds)):
        raise damaged(file, "an Id or a fold is no whole number")
    if any(sorted(table[name].unique()) != list(range(settings.folds.n_folds)) for name in folds):
        raise damaged(file, f"its folds are not those of {SETTINGS}")
    if not np.isfinite(table[list(EXACT_COLUMNS)]).all(axis=None) or (table["error_scale"] <= 0).any():
        raise damaged(file, "a number is not finite, or an error scale not above 0")
    log_price, prediction, error_scale = (table[name].to_numpy() for name in ("log_price", "prediction", "error_scale"))
    fold_of_row = table[folds].to_numpy(dtype=np.int64).T
    return OutOfFold(table[ID].to_numpy(), log_price, fold_of_row, prediction, error_scale)


def _read_curves(file: Path, settings: Settings) -> pd.DataFrame:
    table = _read_csv(file, CURVE_COLUMNS)
    if any(table[name].dtype.kind not in "if" for name in CURVE_COLUMNS if name != "model"):
        raise damaged(file, "a cell is no number")
    if set(table["model"]) != settings.models.keys():
        raise damaged(file, f"its models are not those of {SETTINGS}")
    return table


def _read_folds(file: Path, settings: Settings) -> list[FoldRecord]:
    records = read_record(Preprocessing, file).folds
    expected = list(np.ndindex(settings.folds.n_repeats, settings.folds.n_folds))
    if [(record.repeat, record.fold) for record in records] != expected:
        raise damaged(file, f"its folds are not those of {SETTINGS}")
    for record in records:
        if record.columns.keys() != settings.models.keys():
            raise damaged(file, f"the models of fold {record.fold} are not {SETTINGS}'s")
    return records


def _read_features(file: Path, record: FoldRecord, custom: CustomFeatures | None) -> HouseFeatures:
    try:
        features = HouseFeatures.from_dict(record.features, custom)
        known = features.to_dict()
        n_columns = len(features.get_feature_names_out())
    except ColumnsError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(file, f"the features of fold {record.fold} cannot be read ({error})") from None
    unknown = set(record.features) - set(known)
    if unknown:
        raise damaged(file, f"folds.{record.fold}.features.{min(unknown)} is unknown")
    for model, columns in record.columns.items():
        if not all(0 <= column < n_columns for column in columns):
            raise damaged(file, f"the columns of model {model} in fold {record.fold} are not among the {n_columns}")
    return features


def _read_networks(file: Path, records: list[FoldRecord], settings: Settings) -> list[dict[str, BatchedMLP]]:
    """The networks of each fold by model; their tensors must have the shapes that follow from the settings."""
    try:
        with safetensors.safe_open(file, "pt") as saved:
            version = json.loads((saved.metadata() or {}).get("format_version", "null"))
            tensors = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118  # no mapping
    except (safetensors.SafetensorError, ValueError, RecursionError, OSError) as error:
        raise damaged(file, str(error)) from None
    check_version(file, version)
    expected = {tensor_name(record.repeat, record.fold, model) for record in records for model in settings.models}
    if tensors.keys() != expected:
        odd = min(tensors.keys() ^ expected)
        raise damaged(file, f"tensor {odd} is {'missing' if odd in expected else 'not of this run'}")

    def network(record: FoldRecord, model: str) -> BatchedMLP:
        options = settings.models[model]
        shape = architecture_of(options, len(record.columns[model]))
        name, wanted = tensor_name(record.repeat, record.fold, model), (options.n_members, shape.n_parameters)
        parameters = tensors[name]
        if tuple(parameters.shape) != wanted or str(parameters.dtype) != "torch.float32":
            found = f"{tuple(parameters.shape)} {parameters.dtype}"
            raise damaged(file, f"tensor {name} is {found}, not {wanted} torch.float32")
        return BatchedMLP(shape, parameters=parameters)

    return [{model: network(record, model) for model in settings.models} for record in records]
