"""The run folder: all that a run computed, written whole or not at all."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from houseprices.errors import RunError
from houseprices.data.schema import ID
from houseprices.settings import Settings, dump_settings
from houseprices.data.source import Source
from houseprices.files import replacing, sha256_of, write_json
from houseprices.runs.submission import submission_table

if TYPE_CHECKING:
    from houseprices.cross_validation.cross_validate import CrossValidation

RUNS_FOLDER = Path("runs")
LATEST = "latest"
FORMAT_VERSION = 2

_LIBRARIES = ("numpy", "pandas", "scikit-learn", "torch", "safetensors")


def default_run_folder() -> Path:
    """runs/<UTC time>, to the microsecond, so that two runs never share a name."""
    return RUNS_FOLDER / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")


@contextmanager
def new_run_folder(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder to write into; it becomes `folder` if the block ends well and vanishes if it does not.

    Raises:
        RunError: the folder has something in it already, or cannot be written: at once, before any work.
    """
    _check_new(folder)
    with replacing(folder) as (staging,):
        staging.mkdir()
        yield staging
        _check_new(folder)
    _point_latest_to(folder)


def _check_new(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise RunError(f"{folder}: exists already; accepted: a new or empty folder")


def write_run(
    staging: Path, result: "CrossValidation", settings: Settings, metrics: dict[str, Any], source: Source, device: str
) -> None:
    """Write the files of a run, the manifest with their checksums last.

    The houses come with it: what is made of a run later needs nothing but its folder.

    Raises:
        RunError: train.csv or test.csv is no longer the file that the run has read.
    """
    for name, sha256 in source.sha256.items():
        shutil.copyfile(source.folder / name, staging / name)
        if sha256_of(staging / name) != sha256:
            raise RunError(f"{source.folder / name}: changed during the run; accepted: files that stay as they are")
    (staging / "config.toml").write_text(dump_settings(settings), "utf-8")
    write_json(staging / "metrics.json", metrics)
    _curves(result).to_csv(staging / "curves.csv", index=False)
    _out_of_fold(result).to_csv(staging / "oof.csv", index=False)
    submission_table(result.test_ids, result.test).to_csv(staging / "submission.csv", index=False)
    _write_members(staging / "members.safetensors", result)
    write_json(
        staging / "preprocessing.json",
        {
            "format_version": FORMAT_VERSION,
            "folds": [
                {
                    "repeat": fold.repeat,
                    "fold": fold.fold,
                    "log_price_mean": fold.log_price_mean,
                    "log_price_std": fold.log_price_std,
                    "features": fold.features.to_dict(),
                    "columns": {group: columns.tolist() for group, columns in fold.columns.items()},
                    "error_scale": asdict(error_scale),
                }
                for fold, error_scale in zip(result.folds, result.error_scales, strict=True)
            ],
        },
        indent=None,
    )
    write_json(staging / "manifest.json", _manifest(staging, source, metrics, device))


def _out_of_fold(result: "CrossValidation") -> pd.DataFrame:
    table = pd.DataFrame({ID: result.ids, "fold": result.fold_of_row[0], "log_price": result.log_price})
    table["prediction"] = result.prediction
    table["spread"] = result.spread
    table["error_scale"] = result.scale_of_row
    for repeat, fold_of_row in enumerate(result.fold_of_row[1:], start=2):
        table[f"fold_{repeat}"] = fold_of_row
    return table


def _curves(result: "CrossValidation") -> pd.DataFrame:
    """Per epoch, fold and group: root mean square over the members' errors, mean of their weight norms."""
    tables = []
    for fold in result.folds:
        for group, curves in fold.curves.items():
            n_epochs = curves.training.shape[1]
            tables.append(
                pd.DataFrame(
                    {
                        "repeat": fold.repeat,
                        "fold": fold.fold,
                        "group": group,
                        "epoch": np.arange(1, n_epochs + 1),
                        "training_log_rmse": np.sqrt((curves.training**2).mean(axis=0)),
                        "validation_log_rmse": np.sqrt((curves.validation**2).mean(axis=0)),
                        "weight_norm": curves.weight_norm.mean(axis=0),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def _write_members(file: Path, result: "CrossValidation") -> None:
    """One tensor a fold and group, (n_members, n_parameters), laid out as `mlp.BatchedMLP` does."""
    from safetensors.torch import save

    tensors, shapes = {}, {}
    for fold in result.folds:
        for group, network in fold.networks.items():
            tensors[f"{fold.repeat}/{fold.fold}/{group}"] = network.parameters.cpu().contiguous()
            architecture = network.architecture
            # d_in differs from fold to fold; it is the number of the group's columns in preprocessing.json.
            shapes[group] = {
                "hidden": architecture.hidden,
                "activation": architecture.activation,
                "linear_path": architecture.linear_path,
            }
    # One key: safetensors writes several in any order, and equal runs should be equal files.
    metadata = {"houseprices": json.dumps({"format_version": FORMAT_VERSION, "architectures": shapes})}
    file.write_bytes(save(tensors, metadata=metadata))


def _manifest(staging: Path, source: Source, metrics: dict[str, Any], device: str) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "code_version": code_version(),
        "data": {"kind": source.kind, "sha256": source.sha256},
        "outputs_sha256": {file.name: sha256_of(file) for file in sorted(staging.iterdir())},
        "python": sys.version.split()[0],
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "device": device,
        "seconds": metrics["seconds"],
        "argv": sys.argv[1:],
        "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def code_version() -> str:
    """The package's version, with the commit where the code runs from a checkout."""
    version = importlib.metadata.version("houseprices")
    checkout = Path(__file__).parents[3]
    if not (checkout / "pyproject.toml").is_file():
        return version
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}+{described}"


def _point_latest_to(folder: Path) -> None:
    """Let runs/latest point to the run, wherever it is, in one step."""
    with replacing(RUNS_FOLDER / LATEST, error=lambda text: RunError(f"{text}; the run itself is in {folder}")) as (
        link,
    ):
        link.symlink_to(os.path.relpath(folder, RUNS_FOLDER))
