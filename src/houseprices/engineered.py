"""Features computed from one house's own fields: what a buyer adds up in the head. Nothing here is fitted."""

import numpy as np
import pandas as pd

from houseprices.schema import FEATURES, NUMBERS, ORDINALS

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


def numbers_of(houses: pd.DataFrame) -> pd.DataFrame:
    """All numeric columns of a gapless table: raw numbers, ordinal levels as ranks, engineered features.

    Sizes and values are log(1 + x): a price in logs is nearly additive in the logs of sizes, and huge lots lose
    their leverage. A house without a basement ranks below the lowest basement quality.

    Returns:
        (n_rows, 35 + 22 + 18) float64, same index.
    """
    raw = {name: _log1p(houses[name]) if name in _SIZES else houses[name] for name in NUMBERS}
    ranks = {name: houses[name].cat.codes.astype("float64") for name in ORDINALS}
    return pd.DataFrame({**raw, **ranks, **_engineered(houses, ranks)}, index=houses.index)


def _engineered(houses: pd.DataFrame, ranks: dict[str, pd.Series]) -> dict[str, pd.Series]:
    living, basement = houses["GrLivArea"], houses["TotalBsmtSF"]
    total_area = living + basement
    finished_area = living + houses["BsmtFinSF1"] + houses["BsmtFinSF2"]
    porch = houses["OpenPorchSF"] + houses["EnclosedPorch"] + houses["3SsnPorch"] + houses["ScreenPorch"]
    baths = houses["FullBath"] + houses["BsmtFullBath"] + 0.5 * (houses["HalfBath"] + houses["BsmtHalfBath"])
    log_total_area = _log1p(total_area)
    return {
        "LogTotalArea": log_total_area,
        "LogFinishedArea": _log1p(finished_area),
        "LogOutdoorArea": _log1p(porch + houses["WoodDeckSF"]),
        "LogPorchArea": _log1p(porch),
        "TotalBaths": baths,
        "AgeAtSale": houses["YrSold"] - houses["YearBuilt"],
        "YearsSinceRemodel": houses["YrSold"] - houses["YearRemodAdd"],
        "GarageAge": houses["YrSold"] - houses["GarageYrBlt"],
        "SaleTime": houses["YrSold"] + (houses["MoSold"] - 1) / 12,
        "IsNew": (houses["YrSold"] - houses["YearBuilt"] <= 0).astype("float64"),
        "IsRemodelled": (houses["YearRemodAdd"] > houses["YearBuilt"]).astype("float64"),
        "HasBasement": (basement > 0).astype("float64"),
        "HasGarage": (houses["GarageArea"] > 0).astype("float64"),
        "HasSecondFloor": (houses["2ndFlrSF"] > 0).astype("float64"),
        "HasPool": (houses["PoolArea"] > 0).astype("float64"),
        "QualityTimesLogArea": houses["OverallQual"] * log_total_area,
        "QualityTimesCondition": houses["OverallQual"] * houses["OverallCond"],
        "QualitySum": ranks["ExterQual"] + ranks["KitchenQual"] + ranks["BsmtQual"] + ranks["HeatingQC"],
    }


def _log1p(sizes: pd.Series) -> pd.Series:
    return pd.Series(np.log1p(sizes.to_numpy()), index=sizes.index)
