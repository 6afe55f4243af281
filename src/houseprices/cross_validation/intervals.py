"""Prediction intervals from out-of-fold residuals: CV+ (Barber, Candes, Ramdas and Tibshirani 2021, sec. 2.2 and 3).

With R_i = |y_i - mu_i(x_i)|, where mu_i are the models that never saw row i, the interval of a new row x at coverage
1 - alpha reaches

    from the floor(alpha (n + 1))-th smallest of  mu_i(x) - R_i,  i = 1 .. n,
    to   the ceil((1 - alpha) (n + 1))-th smallest of  mu_i(x) + R_i.

For exchangeable rows it covers with a probability of about 1 - 2 alpha at worst (theorem 4), and in practice of about
1 - alpha. With fewer than (1 - alpha) / alpha rows (9 at 0.9, 19 at 0.95) it is infinite. With repeated folds mu_i is
the mean over repeats of the models that held row i out; none of them saw it.

Predictions, residuals and intervals are in the units of the target, for houses the log price: exp() of both ends is
the interval of the price.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from houseprices.errors import SettingsError

Floats = NDArray[np.float64]

CELLS_AT_ONCE = 2**21
"""New rows x training rows that are sorted at once: 16 MiB an array, whatever the number of new rows."""


def cv_plus_intervals(
    predictions: ArrayLike,
    fold_of_row: ArrayLike,
    residuals: ArrayLike,
    coverages: Sequence[float],
    *,
    scales: ArrayLike = 1.0,
    scale_of_row: ArrayLike = 1.0,
) -> Floats:
    """Compute intervals of new rows.

    The interval of a coverage lies inside that of any higher one, and the mean prediction lies inside all: where folds
    disagree by more than the residuals, the interval is widened up to the mean.

    Args:
        predictions: predictions of the new rows by the networks of each fold.
        fold_of_row: the fold that held each training row out.
        residuals: target - out-of-fold prediction (the mean over repeats) of each training row, of either sign.
        coverages: each between 0 and 1.
        scales: expected size of the error of each new row by each fold's models, > 0; residuals are then divided by
            scales (normalised residuals), so that the intervals of uncertain rows are wider.
        scale_of_row: the same, out-of-fold, for the training rows.

    Shape:
        predictions, scales: (n_folds, n_new) or (n_repeats, n_folds, n_new)
        fold_of_row: (n_rows,) or (n_repeats, n_rows)
        residuals, scale_of_row: (n_rows,)
        returns: (n_coverages, 2, n_new), lower and upper ends

    Raises:
        SettingsError: a coverage is not between 0 and 1.
        ValueError: a residual is not finite.

    >>> cv_plus_intervals([[10.0], [20.0]], [0, 0, 1, 1], [-1.0, 2.0, 3.0, -4.0], coverages=[0.5, 0.9]).tolist()
    [[[9.0], [23.0]], [[-inf], [inf]]]
    """
    folds = np.atleast_2d(np.asarray(fold_of_row))
    by_fold = np.asarray(predictions, dtype=np.float64)
    n_new = by_fold.shape[-1]
    by_fold = by_fold.reshape(len(folds), -1, n_new)
    scale_by_fold = np.broadcast_to(scales, np.shape(predictions)).reshape(by_fold.shape)
    scores = _scores(residuals, scale_of_row)
    ranks = [rank_of(coverage, len(scores)) for coverage in coverages]
    intervals = np.empty((len(ranks), 2, n_new))
    n_at_once = max(1, CELLS_AT_ONCE // len(scores))
    for start in range(0, n_new, n_at_once):
        rows = slice(start, start + n_at_once)
        centre = _mean_of_unseen(by_fold[:, :, rows], folds)
        reach = _mean_of_unseen(scale_by_fold[:, :, rows], folds) * scores
        # The k-th smallest of v is minus the k-th largest of -v.
        mean = by_fold[:, :, rows].mean(axis=(0, 1))
        intervals[:, 0, rows] = np.minimum(-_order_statistics(reach - centre, ranks), mean)
        intervals[:, 1, rows] = np.maximum(_order_statistics(centre + reach, ranks), mean)
    return intervals


def out_of_fold_intervals(
    prediction: ArrayLike,
    fold_of_row: ArrayLike,
    residuals: ArrayLike,
    coverages: Sequence[float],
    *,
    scale_of_row: ArrayLike = 1.0,
) -> Floats:
    """Compute intervals of the training rows themselves, to look at calibration by groups of rows.

    The interval of row j is its out-of-fold prediction -+ the ceil((1 - alpha) (m + 1))-th smallest of the m residuals
    of the rows in other folds, those of the first repeat if there are several.

    The prediction and the scale of row j come from models that never saw it. The width depends on its target a little:
    the models behind the residuals of other folds were trained on row j too. So coverage on these intervals is not that
    of new rows, which needs rows that played no part (benchmarks/interval_coverage.py).

    Shape:
        prediction, residuals, scale_of_row: (n_rows,)
        fold_of_row: (n_rows,) or (n_repeats, n_rows)
        returns: (n_coverages, 2, n_rows), lower and upper ends

    Raises:
        SettingsError: a coverage is not between 0 and 1.
        ValueError: a residual is not finite.
    """
    centre = np.asarray(prediction, dtype=np.float64)
    first_folds = np.atleast_2d(np.asarray(fold_of_row))[0]
    scores = _scores(residuals, scale_of_row)
    reach = np.empty((len(coverages), len(scores)))
    for fold in np.unique(first_folds):
        held_out = first_folds == fold
        others = scores[~held_out]
        ranks = [rank_of(coverage, len(others)) for coverage in coverages]
        reach[:, held_out] = _order_statistics(others[None], ranks)
    reach *= np.asarray(scale_of_row)
    return np.stack([centre - reach, centre + reach], axis=1)


def rank_of(coverage: float, n_rows: int) -> int:
    """Compute the rank of the residual that bounds an interval: ceil(coverage (n_rows + 1)), above n_rows for infinite.

    Raises:
        SettingsError: the coverage is not between 0 and 1.

    >>> rank_of(0.9, n_rows=1460)
    1315
    """
    if not 0 < coverage < 1:
        raise SettingsError(f"coverage must be between 0 and 1, both excluded, got {coverage}")
    # 0.9 x 10 is 9, not the 10 that a rounding error in the last digit would make of it.
    return math.ceil(coverage * (n_rows + 1) - 1e-9)


def _order_statistics(values: Floats, ranks: Sequence[int]) -> Floats:
    """Return the rank-th smallest value of each row, infinite where there is none: (n_ranks, n_rows)."""
    n_values = values.shape[1]
    statistics = np.full((len(ranks), len(values)), np.inf)
    finite = [rank - 1 for rank in ranks if rank <= n_values]
    if finite:
        partitioned = np.partition(values, finite, axis=1)
        for index, rank in enumerate(ranks):
            if rank <= n_values:
                statistics[index] = partitioned[:, rank - 1]
    return statistics


def _mean_of_unseen(predictions: Floats, fold_of_row: NDArray[np.int64]) -> Floats:
    """Average over repeats the networks that never saw each row: (n_repeats, n_folds, n_new) -> (n_new, n_rows)."""
    total = np.zeros((predictions.shape[2], fold_of_row.shape[1]))
    for by_fold, folds in zip(predictions, fold_of_row, strict=True):
        total += by_fold.T[:, folds]
    return total / len(fold_of_row)


def _scores(residuals: ArrayLike, scale_of_row: ArrayLike) -> Floats:
    """Return absolute residuals divided by the scales; NaN from diverged networks would be sorted as the largest."""
    scores: Floats = np.abs(np.asarray(residuals, dtype=np.float64)) / np.asarray(scale_of_row)
    if not np.isfinite(scores).all():
        raise ValueError("residuals must be finite")
    return scores
