"""Verification of a run: computed again on its houses with its settings, and compared value by value.

A computation under the same conditions has the same bits. Another processor, library or code may add in another order,
and training carries the last bit of a sum on: `QUANTITIES` says how far, as measured. The run's own networks must give
its own predictions, prices and score in any case: training has no part in that.
"""

import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.metrics import log_rmse
from houseprices.data.schema import ID, PRICE
from houseprices.data.source import HouseTables
from houseprices.engine.device import choose_device
from houseprices.progress import Notify, Progress, silent
from houseprices.runs.conditions import conditions_on
from houseprices.runs.format import OUTPUTS, SETTINGS, SUBMISSION, as_json, changes
from houseprices.runs.read import SavedRun, read_run, run_tables
from houseprices.runs.write import metrics_of, output_files, submission_table

Floats = NDArray[np.float64]

_CAUSES = {
    "another library": ("python", "libraries"),
    "another processor": ("device", "processor"),
    "other code": ("code_sha256", "step"),
}
"""Causes of differences, and the conditions whose change each is."""

QUANTITIES = {
    "log price": (("prediction", "error_scale", PRICE), 0.01, 0.1),
    "score": (("log_rmse", "test_log_rmse", "by_fold", "models"), 0.002, 0.02),
    "learning curve": (("training_log_rmse", "validation_log_rmse"), 0.01, 0.2),
    "weight norm": (("weight_norm",), 0.3, 3.0),
    "weight": (("tensor",), 0.1, 2.0),
}
"""Quantities that training moves: their columns or entries, and the bounds of what each cause explains, in root mean
square over the values of a file and in a single value. Prices are compared in log price. docs/reliability.md has the
measured differences."""

STATISTIC, ROUNDING_RMS, ROUNDING = "statistic", 1e-6, 1e-5
"""All else is computed without training; such differences are relative where the value is above 1."""


@dataclass(frozen=True)
class Difference:
    """One quantity of an output of the run beside the same output computed again.

    Attributes:
        file, quantity: the output's name; a name in `QUANTITIES`, or statistic.
        rms, largest: over its values; inf where entries are missing or text differs.
        place: the largest difference, with both values.
        explained: the changed conditions explain the differences.
    """

    file: str
    quantity: str
    rms: float
    largest: float
    place: str
    explained: bool


@dataclass(frozen=True)
class Verification:
    """A run beside the same run computed again.

    Attributes:
        data: the folder of the houses.
        own_networks: largest difference of the run's predictions, prices and score from those of its own networks, in
            log price.
        differences: of all outputs but the settings, in the order of `format.OUTPUTS`; none where all bits are equal.
        conditions: changes since the run, such as "libraries.numpy 2.3 -> 2.4".
        causes: "another library", "another processor", "other code", as far as the changes are such.
        unexplained: outputs whose differences nothing explains.
        verdict: "same", "differs as another processor may (largest 0.004)" or "differs".
    """

    data: str
    own_networks: float
    differences: list[Difference]
    conditions: list[str]
    causes: list[str]
    unexplained: list[str]
    verdict: str


def verify(run: Path, data: Path | None = None, columns: Path | None = None, notify: Notify = silent) -> Verification:
    """Compute a run again and compare all outputs; write nothing.

    Args:
        run, columns: see `read_run`.
        data: folder with its train.csv and test.csv; without it the run's own copies.
        notify: callback for progress.

    Raises:
        RunError: the run cannot be read, or the houses are not the run's.
        ColumnsError, DataError, ResourceError: see `cross_validate` and `read_tables`.
    """
    saved = read_run(run, columns)
    tables, settings = run_tables(saved.folder, saved.manifest, saved.ensemble.out_of_fold, data), saved.settings
    if columns is not None:
        settings = replace(settings, features=replace(settings.features, columns=str(columns)))
    result = cross_validate(
        tables.train, tables.test, settings, lambda event: notify(event) if isinstance(event, Progress) else None
    )
    again = output_files(result, saved.settings, metrics_of(result, tables.kind, {}, tables.test_price))
    before, now = as_json(saved.manifest), conditions_on(str(choose_device(settings.device)))
    changed = {}
    for cause, names in _CAUSES.items():
        pair = ({name: before[name] for name in names if name in before}, {name: now[name] for name in names})
        changed[cause] = list(changes(*pair, absent="(not noted)"))
    conditions = [text for texts in changed.values() for text in texts]
    causes = [cause for cause, texts in changed.items() if texts]
    differences = []
    for name in OUTPUTS:
        if name != SETTINGS:
            differences += _differences(name, (saved.folder / name).read_bytes(), again[name], moved=bool(causes))
    own_networks = _distance_from_own_networks(saved, tables)
    unexplained = list(dict.fromkeys(difference.file for difference in differences if not difference.explained))
    if own_networks > ROUNDING:
        unexplained.insert(0, "what its own networks predict")
    if unexplained:
        verdict = "differs"
    elif differences:
        largest = max((each.largest for each in differences if each.quantity == "log price"), default=0.0)
        verdict = f"differs as {' and '.join(causes)} may (largest {largest:.2g} in log price)"
    else:
        verdict = "same"
    return Verification(str(tables.folder), own_networks, differences, conditions, causes, unexplained, verdict)


def _distance_from_own_networks(saved: SavedRun, tables: HouseTables) -> float:
    """Predict by the run's own networks; return the largest difference of its predictions, prices and score."""
    known = saved.ensemble.out_of_fold
    of_folds = saved.ensemble.predict_folds(tables.train.drop(columns=PRICE)).log_price
    rows = np.arange(of_folds.shape[-1])
    out_of_fold = np.mean([of_folds[repeat, fold, rows] for repeat, fold in enumerate(known.fold_of_row)], axis=0)
    submission = submission_table(tables.test.index.to_numpy(), saved.ensemble.predict_folds(tables.test).mean)
    contents = ((saved.folder / SUBMISSION).read_bytes(), submission.to_csv(index=False).encode())
    distances = (
        out_of_fold - known.prediction,
        _distance(PRICE, *(_parts(SUBMISSION, content).get(PRICE) for content in contents), relative=False)[0],
        log_rmse(known.prediction, known.log_price) - saved.metrics.log_rmse.pooled,
    )
    return max(float(np.abs(distance).max(initial=0.0)) for distance in distances)


def _differences(file: str, before: bytes, again: bytes, *, moved: bool) -> list[Difference]:
    """List the differences of an output by quantity; `moved` if any condition has changed since the run."""
    parts, parts_again = _parts(file, before), _parts(file, again)
    distances: dict[str, list[tuple[Floats, str]]] = defaultdict(list)
    for part in dict.fromkeys([*parts, *parts_again]):
        quantity = next((name for name, (firsts, *_) in QUANTITIES.items() if part.split()[0] in firsts), STATISTIC)
        distance = _distance(part, parts.get(part), parts_again.get(part), relative=quantity == STATISTIC)
        distances[quantity].append(distance)
    differences = []
    for quantity, pairs in distances.items():
        largest, place = max((float(distance.max(initial=0)), place) for distance, place in pairs)
        if place:
            rms = float(np.sqrt(np.mean(np.concatenate([distance for distance, _ in pairs]) ** 2)))
            _, rms_bound, bound = QUANTITIES.get(quantity, ((), ROUNDING_RMS, ROUNDING))
            explained = moved and rms <= rms_bound and largest <= bound
            differences.append(Difference(file, quantity, rms, largest, place, explained))
    return differences


def _parts(file: str, content: bytes) -> dict[str, pd.Series]:
    """Split an output into series of numbers or text, one a column, tensor or entry, indexed by place."""
    if file.endswith(".csv"):
        table = pd.read_csv(io.BytesIO(content), dtype="str", na_filter=False)
        table.index = "Id " + table[ID] if ID in table else table.index.map("row {}".format)
        return {str(column): _numbers_or_text(table[column]) for column in table}
    if file.endswith(".safetensors"):
        return {
            f"tensor {key}": pd.Series(tensor.ravel(), pd.MultiIndex.from_product([*map(range, tensor.shape)]))
            for key, tensor in load(content).items()
        }
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, tree in json.loads(content).items():
        if key != "seconds":  # no two runs take equally long
            for place, leaf in _leaves(tree):
                parts[f"{key} (text)" if isinstance(leaf, str) else key][place] = leaf
    return {key: pd.Series(leaves) for key, leaves in parts.items()}


def _numbers_or_text(cells: pd.Series) -> pd.Series:
    try:
        return cells.astype(float)  # to the last bit, unlike pandas' own parser
    except ValueError:
        return cells


def _leaves(tree: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a JSON value with their places."""
    if isinstance(tree, dict | list):
        for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _leaves(branch, f"{place}.{key}" if place else str(key))
    else:
        yield place, tree


def _distance(part: str, before: pd.Series | None, again: pd.Series | None, *, relative: bool) -> tuple[Floats, str]:
    """Differences of two series, of prices in logarithms, and the largest one with its place."""
    if before is None or again is None or not before.index.equals(again.index):
        return np.array([np.inf]), f"{part}: not the same entries in the run and computed now"
    if all(pd.api.types.is_numeric_dtype(series) for series in (before, again)):
        old, new = before.to_numpy(np.float64), again.to_numpy(np.float64)
        if part == PRICE:
            old, new = np.log(old), np.log(new)
        scale = np.maximum(1.0, np.abs(old)) if relative else 1.0
        distance = np.where(old == new, 0.0, np.nan_to_num(np.abs(old - new) / scale, nan=np.inf))
    else:
        distance = np.where(before.astype(str) == again.astype(str), 0.0, np.inf)
    if not distance.any():
        return distance, ""
    row = int(distance.argmax())
    return distance, f"{part}, {before.index[row]}: {before.iloc[row]} in the run, {again.iloc[row]} computed now"
