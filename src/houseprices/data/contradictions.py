"""Records that contradict themselves, resolved house by house; nothing here is fitted.

The CSV writes NA both for "the house has none" and for "nobody noted it". Where another field proves that the house
has a basement, garage, fireplace or pool, NA about it is a gap, to be imputed; where all fields agree that it has
none, its missing areas and counts are zero.
"""

import pandas as pd

from houseprices.data.schema import NOT_APPLICABLE

_BASEMENT_LEVELS = ["BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2"]
_BASEMENT_FIGURES = ["BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF", "BsmtFullBath", "BsmtHalfBath"]
_GARAGE_LEVELS = ["GarageFinish", "GarageQual", "GarageCond"]
_GARAGE_FIGURES = ["GarageCars", "GarageArea"]


def resolve_contradictions(houses: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of the typed table in which no field contradicts another in the known ways.

    | contradiction | resolved as |
    |---|---|
    | some basement field is filled, another says NA | that other is a gap |
    | no basement, figures missing | zero square feet and baths |
    | a garage's type is given, its finish or quality says NA | gaps |
    | no garage, cars or area missing | zero |
    | garage built after the sale (2207) | its year is a gap |
    | fireplaces, pool area or a feature's value without its quality or kind | that quality or kind is a gap |
    | veneer None, and its area is positive or missing | the type is a gap |
    | veneer missing (many tools read the word None as a gap), and its area is 0 | None |
    | remodelled before it was built | remodelled when built |
    | functionality missing | Typ, as the data description says to assume |
    """
    houses = houses.copy()

    def mark_gaps(columns: list[str], present: pd.Series, absent: str = NOT_APPLICABLE) -> None:
        """Turn the level `absent` into a gap in the rows where the thing is present."""
        for column in columns:
            houses[column] = houses[column].mask(present & (houses[column] == absent))

    levels = houses[_BASEMENT_LEVELS]
    has_basement = (houses["TotalBsmtSF"] > 0) | (levels.notna() & (levels != NOT_APPLICABLE)).any(axis=1)
    mark_gaps(_BASEMENT_LEVELS, has_basement)
    houses.loc[~has_basement, _BASEMENT_FIGURES] = houses.loc[~has_basement, _BASEMENT_FIGURES].fillna(0)

    # GarageType alone decides: Ids 2127 and 2577 name a type and leave the rest empty.
    no_garage = houses["GarageType"] == NOT_APPLICABLE
    mark_gaps(_GARAGE_LEVELS, ~no_garage)
    houses.loc[no_garage, _GARAGE_FIGURES] = houses.loc[no_garage, _GARAGE_FIGURES].fillna(0)
    houses["GarageYrBlt"] = houses["GarageYrBlt"].mask(houses["GarageYrBlt"] > houses["YrSold"])

    mark_gaps(["FireplaceQu"], houses["Fireplaces"] > 0)
    mark_gaps(["PoolQC"], houses["PoolArea"] > 0)
    mark_gaps(["MiscFeature"], houses["MiscVal"] > 0)
    no_veneer = houses["MasVnrArea"] == 0
    mark_gaps(["MasVnrType"], ~no_veneer, absent="None")
    houses["MasVnrType"] = houses["MasVnrType"].mask(houses["MasVnrType"].isna() & no_veneer, "None")

    houses["YearRemodAdd"] = houses["YearRemodAdd"].clip(lower=houses["YearBuilt"])
    houses["Functional"] = houses["Functional"].fillna("Typ")
    return houses
