"""The 79 features of Ames as Kaggle's data description defines them, and how to say them in plain words.

Constants only. Levels are spelled as in Kaggle's CSV files; where the description spells one otherwise, or one
column spells it in two ways, the other spelling stands in `aliases` and is read as the first.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["number", "ordinal", "nominal"]
Theme = Literal["size", "basement", "garage", "location", "quality and condition", "age", "sale", "outside"]

NOT_APPLICABLE = "NA"
"""The level that says "the house has none": in the CSV it looks like a gap, and it is none."""


@dataclass(frozen=True)
class Feature:
    """One column of the table.

    Attributes:
        name: the column's name in the CSV.
        meaning: the name in plain words.
        theme: the part of the price that a reader counts it to.
        kind: number; ordinal (levels from worst to best); nominal (levels without an order).
        unit: of a number: "sqft", "feet", "year", "month", "count", "usd" or "rating"; "" for the others.
        low, high: smallest and largest value accepted, for a number: no house on earth lies outside.
        level_meanings: the accepted levels in plain words; for an ordinal feature from the lowest to the highest.
        na_means: what NA says about the house where it is an answer; empty where NA is a gap.
        aliases: other spellings, each with the level it stands for.
    """

    name: str
    meaning: str
    theme: Theme
    kind: Kind
    unit: str = ""
    low: float = 0.0
    high: float = float("inf")
    level_meanings: dict[str, str] = field(default_factory=dict)
    na_means: str = ""
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def levels(self) -> tuple[str, ...]:
        """The accepted levels, in the order of `level_meanings`."""
        return tuple(self.level_meanings)

    @property
    def whole(self) -> bool:
        """True where no fraction is accepted: half a bathroom has a column of its own."""
        return self.unit in ("year", "month", "count", "rating")


# Generous: the largest palace has 2,152,782 square feet, 1,788 rooms and 257 bathrooms, the largest ranch 4e10.
_HIGHEST = {"sqft": 1e7, "feet": 1e6, "usd": 1e9, "count": 2000.0}


def _number(
    name: str, meaning: str, theme: Theme, unit: str, low: float = 0.0, high: float | None = None, na_means: str = ""
) -> Feature:
    highest = _HIGHEST[unit] if high is None else high
    return Feature(name, meaning, theme, "number", unit, low, highest, na_means=na_means)


def _ordinal(name: str, meaning: str, theme: Theme, levels: str, na_means: str = "") -> Feature:
    return Feature(name, meaning, theme, "ordinal", level_meanings=_meanings(levels, na_means), na_means=na_means)


def _nominal(
    name: str, meaning: str, theme: Theme, levels: str, na_means: str = "", aliases: dict[str, str] | None = None
) -> Feature:
    meanings = _meanings(levels, na_means)
    return Feature(name, meaning, theme, "nominal", level_meanings=meanings, na_means=na_means, aliases=aliases or {})


def _meanings(levels: str, na_means: str) -> dict[str, str]:
    """Split "Level: meaning; Level: meaning"; a level without a meaning is a plain word already."""
    pairs = (level.partition(": ") for level in levels.split("; "))
    return ({NOT_APPLICABLE: na_means} if na_means else {}) | {level: meaning or level for level, _, meaning in pairs}


_SIDING_ALIASES = {"Brk Cmn": "BrkComm", "CmentBd": "CemntBd", "Wd Shng": "WdShing"}
_EARLIEST_YEAR, _LATEST_YEAR = 1000, 2100
# fmt: off
_QUALITIES = "Po: poor; Fa: fair; TA: typical; Gd: good; Ex: excellent"
_FINISHES = (
    "Unf: unfinished; LwQ: low quality; Rec: recreation room; BLQ: below average living quarters; ALQ: average "
    "living quarters; GLQ: good living quarters"
)
_CONDITIONS = (
    "Norm: nothing of note; Feedr: feeder street; Artery: arterial street; RRNn: 200 ft from the north-south "
    "railroad; RRAn: beside the north-south railroad; RRNe: 200 ft from the east-west railroad; RRAe: beside "
    "the east-west railroad; PosN: near a park or the like; PosA: beside a park or the like"
)
_SIDINGS = (
    "AsbShng: asbestos shingles; AsphShn: asphalt shingles; BrkComm: common brick; BrkFace: face brick; CBlock: "
    "cinder block; CemntBd: cement board; HdBoard: hard board; ImStucc: imitation stucco; MetalSd: metal; "
    "Other: other; Plywood: plywood; PreCast: precast; Stone: stone; Stucco: stucco; VinylSd: vinyl; Wd Sdng: "
    "wood; WdShing: wood shingles"
)
_ROADS = "Grvl: gravel; Pave: paved"

FEATURES: tuple[Feature, ...] = (
    # A code for the dwelling's type: its digits have no order.
    _nominal(
        "MSSubClass", "dwelling", "size",
        "20: 1 story, 1946 or newer; 30: 1 story, 1945 or older; 40: 1 story with finished attic; 45: 1½ "
        "stories, unfinished; 50: 1½ stories, finished; 60: 2 stories, 1946 or newer; 70: 2 stories, 1945 or "
        "older; 75: 2½ stories; 80: split or multi-level; 85: split foyer; 90: duplex; 120: planned unit, 1 "
        "story; 150: planned unit, 1½ stories; 160: planned unit, 2 stories; 180: planned unit, multi-level; "
        "190: converted to 2 families",
    ),
    _nominal(
        "MSZoning", "zone", "location",
        "A: agriculture; C (all): commercial; FV: floating village; I: industrial; RH: high-density "
        "residential; RL: low-density residential; RP: low-density residential park; RM: medium-density "
        "residential",
        aliases={"C": "C (all)"},
    ),
    _number("LotFrontage", "street frontage", "outside", "feet"),
    _number("LotArea", "lot", "outside", "sqft", low=20, high=1e11),
    _nominal("Street", "street", "location", _ROADS),
    _nominal("Alley", "alley", "location", _ROADS, na_means="no alley access"),
    _ordinal(
        "LotShape", "lot shape", "outside",
        "IR3: irregular; IR2: moderately irregular; IR1: slightly irregular; Reg: regular",
    ),
    _nominal("LandContour", "land contour", "outside", "Lvl: level; Bnk: banked; HLS: hillside; Low: depression"),
    _ordinal(
        "Utilities", "utilities", "location",
        "ELO: electricity only; NoSeWa: electricity and gas; NoSewr: all but sewer; AllPub: all public",
    ),
    _nominal(
        "LotConfig", "lot position", "outside",
        "Inside: inside; Corner: corner; CulDSac: cul-de-sac; FR2: frontage on 2 sides; FR3: frontage on 3 sides",
    ),
    _ordinal("LandSlope", "slope", "outside", "Sev: severe; Mod: moderate; Gtl: gentle"),
    _nominal(
        "Neighborhood", "neighbourhood", "location",
        "Blmngtn: Bloomington Heights; Blueste: Bluestem; BrDale: Briardale; BrkSide: Brookside; ClearCr: Clear "
        "Creek; CollgCr: College Creek; Crawfor: Crawford; Edwards; Gilbert; IDOTRR: Iowa DOT and Railroad; "
        "MeadowV: Meadow Village; Mitchel: Mitchell; NAmes: North Ames; NoRidge: Northridge; NPkVill: Northpark "
        "Villa; NridgHt: Northridge Heights; NWAmes: Northwest Ames; OldTown: Old Town; SWISU: South-west of "
        "the campus; Sawyer; SawyerW: Sawyer West; Somerst: Somerset; StoneBr: Stone Brook; Timber: Timberland; "
        "Veenker",
        aliases={"Names": "NAmes"},
    ),
    _nominal("Condition1", "nearby", "location", _CONDITIONS),
    _nominal("Condition2", "also nearby", "location", _CONDITIONS),
    _nominal(
        "BldgType", "building", "size",
        "1Fam: detached; 2fmCon: converted to 2 families; Duplex: duplex; TwnhsE: townhouse, end unit; Twnhs: "
        "townhouse, inside unit",
        aliases={"2FmCon": "2fmCon", "Duplx": "Duplex", "TwnhsI": "Twnhs"},
    ),
    _nominal(
        "HouseStyle", "style", "size",
        "1Story: 1 story; 1.5Fin: 1½ stories, finished; 1.5Unf: 1½ stories, unfinished; 2Story: 2 stories; "
        "2.5Fin: 2½ stories, finished; 2.5Unf: 2½ stories, unfinished; SFoyer: split foyer; SLvl: split level",
    ),
    _number("OverallQual", "overall quality", "quality and condition", "rating", low=1, high=10),
    _number("OverallCond", "overall condition", "quality and condition", "rating", low=1, high=10),
    _number("YearBuilt", "built", "age", "year", low=_EARLIEST_YEAR, high=_LATEST_YEAR),
    _number("YearRemodAdd", "remodelled", "age", "year", low=_EARLIEST_YEAR, high=_LATEST_YEAR),
    _nominal(
        "RoofStyle", "roof", "outside",
        "Flat: flat; Gable: gable; Gambrel: gambrel; Hip: hip; Mansard: mansard; Shed: shed",
    ),
    _nominal(
        "RoofMatl", "roof material", "outside",
        "ClyTile: clay tile; CompShg: composite shingles; Membran: membrane; Metal: metal; Roll: roll; Tar&Grv: "
        "tar and gravel; WdShake: wood shakes; WdShngl: wood shingles",
    ),
    _nominal("Exterior1st", "siding", "outside", _SIDINGS, aliases=_SIDING_ALIASES),
    _nominal("Exterior2nd", "second siding", "outside", _SIDINGS, aliases=_SIDING_ALIASES),
    # "None" is the CSV's own word for no veneer; NA is a gap here.
    _nominal(
        "MasVnrType", "masonry veneer", "outside",
        "None: none; BrkCmn: common brick; BrkFace: face brick; CBlock: cinder block; Stone: stone",
    ),
    _number("MasVnrArea", "veneer area", "outside", "sqft"),
    _ordinal("ExterQual", "exterior quality", "quality and condition", _QUALITIES),
    _ordinal("ExterCond", "exterior condition", "quality and condition", _QUALITIES),
    _nominal(
        "Foundation", "foundation", "basement",
        "BrkTil: brick and tile; CBlock: cinder block; PConc: poured concrete; Slab: slab; Stone: stone; Wood: wood",
    ),
    _ordinal("BsmtQual", "basement height", "basement", _QUALITIES, na_means="no basement"),
    _ordinal("BsmtCond", "basement condition", "basement", _QUALITIES, na_means="no basement"),
    _ordinal(
        "BsmtExposure", "basement exposure", "basement",
        "No: none; Mn: minimum; Av: average; Gd: good",
        na_means="no basement",
    ),
    _ordinal("BsmtFinType1", "basement finish", "basement", _FINISHES, na_means="no basement"),
    _number("BsmtFinSF1", "finished basement", "basement", "sqft"),
    _ordinal("BsmtFinType2", "second basement finish", "basement", _FINISHES, na_means="no basement"),
    _number("BsmtFinSF2", "second finished basement", "basement", "sqft"),
    _number("BsmtUnfSF", "unfinished basement", "basement", "sqft"),
    _number("TotalBsmtSF", "basement area", "basement", "sqft"),
    _nominal(
        "Heating", "heating", "quality and condition",
        "Floor: floor furnace; GasA: gas, warm air; GasW: gas, hot water; Grav: gravity furnace; OthW: hot "
        "water, not gas; Wall: wall furnace",
    ),
    _ordinal("HeatingQC", "heating quality", "quality and condition", _QUALITIES),
    _ordinal("CentralAir", "central air", "quality and condition", "N: no; Y: yes"),
    _ordinal(
        "Electrical", "electrical system", "quality and condition",
        "Mix: mixed; FuseP: fuses, poor; FuseF: fuses, fair; FuseA: fuses, average; SBrkr: circuit breakers",
    ),
    _number("1stFlrSF", "first floor", "size", "sqft"),
    _number("2ndFlrSF", "second floor", "size", "sqft"),
    _number("LowQualFinSF", "low-quality finished area", "size", "sqft"),
    _number("GrLivArea", "living area", "size", "sqft", low=10),
    _number("BsmtFullBath", "full baths in the basement", "basement", "count"),
    _number("BsmtHalfBath", "half baths in the basement", "basement", "count"),
    _number("FullBath", "full baths", "size", "count"),
    _number("HalfBath", "half baths", "size", "count"),
    _number("BedroomAbvGr", "bedrooms", "size", "count"),
    _number("KitchenAbvGr", "kitchens", "size", "count"),
    _ordinal("KitchenQual", "kitchen", "quality and condition", _QUALITIES),
    _number("TotRmsAbvGrd", "rooms", "size", "count"),
    _ordinal(
        "Functional", "function", "quality and condition",
        "Sal: salvage only; Sev: severely damaged; Maj2: major deductions 2; Maj1: major deductions 1; Mod: "
        "moderate deductions; Min2: minor deductions 2; Min1: minor deductions 1; Typ: typical",
    ),
    _number("Fireplaces", "fireplaces", "quality and condition", "count"),
    _ordinal("FireplaceQu", "fireplace quality", "quality and condition", _QUALITIES, na_means="no fireplace"),
    _nominal(
        "GarageType", "garage", "garage",
        "2Types: of two types; Attchd: attached; Basment: in the basement; BuiltIn: built in; CarPort: car "
        "port; Detchd: detached",
        na_means="no garage",
    ),
    # Room above _LATEST_YEAR for slips of the pen such as 2207, which become gaps.
    _number("GarageYrBlt", "garage built", "garage", "year", low=_EARLIEST_YEAR, high=2999, na_means="no garage"),
    _ordinal(
        "GarageFinish", "garage finish", "garage",
        "Unf: unfinished; RFn: roughly finished; Fin: finished",
        na_means="no garage",
    ),
    _number("GarageCars", "cars in the garage", "garage", "count"),
    _number("GarageArea", "garage area", "garage", "sqft"),
    _ordinal("GarageQual", "garage quality", "garage", _QUALITIES, na_means="no garage"),
    _ordinal("GarageCond", "garage condition", "garage", _QUALITIES, na_means="no garage"),
    _ordinal("PavedDrive", "paved drive", "garage", "N: no; P: partly; Y: yes"),
    _number("WoodDeckSF", "wood deck", "outside", "sqft"),
    _number("OpenPorchSF", "open porch", "outside", "sqft"),
    _number("EnclosedPorch", "enclosed porch", "outside", "sqft"),
    _number("3SsnPorch", "three-season porch", "outside", "sqft"),
    _number("ScreenPorch", "screen porch", "outside", "sqft"),
    _number("PoolArea", "pool", "outside", "sqft"),
    _ordinal("PoolQC", "pool quality", "outside", _QUALITIES, na_means="no pool"),
    _ordinal(
        "Fence", "fence", "outside",
        "MnWw: minimum wire; GdWo: good wood; MnPrv: minimum privacy; GdPrv: good privacy",
        na_means="no fence",
    ),
    _nominal(
        "MiscFeature", "extra", "outside",
        "Elev: elevator; Gar2: second garage; Othr: other; Shed: shed over 100 sq ft; TenC: tennis court",
        na_means="none of these",
    ),
    _number("MiscVal", "value of the extra", "outside", "usd"),
    _number("MoSold", "month of sale", "sale", "month", low=1, high=12),
    _number("YrSold", "year of sale", "sale", "year", low=_EARLIEST_YEAR, high=_LATEST_YEAR),
    _nominal(
        "SaleType", "deed", "sale",
        "WD: warranty deed; CWD: warranty deed, cash; VWD: warranty deed, VA loan; New: new home; COD: court "
        "officer's deed; Con: contract, 15% down; ConLw: contract, low down payment and interest; ConLI: "
        "contract, low interest; ConLD: contract, low down payment; Oth: other",
    ),
    _nominal(
        "SaleCondition", "kind of sale", "sale",
        "Normal: normal; Abnorml: abnormal; AdjLand: adjoining land; Alloca: allocation; Family: within the "
        "family; Partial: unfinished",
    ),
)
# fmt: on

THEMES: tuple[Theme, ...] = get_args(Theme)
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}
NUMBERS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.kind == "number")
ORDINALS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.kind == "ordinal")
NOMINALS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.kind == "nominal")

ID = "Id"
PRICE = "SalePrice"
LOWEST_PRICE_USD, HIGHEST_PRICE_USD = 1.0, 1e11
"""Bounds of the accepted prices: houses are sold for a dollar."""
