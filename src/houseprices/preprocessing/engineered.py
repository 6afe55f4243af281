"""The numbers of a house, one entry each: its name, the features that it is made of, its formula. Nothing is fitted.

The last of them are what a buyer adds up in the head; a new one is one more entry of `ENGINEERED`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from houseprices.data.schema import FEATURES, ORDINALS
from houseprices.preprocessing.house_array import Floats, HouseArray

Values = Floats | NDArray[np.bool_]


@dataclass(frozen=True)
class Number:
    """One number of a house.

    Attributes:
        name: what it is called.
        parents: the features of the data description that it is made of.
        formula: their (n_rows,) columns, in this order -> (n_rows,).
        sees_gaps: whether the formula gets the columns as they were before gaps were filled.
    """

    name: str
    parents: tuple[str, ...]
    formula: Callable[..., Values]
    sees_gaps: bool = False


def _as_it_is(values: Floats) -> Floats:
    return values


# A price in logs is nearly additive in the logs of sizes, and huge lots lose their leverage.
RAW = tuple(
    Number(feature.name, (feature.name,), np.log1p if feature.unit in ("sqft", "feet", "usd") else _as_it_is)
    for feature in FEATURES
    if feature.kind == "number"
)
# A house without a basement ranks below the lowest basement quality.
RANKS = tuple(Number(name, (name,), _as_it_is) for name in ORDINALS)

ENGINEERED = (
    Number("LogTotalArea", ("GrLivArea", "TotalBsmtSF"), lambda living, basement: np.log1p(living + basement)),
    Number(
        "LogFinishedArea",
        ("GrLivArea", "BsmtFinSF1", "BsmtFinSF2"),
        lambda living, first, second: np.log1p(living + first + second),
    ),
    Number(
        "LogOutdoorArea",
        ("OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch", "WoodDeckSF"),
        lambda *areas: np.log1p(sum(areas)),
    ),
    Number(
        "LogPorchArea",
        ("OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch"),
        lambda *areas: np.log1p(sum(areas)),
    ),
    Number(
        "TotalBaths",
        ("FullBath", "BsmtFullBath", "HalfBath", "BsmtHalfBath"),
        lambda full, basement_full, half, basement_half: full + basement_full + 0.5 * (half + basement_half),
    ),
    Number("AgeAtSale", ("YrSold", "YearBuilt"), lambda sold, built: sold - built),
    Number("YearsSinceRemodel", ("YrSold", "YearRemodAdd"), lambda sold, remodelled: sold - remodelled),
    Number("GarageAge", ("YrSold", "GarageYrBlt"), lambda sold, built: sold - built),
    Number("SaleTime", ("YrSold", "MoSold"), lambda year, month: year + (month - 1) / 12),
    Number("IsNew", ("YrSold", "YearBuilt"), lambda sold, built: sold <= built),
    Number("IsRemodelled", ("YearRemodAdd", "YearBuilt"), lambda remodelled, built: remodelled > built),
    Number("HasBasement", ("TotalBsmtSF",), lambda area: area > 0),
    Number("HasGarage", ("GarageArea",), lambda area: area > 0),
    Number("HasSecondFloor", ("2ndFlrSF",), lambda area: area > 0),
    Number("HasPool", ("PoolArea",), lambda area: area > 0),
    Number(
        "QualityTimesLogArea",
        ("OverallQual", "GrLivArea", "TotalBsmtSF"),
        lambda quality, living, basement: quality * np.log1p(living + basement),
    ),
    Number("QualityTimesCondition", ("OverallQual", "OverallCond"), lambda quality, condition: quality * condition),
    Number("QualitySum", ("ExterQual", "KitchenQual", "BsmtQual", "HeatingQC"), lambda *ranks: sum(ranks)),
    # Of all the gaps only this one is common, and it tells of irregular lots.
    Number("LotFrontageUnknown", ("LotFrontage",), np.isnan, sees_gaps=True),
)

NUMBERS = (*RAW, *RANKS, *ENGINEERED)


def compute_numbers(houses: HouseArray, complete: HouseArray) -> Floats:
    """Return the (n_rows, n_numbers) values of `NUMBERS`, unscaled.

    Args:
        houses: as they were read, gaps and all.
        complete: the same with the gaps filled.
    """
    values = np.empty((len(houses), len(NUMBERS)))
    for column, number in enumerate(NUMBERS):
        source = houses if number.sees_gaps else complete
        values[:, column] = number.formula(*(source[parent] for parent in number.parents))
    return values
