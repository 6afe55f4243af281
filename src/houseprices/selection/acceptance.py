"""The acceptance test: is the second of two candidates better, house by house, on repeated 2-fold cross-validation?

The interval of a difference is a paired bootstrap over houses and repeats (Efron and Tibshirani 1993, chapter 13).
Squared errors have a heavy tail: fifteen houses carry a third of their sum. So a change has to be better in the trimmed
RMSE, without the largest 1% of errors, and must not harm the RMSE of all houses.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]

TOLERANCE = 0.0005
"""Log-RMSE by which the RMSE of all houses may be worse; in a simplification, the trimmed RMSE too."""

N_RESAMPLES = 2000
_RESAMPLES_AT_ONCE = 100


@dataclass(frozen=True)
class PairedDifference:
    """A figure of the second prediction minus that of the first; below zero the second is better.

    Attributes:
        first, second: the figure, mean over repeats.
        difference: second - first.
        low, high: 95% bootstrap interval of the difference.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedScores:
    """The second prediction against the first, in log price.

    Attributes:
        rmse: of every house.
        trimmed: RMSE without the 1% of the houses with the largest errors of both together.
        median: median absolute error of every house.
    """

    rmse: PairedDifference
    trimmed: PairedDifference
    median: PairedDifference


def typical_rows(predictions: Sequence[Floats], log_price: Floats) -> NDArray[np.bool_]:
    """All rows but the 1% with the largest error of the predictions' mean.

    Shape:
        predictions: (n_repeats, n_rows) each
        returns: (n_rows,)
    """
    error = np.abs(np.mean(predictions, axis=(0, 1)) - log_price)
    typical = np.ones(len(log_price), dtype=np.bool_)
    typical[np.argsort(-error, kind="stable")[: math.ceil(len(log_price) / 100)]] = False
    return typical


def paired_scores(first: Floats, second: Floats, log_price: Floats) -> PairedScores:
    """Compare two candidates' predictions of the same houses.

    Shape:
        first, second: (n_repeats, n_rows) log prices
        log_price: (n_rows,)
    """
    typical = typical_rows([first, second], log_price)
    return PairedScores(
        rmse=paired_rmse(first, second, log_price),
        trimmed=paired_rmse(first[:, typical], second[:, typical], log_price[typical]),
        median=paired_median(first, second, log_price),
    )


def score_reasons(rmse: PairedDifference, trimmed: PairedDifference, *, simplification: bool) -> list[str]:
    """List what the scores say against the second candidate; nothing if it may be accepted.

    A change must improve the trimmed RMSE, with its whole interval, and must not worsen the RMSE by more than
    `TOLERANCE`. A simplification must not worsen either by `TOLERANCE`, with the whole interval.
    """
    if simplification:
        limits = [("interval of the RMSE", rmse.high), ("interval of the trimmed RMSE", trimmed.high)]
        return [f"the {name} reaches {high:+.4f}, not below {TOLERANCE}" for name, high in limits if high >= TOLERANCE]
    reasons = []
    if trimmed.high >= 0:
        reasons.append(f"the interval of the trimmed RMSE reaches {trimmed.high:+.4f}, not below zero")
    if rmse.difference > TOLERANCE:
        reasons.append(f"the RMSE is worse by {rmse.difference:.4f}, more than {TOLERANCE}")
    return reasons


def missing_regularisers(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the models without weight decay, or with hidden layers and without dropout: this project is about both."""
    return [
        f"models.{name}.{setting} is 0; accepted: above 0"
        for name, model in models.items()
        for setting in ("weight_decay", *(["dropout"] if model["hidden"] else []))
        if not model[setting] > 0
    ]


def paired_rmse(first: Floats, second: Floats, log_price: Floats, n_resamples: int = N_RESAMPLES) -> PairedDifference:
    """Compare the RMSE, mean over repeats, of two predictions of the same rows.

    Shape:
        first, second: (n_repeats, n_rows) log prices
        log_price: (n_rows,)

    >>> log_price = np.zeros(100)
    >>> rmse = paired_rmse(np.full((1, 100), 0.2), np.full((1, 100), 0.1), log_price)
    >>> round(rmse.difference, 3), round(rmse.high, 3)
    (-0.1, -0.1)
    """
    squared = (np.stack([first, second]) - log_price) ** 2

    def resampled(counts: Floats) -> Floats:
        return np.sqrt(squared @ counts / len(log_price))

    return _paired_difference(np.sqrt(squared.mean(axis=2)), resampled, len(log_price), n_resamples)


def paired_median(first: Floats, second: Floats, log_price: Floats, n_resamples: int = N_RESAMPLES) -> PairedDifference:
    """Compare the median absolute error in the same way."""
    errors = np.abs(np.stack([first, second]) - log_price)
    order = np.argsort(errors, axis=2)

    def resampled(counts: Floats) -> Floats:
        medians = np.empty((*errors.shape[:2], counts.shape[1]))
        for index in np.ndindex(errors.shape[:2]):
            # The median of a resample is the first of the sorted errors at which half of its rows are counted.
            reached = np.cumsum(counts[order[index]], axis=0) >= len(log_price) / 2
            medians[index] = errors[index][order[index]][reached.argmax(axis=0)]
        return medians

    return _paired_difference(np.median(errors, axis=2), resampled, len(log_price), n_resamples)


def _paired_difference(
    figures: Floats, resampled: Callable[[Floats], Floats], n_rows: int, n_resamples: int
) -> PairedDifference:
    """Bootstrap the difference of the figures' means over repeats; only a block of resamples is in memory at a time.

    Args:
        figures: (2, n_repeats)
        resampled: the same figures, (2, n_repeats, n_block), where each row counts (n_rows, n_block) times.
    """
    n_repeats = figures.shape[1]
    rng = np.random.default_rng(0)
    differences = np.empty(n_resamples)
    # BLAS threads only wait for each other in products this small, if another job has one of the cores.
    with threadpool_limits(1, user_api="blas"):
        for start in range(0, n_resamples, _RESAMPLES_AT_ONCE):
            n_block = min(_RESAMPLES_AT_ONCE, n_resamples - start)
            by_repeat = resampled(_counts(rng, n_rows, n_block))
            mean = np.einsum("prb,rb->pb", by_repeat, _counts(rng, n_repeats, n_block)) / n_repeats
            differences[start : start + n_block] = mean[1] - mean[0]
    first, second = figures.mean(axis=1)
    low, high = np.quantile(differences, [0.025, 0.975])
    return PairedDifference(float(first), float(second), float(second - first), float(low), float(high))


def _counts(rng: np.random.Generator, n: int, n_resamples: int) -> Floats:
    """Count how often each of n appears in each resample of n: (n, n_resamples)."""
    counts = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(n_resamples)]
    return np.stack(counts, axis=1).astype(np.float64)
