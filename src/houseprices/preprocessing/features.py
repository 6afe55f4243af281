"""Typed table -> float32 matrix, fitted on the training rows of a fold; `columns` defines its columns."""

from collections.abc import Collection
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, FEATURES
from houseprices.preprocessing.columns import (
    BLOCKS,
    COLUMNS,
    CUSTOM,
    DEFAULT_BLOCKS,
    LEVELS,
    Block,
    Column,
    Levels,
    Statistic,
    raw_shares,
)
from houseprices.preprocessing.custom_features import CUSTOM_PREFIX, CustomFeatures, CustomFile
from houseprices.preprocessing.houses import Floats, HouseArray, NeighborhoodImputer, house_array
from houseprices.preprocessing.numbers import NUMBERS, Scaler, compute_numbers

FloatMatrix = NDArray[np.float32]


class HouseFeatures:
    """Impute, scale and encode the 79 features of a typed table, and build the columns of some blocks.

    Args:
        blocks: the blocks to build. Their order does not matter: the matrix has the order of `columns.BLOCKS`.
        clip: bound of the scaled numbers.
        min_level_rows: a level with fewer training rows has a column of zeros.
        custom: the user's file; its columns stand last.

    Attributes:
        imputer_: the fitted NeighborhoodImputer.
        scaler_: the Scaler of the numbers, the custom ones last.
        rows_of_level_: {nominal or ordinal feature: (n_levels,)} training rows of each level.
        statistics_: {name: array} for the columns' `Statistic`s.
        custom_: the fitted custom features, or None.
    """

    def __init__(
        self,
        blocks: Collection[Block] = DEFAULT_BLOCKS,
        clip: float = 3.0,
        min_level_rows: int = 5,
        custom: CustomFile | None = None,
    ) -> None:
        self.blocks: tuple[Block, ...] = tuple(sorted(set(blocks) - {CUSTOM}, key=BLOCKS.index))
        self.clip = clip
        self.min_level_rows = min_level_rows
        self.custom = custom

    def fit(self, houses: pd.DataFrame | HouseArray, log_price: Floats | None = None) -> Self:
        """Fit on the training rows. `log_price`, shape (n_rows,), is only used by custom features.

        Raises:
            ColumnsError: the user's file fails, or returns something other than finite numbers.
        """
        houses = house_array(houses)
        self.imputer_ = NeighborhoodImputer().fit(houses)
        complete = self.imputer_.transform(houses)
        self.custom_: CustomFeatures | None = None
        if self.custom is not None:
            if log_price is None:
                raise TypeError("HouseFeatures: custom features are fitted with log prices, got none")
            self.custom_ = self.custom.fit(houses, log_price)
        numbers = self._numbers(houses, complete)
        self.scaler_ = Scaler.fit(numbers, self.clip)
        self.rows_of_level_ = {
            name: np.bincount(complete.codes(name), minlength=len(BY_NAME[name].levels)) for name in LEVELS.values()
        }
        arguments = self._arguments(numbers, complete)
        self.statistics_ = {
            statistic.name: statistic.fit(*(arguments[parent] for parent in statistic.parents))
            for statistic in self.statistics
        }
        return self

    def transform(self, houses: pd.DataFrame | HouseArray) -> FloatMatrix:
        """Return the (n_rows, d_in) matrix; a level without training rows has a column of zeros.

        Raises:
            NotFittedError: scikit-learn's; `fit` was not called.
            ColumnsError: as in `fit`.
        """
        if not hasattr(self, "statistics_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("HouseFeatures: fit it before it transforms")
        houses = house_array(houses)
        complete = self.imputer_.transform(houses)
        arguments = self._arguments(self._numbers(houses, complete), complete)
        columns = self.columns
        matrix = np.empty((len(columns) + len(self.custom_names), len(houses)), dtype=np.float32)
        for values, column in zip(matrix, columns, strict=False):
            statistics = (self.statistics_[statistic.name] for statistic in column.statistics)
            values[:] = column.formula(*(arguments[parent] for parent in column.parents), *statistics)
        for values, name in zip(matrix[len(columns) :], self.custom_names, strict=True):
            values[:] = arguments[name]
        return np.ascontiguousarray(matrix.T)

    def block_columns(self, blocks: Collection[Block]) -> NDArray[np.intp]:
        """Return the positions of the blocks' columns in the matrix, ascending; KeyError for a block not built here."""
        positions: dict[Block, list[int]] = {block: [] for block in (*self.blocks, CUSTOM)}
        block_of_column = [block for block in self.blocks for _ in COLUMNS[block]] + [CUSTOM] * len(self.custom_names)
        for position, block in enumerate(block_of_column):
            positions[block].append(position)
        return np.array(sorted(position for block in blocks for position in positions[block]), dtype=np.intp)

    def raw_shares(self) -> Floats:
        """Return (d_in, n_effects): the share of each column's attribution that goes to each raw feature.

        n_effects is 79, see `columns.raw_shares`; with custom features 80: the last one takes all custom columns,
        whose parents are unknown.
        """
        columns = self.columns
        shares = np.zeros((len(columns) + len(self.custom_names), len(FEATURES) + (self.custom_ is not None)))
        for row, column in zip(shares, columns, strict=False):
            row[: len(FEATURES)] = raw_shares(column)
        shares[len(columns) :, len(FEATURES) :] = 1
        return shares

    @property
    def columns(self) -> list[Column]:
        """The columns of the blocks, without custom ones."""
        return [column for block in self.blocks for column in COLUMNS[block]]

    @property
    def statistics(self) -> list[Statistic]:
        """The statistics that the columns need, each once."""
        return list(dict.fromkeys(statistic for column in self.columns for statistic in column.statistics))

    @property
    def custom_names(self) -> list[str]:
        """Names of the custom columns in the matrix."""
        return [CUSTOM_PREFIX + name for name in self.custom_.names] if self.custom_ is not None else []

    def get_feature_names_out(self) -> NDArray[np.object_]:
        """Return the (d_in,) names of the columns."""
        return np.array([*(column.name for column in self.columns), *self.custom_names], dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted state for JSON; of custom features the scaling alone, never code."""
        names = [*(number.name for number in NUMBERS), *self.custom_names]
        return {
            "parameters": {"blocks": list(self.blocks), "clip": self.clip, "min_level_rows": self.min_level_rows},
            "fillers": self.imputer_.to_dict(),
            "centre": dict(zip(names, self.scaler_.centre.tolist(), strict=True)),
            "spread": dict(zip(names, self.scaler_.spread.tolist(), strict=True)),
            "rows_of_level": {name: rows.tolist() for name, rows in self.rows_of_level_.items()},
            "statistics": {name: values.tolist() for name, values in self.statistics_.items()},
        }

    @classmethod
    def from_dict(cls, fitted: dict[str, Any], custom: CustomFeatures | None = None) -> Self:
        """Restore a transformer from `to_dict`; its matrix has the same bits.

        `custom` are its custom features, fitted again on the same rows.

        Raises:
            KeyError, TypeError, ValueError: `to_dict` never wrote this.
            ColumnsError: the custom features differ from the saved ones.
        """
        features = cls(**fitted["parameters"], custom=None if custom is None else custom.file)
        features.imputer_ = NeighborhoodImputer.from_dict(fitted["fillers"])
        features.custom_ = custom
        names, saved_names = [number.name for number in NUMBERS], list(fitted["centre"])
        if (custom is not None) != (len(saved_names) > len(names)):
            raise ValueError("custom features without a file, or a file without custom features")
        names += saved_names[len(names) :]
        centre, spread = (np.array([fitted[key][name] for name in names], np.float64) for key in ("centre", "spread"))
        features.scaler_ = Scaler(centre, spread, features.clip)
        if custom is not None:
            n = len(NUMBERS)
            custom.check_saved([name.removeprefix(CUSTOM_PREFIX) for name in names[n:]], centre[n:], spread[n:])
        features.rows_of_level_ = {
            name: np.array(fitted["rows_of_level"][name], dtype=np.intp).reshape(len(BY_NAME[name].levels))
            for name in LEVELS.values()
        }
        features.statistics_ = {
            statistic.name: np.array(fitted["statistics"][statistic.name], dtype=np.float64).reshape(statistic.shape)
            for statistic in features.statistics
        }
        return features

    def _numbers(self, houses: HouseArray, complete: HouseArray) -> Floats:
        numbers = compute_numbers(houses, complete)
        return numbers if self.custom_ is None else np.hstack([numbers, self.custom_.transform(houses)])

    def _arguments(self, numbers: Floats, complete: HouseArray) -> dict[str, Floats | Levels]:
        """Return the arguments of formulas by name: scaled numbers, custom ones too, and levels."""
        names = [*(number.name for number in NUMBERS), *self.custom_names]
        scaled = np.ascontiguousarray(self.scaler_.transform(numbers).T)
        levels = {
            parent: Levels(BY_NAME[name].levels, complete.codes(name), self.rows_of_level_[name] >= self.min_level_rows)
            for parent, name in LEVELS.items()
        }
        return {**dict(zip(names, scaled, strict=True)), **levels}
