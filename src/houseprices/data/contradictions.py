"""Records that contradict themselves, resolved house by house; nothing here is fitted.

The CSV writes NA both for "the house has none" and for "nobody noted it". Where another field proves that the house
has a basement, garage, fireplace or pool, NA about it is a gap, to be imputed; where all fields agree that it has
none, its missing areas and counts are zero.
"""

import numpy as np
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
    | masonry veneer has an area but the type None | the type is a gap |
    | remodelled before it was built | remodelled when built |
    | functionality missing | Typ, as the data description says to assume |
    """
    houses = houses.copy()

    basement_levels = houses[_BASEMENT_LEVELS]
    has_basement = (houses["TotalBsmtSF"] > 0) | (basement_levels.notna() & (basement_levels != NOT_APPLICABLE)).any(
        axis=1
    )
    _mark_gaps(houses, _BASEMENT_LEVELS, has_basement)
    _fill_zero(houses, _BASEMENT_FIGURES, ~has_basement)

    # GarageType alone decides: Ids 2127 and 2577 name a type and leave the rest empty.
    no_garage = houses["GarageType"] == NOT_APPLICABLE
    _mark_gaps(houses, _GARAGE_LEVELS, ~no_garage)
    _fill_zero(houses, _GARAGE_FIGURES, no_garage)
    houses["GarageYrBlt"] = houses["GarageYrBlt"].mask(houses["GarageYrBlt"] > houses["YrSold"])

    _mark_gaps(houses, ["FireplaceQu"], houses["Fireplaces"] > 0)
    _mark_gaps(houses, ["PoolQC"], houses["PoolArea"] > 0)
    _mark_gaps(houses, ["MiscFeature"], houses["MiscVal"] > 0)
    _mark_gaps(houses, ["MasVnrType"], houses["MasVnrArea"] > 0, absent="None")

    remodelled_too_early = houses["YearRemodAdd"] < houses["YearBuilt"]
    houses["YearRemodAdd"] = houses["YearRemodAdd"].mask(remodelled_too_early, houses["YearBuilt"])
    houses["Functional"] = houses["Functional"].fillna("Typ")
    return houses


def _mark_gaps(houses: pd.DataFrame, columns: list[str], present: pd.Series, absent: str = NOT_APPLICABLE) -> None:
    """Turn the level `absent` into a gap in the rows where the thing is present."""
    for column in columns:
        houses[column] = houses[column].mask(present & (houses[column] == absent))


def _fill_zero(houses: pd.DataFrame, columns: list[str], rows: pd.Series) -> None:
    for column in columns:
        houses[column] = houses[column].mask(rows & np.isnan(houses[column]), 0.0)
