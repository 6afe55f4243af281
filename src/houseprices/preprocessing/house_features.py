"""Typed table -> float32 matrix, fitted on the training rows of a fold; `blocks` says which columns there are."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, NOMINALS
from houseprices.preprocessing.blocks import ALL_COLUMNS, STATISTICS
from houseprices.preprocessing.columns import Column, Levels, Statistic
from houseprices.preprocessing.engineered import NUMBERS, compute_numbers
from houseprices.preprocessing.house_array import Floats, HouseArray, house_array
from houseprices.preprocessing.imputation import NeighborhoodImputer

FloatMatrix = NDArray[np.float32]


class HouseFeatures:
    """Imputes, scales, encodes and crosses the 79 features of a typed table.

    Numbers are centred on the median, divided by the interquartile range (by the standard deviation where that range
    is zero) and squeezed by x / sqrt(1 + (x / clip)^2), so that a lot of 200,000 square feet stays within +-clip.
    A level with fewer than `min_level_rows` training rows has a column of zeros.

    Attributes:
        imputer_: the fitted NeighborhoodImputer.
        centre_: (n_numbers,) median of each number in the training rows.
        scale_: (n_numbers,) spread of each in the training rows; infinite where it is constant, which gives zeros.
        rows_of_level_: {nominal feature: (n_levels,)} training rows of each level.
        statistics_: {name: array}, what the columns' `Statistic`s found in the training rows.
    """

    def __init__(self, clip: float = 3.0, min_level_rows: int = 5) -> None:
        self.clip = clip
        self.min_level_rows = min_level_rows

    def fit(self, houses: pd.DataFrame | HouseArray) -> Self:
        """Learn from typed training rows; prices are not used."""
        houses = house_array(houses)
        self.imputer_ = NeighborhoodImputer().fit(houses)
        complete = self.imputer_.transform(houses)
        numbers = compute_numbers(houses, complete)
        self.centre_ = np.median(numbers, axis=0)
        spread = np.subtract(*np.quantile(numbers, (0.75, 0.25), axis=0))
        spread = np.where(spread == 0, numbers.std(axis=0), spread)
        self.scale_ = np.where(spread == 0, np.inf, spread)
        self.rows_of_level_ = {
            name: np.bincount(complete.codes(name), minlength=len(BY_NAME[name].levels)) for name in NOMINALS
        }
        parents = self._parents(numbers, complete)
        self.statistics_ = {statistic.name: statistic.fit(*_arguments(statistic, parents)) for statistic in STATISTICS}
        return self

    def transform(self, houses: pd.DataFrame | HouseArray) -> FloatMatrix:
        """Return (n_rows, d_in) float32; a level never seen in training is a row of zeros.

        Raises:
            NotFittedError: scikit-learn's; `fit` was not called.
        """
        self._check_fitted()
        houses = house_array(houses)
        complete = self.imputer_.transform(houses)
        parents = self._parents(compute_numbers(houses, complete), complete)
        columns = np.empty((len(ALL_COLUMNS), len(houses)), dtype=np.float32)
        for values, column in zip(columns, ALL_COLUMNS, strict=True):
            learnt = (self.statistics_[statistic.name] for statistic in column.statistics)
            values[:] = column.formula(*_arguments(column, parents), *learnt)
        return np.ascontiguousarray(columns.T)

    def get_feature_names_out(self) -> NDArray[np.object_]:
        """Return the (d_in,) names of the columns, in order."""
        return np.array([column.name for column in ALL_COLUMNS], dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """All that was fitted, as JSON can hold it."""
        self._check_fitted()
        scale = [None if np.isinf(scale) else scale for scale in self.scale_.tolist()]
        names = [number.name for number in NUMBERS]
        return {
            "parameters": {"clip": self.clip, "min_level_rows": self.min_level_rows},
            "fillers": self.imputer_.to_dict(),
            "centre": dict(zip(names, self.centre_.tolist(), strict=True)),
            "scale": dict(zip(names, scale, strict=True)),
            "rows_of_level": {name: rows.tolist() for name, rows in self.rows_of_level_.items()},
            "statistics": {name: values.tolist() for name, values in self.statistics_.items()},
        }

    @classmethod
    def from_dict(cls, fitted: dict[str, Any]) -> Self:
        """The transformer that `to_dict` described; it transforms to the same bits.

        Raises:
            KeyError, TypeError, ValueError: `to_dict` never wrote this.
        """
        features = cls(**fitted["parameters"])
        features.imputer_ = NeighborhoodImputer.from_dict(fitted["fillers"])
        scale = [fitted["scale"][number.name] for number in NUMBERS]
        features.scale_ = np.array([np.inf if spread is None else spread for spread in scale], dtype=np.float64)
        features.centre_ = np.array([fitted["centre"][number.name] for number in NUMBERS], dtype=np.float64)
        features.rows_of_level_ = {
            name: np.array(fitted["rows_of_level"][name], dtype=np.intp).reshape(len(BY_NAME[name].levels))
            for name in NOMINALS
        }
        features.statistics_ = {
            statistic.name: np.array(fitted["statistics"][statistic.name], dtype=np.float64).reshape(statistic.shape)
            for statistic in STATISTICS
        }
        return features

    def _parents(self, numbers: Floats, complete: HouseArray) -> dict[str, Floats | Levels]:
        """What formulas are given, by name: the scaled numbers and the nominal features of gapless houses."""
        centred = (numbers - self.centre_) / self.scale_
        scaled = np.ascontiguousarray((centred / np.sqrt((centred / self.clip) ** 2 + 1)).T)
        levels = {
            name: Levels(BY_NAME[name].levels, complete.codes(name), rows >= self.min_level_rows)
            for name, rows in self.rows_of_level_.items()
        }
        return {**{number.name: values for number, values in zip(NUMBERS, scaled, strict=True)}, **levels}

    def _check_fitted(self) -> None:
        if not hasattr(self, "statistics_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("HouseFeatures: fit it before it transforms or is saved")


def _arguments(made: Column | Statistic, parents: dict[str, Floats | Levels]) -> list[Floats | Levels]:
    return [parents[name] for name in made.parents]
