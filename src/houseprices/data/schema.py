"""The 79 features of Ames as Kaggle's data description defines them: kind, unit, levels in order, what NA means.

Constants only. Levels are spelled as in Kaggle's CSV files; where the description spells one otherwise, or one
column spells it in two ways, the other spelling stands in `aliases` and is read as the first.
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["number", "ordinal", "nominal"]

NOT_APPLICABLE = "NA"
"""The level that says "the house has none": in the CSV it looks like a gap, and it is none."""


@dataclass(frozen=True)
class Feature:
    """One column of the table.

    Attributes:
        name: the column's name in the CSV.
        kind: number; ordinal (levels from worst to best); nominal (levels without an order).
        unit: of a number: "sqft", "feet", "year", "month", "count", "usd" or "rating"; "" for the others.
        low, high: smallest and largest value accepted, for a number: no house on earth lies outside.
        levels: the accepted levels; for an ordinal one from the lowest to the highest.
        na_means: what NA says about the house where it is an answer; empty where NA is a gap.
        aliases: other spellings, each with the level it stands for.
    """

    name: str
    kind: Kind
    unit: str = ""
    low: float = 0.0
    high: float = float("inf")
    levels: tuple[str, ...] = ()
    na_means: str = ""
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether no fraction is accepted: half a bathroom has a column of its own."""
        return self.unit in ("year", "month", "count", "rating")


# Generous: the largest palace has 2,152,782 square feet, 1,788 rooms and 257 bathrooms, the largest ranch 4e10.
_HIGHEST = {"sqft": 1e7, "feet": 1e6, "usd": 1e9, "count": 2000.0}


def _number(name: str, unit: str, low: float = 0.0, high: float | None = None, na_means: str = "") -> Feature:
    return Feature(name, "number", unit, low, _HIGHEST[unit] if high is None else high, na_means=na_means)


def _ordinal(name: str, levels: str, na_means: str = "") -> Feature:
    present = tuple(levels.split())
    return Feature(name, "ordinal", levels=(NOT_APPLICABLE, *present) if na_means else present, na_means=na_means)


def _nominal(name: str, levels: str, na_means: str = "", aliases: dict[str, str] | None = None) -> Feature:
    present = tuple(level.strip() for level in levels.split(","))
    all_levels = (NOT_APPLICABLE, *present) if na_means else present
    return Feature(name, "nominal", levels=all_levels, na_means=na_means, aliases=aliases or {})


_QUALITY = "Po Fa TA Gd Ex"
_FINISH = "Unf LwQ Rec BLQ ALQ GLQ"
_CONDITIONS = "Norm, Feedr, Artery, RRNn, RRAn, RRNe, RRAe, PosN, PosA"
_SIDINGS = (
    "AsbShng, AsphShn, BrkComm, BrkFace, CBlock, CemntBd, HdBoard, ImStucc, MetalSd, Other, Plywood, PreCast, "
    "Stone, Stucco, VinylSd, Wd Sdng, WdShing"
)
_SIDING_ALIASES = {"Brk Cmn": "BrkComm", "CmentBd": "CemntBd", "Wd Shng": "WdShing"}
_EARLIEST_YEAR, _LATEST_YEAR = 1000, 2100

FEATURES: tuple[Feature, ...] = (
    # A code for the dwelling's type: its digits have no order.
    _nominal("MSSubClass", "20, 30, 40, 45, 50, 60, 70, 75, 80, 85, 90, 120, 150, 160, 180, 190"),
    _nominal("MSZoning", "A, C (all), FV, I, RH, RL, RP, RM", aliases={"C": "C (all)"}),
    _number("LotFrontage", "feet"),
    _number("LotArea", "sqft", low=1, high=1e11),
    _nominal("Street", "Grvl, Pave"),
    _nominal("Alley", "Grvl, Pave", na_means="no alley access"),
    _ordinal("LotShape", "IR3 IR2 IR1 Reg"),
    _nominal("LandContour", "Lvl, Bnk, HLS, Low"),
    _ordinal("Utilities", "ELO NoSeWa NoSewr AllPub"),
    _nominal("LotConfig", "Inside, Corner, CulDSac, FR2, FR3"),
    _ordinal("LandSlope", "Sev Mod Gtl"),
    _nominal(
        "Neighborhood",
        "Blmngtn, Blueste, BrDale, BrkSide, ClearCr, CollgCr, Crawfor, Edwards, Gilbert, IDOTRR, MeadowV, Mitchel, "
        "NAmes, NoRidge, NPkVill, NridgHt, NWAmes, OldTown, SWISU, Sawyer, SawyerW, Somerst, StoneBr, Timber, Veenker",
        aliases={"Names": "NAmes"},
    ),
    _nominal("Condition1", _CONDITIONS),
    _nominal("Condition2", _CONDITIONS),
    _nominal(
        "BldgType",
        "1Fam, 2fmCon, Duplex, TwnhsE, Twnhs",
        aliases={"2FmCon": "2fmCon", "Duplx": "Duplex", "TwnhsI": "Twnhs"},
    ),
    _nominal("HouseStyle", "1Story, 1.5Fin, 1.5Unf, 2Story, 2.5Fin, 2.5Unf, SFoyer, SLvl"),
    _number("OverallQual", "rating", low=1, high=10),
    _number("OverallCond", "rating", low=1, high=10),
    _number("YearBuilt", "year", low=_EARLIEST_YEAR, high=_LATEST_YEAR),
    _number("YearRemodAdd", "year", low=_EARLIEST_YEAR, high=_LATEST_YEAR),
    _nominal("RoofStyle", "Flat, Gable, Gambrel, Hip, Mansard, Shed"),
    _nominal("RoofMatl", "ClyTile, CompShg, Membran, Metal, Roll, Tar&Grv, WdShake, WdShngl"),
    _nominal("Exterior1st", _SIDINGS, aliases=_SIDING_ALIASES),
    _nominal("Exterior2nd", _SIDINGS, aliases=_SIDING_ALIASES),
    # "None" is the CSV's own word for no veneer; NA is a gap here.
    _nominal("MasVnrType", "None, BrkCmn, BrkFace, CBlock, Stone"),
    _number("MasVnrArea", "sqft"),
    _ordinal("ExterQual", _QUALITY),
    _ordinal("ExterCond", _QUALITY),
    _nominal("Foundation", "BrkTil, CBlock, PConc, Slab, Stone, Wood"),
    _ordinal("BsmtQual", _QUALITY, na_means="no basement"),
    _ordinal("BsmtCond", _QUALITY, na_means="no basement"),
    _ordinal("BsmtExposure", "No Mn Av Gd", na_means="no basement"),
    _ordinal("BsmtFinType1", _FINISH, na_means="no basement"),
    _number("BsmtFinSF1", "sqft"),
    _ordinal("BsmtFinType2", _FINISH, na_means="no basement"),
    _number("BsmtFinSF2", "sqft"),
    _number("BsmtUnfSF", "sqft"),
    _number("TotalBsmtSF", "sqft"),
    _nominal("Heating", "Floor, GasA, GasW, Grav, OthW, Wall"),
    _ordinal("HeatingQC", _QUALITY),
    _ordinal("CentralAir", "N Y"),
    _ordinal("Electrical", "Mix FuseP FuseF FuseA SBrkr"),
    _number("1stFlrSF", "sqft"),
    _number("2ndFlrSF", "sqft"),
    _number("LowQualFinSF", "sqft"),
    _number("GrLivArea", "sqft", low=1),
    _number("BsmtFullBath", "count"),
    _number("BsmtHalfBath", "count"),
    _number("FullBath", "count"),
    _number("HalfBath", "count"),
    _number("BedroomAbvGr", "count"),
    _number("KitchenAbvGr", "count"),
    _ordinal("KitchenQual", _QUALITY),
    _number("TotRmsAbvGrd", "count"),
    _ordinal("Functional", "Sal Sev Maj2 Maj1 Mod Min2 Min1 Typ"),
    _number("Fireplaces", "count"),
    _ordinal("FireplaceQu", _QUALITY, na_means="no fireplace"),
    _nominal("GarageType", "2Types, Attchd, Basment, BuiltIn, CarPort, Detchd", na_means="no garage"),
    # Room above _LATEST_YEAR for slips of the pen such as 2207, which contradictions.py turns into gaps.
    _number("GarageYrBlt", "year", low=_EARLIEST_YEAR, high=2999, na_means="no garage"),
    _ordinal("GarageFinish", "Unf RFn Fin", na_means="no garage"),
    _number("GarageCars", "count"),
    _number("GarageArea", "sqft"),
    _ordinal("GarageQual", _QUALITY, na_means="no garage"),
    _ordinal("GarageCond", _QUALITY, na_means="no garage"),
    _ordinal("PavedDrive", "N P Y"),
    _number("WoodDeckSF", "sqft"),
    _number("OpenPorchSF", "sqft"),
    _number("EnclosedPorch", "sqft"),
    _number("3SsnPorch", "sqft"),
    _number("ScreenPorch", "sqft"),
    _number("PoolArea", "sqft"),
    _ordinal("PoolQC", "Po Fa TA Gd Ex", na_means="no pool"),
    _ordinal("Fence", "MnWw GdWo MnPrv GdPrv", na_means="no fence"),
    _nominal("MiscFeature", "Elev, Gar2, Othr, Shed, TenC", na_means="none of these"),
    _number("MiscVal", "usd"),
    _number("MoSold", "month", low=1, high=12),
    _number("YrSold", "year", low=_EARLIEST_YEAR, high=_LATEST_YEAR),
    _nominal("SaleType", "WD, CWD, VWD, New, COD, Con, ConLw, ConLI, ConLD, Oth"),
    _nominal("SaleCondition", "Normal, Abnorml, AdjLand, Alloca, Family, Partial"),
)

BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}
NUMBERS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.kind == "number")
ORDINALS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.kind == "ordinal")
NOMINALS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.kind == "nominal")

ID = "Id"
PRICE = "SalePrice"
LOWEST_PRICE_USD, HIGHEST_PRICE_USD = 1.0, 1e11
"""Of the prices accepted: houses are sold for a dollar."""
