"""Two settings compared row by row on the same folds and seeds: is one better, or is it the ten worst houses?

The squared errors of this competition have a heavy tail, so that the last digits of a single score say little. Both
settings see the same rows in the same folds; what is compared is each house's error under the one and the other, and
the interval comes from drawing houses anew (the paired bootstrap; Efron and Tibshirani 1993, ch. 13).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.data.schema import PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE, find_source
from houseprices.data.table import read_houses
from houseprices.errors import SettingsError
from houseprices.progress import Notice, Progress, Tell, silent
from houseprices.settings import Settings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairedDifference:
    """Log-RMSE of the second prediction minus that of the first; below zero the second is better.

    Attributes:
        first, second: log-RMSE, mean over seeds.
        difference: second - first.
        low, high: 95% interval over draws of houses.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """In words; an interval that holds zero is no improvement."""
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "no difference"


def paired_difference(first: Floats, second: Floats, log_price: Floats, n_draws: int = 2000) -> PairedDifference:
    """Compare two out-of-fold predictions of the same houses on the same folds.

    Shape:
        first, second: (n_seeds, n_rows) log prices
        log_price: (n_rows,)

    >>> truth = np.zeros(100)
    >>> paired_difference(np.full((1, 100), 0.2), np.full((1, 100), 0.1), truth).verdict
    'better'
    """
    squared = np.stack([first - log_price, second - log_price]) ** 2  # (2, n_seeds, n_rows)
    scores = np.sqrt(squared.mean(axis=2)).mean(axis=1)
    n_rows = len(log_price)
    # How often each house is drawn; the same draws for both settings and all seeds.
    counts = np.random.default_rng(0).multinomial(n_rows, np.full(n_rows, 1 / n_rows), size=n_draws)
    drawn = np.sqrt(squared @ counts.T / n_rows).mean(axis=1)  # (2, n_draws)
    low, high = np.quantile(drawn[1] - drawn[0], [0.025, 0.975])
    return PairedDifference(float(scores[0]), float(scores[1]), float(scores[1] - scores[0]), float(low), float(high))


def out_of_fold_of_seeds(
    houses: pd.DataFrame,
    test_houses: pd.DataFrame,
    settings: Settings,
    seeds: Sequence[int],
    tell: Tell = silent,
) -> Floats:
    """Out-of-fold log prices (n_seeds, n_rows) of the main job, a run a seed; the seed fixes the folds too."""
    runs = (cross_validate(houses, test_houses, replace(settings, seed=seed), tell) for seed in seeds)
    return np.stack([run.prediction for run in runs])


@dataclass(frozen=True)
class Comparison:
    """The second settings against the first.

    Attributes:
        overall: every row counted.
        without: the same without the rows of `without_ids`, a second figure that heads nothing; None if none are named.
        largest: (Id, change of its squared error, mean over seeds) of the houses that the settings differ most on.
    """

    overall: PairedDifference
    without: PairedDifference | None
    largest: list[tuple[int, float]]


def compare(
    data: Path | None,
    first: Settings,
    second: Settings,
    *,
    n_seeds: int,
    without_ids: Sequence[int] = (),
    tell: Tell = silent,
) -> Comparison:
    """Cross-validate both settings on the folder's data with the fold seeds 0 .. n_seeds - 1.

    Raises:
        DataError: a fault in the files.
        SettingsError: the two split the rows differently, n_seeds is below 1, or an Id is not in the table.
    """
    if first.folds != second.folds:
        raise SettingsError(f"both settings must have the same folds, got {first.folds} and {second.folds}")
    if n_seeds < 1:
        raise SettingsError(f"seeds must be at least 1, got {n_seeds}")
    source = find_source(data)
    source.tell_if_synthetic(tell)
    houses = read_houses(source.folder / TRAIN_FILE, priced=True)
    test_houses = read_houses(source.folder / TEST_FILE, priced=False)
    unknown = sorted(set(without_ids) - set(houses.index))
    if unknown:
        raise SettingsError(f"no house has the Id {unknown[0]}; accepted: Ids of {source.folder / TRAIN_FILE}")
    if set(without_ids) == set(houses.index):
        raise SettingsError(f"without-id names all {len(houses)} houses; accepted: fewer")
    fits = n_seeds * first.folds.n_folds * first.folds.n_repeats
    n_members = fits * sum(group.n_members for settings in (first, second) for group in settings.groups.values())
    tell_of_all = _one_stage(tell, n_members)
    before, after = (
        out_of_fold_of_seeds(houses, test_houses, settings, range(n_seeds), tell_of_all) for settings in (first, second)
    )
    log_price = np.log(houses[PRICE].to_numpy(dtype=np.float64))
    change = ((after - log_price) ** 2 - (before - log_price) ** 2).mean(axis=0)
    kept = ~np.isin(houses.index, list(without_ids))
    return Comparison(
        paired_difference(before, after, log_price),
        paired_difference(before[:, kept], after[:, kept], log_price[kept]) if without_ids else None,
        [(int(houses.index[row]), float(change[row])) for row in np.argsort(-np.abs(change))[:5]],
    )


def _one_stage(tell: Tell, n_members: int) -> Tell:
    """Hear several cross-validations, one after another, and tell of them as one that trains n_members.

    What they notice of the houses is news for the main job, and not told.
    """
    finished = running = 0

    def tell_of_all(told: Progress | Notice) -> None:
        nonlocal finished, running
        if isinstance(told, Progress):
            if told.n_done < running:
                finished += running
            running = told.n_done
            tell(replace(told, n_done=finished + running, n_total=n_members))

    return tell_of_all
