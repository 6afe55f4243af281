"""Prediction intervals of a run's houses, wider where the run is less sure.

A residual of a cheap, old or oddly sold house is larger than another, in log price too: intervals of one width in logs
cover 84% of the cheapest quarter and 95% of the third (LOG.md). So residuals are counted in units of an expected size,
which ridge regression on the logarithm of their sizes learns from the predicted price, the members' spread and a few
plain properties. The regression of a fold sees only rows outside it, as its networks do.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.coded_houses import CodedHouses, code_houses
from houseprices.cross_validation import FittedFold, combine, transform_quietly
from houseprices.intervals import cv_plus_intervals, out_of_fold_intervals
from houseprices.saved_run import SavedRun
from houseprices.schema import BY_NAME

Floats = NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9)

_SMALL_RESIDUAL, _SMALL_SPREAD = 0.02, 1e-3
"""Added before logarithms are taken: a residual of 2% is as good as none."""


@dataclass(frozen=True)
class RunIntervals:
    """Ends of the intervals in log price.

    Attributes:
        coverages: of each interval.
        training: (n_coverages, 2, n_rows) of the training rows, each from the rows of other folds alone.
        test: (n_coverages, 2, n_test_rows) CV+ intervals.
    """

    coverages: tuple[float, ...]
    training: Floats
    test: Floats


def intervals_of_run(
    run: SavedRun, training: pd.DataFrame, test: pd.DataFrame, coverages: tuple[float, ...] = COVERAGES
) -> RunIntervals:
    """Intervals of a run's training rows, (n_rows, 79), to measure them by, and of new houses, (n_test_rows, 79)."""
    fold_of_row, residuals = run.fold_of_row, run.residuals
    n_repeats, n_folds = run.settings.folds.n_repeats, run.settings.folds.n_folds
    of_test = np.empty((n_repeats, n_folds, len(test)))
    test_scale = np.empty_like(of_test)
    row_scale = np.zeros(len(training))
    signs_of_repeats: list[Floats] = []
    coded, coded_test = code_houses(training), code_houses(test)
    size = np.log(np.abs(residuals) + _SMALL_RESIDUAL)
    for repeat in range(n_repeats):
        folds = [fold for fold in run.folds if fold.repeat == repeat]
        held_out = [fold_of_row[repeat] == fold.fold for fold in folds]
        signs: Floats = np.empty((len(training), 0))
        test_signs = []
        for fold, rows in zip(folds, held_out, strict=True):
            _, of_rows = _signs(fold, coded.rows(rows))
            if signs.shape[1] == 0:
                signs = np.empty((len(training), of_rows.shape[1]))
            signs[rows] = of_rows
            of_test[repeat, fold.fold], of_new = _signs(fold, coded_test)
            test_signs.append(of_new)
        signs_of_repeats.append(signs)
        for fold, rows, of_new in zip(folds, held_out, test_signs, strict=True):
            expected = _fitted_scale(signs[~rows], size[~rows])
            row_scale[rows] += expected(signs[rows]) / n_repeats
            test_scale[repeat, fold.fold] = expected(of_new)
    return RunIntervals(
        coverages,
        _nested_intervals(run, signs_of_repeats, size, coverages),
        cv_plus_intervals(of_test, fold_of_row, residuals, coverages, scales=test_scale, scale_of_row=row_scale),
    )


def _nested_intervals(
    run: SavedRun, signs_of_repeats: list[Floats], size: Floats, coverages: tuple[float, ...]
) -> Floats:
    """Intervals of the training rows: for each fold all scales are learnt anew without it, those of other rows too."""
    fold_of_row = run.fold_of_row
    prediction = run.out_of_fold["prediction"].to_numpy()
    intervals = np.empty((len(coverages), 2, len(prediction)))
    for outer in np.unique(fold_of_row[0]):
        inside = fold_of_row[0] != outer
        scale = np.zeros(len(prediction))
        for folds, signs in zip(fold_of_row, signs_of_repeats, strict=True):
            for fold in np.unique(folds):
                rows, seen = folds == fold, (folds != fold) & inside
                scale[rows] += _fitted_scale(signs[seen], size[seen])(signs[rows]) / len(fold_of_row)
        found = out_of_fold_intervals(prediction, fold_of_row, run.residuals, coverages, scale_of_row=scale)
        intervals[:, :, ~inside] = found[:, :, ~inside]
    return intervals


def _signs(fold: FittedFold, houses: CodedHouses) -> tuple[Floats, Floats]:
    """The fold's predictions, (n_rows,), and what may tell how far off they are, (n_rows, 10)."""
    matrix = transform_quietly(fold.features, houses)
    by_group = {group: fold.predict(group, matrix) for group in fold.networks}
    prediction = combine(by_group)
    spread = np.concatenate(list(by_group.values())).std(axis=0)
    level = (prediction - fold.log_price_mean) / fold.log_price_std
    complete = fold.features.imputer_.transform(houses)
    signs = [level, level**2, np.log(spread + _SMALL_SPREAD)]
    signs += [complete[name] for name in ("YearBuilt", "OverallQual", "OverallCond")]
    signs += [np.log(complete[name]) for name in ("LotArea", "GrLivArea")]
    sales = BY_NAME["SaleCondition"].levels
    signs += [(complete["SaleCondition"] == sales.index(sale)).astype(np.float64) for sale in ("Abnorml", "Partial")]
    return prediction, np.column_stack(signs)


class _fitted_scale:  # noqa: N801  # used as a function
    """Expected size of a residual, learnt from signs (n_rows, n_signs) and logarithms of sizes (n_rows,)."""

    def __init__(self, signs: Floats, size: Floats) -> None:
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 4, 9))).fit(signs, size)
        fitted = self._model.predict(signs)
        self._range = float(fitted.min()), float(fitted.max())

    def __call__(self, signs: Floats) -> Floats:
        # An odd house gets the widest interval that was seen, not an extrapolated one.
        return np.asarray(np.exp(np.clip(self._model.predict(signs), *self._range)))
