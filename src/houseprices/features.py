"""Typed table -> float32 matrix: a scikit-learn transformer that sees the training rows of its fold only.

The columns come in blocks, and a group of members names the blocks that it is given:

| block | columns |
|---|---|
| numbers | raw numbers, ordinal ranks, engineered features, a flag for an unknown lot frontage; scaled |
| levels | one-hot columns of the nominal features, a column for every level of the schema |
| neighborhood_slopes | neighbourhood one-hot x (total area, overall quality): each neighbourhood has its own slopes |
| neighborhood_medians | the neighbourhood's median size, age and quality, and the house's deviation from it |
| subclass_medians | the same by kind of dwelling (MSSubClass) |
| unfinished_sale | (sold before it was finished, sold new) x (sizes, quality, year): such sales price land and plans |
| neighborhood_sale | neighbourhood with sale condition, one-hot |
| products | products of pairs of ten leading numbers, squares included: a big house gains more from good quality |
| piecewise | eight sizes and years cut at their octiles, a column a piece: how far the house is through that piece |
"""

import itertools
import warnings
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from houseprices.engineered import ENGINEERED_FROM, numbers_of
from houseprices.imputation import NeighborhoodImputer
from houseprices.schema import BY_NAME, FEATURES, NOMINALS

Block = Literal[
    "numbers",
    "levels",
    "neighborhood_slopes",
    "neighborhood_medians",
    "subclass_medians",
    "unfinished_sale",
    "neighborhood_sale",
    "products",
    "piecewise",
]
BLOCKS: tuple[Block, ...] = get_args(Block)
COMMON_BLOCKS = BLOCKS[:-2]
"""What a network sees unless it says otherwise: all but the expansions of numbers."""

_LOT_FRONTAGE_UNKNOWN = "LotFrontageUnknown"
_SLOPE_COLUMNS = ("LogTotalArea", "OverallQual")
_MEDIAN_COLUMNS = (
    "LogTotalArea",
    "GrLivArea",
    "LotArea",
    "YearBuilt",
    "OverallQual",
    "OverallCond",
    "GarageArea",
)
_PRODUCT_COLUMNS = (
    "LogTotalArea",
    "OverallQual",
    "YearBuilt",
    "OverallCond",
    "LotArea",
    "GarageArea",
    "BsmtFinSF1",
    "KitchenQual",
    "TotalBaths",
    "Fireplaces",
)
_PIECEWISE_COLUMNS = (
    "LogTotalArea",
    "GrLivArea",
    "YearBuilt",
    "LotArea",
    "YearRemodAdd",
    "TotalBsmtSF",
    "GarageArea",
    "BsmtFinSF1",
)
_N_PIECES = 8
_UNFINISHED_COLUMNS = ("LogTotalArea", "GrLivArea", "TotalBsmtSF", "LotArea", "OverallQual", "YearBuilt")

FloatMatrix = NDArray[np.float32]


class UnseenLevelWarning(UserWarning):
    """A level has no price to learn from."""


class HouseFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Imputes, scales, encodes and crosses the 79 features of a typed table.

    Numbers are centred on the median, divided by the interquartile range (by the standard deviation where that range
    is zero) and squeezed by x / sqrt(1 + (x / clip)^2), so that a lot of 200,000 square feet stays within +-clip.
    A level with fewer than `min_level_rows` training rows, or a cross with fewer than `min_cross_rows`, has a column
    of zeros: a weight learnt from a handful of houses is noise. Columns never depend on the rows, so that the
    members of all folds have the same d_in.

    Attributes:
        imputer_: the fitted NeighborhoodImputer.
        centre_: median of each scaled column in the training rows.
        scale_: spread of each scaled column in the training rows; infinite where it is constant, which gives zeros.
        medians_: {column: {level: {number: median}}} behind the blocks of medians, in scaled units.
        knots_: {number: (9,) octiles} behind the piecewise block, in scaled units.
        rows_of_level_: {column: {level: training rows}} of the one-hot columns and crosses.
    """

    def __init__(self, clip: float = 3.0, min_level_rows: int = 5, min_cross_rows: int = 3) -> None:
        self.clip = clip
        self.min_level_rows = min_level_rows
        self.min_cross_rows = min_cross_rows

    def fit(self, houses: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002  # scikit-learn's signature
        """Learn fillers, scales, medians and level counts from typed training rows; prices are not used."""
        self.imputer_ = NeighborhoodImputer().fit(houses)
        complete = self.imputer_.transform(houses)
        numbers = self._unscaled(houses, complete)
        self.centre_ = numbers.median()
        spread = numbers.quantile(0.75) - numbers.quantile(0.25)
        spread = spread.mask(spread == 0, numbers.std(ddof=0))
        self.scale_ = spread.mask(spread == 0, np.inf)
        scaled = self._scaled(numbers)
        self.medians_ = {
            by: scaled[list(_MEDIAN_COLUMNS)].groupby(complete[by].astype("str")).median()
            for by in ("Neighborhood", "MSSubClass")
        }
        self.knots_ = {
            name: np.quantile(scaled[name], np.linspace(0, 1, _N_PIECES + 1)).tolist() for name in _PIECEWISE_COLUMNS
        }
        self.rows_of_level_ = {
            name: column.value_counts().to_dict() for name, column in self._categories(complete).items()
        }
        return self

    def transform(self, houses: pd.DataFrame) -> FloatMatrix:
        """Return (n_rows, d_in) float32; a level never seen in training is a row of zeros and a warning names it."""
        check_is_fitted(self)
        return np.hstack([block.to_numpy(dtype=np.float32) for block in self._blocks(houses).values()])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002  # the same
        """Return the (d_in,) names of the columns, in order."""
        return np.array([name for names in self.columns_of_block().values() for name in names], dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """All that was fitted, as JSON can hold it."""
        check_is_fitted(self)
        return {
            "parameters": self.get_params(),
            "fillers": self.imputer_.fillers_,
            "centre": self.centre_.to_dict(),
            "scale": {name: None if np.isinf(scale) else scale for name, scale in self.scale_.items()},
            "medians": {by: medians.to_dict(orient="index") for by, medians in self.medians_.items()},
            "knots": self.knots_,
            "rows_of_level": self.rows_of_level_,
        }

    @classmethod
    def from_dict(cls, fitted: dict[str, Any]) -> Self:
        """The transformer that `to_dict` described; it transforms to the same bits."""
        features = cls(**fitted["parameters"])
        features.imputer_ = NeighborhoodImputer()
        features.imputer_.fillers_ = fitted["fillers"]
        features.centre_ = pd.Series(fitted["centre"])
        features.scale_ = pd.Series({name: np.inf if x is None else x for name, x in fitted["scale"].items()})
        features.medians_ = {by: pd.DataFrame.from_dict(rows, orient="index") for by, rows in fitted["medians"].items()}
        features.knots_ = fitted["knots"]
        features.rows_of_level_ = fitted["rows_of_level"]
        return features

    def columns_of_block(self) -> dict[Block, list[str]]:
        """Return the columns' names by block, in the matrix's order."""
        check_is_fitted(self)
        neighborhoods = BY_NAME["Neighborhood"].levels
        return {
            "numbers": list(self.centre_.index),
            "levels": [f"{name}={level}" for name in NOMINALS for level in BY_NAME[name].levels],
            "neighborhood_slopes": [
                f"{number} in Neighborhood={level}" for number in _SLOPE_COLUMNS for level in neighborhoods
            ],
            "neighborhood_medians": _median_names("Neighborhood"),
            "subclass_medians": _median_names("MSSubClass"),
            "unfinished_sale": [f"{number} if {sale}" for sale in _UNFINISHED_SALES for number in _UNFINISHED_COLUMNS],
            "neighborhood_sale": [
                f"Neighborhood={place} and SaleCondition={sale}"
                for place in neighborhoods
                for sale in BY_NAME["SaleCondition"].levels
            ],
            "products": [f"{one} * {other}" for one, other in _PRODUCTS],
            "piecewise": [
                f"{number}, piece {piece + 1}" for number in _PIECEWISE_COLUMNS for piece in range(_N_PIECES)
            ],
        }

    def block_indices(self, blocks: tuple[Block, ...]) -> NDArray[np.intp]:
        """Return the positions of the columns of these blocks."""
        names = self.columns_of_block()
        block_of_column = np.concatenate([[block] * len(columns) for block, columns in names.items()])
        return np.flatnonzero(np.isin(block_of_column, blocks))

    def parents_of_columns(self) -> list[tuple[str, ...]]:
        """Return what each column is made of, in the matrix's order: numbers (raw or engineered) and levels."""
        neighborhoods = BY_NAME["Neighborhood"].levels
        parents: dict[Block, list[tuple[str, ...]]] = {
            "numbers": [(name,) for name in self.centre_.index],
            "levels": [(name,) for name in NOMINALS for _ in BY_NAME[name].levels],
            "neighborhood_slopes": [(number, "Neighborhood") for number in _SLOPE_COLUMNS for _ in neighborhoods],
            "neighborhood_medians": _median_parents("Neighborhood"),
            "subclass_medians": _median_parents("MSSubClass"),
            "unfinished_sale": [
                (number, feature) for feature, _ in _UNFINISHED_SALES.values() for number in _UNFINISHED_COLUMNS
            ],
            "neighborhood_sale": [("Neighborhood", "SaleCondition") for _ in _pairs("Neighborhood", "SaleCondition")],
            "products": list(_PRODUCTS),
            "piecewise": [(number,) for number in _PIECEWISE_COLUMNS for _ in range(_N_PIECES)],
        }
        return [of_column for block in self.columns_of_block() for of_column in parents[block]]

    def raw_shares(self) -> NDArray[np.float64]:
        """Return (d_in, 79): the share of each column that counts for each feature of the data description.

        A column of several parents (a cross, a deviation from a median) counts for each in equal parts, and an
        engineered parent passes its part on, in equal parts, to the features that it is made of. So
        `LogTotalArea in Neighborhood=OldTown` is 1/2 Neighborhood, 1/4 GrLivArea and 1/4 TotalBsmtSF. Each row sums
        to 1: what is summed through it stays whole. That gaps are filled from the neighbourhood is left aside.
        """
        position = {feature.name: index for index, feature in enumerate(FEATURES)}
        parents_of_columns = self.parents_of_columns()
        shares = np.zeros((len(parents_of_columns), len(position)))
        for column, parents in enumerate(parents_of_columns):
            for parent in parents:
                raw = (parent,) if parent in position else _MADE_FROM[parent]
                for name in raw:
                    shares[column, position[name]] += 1 / (len(parents) * len(raw))
        return shares

    def _blocks(self, houses: pd.DataFrame) -> dict[Block, pd.DataFrame]:
        complete = self.imputer_.transform(houses)
        numbers = self._scaled(self._unscaled(houses, complete))
        categories = self._categories(complete)
        one_hot = {
            name: self._one_hot(name, categories[name], BY_NAME[name].levels, self.min_level_rows) for name in NOMINALS
        }
        neighborhood = one_hot["Neighborhood"]
        values = {name: numbers[name].to_numpy() for name in numbers}
        names = self.columns_of_block()
        blocks: dict[Block, list[pd.DataFrame]] = {
            "numbers": [numbers],
            "levels": list(one_hot.values()),
            "neighborhood_slopes": [neighborhood.mul(numbers[number], axis=0) for number in _SLOPE_COLUMNS],
            "neighborhood_medians": self._medians("Neighborhood", categories["Neighborhood"], numbers),
            "subclass_medians": self._medians("MSSubClass", categories["MSSubClass"], numbers),
            "unfinished_sale": [
                numbers[list(_UNFINISHED_COLUMNS)].mul((complete[column] == level).astype("float64"), axis=0)
                for column, level in _UNFINISHED_SALES.values()
            ],
            "neighborhood_sale": [
                self._one_hot(
                    _NEIGHBORHOOD_SALE,
                    categories[_NEIGHBORHOOD_SALE],
                    _pairs("Neighborhood", "SaleCondition"),
                    self.min_cross_rows,
                )
            ],
            "products": [
                pd.DataFrame(
                    np.stack([values[one] * values[other] for one, other in _PRODUCTS], axis=1), index=numbers.index
                )
            ],
            "piecewise": [
                pd.DataFrame(_pieces(values[number], self.knots_[number]), index=numbers.index)
                for number in _PIECEWISE_COLUMNS
            ],
        }
        return {block: pd.concat(parts, axis=1).set_axis(names[block], axis=1) for block, parts in blocks.items()}

    def _unscaled(self, houses: pd.DataFrame, complete: pd.DataFrame) -> pd.DataFrame:
        # Of all the gaps only this one is common, and it tells of irregular lots.
        return numbers_of(complete).assign(**{_LOT_FRONTAGE_UNKNOWN: houses["LotFrontage"].isna().astype("float64")})

    def _scaled(self, numbers: pd.DataFrame) -> pd.DataFrame:
        centred = (numbers - self.centre_) / self.scale_
        return centred / ((centred / self.clip) ** 2 + 1).pow(0.5)

    def _categories(self, complete: pd.DataFrame) -> dict[str, pd.Series]:
        categories = {name: complete[name].astype("str") for name in NOMINALS}
        categories[_NEIGHBORHOOD_SALE] = _pair(categories["Neighborhood"], categories["SaleCondition"])
        return categories

    def _one_hot(self, name: str, column: pd.Series, levels: tuple[str, ...], min_rows: int) -> pd.DataFrame:
        counts = self.rows_of_level_[name]
        if name in NOMINALS:
            never_seen = [level for level in column.unique() if level not in counts]
            if never_seen:
                warnings.warn(
                    f"{name}: {', '.join(map(repr, never_seen))} never stands in the training rows; read as none",
                    UnseenLevelWarning,
                    stacklevel=5,
                )
        live = np.array([counts.get(level, 0) >= min_rows for level in levels])
        codes = pd.Categorical(column, categories=list(levels)).codes
        # Code -1, a level outside the schema, meets no column.
        return pd.DataFrame((codes[:, None] == np.arange(len(levels))) & live, index=column.index, dtype="float64")

    def _medians(self, by: str, column: pd.Series, numbers: pd.DataFrame) -> list[pd.DataFrame]:
        usual = self.medians_[by].reindex(column).set_axis(column.index)
        usual = usual.fillna(0.0)  # zero is the median of all training rows
        return [usual, numbers[list(_MEDIAN_COLUMNS)] - usual]


_PRODUCTS = tuple(itertools.combinations_with_replacement(_PRODUCT_COLUMNS, 2))
_MADE_FROM = {**ENGINEERED_FROM, _LOT_FRONTAGE_UNKNOWN: ("LotFrontage",)}
_NEIGHBORHOOD_SALE = "Neighborhood and SaleCondition"
_UNFINISHED_SALES = {
    "SaleCondition=Partial": ("SaleCondition", "Partial"),
    "SaleType=New": ("SaleType", "New"),
}


def _median_names(by: str) -> list[str]:
    return [
        *(f"{number}, median of {by}" for number in _MEDIAN_COLUMNS),
        *(f"{number} - median of {by}" for number in _MEDIAN_COLUMNS),
    ]


def _pieces(number: NDArray[np.float64], knots: list[float]) -> NDArray[np.float64]:
    """How far each row is through each piece between neighbouring knots: (n_rows, n_knots - 1).

    0 below the piece, 1 above it, linear between (Gorishniy et al. 2022, sec. 3.1); 0 for a piece without width.
    """
    low, width = np.array(knots[:-1]), np.diff(knots)
    through: NDArray[np.float64] = (number[:, None] - low) / np.where(width > 0, width, np.inf)
    return through.clip(0, 1)


def _median_parents(by: str) -> list[tuple[str, ...]]:
    return [*((by,) for _ in _MEDIAN_COLUMNS), *((number, by) for number in _MEDIAN_COLUMNS)]


def _pair(left: pd.Series, right: pd.Series) -> pd.Series:
    return left + " and " + right


def _pairs(left: str, right: str) -> tuple[str, ...]:
    return tuple(f"{one} and {other}" for one in BY_NAME[left].levels for other in BY_NAME[right].levels)
