"""The gate: is the second of two recipes better on houses that nobody tuned on, or is it the ten worst houses?

Both predict the same halves of the houses, over and over. What is compared is each house's error under the one and the
other, and the interval comes from drawing houses and halvings anew (the paired bootstrap; Efron and Tibshirani 1993,
ch. 13). Half of the rows are held out, not a tenth: choosing asks for large held-out parts (Shao 1993). The squared
errors have a heavy tail; so a change is judged on the bulk of the houses, and must not harm the whole.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from houseprices.cross_validation.fold import assign_folds, split_rows
from houseprices.selection.held_out import HeldOutSet
from houseprices.settings import Settings

Floats = NDArray[np.float64]

N_HALVINGS = 10
HALVINGS_SEED = 1996
"""Fixes the halvings, the same ones for every look, whatever a recipe's own seed."""

TOLERANCE = 0.0005
"""Log-RMSE by which the whole, or a simplification, may be worse."""

N_DRAWS = 2000


@dataclass(frozen=True)
class PairedDifference:
    """A figure of the second prediction minus that of the first; below zero the second is better.

    Attributes:
        first, second: the figure, mean over halvings.
        difference: second - first.
        low, high: 95% interval over draws of houses and halvings.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Judgement:
    """The second recipe against the first.

    Attributes:
        whole: log-RMSE of every house.
        bulk: the same without the 1% of the houses that both together err most on.
        median: median absolute error of the log price, every house.
        won_whole, won_bulk: share of the halvings in which the second has the lower log-RMSE.
    """

    whole: PairedDifference
    bulk: PairedDifference
    median: PairedDifference
    won_whole: float
    won_bulk: float


def halvings(n_rows: int) -> list[HeldOutSet]:
    """The two halves of each of the `N_HALVINGS` halvings, each held out once."""
    fold_of_row = assign_folds(n_rows, 2, N_HALVINGS, HALVINGS_SEED)
    return [HeldOutSet(*split_rows(of_halving, half)) for of_halving in fold_of_row for half in range(2)]


def by_halving(sets: Sequence[HeldOutSet], predictions: Sequence[Floats]) -> Floats:
    """(n_halvings, n_rows) from the (n_held_out,) of each half, two halves a halving."""
    by_row = np.empty((len(sets) // 2, len(sets[0].training) + len(sets[0].held_out)))
    for place, (one, prediction) in enumerate(zip(sets, predictions, strict=True)):
        by_row[place // 2, one.held_out] = prediction
    return by_row


def bulk_of(predictions: Sequence[Floats], log_price: Floats) -> NDArray[np.bool_]:
    """All rows but the 1% on which the mean of the predictions, (n_halvings, n_rows) each, errs most."""
    error = np.abs(np.mean(predictions, axis=(0, 1)) - log_price)
    bulk = np.ones(len(log_price), dtype=np.bool_)
    bulk[np.argsort(-error, kind="stable")[: math.ceil(len(log_price) / 100)]] = False
    return bulk


def judge(first: Floats, second: Floats, log_price: Floats) -> Judgement:
    """Compare two recipes' predictions of the same halves.

    Shape:
        first, second: (n_halvings, n_rows) log prices
        log_price: (n_rows,)
    """
    bulk = bulk_of([first, second], log_price)

    def won(rows: NDArray[np.bool_]) -> float:
        before, after = (np.mean((of[:, rows] - log_price[rows]) ** 2, axis=1) for of in (first, second))
        return float(np.mean(after < before))

    # On a busy machine BLAS's threads wait for each other.
    with threadpool_limits(1, user_api="blas"):
        return Judgement(
            whole=paired_difference(first, second, log_price),
            bulk=paired_difference(first[:, bulk], second[:, bulk], log_price[bulk]),
            median=paired_median(first, second, log_price),
            won_whole=won(np.ones_like(bulk)),
            won_bulk=won(bulk),
        )


def objections(judgement: Judgement, recipe: Settings, *, simplification: bool = False) -> list[str]:
    """Why the second recipe is not adopted, in words; nothing if it is."""
    against = objections_to_figures(judgement.whole, judgement.bulk, simplification=simplification)
    return against + missing_regularisers({name: vars(group) for name, group in recipe.models.items()})


def objections_to_figures(whole: PairedDifference, bulk: PairedDifference, *, simplification: bool) -> list[str]:
    """What the figures say against the second recipe.

    A change must be better in the bulk and no worse than by `TOLERANCE` on the whole. A simplification must not be
    worse by more in either, all of its interval considered.
    """
    found = []
    if simplification:
        for name, of in (("whole", whole), ("bulk", bulk)):
            if not of.high < TOLERANCE:
                found.append(f"the {name}'s interval reaches {of.high:+.4f}, {TOLERANCE:+.4f} or more")
    else:
        if not bulk.high < 0:
            found.append(f"the bulk's interval reaches {bulk.high:+.4f}, not below zero")
        if not whole.difference <= TOLERANCE:
            found.append(f"the whole is {whole.difference:+.4f} worse, by more than {TOLERANCE}")
    return found


def missing_regularisers(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the settings of the models say against a recipe: weight decay and dropout are what this is about."""
    return [
        f"models.{name}.{setting} is 0, and every kind keeps both regularisers above it"
        for name, group in models.items()
        for setting in ("weight_decay", "dropout")
        if not group[setting] > 0
    ]


def paired_difference(first: Floats, second: Floats, log_price: Floats, n_draws: int = N_DRAWS) -> PairedDifference:
    """The difference in log-RMSE, mean over halvings (or over other repeats of the same rows).

    Shape:
        first, second: (n_halvings, n_rows) log prices
        log_price: (n_rows,)

    >>> truth = np.zeros(100)
    >>> found = paired_difference(np.full((1, 100), 0.2), np.full((1, 100), 0.1), truth)
    >>> round(found.difference, 3), round(found.high, 3)
    (-0.1, -0.1)
    """
    squared = (np.stack([first, second]) - log_price) ** 2  # (2, n_halvings, n_rows)
    n_halvings, n_rows = first.shape
    of_houses, of_halvings = _draws(n_halvings, n_rows, n_draws)
    drawn = np.sqrt(squared @ of_houses.T / n_rows)
    return _difference(np.sqrt(squared.mean(axis=2)), drawn, of_halvings)


def paired_median(first: Floats, second: Floats, log_price: Floats, n_draws: int = N_DRAWS) -> PairedDifference:
    """The same of the median absolute error of the log price."""
    errors = np.abs(np.stack([first, second]) - log_price)
    n_halvings, n_rows = first.shape
    of_houses, of_halvings = _draws(n_halvings, n_rows, n_draws)
    drawn = np.empty((*errors.shape[:2], n_draws))
    for place in np.ndindex(errors.shape[:2]):
        order = np.argsort(errors[place])
        # Drawn as often as the weights say, the middle of the sorted errors is the first that half of them reach.
        reached = np.cumsum(of_houses.T[order], axis=0, dtype=np.float32) >= n_rows / 2
        drawn[place] = errors[place][order][reached.argmax(axis=0)]
    return _difference(np.median(errors, axis=2), drawn, of_halvings)


@lru_cache(maxsize=4)
def _draws(n_halvings: int, n_rows: int, n_draws: int) -> tuple[Floats, Floats]:
    """How often each house, (n_draws, n_rows), and each halving, (n_draws, n_halvings), is drawn."""
    rng = np.random.default_rng(0)
    of_houses, of_halvings = (
        rng.multinomial(n, np.full(n, 1 / n), size=n_draws).astype(np.float64) for n in (n_rows, n_halvings)
    )
    return of_houses, of_halvings


def _difference(figures: Floats, drawn: Floats, of_halvings: Floats) -> PairedDifference:
    """From the figures (2, n_halvings), and in each draw of houses, (2, n_halvings, n_draws)."""
    first, second = figures.mean(axis=1)
    means = np.einsum("rhd,dh->rd", drawn, of_halvings) / of_halvings.shape[1]
    low, high = np.quantile(means[1] - means[0], [0.025, 0.975])
    return PairedDifference(float(first), float(second), float(second - first), float(low), float(high))
