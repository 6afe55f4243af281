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
from houseprices.preprocessing.own_columns import OWN_PREFIX, ColumnsFile, OwnColumns
from houseprices.preprocessing.scaling import centre_and_scale, scales_as_dict, scales_from_dict, squeezed

FloatMatrix = NDArray[np.float32]


class HouseFeatures:
    """Imputes, scales, encodes and crosses the 79 features of a typed table.

    Numbers are centred on the median, divided by the interquartile range (by the standard deviation where that range
    is zero) and squeezed by x / sqrt(1 + (x / clip)^2), so that a lot of 200,000 square feet stays within +-clip.
    A level with fewer than `min_level_rows` training rows has a column of zeros. The columns of a file of one's own,
    `own`, are scaled and squeezed alike; they stand last.

    Attributes:
        imputer_: the fitted NeighborhoodImputer.
        centre_: (n_numbers,) median of each number in the training rows.
        scale_: (n_numbers,) spread of each in the training rows; infinite where it is constant, which gives zeros.
        rows_of_level_: {nominal feature: (n_levels,)} training rows of each level.
        statistics_: {name: array}, what the columns' `Statistic`s found in the training rows.
        own_: the fitted own columns, or None.
    """

    own_: OwnColumns | None = None

    def __init__(self, clip: float = 3.0, min_level_rows: int = 5, own: ColumnsFile | None = None) -> None:
        self.clip = clip
        self.min_level_rows = min_level_rows
        self.own = own

    def fit(self, houses: pd.DataFrame | HouseArray, log_price: Floats | None = None) -> Self:
        """Learn from typed training rows; their (n_rows,) log prices are for own columns alone.

        Raises:
            ColumnsError: the file of own columns fails, or gives something else than finite numbers.
        """
        houses = house_array(houses)
        self.imputer_ = NeighborhoodImputer().fit(houses)
        complete = self.imputer_.transform(houses)
        numbers = compute_numbers(houses, complete)
        self.centre_, self.scale_ = centre_and_scale(numbers)
        self.own_ = None
        if self.own is not None:
            if log_price is None:
                raise TypeError("HouseFeatures: own columns are fitted with log prices")
            self.own_ = self.own.fit(houses, log_price)
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
            ColumnsError: as of `fit`.
        """
        self._check_fitted()
        houses = house_array(houses)
        complete = self.imputer_.transform(houses)
        parents = self._parents(compute_numbers(houses, complete), complete)
        columns = np.empty((len(ALL_COLUMNS) + self.n_own, len(houses)), dtype=np.float32)
        for values, column in zip(columns, ALL_COLUMNS, strict=False):
            learnt = (self.statistics_[statistic.name] for statistic in column.statistics)
            values[:] = column.formula(*_arguments(column, parents), *learnt)
        if self.own_ is not None:
            own = self.own_
            columns[len(ALL_COLUMNS) :] = squeezed(own.transform(houses), own.centre, own.scale, self.clip).T
        return np.ascontiguousarray(columns.T)

    @property
    def n_own(self) -> int:
        """Own columns among the d_in."""
        return 0 if self.own_ is None else len(self.own_.names)

    def get_feature_names_out(self) -> NDArray[np.object_]:
        """Return the (d_in,) names of the columns, in order."""
        own = () if self.own_ is None else self.own_.names
        return np.array([*(column.name for column in ALL_COLUMNS), *(OWN_PREFIX + name for name in own)], dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """All that was fitted, as JSON can hold it; of own columns their scales alone, never code."""
        self._check_fitted()
        names = [number.name for number in NUMBERS]
        own = self.own_
        return {
            "parameters": {"clip": self.clip, "min_level_rows": self.min_level_rows},
            "fillers": self.imputer_.to_dict(),
            **scales_as_dict(names, self.centre_, self.scale_),
            "rows_of_level": {name: rows.tolist() for name, rows in self.rows_of_level_.items()},
            "statistics": {name: values.tolist() for name, values in self.statistics_.items()},
            **({} if own is None else {"custom": scales_as_dict(own.names, own.centre, own.scale)}),
        }

    @classmethod
    def from_dict(cls, fitted: dict[str, Any], own: OwnColumns | None = None) -> Self:
        """The transformer that `to_dict` described; it transforms to the same bits.

        Args:
            fitted: what `to_dict` gave.
            own: its own columns, fitted anew on the same rows.

        Raises:
            KeyError, TypeError, ValueError: `to_dict` never wrote this.
            ColumnsError: the own columns are others.
        """
        features = cls(**fitted["parameters"], own=None if own is None else own.file)
        features.imputer_ = NeighborhoodImputer.from_dict(fitted["fillers"])
        features.centre_, features.scale_ = scales_from_dict([number.name for number in NUMBERS], fitted)
        if ("custom" in fitted) != (own is not None):
            raise ValueError("own columns without a file, or a file without own columns")
        if own is not None:
            features.own_ = own.as_saved(fitted["custom"])
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
        scaled = np.ascontiguousarray(squeezed(numbers, self.centre_, self.scale_, self.clip).T)
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
