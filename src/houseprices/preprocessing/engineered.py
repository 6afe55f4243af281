"""Features computed from one house's own fields: what a buyer adds up in the head. Nothing here is fitted."""

import numpy as np

from houseprices.data.schema import FEATURES, NUMBERS, ORDINALS
from houseprices.preprocessing.house_array import CodedHouses, Floats

ENGINEERED_FROM: dict[str, tuple[str, ...]] = {
    "LogTotalArea": ("GrLivArea", "TotalBsmtSF"),
    "LogFinishedArea": ("GrLivArea", "BsmtFinSF1", "BsmtFinSF2"),
    "LogOutdoorArea": ("OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch", "WoodDeckSF"),
    "LogPorchArea": ("OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch"),
    "TotalBaths": ("FullBath", "BsmtFullBath", "HalfBath", "BsmtHalfBath"),
    "AgeAtSale": ("YrSold", "YearBuilt"),
    "YearsSinceRemodel": ("YrSold", "YearRemodAdd"),
    "GarageAge": ("YrSold", "GarageYrBlt"),
    "SaleTime": ("YrSold", "MoSold"),
    "IsNew": ("YrSold", "YearBuilt"),
    "IsRemodelled": ("YearRemodAdd", "YearBuilt"),
    "HasBasement": ("TotalBsmtSF",),
    "HasGarage": ("GarageArea",),
    "HasSecondFloor": ("2ndFlrSF",),
    "HasPool": ("PoolArea",),
    "QualityTimesLogArea": ("OverallQual", "GrLivArea", "TotalBsmtSF"),
    "QualityTimesCondition": ("OverallQual", "OverallCond"),
    "QualitySum": ("ExterQual", "KitchenQual", "BsmtQual", "HeatingQC"),
}
"""The features of the data description that each engineered feature is made of."""

_SIZES = frozenset(f.name for f in FEATURES if f.unit in ("sqft", "feet", "usd"))


def numbers_of(houses: CodedHouses) -> dict[str, Floats]:
    """All numeric columns of gapless houses: raw numbers, ordinal levels as ranks, engineered features.

    Sizes and values are log(1 + x): a price in logs is nearly additive in the logs of sizes, and huge lots lose
    their leverage. A house without a basement ranks below the lowest basement quality.

    Returns:
        {name: (n_rows,)} of 35 + 22 + 18 columns.
    """
    raw = {name: np.log1p(houses[name]) if name in _SIZES else houses[name] for name in NUMBERS}
    ranks = {name: houses[name] for name in ORDINALS}
    return {**raw, **ranks, **_engineered(houses)}


def _engineered(houses: CodedHouses) -> dict[str, Floats]:
    living, basement = houses["GrLivArea"], houses["TotalBsmtSF"]
    total_area = living + basement
    finished_area = living + houses["BsmtFinSF1"] + houses["BsmtFinSF2"]
    porch = houses["OpenPorchSF"] + houses["EnclosedPorch"] + houses["3SsnPorch"] + houses["ScreenPorch"]
    baths = houses["FullBath"] + houses["BsmtFullBath"] + 0.5 * (houses["HalfBath"] + houses["BsmtHalfBath"])
    log_total_area = np.log1p(total_area)
    return {
        "LogTotalArea": log_total_area,
        "LogFinishedArea": np.log1p(finished_area),
        "LogOutdoorArea": np.log1p(porch + houses["WoodDeckSF"]),
        "LogPorchArea": np.log1p(porch),
        "TotalBaths": baths,
        "AgeAtSale": houses["YrSold"] - houses["YearBuilt"],
        "YearsSinceRemodel": houses["YrSold"] - houses["YearRemodAdd"],
        "GarageAge": houses["YrSold"] - houses["GarageYrBlt"],
        "SaleTime": houses["YrSold"] + (houses["MoSold"] - 1) / 12,
        "IsNew": (houses["YrSold"] - houses["YearBuilt"] <= 0).astype(np.float64),
        "IsRemodelled": (houses["YearRemodAdd"] > houses["YearBuilt"]).astype(np.float64),
        "HasBasement": (basement > 0).astype(np.float64),
        "HasGarage": (houses["GarageArea"] > 0).astype(np.float64),
        "HasSecondFloor": (houses["2ndFlrSF"] > 0).astype(np.float64),
        "HasPool": (houses["PoolArea"] > 0).astype(np.float64),
        "QualityTimesLogArea": houses["OverallQual"] * log_total_area,
        "QualityTimesCondition": houses["OverallQual"] * houses["OverallCond"],
        "QualitySum": houses["ExterQual"] + houses["KitchenQual"] + houses["BsmtQual"] + houses["HeatingQC"],
    }
