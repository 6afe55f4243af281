"""What a finished cross-validation has found."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from houseprices.cross_validation.baselines import Baseline
from houseprices.cross_validation.fold_model import FoldModel
from houseprices.engine.training import LearningCurves
from houseprices.intervals.calibration import Calibration

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrossValidation:
    """All that a cross-validation computes; predictions are log prices.

    Attributes:
        ids: (n_rows,) and test_ids: (n_test_rows,), in the files' order.
        log_price: (n_rows,)
        fold_of_row: (n_repeats, n_rows)
        out_of_fold: {group: (n_repeats, n_members, n_rows)}, each row predicted by members that never saw it.
        training_log_rmse: (n_repeats, n_folds), each fold's ensemble on the rows that it was trained on.
        test: (n_test_rows,) mean over members, models, folds and repeats.
        baselines: {name: (n_rows,)} out-of-fold, on the folds of the first repeat.
        folds: what was fitted, n_repeats x n_folds of them.
        curves: by fold, in the order of `folds`, the learning curves of each group, errors in units of the log price.
        error_scale: (n_rows,) how far off the row was expected to be, by networks that never saw it.
        seconds: by stage.
    """

    ids: NDArray[np.int64]
    test_ids: NDArray[np.int64]
    log_price: Floats
    fold_of_row: NDArray[np.int64]
    out_of_fold: Mapping[str, Floats]
    training_log_rmse: Floats
    test: Floats
    baselines: Mapping[Baseline, Floats]
    folds: list[FoldModel]
    curves: list[dict[str, LearningCurves]]
    error_scale: Floats
    seconds: Mapping[str, float]

    @property
    def prediction(self) -> Floats:
        """(n_rows,) out-of-fold, see `mean_prediction`."""
        return mean_prediction(self.out_of_fold)

    @property
    def calibration(self) -> Calibration:
        """What intervals of new houses are made from."""
        residuals = self.log_price - self.prediction
        return Calibration(self.fold_of_row, self.prediction, residuals, self.error_scale)


def mean_prediction(out_of_fold: Mapping[str, Floats]) -> Floats:
    """(n_rows,) from (n_repeats, n_members, n_rows) by group: the mean over members and repeats, then over models."""
    return np.asarray(np.mean([group.mean(axis=(0, 1)) for group in out_of_fold.values()], axis=0))
