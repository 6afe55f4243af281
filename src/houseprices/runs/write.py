"""The run folder: all that a run computed, written whole or not at all."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save

from houseprices.cross_validation.result import CrossValidation
from houseprices.data.schema import ID
from houseprices.data.source import HouseTables
from houseprices.errors import RunError
from houseprices.files import replacing, sha256_of
from houseprices.runs.conditions import conditions_on
from houseprices.runs.format import (
    CURVE_COLUMNS,
    CURVES,
    FORMAT_VERSION,
    LATEST,
    MANIFEST,
    MEMBERS,
    METRICS,
    OUT_OF_FOLD,
    OWN_COLUMNS,
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
from houseprices.runs.submission import submission_table
from houseprices.settings import Settings, dump_settings


def default_run_folder() -> Path:
    """runs/<UTC time>, to the microsecond, so that two runs never share a name."""
    return RUNS_FOLDER / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")


@contextmanager
def new_run_folder(folder: Path, *, newest: bool = True) -> Iterator[Path]:
    """Yield a hidden folder to write into; it becomes `folder` if the block ends well and vanishes if it does not.

    Args:
        folder: new or empty.
        newest: let runs/latest point to it.

    Raises:
        RunError: the folder has something in it already, or cannot be written: at once, before any work.
    """
    _check_new(folder)
    with replacing(folder) as (staging,):
        staging.mkdir()
        yield staging
        _check_new(folder)
    if newest:
        _point_latest_to(folder)


def _check_new(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise RunError(f"{folder}: exists already; accepted: a new or empty folder")


def _point_latest_to(folder: Path) -> None:
    """Let runs/latest point to the run, wherever it is, in one step."""
    with replacing(LATEST, error=lambda text: RunError(f"{text}; the run itself is in {folder}")) as (link,):
        link.symlink_to(os.path.relpath(folder, RUNS_FOLDER))


def write_run(
    staging: Path,
    result: CrossValidation,
    settings: Settings,
    metrics: Metrics,
    tables: HouseTables | None,
    device: torch.device,
) -> None:
    """Write the files of a run, the manifest with their checksums last.

    The tables, where there are any, come with it: what is made of a run later needs nothing but its folder.

    Raises:
        RunError: the file of own columns is no longer what the run has read.
    """
    if tables is not None:
        tables.write(staging)
    sources = {fold.features.own_.file.source for fold in result.folds if fold.features.own_ is not None}
    if len(sources) > 1:
        raise RunError(f"{settings.features.columns}: changed during the run; accepted: a file that stays as it is")
    for source_code in sources:
        (staging / OWN_COLUMNS).write_bytes(source_code)
    for name, content in output_files(result, settings, metrics).items():
        (staging / name).write_bytes(content)
    write_record(staging / MANIFEST, _manifest(staging, tables, metrics, device))


def output_files(result: CrossValidation, settings: Settings, metrics: Metrics) -> dict[str, bytes]:
    """The content of each of a run's `OUTPUTS`."""
    tensors = {
        tensor_name(fold.repeat, fold.fold, group): network.parameters.cpu().contiguous()
        for fold in result.folds
        for group, network in fold.networks.items()
    }
    texts = {
        # Which cluster trained it is no part of what was trained: elsewhere its address would say nothing.
        SETTINGS: dump_settings(replace(settings, ray="")),
        METRICS: record_text(metrics),
        CURVES: _curves(result).to_csv(index=False),
        OUT_OF_FOLD: _out_of_fold(result).to_csv(index=False),
        SUBMISSION: submission_table(result.test_ids, result.test).to_csv(index=False),
        PREPROCESSING: record_text(_preprocessing(result), indent=None),
    }
    members = save(tensors, metadata={"format_version": str(FORMAT_VERSION)})
    return {**{name: text.encode() for name, text in texts.items()}, MEMBERS: members}


def _out_of_fold(result: CrossValidation) -> pd.DataFrame:
    columns = fold_columns(len(result.fold_of_row))
    table = pd.DataFrame({ID: result.ids, columns[0]: result.fold_of_row[0], "log_price": result.log_price})
    table["prediction"] = result.prediction
    table["error_scale"] = result.error_scale
    for column, fold_of_row in zip(columns[1:], result.fold_of_row[1:], strict=True):
        table[column] = fold_of_row
    return table


def _curves(result: CrossValidation) -> pd.DataFrame:
    """Per epoch, fold and group: root mean square over the members' errors, mean of their weight norms."""
    tables = []
    for fold, by_model in zip(result.folds, result.curves, strict=True):
        for group, curves in by_model.items():
            columns = (
                fold.repeat,
                fold.fold,
                group,
                np.arange(1, curves.training.shape[1] + 1),
                np.sqrt((curves.training**2).mean(axis=0)),
                np.sqrt((curves.validation**2).mean(axis=0)),
                curves.weight_norm.mean(axis=0),
            )
            tables.append(pd.DataFrame(dict(zip(CURVE_COLUMNS, columns, strict=True))))
    return pd.concat(tables, ignore_index=True)


def _preprocessing(result: CrossValidation) -> Preprocessing:
    return Preprocessing(
        FORMAT_VERSION,
        [
            FoldRecord(
                fold.repeat,
                fold.fold,
                fold.log_price_mean,
                fold.log_price_std,
                fold.features.to_dict(),
                {group: columns.tolist() for group, columns in fold.columns.items()},
            )
            for fold in result.folds
        ],
    )


def _manifest(staging: Path, tables: HouseTables | None, metrics: Metrics, device: torch.device) -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        data=DataNote("other", {}) if tables is None else DataNote(tables.kind, tables.sha256),
        outputs_sha256={file.name: sha256_of(file) for file in sorted(staging.iterdir())},
        seconds=metrics.seconds,
        argv=sys.argv[1:],
        finished_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        **conditions_on(device),
    )
