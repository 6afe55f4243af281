"""Ensembles: the mean of networks, models and folds, and the intervals around it."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.fold import FittedFold
from houseprices.cross_validation.intervals import cv_plus_intervals, out_of_fold_intervals
from houseprices.preprocessing.houses import HouseArray, house_array

Floats = NDArray[np.float64]


def ensemble_mean(by_model: Mapping[str, Floats]) -> Floats:
    """Average the networks of each model, then the models: every model has the same weight.

    Sums run in the order of the arrays, so a row has the same bits whatever rows stand beside it.

    Shape:
        by_model: {model: (.., n_networks, n_rows)}
        returns: (.., n_rows)

    >>> ensemble_mean({"deep": np.array([[1.0], [3.0]]), "wide": np.array([[6.0]])})
    array([4.])
    """
    return _mean([_mean(np.moveaxis(predictions, -2, 0)) for predictions in by_model.values()])


def mean_over_folds(predictions: Floats) -> Floats:
    """Average the ensembles of all folds: (.., n_rows) -> (n_rows,)."""
    *n_folds, n_rows = predictions.shape
    return _mean(predictions.reshape(math.prod(n_folds), n_rows))


def _mean(arrays: Sequence[Floats] | Floats) -> Floats:
    return np.asarray(sum(array / len(arrays) for array in arrays))


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Out-of-fold predictions of the training houses, the content of oof.csv.

    Attributes:
        ids: (n_rows,)
        log_price: (n_rows,)
        fold_of_row: (n_repeats, n_rows), the fold that held each row out.
        prediction: (n_rows,) log price, by networks that never saw the row.
        error_scale: (n_rows,) expected size of the error, by networks that never saw the row.
    """

    ids: NDArray[np.int64]
    log_price: Floats
    fold_of_row: NDArray[np.int64]
    prediction: Floats
    error_scale: Floats

    @property
    def residuals(self) -> Floats:
        """Return the errors log price - prediction, (n_rows,)."""
        return self.log_price - self.prediction

    def intervals(self, coverages: Sequence[float]) -> Floats:
        """Compute intervals of the training houses in log price, see `out_of_fold_intervals`: (n_coverages, 2, n_rows).

        Raises:
            SettingsError: a coverage is not between 0 and 1.
        """
        return out_of_fold_intervals(
            self.prediction, self.fold_of_row, self.residuals, coverages, scale_of_row=self.error_scale
        )


@dataclass(frozen=True, eq=False)
class FoldPredictions:
    """Log prices and error scales of new houses by the ensemble of each fold: (n_repeats, n_folds, n_rows)."""

    log_price: Floats
    error_scale: Floats

    @property
    def mean(self) -> Floats:
        """Return the mean log price over all folds of all repeats, (n_rows,)."""
        return mean_over_folds(self.log_price)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """All fitted folds of a cross-validation, and its out-of-fold predictions.

    Attributes:
        folds: n_repeats x n_folds of them, in that order.
        out_of_fold: the residuals that intervals are made from.
    """

    folds: list[FittedFold]
    out_of_fold: OutOfFold

    def predict_folds(self, houses: pd.DataFrame | HouseArray) -> FoldPredictions:
        """Predict typed houses by the ensemble of each fold.

        For the training houses the fold that held a row out gives its out-of-fold prediction. The bits are those of the
        cross-validation, on the same machine.
        """
        array = house_array(houses)

        def predict(fold: FittedFold, matrix: NDArray[np.float32]) -> Floats:
            by_model, error_scale = fold.predict_models(matrix)
            return np.stack([ensemble_mean(by_model), error_scale])

        # The networks of one fold compute while the features of the next one are made.
        with ThreadPoolExecutor(1) as executor:
            pending = [executor.submit(predict, fold, fold.features.transform(array)) for fold in self.folds]
        n_repeats = len(self.out_of_fold.fold_of_row)
        predictions = np.stack([future.result() for future in pending], axis=1)
        return FoldPredictions(*predictions.reshape(2, n_repeats, len(self.folds) // n_repeats, len(array)))

    def intervals(self, predictions: FoldPredictions, coverages: Sequence[float]) -> Floats:
        """Compute CV+ intervals of new houses in log price, wider where the error scale is larger.

        A residual of a cheap, old or oddly sold house is larger than others, in log price too; networks with a
        likelihood learn how large.

        Shape:
            returns: (n_coverages, 2, n_houses), lower and upper ends

        Raises:
            SettingsError: a coverage is not between 0 and 1.
        """
        known = self.out_of_fold
        return cv_plus_intervals(
            predictions.log_price,
            known.fold_of_row,
            known.residuals,
            coverages,
            scales=predictions.error_scale,
            scale_of_row=known.error_scale,
        )
