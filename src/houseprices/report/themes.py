"""The 79 features by theme, in plain words: a price is told by eight themes first, then by the features inside."""

import numpy as np
from numpy.typing import NDArray

from houseprices.data.schema import FEATURES

Floats = NDArray[np.float64]

THEMES: dict[str, dict[str, str]] = {
    "size": {
        "MSSubClass": "dwelling",
        "BldgType": "building",
        "HouseStyle": "style",
        "1stFlrSF": "first floor",
        "2ndFlrSF": "second floor",
        "LowQualFinSF": "low-quality finished area",
        "GrLivArea": "living area",
        "FullBath": "full baths",
        "HalfBath": "half baths",
        "BedroomAbvGr": "bedrooms",
        "KitchenAbvGr": "kitchens",
        "TotRmsAbvGrd": "rooms",
    },
    "basement": {
        "Foundation": "foundation",
        "BsmtQual": "basement height",
        "BsmtCond": "basement condition",
        "BsmtExposure": "basement exposure",
        "BsmtFinType1": "basement finish",
        "BsmtFinSF1": "finished basement",
        "BsmtFinType2": "second basement finish",
        "BsmtFinSF2": "second finished basement",
        "BsmtUnfSF": "unfinished basement",
        "TotalBsmtSF": "basement area",
        "BsmtFullBath": "full baths in the basement",
        "BsmtHalfBath": "half baths in the basement",
    },
    "garage": {
        "GarageType": "garage",
        "GarageYrBlt": "garage built",
        "GarageFinish": "garage finish",
        "GarageCars": "cars in the garage",
        "GarageArea": "garage area",
        "GarageQual": "garage quality",
        "GarageCond": "garage condition",
        "PavedDrive": "paved drive",
    },
    "location": {
        "MSZoning": "zone",
        "Neighborhood": "neighbourhood",
        "Condition1": "nearby",
        "Condition2": "also nearby",
        "Street": "street",
        "Alley": "alley",
        "Utilities": "utilities",
    },
    "quality and condition": {
        "OverallQual": "overall quality",
        "OverallCond": "overall condition",
        "ExterQual": "exterior quality",
        "ExterCond": "exterior condition",
        "KitchenQual": "kitchen",
        "Functional": "function",
        "Heating": "heating",
        "HeatingQC": "heating quality",
        "CentralAir": "central air",
        "Electrical": "electrical system",
        "Fireplaces": "fireplaces",
        "FireplaceQu": "fireplace quality",
    },
    "age": {"YearBuilt": "built", "YearRemodAdd": "remodelled"},
    "sale": {
        "MoSold": "month of sale",
        "YrSold": "year of sale",
        "SaleType": "deed",
        "SaleCondition": "kind of sale",
    },
    "outside": {
        "LotFrontage": "street frontage",
        "LotArea": "lot",
        "LotShape": "lot shape",
        "LandContour": "land contour",
        "LotConfig": "lot position",
        "LandSlope": "slope",
        "RoofStyle": "roof",
        "RoofMatl": "roof material",
        "Exterior1st": "siding",
        "Exterior2nd": "second siding",
        "MasVnrType": "masonry veneer",
        "MasVnrArea": "veneer area",
        "WoodDeckSF": "wood deck",
        "OpenPorchSF": "open porch",
        "EnclosedPorch": "enclosed porch",
        "3SsnPorch": "three-season porch",
        "ScreenPorch": "screen porch",
        "PoolArea": "pool",
        "PoolQC": "pool quality",
        "Fence": "fence",
        "MiscFeature": "extra",
        "MiscVal": "value of the extra",
    },
}

WORDS: dict[str, str] = {name: words for features in THEMES.values() for name, words in features.items()}
"""A feature's name in the data -> in plain words."""

_POSITION = {feature.name: place for place, feature in enumerate(FEATURES)}
OWN_COLUMNS = "own columns"


def themes_of(n_effects: int) -> dict[str, list[int]]:
    """Which of n_effects attributions are of each theme; beyond the 79 features a run's own columns are one."""
    own = {OWN_COLUMNS: [len(FEATURES)]} if n_effects > len(FEATURES) else {}
    return {theme: [_POSITION[name] for name in names] for theme, names in THEMES.items()} | own


def effect_names(n_effects: int) -> list[str]:
    """What n_effects attributions are of: the 79 features and, of a run with own columns, those together."""
    return [*(feature.name for feature in FEATURES), OWN_COLUMNS][:n_effects]


def by_theme(attributions: Floats) -> Floats:
    """(n_rows, n_effects) attributions -> (n_rows, n_themes): the sums of `themes_of`, in their order."""
    places_of = themes_of(attributions.shape[1])
    return np.stack([attributions[:, places].sum(axis=1) for places in places_of.values()], axis=1)


def by_size(effects: Floats, among: list[int] | None = None) -> list[int]:
    """Positions of the effects, or of those `among` them, the largest first, whatever the sign."""
    places = list(range(len(effects))) if among is None else among
    return sorted(places, key=lambda place: -abs(effects[place]))
