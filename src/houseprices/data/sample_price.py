"""The price of a synthetic house before noise: one formula, its coefficients in the open.

The coefficients are round numbers, none an estimate of anything real. As in real towns, effects depend on each other:
quality and neighbourhood decide what a square foot is worth, and age first hurts, then charms.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BASE = 11.86
LIVING, LIVING_BY_QUALITY, LIVING_BY_NEIGHBORHOOD = 0.40, 0.07, 2.0
BASEMENT, FINISHED_BASEMENT = 0.11, 0.05
QUALITY, CONDITION = 0.055, 0.04
AGE, CHARM, CHARMING_AGE = -0.13, 0.05, 50
REMODELLED = -0.04
GARAGE_CAR, BATH, FIREPLACE, CENTRAL_AIR, LOT = 0.05, 0.035, 0.035, 0.07, 0.09
UNFINISHED = -0.25
SALE_CONDITION = {"Normal": 0.0, "Abnorml": -0.10, "AdjLand": -0.06, "Alloca": 0.0, "Family": -0.05, "Partial": 0.06}
NEIGHBORHOOD = {
    "StoneBr": 0.16, "NridgHt": 0.14, "NoRidge": 0.12, "Crawfor": 0.12, "Veenker": 0.08, "Somerst": 0.07,
    "Timber": 0.06, "ClearCr": 0.05, "Blmngtn": 0.03, "CollgCr": 0.03, "Gilbert": 0.01, "NWAmes": 0.00,
    "SawyerW": 0.00, "Mitchel": -0.02, "NAmes": -0.02, "NPkVill": -0.03, "Sawyer": -0.04, "BrkSide": -0.05,
    "Blueste": -0.05, "SWISU": -0.05, "Edwards": -0.08, "OldTown": -0.11, "BrDale": -0.13, "MeadowV": -0.17,
    "IDOTRR": -0.20,
}  # fmt: skip


def log_price(houses: pd.DataFrame) -> Floats:
    """Compute the natural log of the price in dollars, free of noise.

    Shape:
        houses: (n_rows, at least the columns read below), spelled as in Kaggle's CSV, without true gaps
        returns: (n_rows,)
    """

    def number(name: str) -> Floats:
        return np.asarray(houses[name], dtype=np.float64)

    def effect(name: str, effects: dict[str, float]) -> Floats:
        return np.asarray(houses[name].map(effects), dtype=np.float64)

    living, quality = np.log(number("GrLivArea") / 1500), number("OverallQual") - 6
    neighborhood = effect("Neighborhood", NEIGHBORHOOD)
    age = number("YrSold") - number("YearBuilt")
    finished_sqft = number("BsmtFinSF1") + number("BsmtFinSF2")
    n_baths = number("FullBath") + number("BsmtFullBath") + (number("HalfBath") + number("BsmtHalfBath")) / 2
    is_unfinished = (houses["SaleCondition"] == "Partial") & (houses["GarageFinish"] == "Unf")
    total: Floats = (
        BASE
        + (LIVING + LIVING_BY_QUALITY * quality + LIVING_BY_NEIGHBORHOOD * neighborhood) * living
        + QUALITY * quality
        + neighborhood
        + CONDITION * (number("OverallCond") - 5)
        + AGE * np.log1p(age / 10)
        + CHARM * np.maximum(age - CHARMING_AGE, 0) / 10
        + REMODELLED * np.log1p((number("YrSold") - number("YearRemodAdd")) / 10)
        + BASEMENT * np.log1p(number("TotalBsmtSF") / 500)
        + FINISHED_BASEMENT * np.log1p(finished_sqft / 300)
        + GARAGE_CAR * np.minimum(number("GarageCars"), 3)
        + BATH * n_baths
        + FIREPLACE * np.minimum(number("Fireplaces"), 2)
        + CENTRAL_AIR * effect("CentralAir", {"N": 0.0, "Y": 1.0})
        + LOT * np.log(number("LotArea") / 9500)
        + UNFINISHED * is_unfinished.to_numpy(dtype=np.float64)
        + effect("SaleCondition", SALE_CONDITION)
    )
    return total
