"""Reading a run folder: every file checked against the manifest, the fitted folds as they were."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, float32

from houseprices.cross_validation.ensemble import Ensemble, OutOfFold
from houseprices.cross_validation.fold import FittedFold
from houseprices.data.schema import ID, PRICE
from houseprices.data.source import HouseTables, read_tables
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import architecture_of
from houseprices.errors import ColumnsError, RunError, SettingsError
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
    damaged,
    fold_columns,
    read_record,
    tensor_name,
)
from houseprices.settings import Settings, load_settings


@dataclass(frozen=True)
class SavedRun:
    """Content of a run folder; the networks of the ensemble are on the CPU."""

    folder: Path
    settings: Settings
    metrics: Metrics
    manifest: Manifest
    curves: pd.DataFrame
    ensemble: Ensemble

    def houses(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Read the typed training houses, in the order of oof.csv and without prices, and the test houses."""
        tables = run_tables(self.folder, self.manifest, self.ensemble.out_of_fold)
        return tables.train.drop(columns=PRICE), tables.test


def read_run(folder: Path, columns: Path | None = None) -> SavedRun:
    """Read a run folder.

    Args:
        folder: the run's folder, or its name in runs/.
        columns: the file of the run's custom features, if it is no longer where the run's settings name it.

    Raises:
        ColumnsError: the file of custom features fails, or returns other columns than in the run.
        RunError: a file is missing, was truncated or altered after the run, holds what no run writes, or comes from
            another version; the line names the file.
    """
    folder, manifest = check_run(folder)
    try:
        settings = load_settings(folder / SETTINGS)
    except SettingsError as error:
        raise RunError(str(error).replace("\n", "; ")) from None
    metrics = read_record(Metrics, folder / METRICS)
    if metrics.models.keys() != settings.models.keys() or not {"median", "ridge"} <= metrics.baselines.keys():
        raise damaged(folder / METRICS, f"its models are not those of {SETTINGS}, or a baseline is missing")
    with _content_of(folder / CURVES) as file:
        curves = _read_csv(file, CURVE_COLUMNS)
        if set(curves["model"]) != settings.models.keys():
            raise ValueError(f"its models are not those of {SETTINGS}")
    with _content_of(folder / OUT_OF_FOLD) as file:
        out_of_fold = _read_out_of_fold(file, settings)
    with _content_of(folder / MEMBERS) as file:
        tensors = load_file(file)
    with _content_of(folder / PREPROCESSING) as file:
        records = read_record(Preprocessing, file).folds
        expected = list(np.ndindex(settings.folds.n_repeats, settings.folds.n_folds))
        if [(record.repeat, record.fold) for record in records] != expected:
            raise ValueError(f"its folds are not those of {SETTINGS}")
    custom: list[CustomFeatures | None] = [None] * len(records)
    sha256 = manifest.outputs_sha256.get(CUSTOM_FEATURES)
    custom_file = saved_custom_file(folder / CUSTOM_FEATURES, sha256, settings.features.columns, columns)
    if custom_file is not None:
        train = run_tables(folder, manifest, out_of_fold).train
        houses, log_price = house_array(train.drop(columns=PRICE)), np.log(train[PRICE].to_numpy())
        training_rows = [out_of_fold.fold_of_row[record.repeat] != record.fold for record in records]
        custom = [custom_file.fit(houses.rows(rows), log_price[rows]) for rows in training_rows]
    folds = [
        _fitted_fold(folder, record, settings, fitted, tensors) for record, fitted in zip(records, custom, strict=True)
    ]
    return SavedRun(folder, settings, metrics, manifest, curves, Ensemble(folds, out_of_fold))


@contextmanager
def _content_of(file: Path) -> Iterator[Path]:
    """Name the file in the error for content that no run writes."""
    try:
        yield file
    except ColumnsError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SafetensorError) as error:
        raise damaged(file, f"{error} is missing" if isinstance(error, KeyError) else str(error)) from None


def run_tables(folder: Path, manifest: Manifest, out_of_fold: OutOfFold, data: Path | None = None) -> HouseTables:
    """Read the run's houses: its own copies, or the same tables in another folder.

    Raises:
        DataError: a table is missing.
        RunError: the run has no houses, or the tables are not the ones that it was made with.
    """
    if not manifest.data.sha256:
        raise RunError(f"{folder}: it has no houses; accepted: a run of `houseprices cv`")
    tables = read_tables(data or folder)
    for name, sha256 in tables.sha256.items():
        if sha256 != manifest.data.sha256.get(name):
            raise RunError(f"{tables.folder / name}: is not the run's (its SHA-256 differs); accepted: the run's file")
    if not np.array_equal(tables.train.index, out_of_fold.ids):
        raise damaged(folder / OUT_OF_FOLD, "its Ids are not those of the training houses")
    return replace(tables, kind=manifest.data.kind)


def _read_csv(file: Path, types: Mapping[str, type]) -> pd.DataFrame:
    """Read the columns to the last bit, unlike pandas' own parser of numbers."""
    return pd.read_csv(file, usecols=list(types), dtype="str", na_filter=False).astype(dict(types))


def _read_out_of_fold(file: Path, settings: Settings) -> OutOfFold:
    folds = fold_columns(settings.folds.n_repeats)
    table = _read_csv(file, {ID: int, **dict.fromkeys(EXACT_COLUMNS, float), **dict.fromkeys(folds, int)})
    if any(sorted(table[name].unique()) != list(range(settings.folds.n_folds)) for name in folds):
        raise ValueError(f"its folds are not those of {SETTINGS}")
    log_price, prediction, error_scale = (table[name].to_numpy() for name in EXACT_COLUMNS)
    if not np.isfinite(table[list(EXACT_COLUMNS)]).all(axis=None) or (error_scale <= 0).any():
        raise ValueError("a number is not finite, or an error scale not above 0")
    return OutOfFold(table[ID].to_numpy(), log_price, table[folds].to_numpy().T, prediction, error_scale)


def _fitted_fold(
    folder: Path, record: FoldRecord, settings: Settings, custom: CustomFeatures | None, tensors: Mapping[str, Tensor]
) -> FittedFold:
    """Restore a fold; its tensors must have the shapes that follow from the settings."""
    with _content_of(folder / PREPROCESSING):
        features = HouseFeatures.from_dict(record.features, custom)
        if features.to_dict() != record.features or record.columns.keys() != settings.models.keys():
            raise ValueError(f"fold {record.fold} has features or models that are not those of {SETTINGS}")
        columns = {model: np.array(positions, dtype=np.intp) for model, positions in record.columns.items()}
        n_columns = len(features.get_feature_names_out())
        if any((positions < 0).any() or (positions >= n_columns).any() for positions in columns.values()):
            raise ValueError(f"a model of fold {record.fold} has a column that is not among the {n_columns}")
    networks = {}
    with _content_of(folder / MEMBERS):
        for model, options in settings.models.items():
            architecture = architecture_of(options, len(columns[model]))
            name, shape = tensor_name(record.repeat, record.fold, model), (options.n_members, architecture.n_parameters)
            if tensors[name].shape != shape or tensors[name].dtype != float32:
                raise ValueError(f"tensor {name} is not of shape {shape} and {float32}")
            networks[model] = BatchedMLP(architecture, parameters=tensors[name])
    scale = (record.log_price_mean, record.log_price_std)
    return FittedFold(record.repeat, record.fold, features, *scale, columns, networks)
