"""What a house's codes mean, after Kaggle's data description: TA -> typical, NAmes -> North Ames."""

import calendar
from collections.abc import Mapping

import pandas as pd

from houseprices.data.schema import BY_NAME, NOT_APPLICABLE

_QUALITY = {"Po": "poor", "Fa": "fair", "TA": "typical", "Gd": "good", "Ex": "excellent"}
_FINISH = {
    "Unf": "unfinished",
    "LwQ": "low quality",
    "Rec": "recreation room",
    "BLQ": "below average living quarters",
    "ALQ": "average living quarters",
    "GLQ": "good living quarters",
}
_NEARBY = {
    "Norm": "nothing of note",
    "Feedr": "feeder street",
    "Artery": "arterial street",
    "RRNn": "200 ft from the north-south railroad",
    "RRAn": "beside the north-south railroad",
    "RRNe": "200 ft from the east-west railroad",
    "RRAe": "beside the east-west railroad",
    "PosN": "near a park or the like",
    "PosA": "beside a park or the like",
}
_SIDING = {
    "AsbShng": "asbestos shingles",
    "AsphShn": "asphalt shingles",
    "BrkComm": "common brick",
    "BrkFace": "face brick",
    "CBlock": "cinder block",
    "CemntBd": "cement board",
    "HdBoard": "hard board",
    "ImStucc": "imitation stucco",
    "MetalSd": "metal",
    "Other": "other",
    "Plywood": "plywood",
    "PreCast": "precast",
    "Stone": "stone",
    "Stucco": "stucco",
    "VinylSd": "vinyl",
    "Wd Sdng": "wood",
    "WdShing": "wood shingles",
}
_ROAD = {"Grvl": "gravel", "Pave": "paved"}

_LEVELS: dict[str, Mapping[str, str]] = {
    "MSSubClass": {
        "20": "1 story, 1946 or newer",
        "30": "1 story, 1945 or older",
        "40": "1 story with finished attic",
        "45": "1½ stories, unfinished",
        "50": "1½ stories, finished",
        "60": "2 stories, 1946 or newer",
        "70": "2 stories, 1945 or older",
        "75": "2½ stories",
        "80": "split or multi-level",
        "85": "split foyer",
        "90": "duplex",
        "120": "planned unit, 1 story",
        "150": "planned unit, 1½ stories",
        "160": "planned unit, 2 stories",
        "180": "planned unit, multi-level",
        "190": "converted to 2 families",
    },
    "MSZoning": {
        "A": "agriculture",
        "C (all)": "commercial",
        "FV": "floating village",
        "I": "industrial",
        "RH": "high-density residential",
        "RL": "low-density residential",
        "RP": "low-density residential park",
        "RM": "medium-density residential",
    },
    "Street": _ROAD,
    "Alley": _ROAD,
    "LotShape": {"IR3": "irregular", "IR2": "moderately irregular", "IR1": "slightly irregular", "Reg": "regular"},
    "LandContour": {"Lvl": "level", "Bnk": "banked", "HLS": "hillside", "Low": "depression"},
    "Utilities": {
        "ELO": "electricity only",
        "NoSeWa": "electricity and gas",
        "NoSewr": "all but sewer",
        "AllPub": "all public",
    },
    "LotConfig": {
        "Inside": "inside",
        "Corner": "corner",
        "CulDSac": "cul-de-sac",
        "FR2": "frontage on 2 sides",
        "FR3": "frontage on 3 sides",
    },
    "LandSlope": {"Sev": "severe", "Mod": "moderate", "Gtl": "gentle"},
    "Neighborhood": {
        "Blmngtn": "Bloomington Heights",
        "Blueste": "Bluestem",
        "BrDale": "Briardale",
        "BrkSide": "Brookside",
        "ClearCr": "Clear Creek",
        "CollgCr": "College Creek",
        "Crawfor": "Crawford",
        "Edwards": "Edwards",
        "Gilbert": "Gilbert",
        "IDOTRR": "Iowa DOT and Railroad",
        "MeadowV": "Meadow Village",
        "Mitchel": "Mitchell",
        "NAmes": "North Ames",
        "NoRidge": "Northridge",
        "NPkVill": "Northpark Villa",
        "NridgHt": "Northridge Heights",
        "NWAmes": "Northwest Ames",
        "OldTown": "Old Town",
        "SWISU": "South-west of the campus",
        "Sawyer": "Sawyer",
        "SawyerW": "Sawyer West",
        "Somerst": "Somerset",
        "StoneBr": "Stone Brook",
        "Timber": "Timberland",
        "Veenker": "Veenker",
    },
    "Condition1": _NEARBY,
    "Condition2": _NEARBY,
    "BldgType": {
        "1Fam": "detached",
        "2fmCon": "converted to 2 families",
        "Duplex": "duplex",
        "TwnhsE": "townhouse, end unit",
        "Twnhs": "townhouse, inside unit",
    },
    "HouseStyle": {
        "1Story": "1 story",
        "1.5Fin": "1½ stories, finished",
        "1.5Unf": "1½ stories, unfinished",
        "2Story": "2 stories",
        "2.5Fin": "2½ stories, finished",
        "2.5Unf": "2½ stories, unfinished",
        "SFoyer": "split foyer",
        "SLvl": "split level",
    },
    "RoofStyle": {level: level.lower() for level in ("Flat", "Gable", "Gambrel", "Hip", "Mansard", "Shed")},
    "RoofMatl": {
        "ClyTile": "clay tile",
        "CompShg": "composite shingles",
        "Membran": "membrane",
        "Metal": "metal",
        "Roll": "roll",
        "Tar&Grv": "tar and gravel",
        "WdShake": "wood shakes",
        "WdShngl": "wood shingles",
    },
    "Exterior1st": _SIDING,
    "Exterior2nd": _SIDING,
    "MasVnrType": {
        "None": "none",
        "BrkCmn": "common brick",
        "BrkFace": "face brick",
        "CBlock": "cinder block",
        "Stone": "stone",
    },
    **dict.fromkeys(
        (
            "ExterQual",
            "ExterCond",
            "BsmtQual",
            "BsmtCond",
            "HeatingQC",
            "KitchenQual",
            "FireplaceQu",
            "GarageQual",
            "GarageCond",
            "PoolQC",
        ),
        _QUALITY,
    ),
    "Foundation": {
        "BrkTil": "brick and tile",
        "CBlock": "cinder block",
        "PConc": "poured concrete",
        "Slab": "slab",
        "Stone": "stone",
        "Wood": "wood",
    },
    "BsmtExposure": {"No": "none", "Mn": "minimum", "Av": "average", "Gd": "good"},
    "BsmtFinType1": _FINISH,
    "BsmtFinType2": _FINISH,
    "Heating": {
        "Floor": "floor furnace",
        "GasA": "gas, warm air",
        "GasW": "gas, hot water",
        "Grav": "gravity furnace",
        "OthW": "hot water, not gas",
        "Wall": "wall furnace",
    },
    "CentralAir": {"N": "no", "Y": "yes"},
    "Electrical": {
        "Mix": "mixed",
        "FuseP": "fuses, poor",
        "FuseF": "fuses, fair",
        "FuseA": "fuses, average",
        "SBrkr": "circuit breakers",
    },
    "Functional": {
        "Sal": "salvage only",
        "Sev": "severely damaged",
        "Maj2": "major deductions 2",
        "Maj1": "major deductions 1",
        "Mod": "moderate deductions",
        "Min2": "minor deductions 2",
        "Min1": "minor deductions 1",
        "Typ": "typical",
    },
    "GarageType": {
        "2Types": "of two types",
        "Attchd": "attached",
        "Basment": "in the basement",
        "BuiltIn": "built in",
        "CarPort": "car port",
        "Detchd": "detached",
    },
    "GarageFinish": {"Unf": "unfinished", "RFn": "roughly finished", "Fin": "finished"},
    "PavedDrive": {"N": "no", "P": "partly", "Y": "yes"},
    "Fence": {"MnWw": "minimum wire", "GdWo": "good wood", "MnPrv": "minimum privacy", "GdPrv": "good privacy"},
    "MiscFeature": {
        "Elev": "elevator",
        "Gar2": "second garage",
        "Othr": "other",
        "Shed": "shed over 100 sq ft",
        "TenC": "tennis court",
    },
    "SaleType": {
        "WD": "warranty deed",
        "CWD": "warranty deed, cash",
        "VWD": "warranty deed, VA loan",
        "New": "new home",
        "COD": "court officer's deed",
        "Con": "contract, 15% down",
        "ConLw": "contract, low down payment and interest",
        "ConLI": "contract, low interest",
        "ConLD": "contract, low down payment",
        "Oth": "other",
    },
    "SaleCondition": {
        "Normal": "normal",
        "Abnorml": "abnormal",
        "AdjLand": "adjoining land",
        "Alloca": "allocation",
        "Family": "within the family",
        "Partial": "unfinished",
    },
}


def level_words(name: str, level: str) -> str:
    """A level of a feature in words; one that the data description does not have stays as it is.

    >>> level_words("KitchenQual", "TA"), level_words("PoolQC", "NA")
    ('typical', 'no pool')
    """
    if level == NOT_APPLICABLE and BY_NAME[name].na_means:
        return BY_NAME[name].na_means
    return _LEVELS.get(name, {}).get(level, level)


def effect_words(name: str, house: pd.Series) -> str:
    """The value of the feature that has an effect; of own columns it is that of all together."""
    return value_words(name, house[name]) if name in BY_NAME else "all together"


def value_words(name: str, value: object) -> str:
    """A feature's value for people, with its unit; a gap is "unknown".

    >>> value_words("LotArea", 9550.0), value_words("MoSold", 5.0), value_words("OverallQual", 7.0)
    ('9,550 sq ft', 'May', '7 of 10')
    """
    feature = BY_NAME[name]
    if pd.isna(value):  # type: ignore[call-overload]  # a scalar
        return "none or unknown" if feature.na_means else "unknown"
    if not isinstance(value, float | int):
        return level_words(name, str(value))
    number = f"{value:,.10g}"
    match feature.unit:
        case "sqft":
            return f"{number} sq ft"
        case "feet":
            return f"{number} ft"
        case "usd":
            return f"${number}"
        case "year":
            return f"{value:g}"
        case "month":
            return calendar.month_name[int(value)]
        case "rating":
            return f"{number} of 10"
        case _:
            return number
