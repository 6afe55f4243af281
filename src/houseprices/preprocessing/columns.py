"""The columns of the matrix, in blocks; a model names the blocks of its inputs.

| block | columns |
|---|---|
| numbers | raw numbers, ordinal ranks, engineered numbers, a flag for an unknown lot frontage; scaled |
| one_hot | one-hot columns of the nominal features, a column for every level of the schema |
| one_hot_ordinals | the same of the ordinal features, whose steps differ in worth |
| neighborhood_slopes | neighbourhood one-hot x (total area, overall quality): slopes by neighbourhood |
| neighborhood_medians | the neighbourhood's median size, age and quality, and the house's deviation from it |
| subclass_medians | the same by kind of dwelling (MSSubClass) |
| unfinished_sale | (sold unfinished, sold new) x (sizes, quality, year, the deviations from the neighbourhood) |
| neighborhood_sales | neighbourhood with sale condition, one-hot, where at least 3 training rows have both |
| products | products of pairs of ten leading numbers, squares included |
| piecewise_linear | the numbers in eight linear pieces, each with an eighth of the training rows |
| custom | the columns of the user's file, see `custom_features`; scaled like the numbers |

A column is a name, its parents and a formula that is given those parents alone, so that it cannot depend on a feature
that it does not declare. A new block is a name in `Block` and an entry in `COLUMNS`.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, FEATURES, NOMINALS, ORDINALS
from houseprices.preprocessing.houses import POSITION, Floats
from houseprices.preprocessing.numbers import NUMBERS, Values

Block = Literal[
    "numbers",
    "one_hot",
    "one_hot_ordinals",
    "neighborhood_slopes",
    "neighborhood_medians",
    "subclass_medians",
    "unfinished_sale",
    "neighborhood_sales",
    "products",
    "piecewise_linear",
    "custom",
]
CUSTOM: Block = "custom"
BLOCKS: tuple[Block, ...] = tuple(block for block in get_args(Block) if block != CUSTOM)
"""The blocks that need no user's file, in the order of their columns in a matrix; custom columns stand last."""
DEFAULT_BLOCKS = tuple(
    block for block in BLOCKS if block not in ("one_hot_ordinals", "neighborhood_sales", "piecewise_linear")
)
LINEAR_BLOCKS = tuple(block for block in DEFAULT_BLOCKS if block != "products")
"""Inputs of the ridge regression, which predicts worse with the products."""

_SLOPE_NUMBERS = ("LogTotalArea", "OverallQual")
_MEDIAN_NUMBERS = ("LogTotalArea", "GrLivArea", "LotArea", "YearBuilt", "OverallQual", "OverallCond", "GarageArea")
_UNFINISHED_NUMBERS = ("LogTotalArea", "GrLivArea", "TotalBsmtSF", "LotArea", "OverallQual", "YearBuilt")
_UNFINISHED_SALES = (("SaleCondition", "Partial"), ("SaleType", "New"))
_LEADING_NUMBERS = (
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
_MIN_SALE_ROWS = 3
_N_PIECES = 8


ORDINAL_LEVELS = {f"levels of {name}": name for name in ORDINALS}
"""The ordinal feature of each argument of formulas that is given as `Levels`; by their names they are ranks."""
LEVELS = {**{name: name for name in NOMINALS}, **ORDINAL_LEVELS}
"""The feature of every argument that is given as `Levels`."""


@dataclass(frozen=True)
class Levels:
    """The levels of a nominal or ordinal feature, the argument of a formula.

    Attributes:
        names: levels in the schema's order.
        codes: (n_rows,) positions in `names`.
        is_common: (n_levels,) true for levels with at least `min_level_rows` training rows.
    """

    names: tuple[str, ...]
    codes: NDArray[np.intp]
    is_common: NDArray[np.bool_]

    def is_level(self, level: str) -> NDArray[np.bool_]:
        """Return the (n_rows,) indicator of the level."""
        return np.asarray(self.codes == self.names.index(level))

    def one_hot(self, level: str) -> NDArray[np.bool_]:
        """Return the indicator, or zeros for a rare level: a weight learnt from a handful of houses is noise."""
        return np.asarray(self.is_level(level) & self.is_common[self.names.index(level)])


@dataclass(frozen=True)
class Statistic:
    """An array computed from the training rows for the columns that need it.

    Attributes:
        name: key under which it is saved.
        parents: as a column's.
        fit: the training rows' parents -> an array.
        shape: shape of that array.
    """

    name: str
    parents: tuple[str, ...]
    fit: Callable[..., Floats]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Column:
    """A column of the matrix.

    Attributes:
        parents: names of `NUMBERS` and keys of `LEVELS`.
        formula: the parents in this order, a number as its (n_rows,) scaled values, then the statistics -> (n_rows,).
    """

    name: str
    parents: tuple[str, ...]
    formula: Callable[..., Values]
    statistics: tuple[Statistic, ...] = ()


def _level(feature: str, parent: str, level: str) -> Column:
    return Column(f"{feature}={level}", (parent,), lambda levels: levels.one_hot(level))


def _slope(number: str, neighborhood: str) -> Column:
    name = f"{number} in Neighborhood={neighborhood}"
    return Column(name, (number, "Neighborhood"), lambda values, levels: values * levels.one_hot(neighborhood))


def _median(number: str, by: str) -> Statistic:
    shape = (len(BY_NAME[by].levels),)
    return Statistic(f"{number}, median of {by}", (number, by), _median_of_each_level, shape)


def _median_of_each_level(values: Floats, levels: Levels) -> Floats:
    """Return the (n_levels,) medians; zero, the scaled overall median, for a level without training rows."""
    n_rows = np.bincount(levels.codes, minlength=len(levels.names))
    ordered = values[np.lexsort((values, levels.codes))]
    known, first = n_rows > 0, np.cumsum(n_rows) - n_rows
    lower, upper = first + (n_rows - 1) // 2, first + n_rows // 2
    medians = np.zeros(len(n_rows))
    medians[known] = (ordered[lower[known]] + ordered[upper[known]]) / 2
    return medians


def _medians_and_deviations(by: str) -> list[Column]:
    medians = {number: _median(number, by) for number in _MEDIAN_NUMBERS}
    return [
        Column(median.name, (by,), lambda levels, medians: medians[levels.codes], (median,))
        for median in medians.values()
    ] + [
        Column(
            f"{number} - median of {by}", (number, by), lambda x, levels, medians: x - medians[levels.codes], (median,)
        )
        for number, median in medians.items()
    ]


def _unfinished(number: str, feature: str, level: str) -> Column:
    return Column(
        f"{number} if {feature}={level}", (number, feature), lambda values, sales: values * sales.is_level(level)
    )


def _unfinished_deviation(number: str, feature: str, level: str) -> Column:
    return Column(
        f"{number} - median of Neighborhood if {feature}={level}",
        (number, "Neighborhood", feature),
        lambda values, levels, sales, medians: (values - medians[levels.codes]) * sales.is_level(level),
        (_median(number, "Neighborhood"),),
    )


def _cross_table(rows: Levels, columns: Levels) -> Floats:
    counts = np.zeros((len(rows.names), len(columns.names)))
    np.add.at(counts, (rows.codes, columns.codes), 1)
    return counts


_SALE = ("Neighborhood", "SaleCondition")
_SALE_SHAPE = (len(BY_NAME["Neighborhood"].levels), len(BY_NAME["SaleCondition"].levels))
_SALE_ROWS = Statistic("rows of Neighborhood and SaleCondition", _SALE, _cross_table, _SALE_SHAPE)


def _neighborhood_sale(neighborhood: str, condition: str) -> Column:
    def both(neighborhoods: Levels, sales: Levels, n_rows: Floats) -> Values:
        is_both = neighborhoods.is_level(neighborhood) & sales.is_level(condition)
        cell = n_rows[neighborhoods.names.index(neighborhood), sales.names.index(condition)]
        return is_both & bool(cell >= _MIN_SALE_ROWS)

    name = f"Neighborhood={neighborhood} and SaleCondition={condition}"
    return Column(name, _SALE, both, (_SALE_ROWS,))


def _piece(number: str, piece: int) -> Column:
    """Encode the share of the piece below the value, 0 to 1 (piecewise-linear; Gorishniy et al. 2022, eq. 1)."""
    ends = Statistic(f"{number}, eighths", (number,), _eighths, (_N_PIECES + 1,))

    def filled(values: Floats, ends: Floats) -> Floats:
        length = ends[piece + 1] - ends[piece]
        return np.clip((values - ends[piece]) / length, 0, 1) if length > 0 else np.zeros(len(values))

    return Column(f"{number}, piece {piece + 1}", (number,), filled, (ends,))


def _eighths(values: Floats) -> Floats:
    return np.asarray(np.quantile(values, np.linspace(0, 1, _N_PIECES + 1)))


COLUMNS: dict[Block, list[Column]] = {
    "numbers": [Column(number.name, (number.name,), lambda values: values) for number in NUMBERS],
    "one_hot": [_level(name, name, level) for name in NOMINALS for level in BY_NAME[name].levels],
    "one_hot_ordinals": [
        _level(name, levels, level) for levels, name in ORDINAL_LEVELS.items() for level in BY_NAME[name].levels
    ],
    "neighborhood_slopes": [
        _slope(number, neighborhood) for number in _SLOPE_NUMBERS for neighborhood in BY_NAME["Neighborhood"].levels
    ],
    "neighborhood_medians": _medians_and_deviations("Neighborhood"),
    "subclass_medians": _medians_and_deviations("MSSubClass"),
    "unfinished_sale": [
        column(number, *sale)
        for column, numbers in ((_unfinished, _UNFINISHED_NUMBERS), (_unfinished_deviation, _MEDIAN_NUMBERS))
        for sale in _UNFINISHED_SALES
        for number in numbers
    ],
    "neighborhood_sales": [
        _neighborhood_sale(*pair)
        for pair in itertools.product(BY_NAME["Neighborhood"].levels, BY_NAME["SaleCondition"].levels)
    ],
    "products": [
        Column(f"{first} * {second}", (first, second), np.multiply)
        for first, second in itertools.combinations_with_replacement(_LEADING_NUMBERS, 2)
    ],
    "piecewise_linear": [_piece(number.name, piece) for number in NUMBERS for piece in range(_N_PIECES)],
}
"""The columns of each block in order. They do not depend on the rows, so that all folds have the same columns."""


@cache
def raw_shares(column: Column) -> Floats:
    """Return the (79,) shares of a column's attribution that go to the features of the data description; they sum to 1.

    Each parent of a column gets an equal share, and an engineered parent divides its share equally among its own
    parents: `LogTotalArea in Neighborhood=OldTown` is 1/2 Neighborhood, 1/4 GrLivArea and 1/4 TotalBsmtSF. That gaps
    are filled from the neighbourhood is left out of account.
    """
    features_of_number = {number.name: number.parents for number in NUMBERS}
    shares = np.zeros(len(FEATURES))
    for parent in column.parents:
        features = features_of_number[parent] if parent in features_of_number else (LEVELS[parent],)
        for feature in features:
            shares[POSITION[feature]] += 1 / (len(column.parents) * len(features))
    return shares
