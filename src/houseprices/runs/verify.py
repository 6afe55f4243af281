"""Computes a run again from its manifest, and says what differs."""

import io
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.data.schema import ID
from houseprices.data.source import RAW_FOLDER, SAMPLE_FOLDER, TEST_FILE, TRAIN_FILE
from houseprices.data.table import read_houses
from houseprices.engine.device import choose_device
from houseprices.errors import RunError
from houseprices.files import sha256_of
from houseprices.progress import Notify, Progress, silent
from houseprices.runs.conditions import conditions_on
from houseprices.runs.format import (
    CURVES,
    MEMBERS,
    METRICS,
    OUT_OF_FOLD,
    OUTPUTS,
    SETTINGS,
    SUBMISSION,
    Manifest,
    as_json,
    changes,
)
from houseprices.runs.read import read_run
from houseprices.runs.write import metrics_of, output_files

ROUNDING = 1e-6
"""Differences up to this are rounding in float32."""

RETRAINED = {OUT_OF_FOLD: 0.03, SUBMISSION: 0.06, METRICS: 0.015, CURVES: math.inf, MEMBERS: math.inf}
"""Differences up to these are what training makes of another rounding, where code, library or processor are others: the
weights take other ways to networks that say the same. docs/trust.md has what was measured."""


@dataclass(frozen=True)
class Difference:
    """An output of the run beside the same one computed again.

    Attributes:
        file: its name.
        largest: largest difference of two numbers, in parts of those above 1; 0 where all are equal, inf where
            something else than numbers differs.
        place: where it is, with what stands in the run and what was computed; empty where nothing differs.
    """

    file: str
    largest: float
    place: str


@dataclass(frozen=True)
class Verification:
    """A run beside the same one computed again.

    Attributes:
        data: the folder whose houses were taken.
        differences: of every output but the settings, in the order of `format.OUTPUTS`.
        conditions: what is not as when the run was made, "libraries.numpy 2.3 -> 2.4", or was not noted then.
    """

    data: Path
    differences: list[Difference]
    conditions: list[str]

    @property
    def equal(self) -> bool:
        """Whether every output has the same bytes, but for the seconds."""
        return not any(one.place for one in self.differences)

    @property
    def unexplained(self) -> list[str]:
        """The outputs that differ by more than rounding makes under these conditions."""
        bounds = RETRAINED if self.conditions else {}
        return [one.file for one in self.differences if one.largest > bounds.get(one.file, ROUNDING)]


def verify(run: Path, data: Path | None = None, columns: Path | None = None, notify: Notify = silent) -> Verification:
    """Compute a run again, with its settings on its houses, and compare all that it wrote.

    Nothing is written.

    Args:
        run: the run's folder.
        data: folder with its train.csv and test.csv, by their checksums; without it the run's own copies, or data/raw.
        columns: the file of its own columns, see `read_run`.
        notify: hears how many networks are trained.

    Raises:
        RunError: the run cannot be read, or its houses are nowhere.
        ColumnsError, ResourceError: see `cross_validate`.
    """
    saved = read_run(run, columns)
    folder = _folder_of_houses(run, saved.manifest, data)
    settings = saved.settings
    if columns is not None:
        settings = replace(settings, features=replace(settings.features, columns=str(columns)))
    train, test = (read_houses(folder / name, priced=name == TRAIN_FILE) for name in (TRAIN_FILE, TEST_FILE))
    # What is odd about the houses was told when the run was made.
    result = cross_validate(train, test, settings, lambda told: notify(told) if isinstance(told, Progress) else None)
    again = output_files(result, saved.settings, metrics_of(result, saved.manifest.data.kind, {}))
    conditions = conditions_on(str(choose_device(settings.device)))
    before = {name: value for name, value in as_json(saved.manifest).items() if name in conditions}
    return Verification(
        folder,
        [_difference(name, (run / name).read_bytes(), again[name]) for name in OUTPUTS if name != SETTINGS],
        list(changes(before, conditions, absent="(not noted)")),
    )


def _folder_of_houses(run: Path, manifest: Manifest, data: Path | None) -> Path:
    """The first folder with the very files that the run was computed from."""
    wanted = manifest.data.sha256
    if not wanted:
        raise RunError(f"{run}: its houses had no files; accepted: a run of `houseprices cv`")
    for folder in (run, RAW_FOLDER, SAMPLE_FOLDER) if data is None else (data,):
        files = {name: folder / name for name in wanted}
        if all(file.is_file() and sha256_of(file) == wanted[name] for name, file in files.items()):
            return folder
    where = data or run
    raise RunError(f"{where}: no {TRAIN_FILE} and {TEST_FILE} as the run read them; accepted: --data with these files")


def _difference(name: str, before: bytes, again: bytes) -> Difference:
    if before == again:
        return Difference(name, 0.0, "")
    parts, parts_again = _parts(name, before), _parts(name, again)
    differences = [
        _largest(place, parts.get(place), parts_again.get(place)) for place in dict.fromkeys([*parts, *parts_again])
    ]
    largest, place = max(differences, key=lambda one: one[0])
    return Difference(name, largest, place or ("" if name == METRICS else "the same values, written otherwise"))


def _parts(name: str, content: bytes) -> dict[str, pd.Series]:
    """What stands in an output: a series of numbers or words a column, tensor or entry, each value with its place."""
    match Path(name).suffix:
        case ".csv":
            table = pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False)
            lines = [f"line {row + 2}" for row in table.index]
            table.index = pd.Index([f"{ID} {house}" for house in table[ID]] if ID in table else lines)
            return {str(column): _numbers_or_words(table[column]) for column in table}
        case ".safetensors":
            return {
                f"tensor {key}": pd.Series(tensor.ravel(), pd.MultiIndex.from_product([*map(range, tensor.shape)]))
                for key, tensor in load(content).items()
            }
        case _:
            tree = json.loads(content)
            if name == METRICS:
                del tree["seconds"]  # no two runs take equally long
            leaves: dict[str, list[Any]] = {}
            _collect(tree, "", leaves)
            return {place: pd.Series(values) for place, values in leaves.items()}


def _numbers_or_words(cells: pd.Series) -> pd.Series:
    try:
        return cells.map(float)  # Python reads the very number that was written
    except ValueError:
        return cells


def _collect(tree: Any, place: str, leaves: dict[str, list[Any]]) -> None:
    """Sort the tree's leaves by their place; those of one list are together."""
    if isinstance(tree, dict):
        for key, branch in tree.items():
            _collect(branch, f"{place}.{key}" if place else key, leaves)
    elif isinstance(tree, list) and any(isinstance(branch, dict | list) for branch in tree):
        for number, branch in enumerate(tree):
            _collect(branch, f"{place}.{number}", leaves)
    else:
        leaves[place] = tree if isinstance(tree, list) else [tree]


def _largest(place: str, before: pd.Series | None, again: pd.Series | None) -> tuple[float, str]:
    """The largest difference of two series, in parts of a number above 1, and its place."""
    if before is None or again is None:
        return np.inf, f"{place}: only {'computed now' if before is None else 'in the run'}"
    if len(before) != len(again):
        return np.inf, f"{place}: {len(before)} values in the run, {len(again)} computed now"
    if all(pd.api.types.is_numeric_dtype(one) for one in (before, again)):
        one, other = before.to_numpy(np.float64), again.to_numpy(np.float64)
        apart = np.abs(one - other) / np.maximum(1.0, np.abs(one))
        apart = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, np.nan_to_num(apart, nan=np.inf))
    else:
        apart = np.array([0.0 if str(one) == str(other) else np.inf for one, other in zip(before, again, strict=True)])
    if not len(apart) or not apart.any():
        return 0.0, ""
    row = int(apart.argmax())
    where = place if len(apart) == 1 else f"{place}, {before.index[row]}"
    return float(apart[row]), f"{where}: {before.iloc[row]} in the run, {again.iloc[row]} computed now"
