"""The columns of the features' matrix: their names, and what each is made of.

The columns come in blocks, and a group of members names the blocks that it is given:

| block | columns |
|---|---|
| numbers | raw numbers, ordinal ranks, engineered features, a flag for an unknown lot frontage; scaled |
| levels | one-hot columns of the nominal features, a column for every level of the schema |
| neighborhood_slopes | neighbourhood one-hot x (total area, overall quality): each neighbourhood has its own slopes |
| neighborhood_medians | the neighbourhood's median size, age and quality, and the house's deviation from it |
| subclass_medians | the same by kind of dwelling (MSSubClass) |
| unfinished_sale | (sold unfinished, sold new) x (sizes, quality, year, the deviations from the neighbourhood) |
| products | products of pairs of ten leading numbers, squares included: a big house gains more from good quality |
"""

import itertools
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, FEATURES, NOMINALS, NUMBERS, ORDINALS
from houseprices.preprocessing.engineered import ENGINEERED_FROM

Block = Literal[
    "numbers",
    "levels",
    "neighborhood_slopes",
    "neighborhood_medians",
    "subclass_medians",
    "unfinished_sale",
    "products",
]
BLOCKS: tuple[Block, ...] = get_args(Block)
LINEAR_BLOCKS = BLOCKS[:-1]
"""What the ridge regression sees: with the products it predicts worse (see LOG.md)."""

LOT_FRONTAGE_UNKNOWN = "LotFrontageUnknown"
SCALED_NUMBERS = (*NUMBERS, *ORDINALS, *ENGINEERED_FROM, LOT_FRONTAGE_UNKNOWN)
SLOPE_NUMBERS = ("LogTotalArea", "OverallQual")
MEDIAN_NUMBERS = ("LogTotalArea", "GrLivArea", "LotArea", "YearBuilt", "OverallQual", "OverallCond", "GarageArea")
UNFINISHED_NUMBERS = ("LogTotalArea", "GrLivArea", "TotalBsmtSF", "LotArea", "OverallQual", "YearBuilt")
UNFINISHED_SALES = (("SaleCondition", "Partial"), ("SaleType", "New"))
PRODUCTS = tuple(
    itertools.combinations_with_replacement(
        (
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
        ),
        2,
    )
)


@dataclass(frozen=True)
class Column:
    """One column of the matrix.

    Attributes:
        name: what it is called.
        parents: the numbers, raw or engineered, and the nominal features that it is made of.
    """

    name: str
    parents: tuple[str, ...]


def _medians(by: str) -> list[Column]:
    return [
        *(Column(f"{number}, median of {by}", (by,)) for number in MEDIAN_NUMBERS),
        *(Column(f"{number} - median of {by}", (number, by)) for number in MEDIAN_NUMBERS),
    ]


_NEIGHBORHOODS = BY_NAME["Neighborhood"].levels

COLUMNS: dict[Block, list[Column]] = {
    "numbers": [Column(number, (number,)) for number in SCALED_NUMBERS],
    "levels": [Column(f"{name}={level}", (name,)) for name in NOMINALS for level in BY_NAME[name].levels],
    "neighborhood_slopes": [
        Column(f"{number} in Neighborhood={place}", (number, "Neighborhood"))
        for number in SLOPE_NUMBERS
        for place in _NEIGHBORHOODS
    ],
    "neighborhood_medians": _medians("Neighborhood"),
    "subclass_medians": _medians("MSSubClass"),
    "unfinished_sale": [
        Column(f"{number} if {name}={level}", (number, name))
        for name, level in UNFINISHED_SALES
        for number in UNFINISHED_NUMBERS
    ]
    + [
        Column(f"{number} - median of Neighborhood if {name}={level}", (number, "Neighborhood", name))
        for name, level in UNFINISHED_SALES
        for number in MEDIAN_NUMBERS
    ],
    "products": [Column(f"{one} * {other}", (one, other)) for one, other in PRODUCTS],
}
"""The matrix's columns by block, in order; they do not depend on the rows, so that all folds have the same d_in."""


def block_indices(blocks: tuple[Block, ...]) -> NDArray[np.intp]:
    """Return the positions of the columns of these blocks."""
    block_of_column = np.concatenate([[block] * len(columns) for block, columns in COLUMNS.items()])
    return np.flatnonzero(np.isin(block_of_column, blocks))


@cache
def raw_shares() -> NDArray[np.float64]:
    """Return (d_in, 79): the share of each column that counts for each feature of the data description.

    A column of several parents (a cross, a deviation from a median) counts for each in equal parts, and an
    engineered parent passes its part on, in equal parts, to the features that it is made of. So
    `LogTotalArea in Neighborhood=OldTown` is 1/2 Neighborhood, 1/4 GrLivArea and 1/4 TotalBsmtSF. Each row sums
    to 1: what is summed through it stays whole. That gaps are filled from the neighbourhood is left aside.
    """
    position = {feature.name: index for index, feature in enumerate(FEATURES)}
    made_from = {**ENGINEERED_FROM, LOT_FRONTAGE_UNKNOWN: ("LotFrontage",)}
    columns = [column for block in COLUMNS.values() for column in block]
    shares = np.zeros((len(columns), len(position)))
    for index, column in enumerate(columns):
        for parent in column.parents:
            raw = made_from.get(parent, (parent,))
            for name in raw:
                shares[index, position[name]] += 1 / (len(column.parents) * len(raw))
    shares.setflags(write=False)
    return shares
