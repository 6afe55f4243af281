"""Verification of a run: computed again on its houses with its settings, and compared value by value.

A computation under the same conditions has the same bits. Another processor, library or code may add in another order,
and training carries the last bit of a sum on: `BOUNDS` says how far, as measured. The run's own networks must give its
own predictions, prices and score in any case: training has no part in that.
"""

import io
import json
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
from houseprices.data.source import TEST_FILE, TRAIN_FILE, HouseTables, read_tables
from houseprices.engine.device import choose_device
from houseprices.errors import RunError
from houseprices.progress import Notify, Progress, silent
from houseprices.runs.conditions import conditions_on
from houseprices.runs.format import OUTPUTS, SETTINGS, SUBMISSION, as_json, changes
from houseprices.runs.read import SavedRun, read_run
from houseprices.runs.write import metrics_of, output_files

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """Largest differences that a cause explains: root mean square over the values of a file, and of a single value."""

    rms: float
    largest: float


ROUNDING = Bound(1e-6, 1e-5)
"""Rounding in float32 without training: predictions of the same networks, statistics of the same houses."""

BOUNDS = {
    cause: {
        "log price": Bound(0.01, 0.1),
        "score": Bound(0.002, 0.02),
        "learning curve": Bound(0.01, 0.2),
        "weight norm": Bound(0.3, 3.0),
        "weight": Bound(0.1, 2.0),
    }
    for cause in ("another processor", "another library", "other code")
}
"""Bounds of differences that training makes of another rounding, by cause and by quantity; docs/reliability.md has the
measured differences. Prices and errors are in log price; scores are log-RMSEs."""

_CAUSES = {
    "code_sha256": "other code",
    "step": "other code",
    "python": "another library",
    "libraries": "another library",
    "device": "another processor",
    "processor": "another processor",
}
_QUANTITIES = {
    "prediction": "log price",
    "error_scale": "log price",
    PRICE: "log price",
    "training_log_rmse": "learning curve",
    "validation_log_rmse": "learning curve",
    "weight_norm": "weight norm",
    "tensor": "weight",
    "log_rmse": "score",
    "test_log_rmse": "score",
    "by_fold": "score",
    "models": "score",
}
"""Quantities that training moves, by the first word of the name of a column, tensor or entry."""


@dataclass(frozen=True)
class Difference:
    """One quantity of an output of the run beside the same output computed again.

    Attributes:
        file: the output's name.
        quantity: of `BOUNDS`; statistic for all that training has no part in, relative where it is above 1.
        rms, largest: over its values; 0 where all are equal, inf where entries are missing or text differs.
        place: the largest difference, with both values; empty where nothing differs.
        explained: whether the changed conditions explain the differences.
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
        differences: of each output but the settings, in the order of `format.OUTPUTS`.
        conditions: changes since the run, such as "libraries.numpy 2.3 -> 2.4".
        causes: the keys of `BOUNDS` that they make.
        verdict: "same", "differs as another processor may (largest 0.004)" or "differs".
    """

    data: str
    own_networks: float
    differences: list[Difference]
    conditions: list[str]
    causes: list[str]
    verdict: str

    @property
    def unexplained(self) -> list[str]:
        """The outputs whose differences nothing explains."""
        files = list(dict.fromkeys(difference.file for difference in self.differences if not difference.explained))
        return files if self.own_networks <= ROUNDING.largest else ["what its own networks predict", *files]


def verify(run: Path, data: Path | None = None, columns: Path | None = None, notify: Notify = silent) -> Verification:
    """Compute a run again and compare all outputs; write nothing.

    Args:
        run: the run's folder.
        data: folder with its train.csv and test.csv; without it the run's own copies.
        columns: the file of its user-defined features, see `read_run`.
        notify: callback for progress.

    Raises:
        RunError: the run cannot be read, or the houses are not the run's.
        ColumnsError, DataError, ResourceError: see `cross_validate` and `read_tables`.
    """
    saved = read_run(run, columns)
    if not saved.manifest.data.sha256:
        raise RunError(f"{run}: it has no houses; accepted: a run of `houseprices cv`")
    tables = read_tables(data or saved.folder)
    if tables.sha256 != saved.manifest.data.sha256:
        raise RunError(
            f"{tables.folder}: not the run's {TRAIN_FILE} and {TEST_FILE}; accepted: --data with these files"
        )
    settings = saved.settings
    if columns is not None:
        settings = replace(settings, features=replace(settings.features, columns=str(columns)))
    result = cross_validate(
        tables.train, tables.test, settings, lambda event: notify(event) if isinstance(event, Progress) else None
    )
    again = output_files(result, saved.settings, metrics_of(result, saved.manifest.data.kind, {}, tables.test_price))
    now = conditions_on(str(choose_device(settings.device)))
    before = {name: value for name, value in as_json(saved.manifest).items() if name in _CAUSES}
    conditions = list(changes(before, {name: now[name] for name in _CAUSES}, absent="(not noted)"))
    causes = sorted({cause for name, cause in _CAUSES.items() if before.get(name) != now[name]})
    own_networks = _distance_from_own_networks(saved, tables)
    differences = [
        difference
        for name in OUTPUTS
        if name != SETTINGS
        for difference in _differences(name, (saved.folder / name).read_bytes(), again[name], causes)
    ]
    verdict = _verdict(differences, own_networks, causes)
    return Verification(str(tables.folder), own_networks, differences, conditions, causes, verdict)


def _verdict(differences: list[Difference], own_networks: float, causes: list[str]) -> str:
    if own_networks > ROUNDING.largest or not all(difference.explained for difference in differences):
        return "differs"
    if not any(difference.place for difference in differences):
        return "same"
    largest = max((one.largest for one in differences if one.quantity == "log price"), default=0.0)
    return f"differs as {' and '.join(causes)} may (largest {largest:.2g} in log price)"


def _distance_from_own_networks(saved: SavedRun, tables: HouseTables) -> float:
    """Predict by the run's own networks; return the largest difference of its predictions, prices and score."""
    known = saved.ensemble.out_of_fold
    of_folds = saved.ensemble.predict_folds(tables.train.drop(columns=PRICE)).log_price
    rows = np.arange(of_folds.shape[-1])
    out_of_fold = np.mean([of_folds[repeat, fold, rows] for repeat, fold in enumerate(known.fold_of_row)], axis=0)
    prices = np.exp(saved.ensemble.predict_folds(tables.test).mean)
    saved_prices = _parts(SUBMISSION, (saved.folder / SUBMISSION).read_bytes()).get(PRICE)
    score = log_rmse(known.prediction, known.log_price)
    distances = (
        out_of_fold - known.prediction,
        _distance(PRICE, saved_prices, pd.Series(prices, [f"Id {house}" for house in tables.test.index]), False)[0],
        [score - saved.metrics.log_rmse.pooled],
    )
    return max(float(np.abs(distance).max(initial=0.0)) for distance in distances)


def _differences(name: str, before: bytes, again: bytes, causes: list[str]) -> Iterator[Difference]:
    """Yield the differences of an output by quantity, or one without a place if every value is equal."""
    distances: dict[str, list[tuple[Floats, str]]] = {}
    if before != again:
        parts, parts_again = _parts(name, before), _parts(name, again)
        for part in dict.fromkeys([*parts, *parts_again]):
            quantity = _QUANTITIES.get(part.split()[0], "statistic")
            distance = _distance(part, parts.get(part), parts_again.get(part), quantity == "statistic")
            distances.setdefault(quantity, []).append(distance)
    n_different = 0
    for quantity, pairs in distances.items():
        largest, place = max((float(distance.max(initial=0)), place) for distance, place in pairs)
        if place:
            values = np.concatenate([distance for distance, _ in pairs])
            rms = float(np.sqrt(np.mean(values**2)))
            bounds = [BOUNDS[cause].get(quantity, ROUNDING) for cause in causes]
            explained = any(rms <= bound.rms and largest <= bound.largest for bound in bounds)
            yield Difference(name, quantity, rms, largest, place, explained)
            n_different += 1
    if not n_different:
        yield Difference(name, "", 0.0, 0.0, "", explained=True)


def _parts(name: str, content: bytes) -> dict[str, pd.Series]:
    """Split an output into series of numbers or text, one a column, tensor or entry, indexed by place."""
    if name.endswith(".csv"):
        table = pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False)
        table.index = pd.Index(
            [f"Id {house}" for house in table[ID]] if ID in table else table.index.map("row {}".format)
        )
        return {str(column): _numbers_or_text(table[column]) for column in table}
    if name.endswith(".safetensors"):
        return {
            f"tensor {key}": pd.Series(tensor.ravel(), pd.MultiIndex.from_product([*map(range, tensor.shape)]))
            for key, tensor in load(content).items()
        }
    parts: dict[str, dict[str, Any]] = {}
    for key, tree in json.loads(content).items():
        if key != "seconds":  # no two runs take equally long
            for place, leaf in _leaves(tree):
                text = " (text)" * isinstance(leaf, str)
                parts.setdefault(f"{key}{text}", {})[place] = leaf
    return {key: pd.Series(leaves) for key, leaves in parts.items()}


def _numbers_or_text(cells: pd.Series) -> pd.Series:
    try:
        return cells.map(float)  # to the last bit, unlike pandas' own parser
    except ValueError:
        return cells


def _leaves(tree: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a JSON value with their places."""
    if isinstance(tree, dict | list):
        for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _leaves(branch, f"{place}.{key}" if place else str(key))
    else:
        yield place, tree


def _distance(part: str, before: pd.Series | None, again: pd.Series | None, relative: bool) -> tuple[Floats, str]:
    """Differences of two series, of prices in logarithms, and the largest one with its place."""
    if before is None or again is None or list(before.index) != list(again.index):
        return np.array([np.inf]), f"{part}: not the same entries in the run and computed now"
    if all(pd.api.types.is_numeric_dtype(series) for series in (before, again)):
        old, new = before.to_numpy(np.float64), again.to_numpy(np.float64)
        if part == PRICE:
            old, new = np.log(old), np.log(new)
        scale = np.maximum(1.0, np.abs(old)) if relative else 1.0
        equal = (old == new) | (np.isnan(old) & np.isnan(new))
        distance = np.where(equal, 0.0, np.nan_to_num(np.abs(old - new) / scale, nan=np.inf))
    else:
        distance = np.where(before.astype(str) == again.astype(str), 0.0, np.inf)
    if not distance.any():
        return distance, ""
    row = int(distance.argmax())
    return distance, f"{part}, {before.index[row]}: {before.iloc[row]} in the run, {again.iloc[row]} computed now"
