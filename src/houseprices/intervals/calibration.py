"""Prediction intervals of houses, wider where the networks are less sure: CV+ with residuals in error scales."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from houseprices.intervals.cv_plus import cv_plus_intervals, out_of_fold_intervals
from houseprices.intervals.error_scale import ErrorScale, error_features, fit_error_scales, scale_of_rows
from houseprices.preprocessing.house_array import HouseArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What a cross-validation knows of its errors.

    Attributes:
        fold_of_row: (n_repeats, n_rows), the fold that held each training row out.
        prediction: (n_rows,) out-of-fold, log prices.
        spread: (n_rows,) standard deviation of the repeats' out-of-fold predictions.
        residuals: (n_rows,) log price - prediction.
        scale_of_row: (n_rows,) how far off the row was expected to be, by scales fitted to rows outside its fold.
        scales: of all folds, n_repeats x n_folds of them.
    """

    fold_of_row: NDArray[np.int64]
    prediction: Floats
    spread: Floats
    residuals: Floats
    scale_of_row: Floats
    scales: list[ErrorScale]

    def intervals(self, of_folds: Floats, houses: HouseArray, coverages: tuple[float, ...]) -> Floats:
        """Ends of new houses' intervals in log price, from each fold's predictions of them.

        Shape:
            of_folds: (n_repeats, n_folds, n_houses)
            returns: (n_coverages, 2, n_houses)

        Raises:
            SettingsError: a coverage is not between 0 and 1.
        """
        features = error_features(of_folds.mean(axis=(0, 1)), of_folds.std(axis=(0, 1)), houses)
        scales = np.stack([scale(features) for scale in self.scales]).reshape(of_folds.shape)
        return cv_plus_intervals(
            of_folds, self.fold_of_row, self.residuals, coverages, scales=scales, scale_of_row=self.scale_of_row
        )

    def nested_intervals(self, houses: HouseArray, coverages: tuple[float, ...]) -> Floats:
        """The same of the training rows themselves, to measure coverage: (n_coverages, 2, n_rows).

        For each fold of the first repeat all scales are learnt anew without it, those of other rows too.
        """
        features = error_features(self.prediction, self.spread, houses)
        intervals = np.empty((len(coverages), 2, len(houses)))
        for outer in np.unique(self.fold_of_row[0]):
            inside = self.fold_of_row[0] != outer
            scales = fit_error_scales(features, self.residuals, self.fold_of_row, inside)
            scale = scale_of_rows(features, self.fold_of_row, scales)
            found = out_of_fold_intervals(
                self.prediction, self.fold_of_row, self.residuals, coverages, scale_of_row=scale
            )
            intervals[:, :, ~inside] = found[:, :, ~inside]
        return intervals
