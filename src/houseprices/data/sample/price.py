"""What a house of the synthetic Ames is worth before noise: one formula, its coefficients in the open.

The coefficients are round numbers, chosen to be of the size that linear models find in such data; none is an estimate
of anything real.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

Column = npt.NDArray[np.float64]

BASE = 11.74
LIVING_ELASTICITY = 0.40
QUALITY_TIMES_LIVING = 0.02
BASEMENT_ELASTICITY = 0.11
FINISHED_BASEMENT = 0.05
QUALITY_POINT = 0.065
CONDITION_POINT = 0.04
GRADE_STEP = {"ExterQual": 0.025, "BsmtQual": 0.02}
GRADE = {"NA": -1.0, "Po": -2.0, "Fa": -1.0, "TA": 0.0, "Gd": 1.0, "Ex": 2.0}
AGE = -0.09
YEARS_SINCE_REMODEL = -0.04
GARAGE_CAR = 0.05
BATH = 0.035
FIREPLACE = 0.035
CENTRAL_AIR = 0.07
LOT_ELASTICITY = 0.09
SALE_CONDITION = {"Normal": 0.0, "Abnorml": -0.10, "AdjLand": -0.06, "Alloca": 0.0, "Family": -0.05, "Partial": 0.06}
NEIGHBORHOOD = {
    "StoneBr": 0.16, "NridgHt": 0.14, "NoRidge": 0.12, "Crawfor": 0.12, "Veenker": 0.08, "Somerst": 0.07,
    "Timber": 0.06, "ClearCr": 0.05, "Blmngtn": 0.03, "CollgCr": 0.03, "Gilbert": 0.01, "NWAmes": 0.00,
    "SawyerW": 0.00, "Mitchel": -0.02, "NAmes": -0.02, "NPkVill": -0.03, "Sawyer": -0.04, "BrkSide": -0.05,
    "Blueste": -0.05, "SWISU": -0.05, "Edwards": -0.08, "OldTown": -0.11, "BrDale": -0.13, "MeadowV": -0.17,
    "IDOTRR": -0.20,
}  # fmt: skip


def log_price(houses: pd.DataFrame) -> Column:
    """Natural log of the price in dollars, free of noise, from columns in which the sample has no true gap.

    So it holds for a sample's training and test rows as they stand, gaps elsewhere and all.

    With L = ln(GrLivArea / 1500), the log price is the sum of:

    | term | coefficient |
    |---|---|
    | 1 | BASE |
    | the neighbourhood | NEIGHBORHOOD |
    | L | LIVING_ELASTICITY |
    | (OverallQual - 6) L: good finish pays more in a large house | QUALITY_TIMES_LIVING |
    | ln(1 + TotalBsmtSF / 500) | BASEMENT_ELASTICITY |
    | ln(1 + (BsmtFinSF1 + BsmtFinSF2) / 300) | FINISHED_BASEMENT |
    | OverallQual - 6 | QUALITY_POINT |
    | OverallCond - 5 | CONDITION_POINT |
    | the GRADE of ExterQual, of BsmtQual | GRADE_STEP |
    | ln(1 + a / 10), a = YrSold - YearBuilt: the first years cost most | AGE |
    | ln(1 + r / 10), r = YrSold - YearRemodAdd | YEARS_SINCE_REMODEL |
    | GarageCars, at most 3 | GARAGE_CAR |
    | FullBath + BsmtFullBath + (HalfBath + BsmtHalfBath) / 2 | BATH |
    | Fireplaces, at most 2 | FIREPLACE |
    | 1 if CentralAir is Y | CENTRAL_AIR |
    | ln(LotArea / 9500) | LOT_ELASTICITY |
    | the condition of sale | SALE_CONDITION |

    Shape:
        houses: (n_rows, at least the columns above), spelled as in Kaggle's CSV
        returns: (n_rows,), float64
    """

    def number(name: str) -> Column:
        return np.asarray(houses[name], dtype=np.float64)

    def effect(name: str, effects: dict[str, float]) -> Column:
        return np.asarray(houses[name].map(effects), dtype=np.float64)

    living = np.log(number("GrLivArea") / 1500)
    quality = number("OverallQual") - 6
    finished_sqft = number("BsmtFinSF1") + number("BsmtFinSF2")
    n_baths = number("FullBath") + number("BsmtFullBath") + (number("HalfBath") + number("BsmtHalfBath")) / 2
    total = (
        BASE
        + effect("Neighborhood", NEIGHBORHOOD)
        + LIVING_ELASTICITY * living
        + QUALITY_TIMES_LIVING * quality * living
        + BASEMENT_ELASTICITY * np.log1p(number("TotalBsmtSF") / 500)
        + FINISHED_BASEMENT * np.log1p(finished_sqft / 300)
        + QUALITY_POINT * quality
        + CONDITION_POINT * (number("OverallCond") - 5)
        + AGE * np.log1p((number("YrSold") - number("YearBuilt")) / 10)
        + YEARS_SINCE_REMODEL * np.log1p((number("YrSold") - number("YearRemodAdd")) / 10)
        + GARAGE_CAR * np.minimum(number("GarageCars"), 3)
        + BATH * n_baths
        + FIREPLACE * np.minimum(number("Fireplaces"), 2)
        + CENTRAL_AIR * effect("CentralAir", {"N": 0.0, "Y": 1.0})
        + LOT_ELASTICITY * np.log(number("LotArea") / 9500)
        + effect("SaleCondition", SALE_CONDITION)
    )
    for name, step in GRADE_STEP.items():
        total += step * effect(name, GRADE)
    return total
