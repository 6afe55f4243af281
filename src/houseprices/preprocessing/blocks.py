"""The columns of the matrix, block by block; a group of members names the blocks that it is given.

| block | columns |
|---|---|
| numbers | raw numbers, ordinal ranks, engineered features, a flag for an unknown lot frontage; scaled |
| one_hot | one-hot columns of the nominal features, a column for every level of the schema |
| neighborhood_slopes | neighbourhood one-hot x (total area, overall quality): each neighbourhood has its own slopes |
| neighborhood_medians | the neighbourhood's median size, age and quality, and the house's deviation from it |
| subclass_medians | the same by kind of dwelling (MSSubClass) |
| unfinished_sale | (sold unfinished, sold new) x (sizes, quality, year, the deviations from the neighbourhood) |
| products | products of pairs of ten leading numbers, squares included: a big house gains more from good quality |
| ranks | the numbers as normal scores of their ranks: another view of the same, in which no size is extreme |
| piecewise_linear | the numbers in eight linear pieces, each with an eighth of the training rows: effects may bend |
| custom | the columns of a file of your own, see `own_columns`; scaled like the numbers |

A new block is a name in `Block` and an entry in `COLUMNS`.
"""

import itertools
from functools import cache
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, FEATURES, NOMINALS
from houseprices.preprocessing.columns import Column, Levels, Statistic
from houseprices.preprocessing.engineered import NUMBERS
from houseprices.preprocessing.house_array import POSITION, Floats

Block = Literal[
    "numbers",
    "one_hot",
    "neighborhood_slopes",
    "neighborhood_medians",
    "subclass_medians",
    "unfinished_sale",
    "products",
    "ranks",
    "piecewise_linear",
    "custom",
]
OWN: Block = "custom"
BLOCKS: tuple[Block, ...] = tuple(block for block in get_args(Block) if block != OWN)
"""Those that need no file; the columns of `own` stand after theirs."""
DEFAULT_BLOCKS = tuple(block for block in BLOCKS if block not in ("ranks", "piecewise_linear"))
LINEAR_BLOCKS = tuple(block for block in DEFAULT_BLOCKS if block != "products")
"""What the ridge regression sees: with the products it predicts worse (see LOG.md)."""

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

_N_PIECES = 8
_SCORES = np.linspace(-2.6, 2.6, 33)
"""Normal scores at which a number's quantiles are kept; one house in 200 lies beyond either end, and is held there."""


def _number(name: str) -> Column:
    return Column(name, (name,), lambda values: values)


def _level(feature: str, level: str) -> Column:
    return Column(f"{feature}={level}", (feature,), lambda levels: levels.one_hot(level))


def _slope(number: str, place: str) -> Column:
    name = f"{number} in Neighborhood={place}"
    return Column(name, (number, "Neighborhood"), lambda values, places: values * places.one_hot(place))


def _median(number: str, by: str) -> Statistic:
    shape = (len(BY_NAME[by].levels),)
    return Statistic(f"{number}, median of {by}", (number, by), _median_of_each_level, shape)


def _median_of_each_level(values: Floats, levels: Levels) -> Floats:
    """(n_levels,): zero, the scaled median of all training rows, for a level that none of them has."""
    n_rows = np.bincount(levels.codes, minlength=len(levels.names))
    ordered = values[np.lexsort((values, levels.codes))]
    known, first = n_rows > 0, np.cumsum(n_rows) - n_rows
    lower, upper = first + (n_rows - 1) // 2, first + n_rows // 2
    medians = np.zeros(len(n_rows))
    medians[known] = (ordered[lower[known]] + ordered[upper[known]]) / 2
    return medians


def _median_column(number: str, by: str) -> Column:
    median = _median(number, by)
    return Column(median.name, (by,), lambda levels, medians: medians[levels.codes], (median,))


def _deviation(number: str, by: str) -> Column:
    return Column(
        f"{number} - median of {by}",
        (number, by),
        lambda values, levels, medians: values - medians[levels.codes],
        (_median(number, by),),
    )


def _medians(by: str) -> list[Column]:
    return [column(number, by) for column in (_median_column, _deviation) for number in _MEDIAN_NUMBERS]


def _unfinished(number: str, feature: str, level: str) -> Column:
    return Column(
        f"{number} if {feature}={level}", (number, feature), lambda values, sales: values * sales.is_level(level)
    )


def _unfinished_deviation(number: str, feature: str, level: str) -> Column:
    return Column(
        f"{number} - median of Neighborhood if {feature}={level}",
        (number, "Neighborhood", feature),
        lambda values, places, sales, medians: (values - medians[places.codes]) * sales.is_level(level),
        (_median(number, "Neighborhood"),),
    )


def _product(one: str, other: str) -> Column:
    return Column(f"{one} * {other}", (one, other), lambda values, others: values * others)


def _rank(number: str) -> Column:
    quantiles = Statistic(f"{number}, quantiles", (number,), _quantiles_at_scores, _SCORES.shape)
    return Column(f"normal score of {number}", (number,), _normal_score, (quantiles,))


def _quantiles_at_scores(values: Floats) -> Floats:
    shares = [NormalDist().cdf(score) for score in _SCORES]
    return np.asarray(np.quantile(values, shares))


def _normal_score(values: Floats, quantiles: Floats) -> Floats:
    """Between the quantiles by straight lines; houses that are equal lie in the middle of the ranks that they share."""
    highest = np.interp(values, quantiles, _SCORES)
    # Seen from above the quantiles fall, and of equal ones the lowest rank is found.
    lowest = -np.interp(-values, -quantiles[::-1], -_SCORES[::-1])
    return (highest + lowest) / 2


def _piece(number: str, piece: int) -> Column:
    """How much of the piece lies below the value, 0 to 1: piecewise-linear encoding (Gorishniy et al. 2022, eq. 1)."""
    ends = Statistic(f"{number}, eighths", (number,), _eighths, (_N_PIECES + 1,))

    def filled(values: Floats, ends: Floats) -> Floats:
        length = ends[piece + 1] - ends[piece]
        return np.clip((values - ends[piece]) / length, 0, 1) if length > 0 else np.zeros(len(values))

    return Column(f"{number}, piece {piece + 1}", (number,), filled, (ends,))


def _eighths(values: Floats) -> Floats:
    return np.asarray(np.quantile(values, np.linspace(0, 1, _N_PIECES + 1)))


COLUMNS: dict[Block, list[Column]] = {
    "numbers": [_number(number.name) for number in NUMBERS],
    "one_hot": [_level(feature, level) for feature in NOMINALS for level in BY_NAME[feature].levels],
    "neighborhood_slopes": [
        _slope(number, place) for number in _SLOPE_NUMBERS for place in BY_NAME["Neighborhood"].levels
    ],
    "neighborhood_medians": _medians("Neighborhood"),
    "subclass_medians": _medians("MSSubClass"),
    "unfinished_sale": [
        column(number, *sale)
        for column, numbers in ((_unfinished, _UNFINISHED_NUMBERS), (_unfinished_deviation, _MEDIAN_NUMBERS))
        for sale in _UNFINISHED_SALES
        for number in numbers
    ],
    "products": [_product(*pair) for pair in itertools.combinations_with_replacement(_LEADING_NUMBERS, 2)],
    "ranks": [_rank(number.name) for number in NUMBERS],
    "piecewise_linear": [_piece(number.name, piece) for number in NUMBERS for piece in range(_N_PIECES)],
}
"""The matrix's columns by block, in order; they do not depend on the rows, so that all folds have the same d_in.

Those of a file of one's own follow them."""

ALL_COLUMNS = tuple(column for block in BLOCKS for column in COLUMNS[block])

STATISTICS = tuple(dict.fromkeys(statistic for column in ALL_COLUMNS for statistic in column.statistics))
"""What is learnt of a fold's training rows, once for all the columns that need it."""


def block_indices(blocks: tuple[Block, ...], n_own: int = 0) -> NDArray[np.intp]:
    """Return the positions of the columns of these blocks, of a matrix with n_own columns of a file."""
    built_in = [block in blocks for block in BLOCKS for _ in COLUMNS[block]]
    return np.flatnonzero(built_in + [OWN in blocks] * n_own)


@cache
def raw_shares(n_own: int = 0) -> Floats:
    """Return (d_in, 79): the share of each column that counts for each feature of the data description.

    A column of several parents (a cross, a deviation from a median) counts for each in equal parts, and an
    engineered parent passes its part on, in equal parts, to the features that it is made of. So
    `LogTotalArea in Neighborhood=OldTown` is 1/2 Neighborhood, 1/4 GrLivArea and 1/4 TotalBsmtSF. Each row sums
    to 1: what is summed through it stays whole. That gaps are filled from the neighbourhood is left aside.

    What a file's n_own columns are made of is unknown: where there are any, an 80th column takes them wholly.
    """
    features_of_number = {number.name: number.parents for number in NUMBERS}
    shares = np.zeros((len(ALL_COLUMNS) + n_own, len(FEATURES) + (n_own > 0)))
    shares[len(ALL_COLUMNS) :, len(FEATURES) :] = 1
    for index, column in enumerate(ALL_COLUMNS):
        for parent in column.parents:
            features = features_of_number.get(parent, (parent,))
            for feature in features:
                shares[index, POSITION[feature]] += 1 / (len(column.parents) * len(features))
    shares.setflags(write=False)
    return shares
