"""Prediction intervals of houses, wider where the networks are less sure: CV+ with residuals in error scales.

A residual of a cheap, old or oddly sold house is larger than another, in log price too. Networks that are trained on a
likelihood learn how large: that is the error scale of a house, said by networks that never saw it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from houseprices.intervals.cv_plus import cv_plus_intervals, out_of_fold_intervals

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What a cross-validation knows of its errors.

    Attributes:
        fold_of_row: (n_repeats, n_rows), the fold that held each training row out.
        prediction: (n_rows,) out-of-fold, log prices.
        residuals: (n_rows,) log price - prediction.
        error_scale: (n_rows,) how far off the row was expected to be, by networks that never saw it.
    """

    fold_of_row: NDArray[np.int64]
    prediction: Floats
    residuals: Floats
    error_scale: Floats

    def intervals(self, of_folds: Floats, error_scales: Floats, coverages: tuple[float, ...]) -> Floats:
        """Ends of new houses' intervals in log price, from what each fold's networks say of them.

        Shape:
            of_folds, error_scales: (n_repeats, n_folds, n_houses), of `fold_model.predict_folds`
            returns: (n_coverages, 2, n_houses)

        Raises:
            SettingsError: a coverage is not between 0 and 1.
        """
        return cv_plus_intervals(
            of_folds, self.fold_of_row, self.residuals, coverages, scales=error_scales, scale_of_row=self.error_scale
        )

    def training_intervals(self, coverages: tuple[float, ...]) -> Floats:
        """The same of the training rows themselves, to measure coverage, see `out_of_fold_intervals`."""
        return out_of_fold_intervals(
            self.prediction, self.fold_of_row, self.residuals, coverages, scale_of_row=self.error_scale
        )
