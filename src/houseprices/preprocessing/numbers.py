"""Numbers of a house (name, parent features, formula), and how they are scaled.

A new engineered number is one more entry of `ENGINEERED`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from houseprices.data.schema import FEATURES, ORDINALS
from houseprices.preprocessing.houses import Floats, HouseArray

Values = Floats | NDArray[np.bool_]


@dataclass(frozen=True)
class Number:
    """A number computed from features; nothing about it is fitted.

    Attributes:
        parents: features of the data description.
        formula: the parents' (n_rows,) columns, in this order -> (n_rows,).
        sees_gaps: the formula gets the columns as they were before gaps were filled.
    """

    name: str
    parents: tuple[str, ...]
    formula: Callable[..., Values]
    sees_gaps: bool = False


def _as_it_is(values: Floats) -> Floats:
    return values


# The log price is nearly additive in log sizes, and huge lots lose their leverage.
RAW = tuple(
    Number(feature.name, (feature.name,), np.log1p if feature.unit in ("sqft", "feet", "usd") else _as_it_is)
    for feature in FEATURES
    if feature.kind == "number"
)
# A house without a basement ranks below the lowest basement quality.
RANKS = tuple(Number(name, (name,), _as_it_is) for name in ORDINALS)


def _log_sum(*areas: Floats) -> Floats:
    return np.asarray(np.log1p(sum(areas)))


ENGINEERED = (
    Number("LogTotalArea", ("GrLivArea", "TotalBsmtSF"), _log_sum),
    Number("LogFinishedArea", ("GrLivArea", "BsmtFinSF1", "BsmtFinSF2"), _log_sum),
    Number("LogOutdoorArea", ("OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch", "WoodDeckSF"), _log_sum),
    Number("LogPorchArea", ("OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch"), _log_sum),
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
        lambda quality, *areas: quality * _log_sum(*areas),
    ),
    Number("QualityTimesCondition", ("OverallQual", "OverallCond"), lambda quality, condition: quality * condition),
    Number("QualitySum", ("ExterQual", "KitchenQual", "BsmtQual", "HeatingQC"), lambda *ranks: sum(ranks)),
    # The only common gap; it indicates irregular lots.
    Number("LotFrontageUnknown", ("LotFrontage",), np.isnan, sees_gaps=True),
)

NUMBERS = (*RAW, *RANKS, *ENGINEERED)


def compute_numbers(houses: HouseArray, complete: HouseArray) -> Floats:
    """Return the (n_rows, n_numbers) unscaled values of `NUMBERS` for houses, with gaps and with the gaps filled."""
    values = np.empty((len(houses), len(NUMBERS)))
    for column, number in enumerate(NUMBERS):
        source = houses if number.sees_gaps else complete
        values[:, column] = number.formula(*(source[parent] for parent in number.parents))
    return values


@dataclass(frozen=True)
class Scaler:
    """Robust scaling: x = (number - centre) / spread, softly clipped to x / sqrt(1 + (x / clip)^2).

    Attributes:
        centre: (n_numbers,) medians of the training rows.
        spread: (n_numbers,) interquartile ranges, or the standard deviation where that range is zero. A constant
            number has spread zero and is scaled to zeros.
        clip: bound of the scaled numbers.
    """

    centre: Floats
    spread: Floats
    clip: float

    @classmethod
    def fit(cls, numbers: Floats, clip: float) -> "Scaler":
        """Compute centre and spread of the (n_rows, n_numbers) training rows."""
        spread = np.subtract(*np.quantile(numbers, (0.75, 0.25), axis=0))
        return cls(np.median(numbers, axis=0), np.where(spread == 0, numbers.std(axis=0), spread), clip)

    def transform(self, numbers: Floats) -> Floats:
        """Scale (n_rows, n_numbers) numbers."""
        centred = (numbers - self.centre) / np.where(self.spread == 0, np.inf, self.spread)
        return np.asarray(centred / np.sqrt((centred / self.clip) ** 2 + 1))
