"""The main job, and the run folder that it writes: whole or not at all."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.torch import save

from houseprices.cross_validation.cross_validate import CrossValidation, cross_validate
from houseprices.cross_validation.metrics import log_rmse
from houseprices.data.sample import NOISE_FLOOR
from houseprices.data.schema import ID, PRICE
from houseprices.data.source import DataKind, HouseTables, read_tables
from houseprices.engine.device import choose_device
from houseprices.errors import DataError, RunError
from houseprices.files import replacing, sha256_of
from houseprices.progress import Notify, silent
from houseprices.runs.conditions import conditions_on
from houseprices.runs.format import (
    CURVES,
    CUSTOM_FEATURES,
    EXACT_COLUMNS,
    FORMAT_VERSION,
    LATEST,
    MANIFEST,
    MEMBERS,
    METRICS,
    OUT_OF_FOLD,
    PREPROCESSING,
    RUNS_FOLDER,
    SETTINGS,
    SUBMISSION,
    DataNote,
    FoldRecord,
    Manifest,
    Metrics,
    Preprocessing,
    fold_columns,
    record_text,
    tensor_name,
    write_record,
)
from houseprices.settings import Settings, dump_settings


def run_main_job(
    data: Path | None, settings: Settings, run: Path | None = None, notify: Notify = silent
) -> tuple[Path, Metrics]:
    """Cross-validate on the folder's data and write a run, by default a new one in runs/; return it and its metrics.

    Raises:
        DataError: a fault in the files.
        ResourceError: no CUDA device where one is asked for, or too little memory.
        RunError: the run folder cannot be written.
    """
    device = choose_device(settings.device, settings.ray)
    start = time.perf_counter()
    # To the microsecond, so that two runs never share a name.
    run = run or RUNS_FOLDER / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    with new_run_folder(run) as staging:
        tables = read_tables(data, notify)
        reading = time.perf_counter() - start
        result = cross_validate(tables.train, tables.test, settings, notify)
        metrics = metrics_of(result, tables.kind, {"reading": reading}, tables.test_price)
        write_run(staging, result, settings, metrics, tables, str(device))
    return run, metrics


@contextmanager
def new_run_folder(folder: Path, *, newest: bool = True) -> Iterator[Path]:
    """Yield a hidden folder to write into, which becomes `folder` if the block ends well; `newest` links it as latest.

    Raises:
        RunError: the folder has something in it already, or cannot be written: at once, before any work.
    """
    _check_new(folder)
    with replacing(folder) as (staging,):
        staging.mkdir()
        yield staging
        _check_new(folder)
    if newest:
        with replacing(LATEST, error=lambda text: RunError(f"{text}; the run itself is in {folder}")) as (link,):
            link.symlink_to(os.path.relpath(folder, RUNS_FOLDER))


def _check_new(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise RunError(f"{folder}: exists already; accepted: a new or empty folder")


def write_run(
    staging: Path, result: CrossValidation, settings: Settings, metrics: Metrics, tables: HouseTables, device: str
) -> None:
    """Write the files of a run with copies of its tables, if it has any; the manifest with their checksums comes last.

    Raises:
        RunError: the file of user-defined features changed during the run.
    """
    tables.write(staging)
    sources = {fold.features.custom.source for fold in result.ensemble.folds if fold.features.custom is not None}
    if len(sources) > 1:
        raise RunError(f"{settings.features.columns}: changed during the run; accepted: a file that stays as it is")
    for source in sources:
        (staging / CUSTOM_FEATURES).write_bytes(source)
    for name, content in output_files(result, settings, metrics).items():
        (staging / name).write_bytes(content)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        data=DataNote(tables.kind, tables.sha256, list(tables.missing)),
        outputs_sha256={file.name: sha256_of(file) for file in sorted(staging.iterdir())},
        seconds=metrics.seconds,
        argv=sys.argv[1:],
        finished_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        notices=tables.notices,
        **conditions_on(device),
    )
    write_record(staging / MANIFEST, manifest)


def metrics_of(
    result: CrossValidation,
    kind: DataKind,
    seconds_before: dict[str, float],
    test_price: NDArray[np.float64] | None = None,
) -> Metrics:
    """Make the content of metrics.json; wall seconds of all stages add up to `total`, `training_cpu` stands apart."""
    stages = {**seconds_before, **result.seconds}
    seconds = {**stages, "total": sum(stages.values()), "training_cpu": result.training_cpu_seconds}
    noise_floor = NOISE_FLOOR if kind == "sample" else None
    test_score = None if test_price is None else log_rmse(result.test, np.log(test_price))
    return Metrics(**vars(result.scores), data=kind, seconds=seconds, noise_floor=noise_floor, test_log_rmse=test_score)


def output_files(result: CrossValidation, settings: Settings, metrics: Metrics) -> dict[str, bytes]:
    """The content of each of a run's `OUTPUTS`."""
    tensors, folds = {}, []
    for fold in result.ensemble.folds:
        scale = (fold.log_price_mean, fold.log_price_std)
        columns = {model: positions.tolist() for model, positions in fold.columns.items()}
        folds.append(FoldRecord(fold.repeat, fold.fold, *scale, fold.features.to_dict(), columns))
        for model, network in fold.networks.items():
            tensors[tensor_name(fold.repeat, fold.fold, model)] = network.parameters.cpu().contiguous()
    known = result.ensemble.out_of_fold
    first_fold, *other_folds = zip(fold_columns(len(known.fold_of_row)), known.fold_of_row, strict=True)
    exact = [(name, getattr(known, name)) for name in EXACT_COLUMNS]
    out_of_fold = pd.DataFrame(dict([(ID, known.ids), first_fold, *exact, *other_folds]))
    texts = {
        # The address of a Ray cluster is no part of the result and means nothing elsewhere.
        SETTINGS: dump_settings(replace(settings, ray="")),
        METRICS: record_text(metrics),
        CURVES: _curves(result).to_csv(index=False),
        OUT_OF_FOLD: out_of_fold.to_csv(index=False),
        SUBMISSION: submission_table(result.test_ids, result.test).to_csv(index=False),
        PREPROCESSING: record_text(Preprocessing(FORMAT_VERSION, folds), indent=None),
    }
    members = save(tensors, metadata={"format_version": str(FORMAT_VERSION)})
    return {**{name: text.encode() for name, text in texts.items()}, MEMBERS: members}


def submission_table(ids: NDArray[np.int64], log_price: NDArray[np.float64]) -> pd.DataFrame:
    """The table that Kaggle accepts, one row a house in the given order: Id and SalePrice in dollars, to the cent.

    Raises:
        DataError: a price is not finite and positive; names the houses.

    >>> submission_table(np.array([1461]), np.log(np.array([169000.0])))
         Id  SalePrice
    0  1461   169000.0
    """
    with np.errstate(over="ignore"):
        price_usd = np.exp(log_price).round(2)
    bad = ~(np.isfinite(price_usd) & (price_usd > 0))
    if bad.any():
        accepted = "accepted: a finite price above 0 dollars (training diverged? lower the learning rate)"
        faults = zip(ids[bad], price_usd[bad], strict=True)
        raise DataError([f"submission: Id {house}, SalePrice: {price}; {accepted}" for house, price in faults])
    return pd.DataFrame({ID: ids, PRICE: price_usd})


def _curves(result: CrossValidation) -> pd.DataFrame:
    """A row an epoch, fold and model: root mean square of the networks' errors, mean of their weight norms."""
    tables = {}
    for fold, by_model in zip(result.ensemble.folds, result.curves, strict=True):
        for model, curves in by_model.items():
            columns = {
                "training_log_rmse": np.sqrt((curves.training**2).mean(axis=0)),
                "validation_log_rmse": np.sqrt((curves.validation**2).mean(axis=0)),
                "weight_norm": curves.weight_norm.mean(axis=0),
            }
            epochs = range(1, curves.training.shape[1] + 1)
            tables[fold.repeat, fold.fold, model] = pd.DataFrame(columns, epochs)
    return pd.concat(tables, names=["repeat", "fold", "model", "epoch"]).reset_index()
