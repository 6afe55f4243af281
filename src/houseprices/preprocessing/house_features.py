"""Typed table -> float32 matrix: a scikit-learn transformer that sees the training rows of its fold only.

`feature_columns` says which columns there are.
"""

import warnings
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from houseprices.data.schema import BY_NAME, NOMINALS
from houseprices.preprocessing.blocks import (
    COLUMNS,
    LOT_FRONTAGE_UNKNOWN,
    MEDIAN_NUMBERS,
    PRODUCTS,
    SCALED_NUMBERS,
    SLOPE_NUMBERS,
    UNFINISHED_NUMBERS,
    UNFINISHED_SALES,
    Block,
)
from houseprices.preprocessing.engineered import numbers_of
from houseprices.preprocessing.house_array import CodedHouses, Floats, code_houses
from houseprices.preprocessing.imputation import NeighborhoodImputer

FloatMatrix = NDArray[np.float32]

_POSITION = {number: index for index, number in enumerate(SCALED_NUMBERS)}
_MEDIANS_BY = ("Neighborhood", "MSSubClass")


class UnseenLevelWarning(UserWarning):
    """A level has no price to learn from."""


class HouseFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Imputes, scales, encodes and crosses the 79 features of a typed table.

    Numbers are centred on the median, divided by the interquartile range (by the standard deviation where that range
    is zero) and squeezed by x / sqrt(1 + (x / clip)^2), so that a lot of 200,000 square feet stays within +-clip.
    A level with fewer than `min_level_rows` training rows has a column of zeros: a weight learnt from a handful of
    houses is noise.

    Attributes:
        imputer_: the fitted NeighborhoodImputer.
        centre_: (n_numbers,) median of each scaled number in the training rows.
        scale_: (n_numbers,) spread of each in the training rows; infinite where it is constant, which gives zeros.
        medians_: {nominal feature: (n_levels, 7)} behind the blocks of medians, in scaled units; zero, the median of
            all training rows, for a level that none of them has.
        rows_of_level_: {nominal feature: (n_levels,)} training rows of each level.
    """

    def __init__(self, clip: float = 3.0, min_level_rows: int = 5) -> None:
        self.clip = clip
        self.min_level_rows = min_level_rows

    def fit(self, houses: pd.DataFrame | CodedHouses, y: Any = None) -> Self:  # noqa: ARG002  # scikit-learn's signature
        """Learn fillers, scales, medians and level counts from typed training rows; prices are not used."""
        houses = code_houses(houses)
        self.imputer_ = NeighborhoodImputer().fit(houses)
        complete = self.imputer_.transform(houses)
        numbers = _unscaled(houses, complete)
        self.centre_ = np.median(numbers, axis=0)
        spread = np.subtract(*np.quantile(numbers, (0.75, 0.25), axis=0))
        spread = np.where(spread == 0, numbers.std(axis=0), spread)
        self.scale_ = np.where(spread == 0, np.inf, spread)
        scaled = self._scaled(numbers)
        self.medians_ = {by: _medians_of_levels(complete.codes(by), by, scaled) for by in _MEDIANS_BY}
        self.rows_of_level_ = {
            name: np.bincount(complete.codes(name), minlength=len(BY_NAME[name].levels)) for name in NOMINALS
        }
        return self

    def transform(self, houses: pd.DataFrame | CodedHouses) -> FloatMatrix:
        """Return (n_rows, d_in) float32; a level never seen in training is a row of zeros and a warning names it."""
        check_is_fitted(self)
        houses = code_houses(houses)
        self._warn_of_unseen_levels(houses)
        return self.matrix(houses)

    def matrix(self, houses: CodedHouses) -> FloatMatrix:
        """Return the same without a warning: in one of many folds some rare level is always unseen."""
        complete = self.imputer_.transform(houses)
        blocks = self._blocks(complete, self._scaled(_unscaled(houses, complete)))
        return np.concatenate([blocks[block] for block in COLUMNS], axis=1, dtype=np.float32, casting="same_kind")

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002  # the same
        """Return the (d_in,) names of the columns, in order."""
        return np.array([column.name for columns in COLUMNS.values() for column in columns], dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """All that was fitted, as JSON can hold it."""
        check_is_fitted(self)
        scale = [None if np.isinf(scale) else scale for scale in self.scale_.tolist()]
        return {
            "parameters": self.get_params(),
            "fillers": self.imputer_.to_dict(),
            "centre": dict(zip(SCALED_NUMBERS, self.centre_.tolist(), strict=True)),
            "scale": dict(zip(SCALED_NUMBERS, scale, strict=True)),
            "medians": {by: medians.tolist() for by, medians in self.medians_.items()},
            "rows_of_level": {name: rows.tolist() for name, rows in self.rows_of_level_.items()},
        }

    @classmethod
    def from_dict(cls, fitted: dict[str, Any]) -> Self:
        """The transformer that `to_dict` described; it transforms to the same bits.

        Raises:
            KeyError, TypeError, ValueError: `to_dict` never wrote this.
        """
        features = cls(**fitted["parameters"])
        features.imputer_ = NeighborhoodImputer.from_dict(fitted["fillers"])
        scale = [np.inf if scale is None else scale for scale in _of(fitted["scale"], SCALED_NUMBERS)]
        features.centre_ = _array(_of(fitted["centre"], SCALED_NUMBERS), len(SCALED_NUMBERS))
        features.scale_ = _array(scale, len(SCALED_NUMBERS))
        features.medians_ = {
            by: _array(fitted["medians"][by], len(BY_NAME[by].levels), len(MEDIAN_NUMBERS)) for by in _MEDIANS_BY
        }
        features.rows_of_level_ = {
            name: _array(fitted["rows_of_level"][name], len(BY_NAME[name].levels)).astype(np.intp) for name in NOMINALS
        }
        return features

    def _blocks(self, houses: CodedHouses, numbers: Floats) -> dict[Block, Floats | NDArray[np.bool_]]:
        """Each block's (n_rows, n_columns), from gapless houses and their scaled numbers."""
        one_hot = {name: self._one_hot(name, houses) for name in NOMINALS}
        medians = {by: self.medians_[by][houses.codes(by)] for by in _MEDIANS_BY}
        deviation = {by: numbers[:, _positions(MEDIAN_NUMBERS)] - medians[by] for by in _MEDIANS_BY}
        unfinished = [_are(houses, *sale)[:, None] for sale in UNFINISHED_SALES]
        sizes = numbers[:, _positions(UNFINISHED_NUMBERS)]
        slopes = numbers[:, _positions(SLOPE_NUMBERS)]
        return {
            "numbers": numbers,
            "levels": np.hstack(list(one_hot.values())),
            "neighborhood_slopes": np.hstack([slope[:, None] * one_hot["Neighborhood"] for slope in slopes.T]),
            "neighborhood_medians": np.hstack([medians["Neighborhood"], deviation["Neighborhood"]]),
            "subclass_medians": np.hstack([medians["MSSubClass"], deviation["MSSubClass"]]),
            "unfinished_sale": np.hstack(
                [sale * of_house for of_house in (sizes, deviation["Neighborhood"]) for sale in unfinished]
            ),
            "products": numbers[:, _positions(one for one, _ in PRODUCTS)]
            * numbers[:, _positions(other for _, other in PRODUCTS)],
        }

    def _scaled(self, numbers: Floats) -> Floats:
        centred = (numbers - self.centre_) / self.scale_
        return np.asarray(centred / np.sqrt((centred / self.clip) ** 2 + 1))

    def _one_hot(self, name: str, houses: CodedHouses) -> NDArray[np.bool_]:
        return _is_code(houses.codes(name), self.rows_of_level_[name] >= self.min_level_rows)

    def _warn_of_unseen_levels(self, houses: CodedHouses) -> None:
        for name, rows in self.rows_of_level_.items():
            codes = np.unique(houses.codes(name))
            unseen = [BY_NAME[name].levels[code] for code in codes if code >= 0 and rows[code] == 0]
            if unseen:
                warnings.warn(
                    f"{name}: {', '.join(map(repr, unseen))} never stands in the training rows; read as none",
                    UnseenLevelWarning,
                    stacklevel=4,
                )


def _positions(numbers: Iterable[str]) -> list[int]:
    return [_POSITION[number] for number in numbers]


def _unscaled(houses: CodedHouses, complete: CodedHouses) -> Floats:
    # Of all the gaps only this one is common, and it tells of irregular lots.
    unknown = {LOT_FRONTAGE_UNKNOWN: np.isnan(houses["LotFrontage"]).astype(np.float64)}
    columns = {**numbers_of(complete), **unknown}
    return np.stack([columns[number] for number in SCALED_NUMBERS], axis=1)


def _medians_of_levels(codes: NDArray[np.intp], by: str, scaled: Floats) -> Floats:
    medians = np.zeros((len(BY_NAME[by].levels), len(MEDIAN_NUMBERS)))
    for code in np.unique(codes):
        medians[code] = np.median(scaled[codes == code][:, _positions(MEDIAN_NUMBERS)], axis=0)
    return medians


def _are(houses: CodedHouses, name: str, level: str) -> NDArray[np.bool_]:
    return np.asarray(houses[name] == BY_NAME[name].levels.index(level))


def _is_code(codes: NDArray[np.intp], live: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """One-hot columns of the codes: (n_rows, n_codes), zeros where a code is not live."""
    return np.asarray((codes[:, None] == np.arange(len(live))) & live)


def _of(named: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    return [named[name] for name in names]


def _array(values: Any, *shape: int) -> Floats:
    return np.array(values, dtype=np.float64).reshape(shape)
