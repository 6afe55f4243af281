"""The synthetic town: its neighbourhoods, and each aspect of a house drawn given those drawn before it.

Shares and typical values are rounded from the public descriptions of Ames and from Kaggle's training file.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from houseprices.data.schema import FEATURES, NOT_APPLICABLE

Column = npt.NDArray[Any]
Houses = dict[str, Column]


def _weights(text: str) -> tuple[list[str], Column]:
    """Levels and their weights, (n_levels, n_groups), from "level: a weight for each group, level: ..."."""
    pairs = [item.rsplit(":", 1) for item in text.split(",")]
    return [level.strip() for level, _ in pairs], np.array([weights.split() for _, weights in pairs], dtype=float)


def _pick(rng: np.random.Generator, group: Column, text: str) -> Column:
    """Levels drawn in proportion to their weights in each row's group: (n_rows,), object.

    >>> _pick(np.random.default_rng(0), np.array([0, 1, 1]), "Y: 1 0, N: 0 1")
    array(['Y', 'N', 'N'], dtype=object)
    """
    levels, weights = _weights(text)
    index = np.empty(len(group), dtype=np.int64)
    for g, cumulative in enumerate(np.cumsum(weights, axis=0).T):
        rows = group == g
        # The last bound is left out, so that a draw which rounds up to the total still gets the last level.
        index[rows] = np.searchsorted(cumulative[:-1], rng.random(rows.sum()) * cumulative[-1], side="right")
    return np.array(levels, dtype=object)[index]


def _grade(score: Column, levels: str, bounds: tuple[float, ...]) -> Column:
    """The ordered level that each score falls in; `bounds` lie between neighbouring levels."""
    graded: Column = np.array(levels.split(), dtype=object)[np.searchsorted(bounds, score)]
    return graded


def _whole(values: Column) -> Column:
    return np.rint(values).astype(np.int64)


def _count(values: Column, low: int, high: int) -> Column:
    return np.clip(_whole(values), low, high)


def _sqft(rng: np.random.Generator, n_rows: int, share: Column | float, median: float, log_sd: float) -> Column:
    """Log-normal areas of at least 10 sqft for a share of the rows, 0 for the others; whole numbers."""
    area = np.maximum(10, median * np.exp(log_sd * rng.standard_normal(n_rows)))
    return np.where(rng.random(n_rows) < share, _whole(area), 0)


# ---- the town ----


class _Neighborhood(NamedTuple):
    """What is typical of a neighbourhood: its share in percent, years, sqft, shares of some types, zoning weights."""

    percent: float
    year: float
    year_sd: float
    quality: float
    living_sqft: float
    lot_sqft: float
    p_two_storey: float
    p_townhouse: float
    zones: str


_NEIGHBORHOODS = {
    "Blmngtn": _Neighborhood(1.2, 2005, 1.5, 7.2, 1480, 3200, 0.02, 0.94, "RL: 94, RM: 6"),
    "Blueste": _Neighborhood(0.3, 1980, 2, 6.0, 1350, 1700, 0.80, 0.98, "RM: 90, RL: 10"),
    "BrDale": _Neighborhood(1.1, 1971, 1.5, 5.7, 1130, 1700, 0.98, 0.99, "RM: 100"),
    "BrkSide": _Neighborhood(4.0, 1930, 12, 5.1, 1200, 6300, 0.10, 0.00, "RM: 52, RL: 48"),
    "ClearCr": _Neighborhood(1.9, 1967, 17, 5.9, 1750, 17500, 0.29, 0.00, "RL: 100"),
    "CollgCr": _Neighborhood(10.3, 2001, 7, 6.7, 1490, 9300, 0.37, 0.07, "RL: 93, RM: 7"),
    "Crawfor": _Neighborhood(3.5, 1941, 21, 6.3, 1700, 11300, 0.38, 0.06, "RL: 90, RM: 6, RH: 4"),
    "Edwards": _Neighborhood(6.8, 1955, 24, 5.1, 1220, 9000, 0.14, 0.07, "RL: 90, RM: 8, RH: 2"),
    "Gilbert": _Neighborhood(5.4, 2000, 6, 6.6, 1600, 9900, 0.75, 0.00, "RL: 100"),
    "IDOTRR": _Neighborhood(2.5, 1923, 13, 4.8, 1130, 7900, 0.14, 0.00, "RM: 76, C (all): 24"),
    "MeadowV": _Neighborhood(1.2, 1972, 3, 4.5, 1060, 2000, 0.47, 0.98, "RM: 100"),
    "Mitchel": _Neighborhood(3.4, 1982, 13, 5.6, 1230, 9900, 0.08, 0.08, "RL: 90, RM: 10"),
    "NAmes": _Neighborhood(15.4, 1960, 9, 5.4, 1240, 9500, 0.10, 0.01, "RL: 99, RH: 1"),
    "NPkVill": _Neighborhood(0.6, 1976, 1.5, 6.0, 1300, 2400, 0.55, 0.98, "RL: 100"),
    "NWAmes": _Neighborhood(5.0, 1976, 7, 6.3, 1650, 11000, 0.40, 0.00, "RL: 100"),
    "NoRidge": _Neighborhood(2.8, 1995, 3, 7.9, 2350, 12000, 0.80, 0.00, "RL: 100"),
    "NridgHt": _Neighborhood(5.3, 2007, 2.5, 8.2, 1860, 11500, 0.34, 0.28, "RL: 99, RM: 1"),
    "OldTown": _Neighborhood(7.7, 1921, 21, 5.4, 1370, 7800, 0.28, 0.00, "RM: 84, RL: 15, C (all): 1"),
    "SWISU": _Neighborhood(1.7, 1926, 10, 5.4, 1620, 7700, 0.28, 0.00, "RL: 80, RH: 20"),
    "Sawyer": _Neighborhood(5.1, 1966, 10, 5.1, 1140, 9600, 0.08, 0.00, "RL: 97, RM: 3"),
    "SawyerW": _Neighborhood(4.0, 1990, 11, 6.3, 1580, 9300, 0.42, 0.12, "RL: 92, RH: 8"),
    "Somerst": _Neighborhood(5.9, 2006, 3, 7.3, 1560, 8500, 0.55, 0.30, "FV: 76, RL: 24"),
    "StoneBr": _Neighborhood(1.7, 2002, 7, 8.1, 1750, 7200, 0.28, 0.45, "RL: 100"),
    "Timber": _Neighborhood(2.6, 2000, 10, 7.1, 1680, 12700, 0.26, 0.00, "RL: 100"),
    "Veenker": _Neighborhood(0.8, 1978, 8, 6.7, 1480, 11200, 0.10, 0.25, "RL: 100"),
}

_FIRST_YEAR, _FIRST_REMODEL_YEAR = 1872, 1950
_ERA_STARTS = (1946, 1961, 1986)
"""Weights by era have four columns: before 1946, to 1960, to 1985, since."""


def draw_houses(rng: np.random.Generator, n_rows: int) -> pd.DataFrame:
    """Complete houses, without Id, price or true gaps: (n_rows, 79), columns in Kaggle's order."""
    town = ", ".join(f"{name}: {neighborhood.percent}" for name, neighborhood in _NEIGHBORHOODS.items())
    houses: Houses = {"Neighborhood": _pick(rng, np.zeros(n_rows), town)}
    for draw_aspect in (
        _draw_years,
        _draw_building,
        _draw_quality,
        _draw_shell,
        _draw_floors,
        _draw_lot,
        _draw_basement,
        _draw_rooms,
        _draw_services,
        _draw_garage,
        _draw_extras,
        _draw_sale,
    ):
        houses |= draw_aspect(rng, houses)
    # GarageYrBlt is the one number without a value where the house has none.
    return pd.DataFrame({feature.name: houses[feature.name] for feature in FEATURES}).astype({"GarageYrBlt": "Int64"})


def _by_level(levels: Column, values: dict[str, float]) -> Column:
    return pd.Series(levels).map(values).to_numpy(dtype=np.float64)


def _typical(houses: Houses, field: str) -> Column:
    """A field of `_Neighborhood` for each house."""
    return _by_level(houses["Neighborhood"], {name: getattr(n, field) for name, n in _NEIGHBORHOODS.items()})


def _era(houses: Houses) -> Column:
    return np.searchsorted(_ERA_STARTS, houses["YearBuilt"], side="right")


# ---- a house, aspect by aspect ----


def _draw_years(rng: np.random.Generator, houses: Houses) -> Houses:
    """Built no later than sold, remodelled in between; the records of remodelling begin in 1950."""
    n_rows = len(houses["Neighborhood"])
    everyone = np.zeros(n_rows)
    sold = _pick(rng, everyone, "2006: 314, 2007: 329, 2008: 304, 2009: 338, 2010: 175").astype(np.int64)
    # The records end in July 2010.
    months = "1: 3 3, 2: 3 3, 3: 6 6, 4: 8 8, 5: 12 12, 6: 15 15, 7: 14 3, 8: 7 0, 9: 4 0, 10: 5 0, 11: 5 0, 12: 4 0"
    built = _whole(_typical(houses, "year") + _typical(houses, "year_sd") * rng.standard_normal(n_rows))
    # Draws before the first year are mirrored at it, so that it doesn't collect them; draws after the sale mean new.
    built = np.minimum(_FIRST_YEAR + np.abs(built - _FIRST_YEAR), sold)
    earliest = np.maximum(built, _FIRST_REMODEL_YEAR)
    later = earliest + np.floor((sold - earliest + 1) * np.sqrt(rng.random(n_rows))).astype(np.int64)
    is_remodelled = rng.random(n_rows) < 0.25 + 0.35 * np.minimum((sold - built) / 60, 1)
    return {
        "YrSold": sold,
        "MoSold": _pick(rng, sold == 2010, months).astype(np.int64),
        "YearBuilt": built,
        "YearRemodAdd": np.where(is_remodelled, later, earliest),
    }


def _draw_building(rng: np.random.Generator, houses: Houses) -> Houses:
    """The dwelling's type and style, and the class code that follows from them and the year."""
    era = _era(houses)
    n_rows = len(era)
    is_townhouse = rng.random(n_rows) < _typical(houses, "p_townhouse")
    detached = _pick(rng, era, "1Fam: 92 94 90 98.5, 2fmCon: 7 2 0.5 0.1, Duplex: 1 4 9.5 1.4")
    building = np.where(is_townhouse, _pick(rng, np.zeros(n_rows), "TwnhsE: 73, Twnhs: 27"), detached)
    # The neighbourhood says how many houses have two storeys; of the others, the fifth column is the townhouses'.
    other = _pick(
        rng,
        np.where(is_townhouse, 4, era),
        "1Story: 40 82 79 92 90, 1.5Fin: 45 13 1 2 0, 1.5Unf: 5 1 0.1 0.1 0, 2.5Fin: 3 0.1 0.1 0.1 0, "
        "2.5Unf: 6 0.3 0.1 0.1 0, SFoyer: 0.5 0.5 8 2.5 7, SLvl: 0.5 4 12 3.3 3",
    )
    style = np.where(rng.random(n_rows) < _typical(houses, "p_two_storey"), "2Story", other)
    has_attic = (style == "1Story") & (rng.random(n_rows) < 0.01)
    is_prewar = era == 0
    codes = {
        "90": building == "Duplex",
        "190": building == "2fmCon",
        "120": is_townhouse & (style == "1Story"),
        "160": is_townhouse & (style == "2Story"),
        "180": is_townhouse,
        "40": has_attic,
        "30": (style == "1Story") & is_prewar,
        "20": style == "1Story",
        "70": (style == "2Story") & is_prewar,
        "60": style == "2Story",
        "45": style == "1.5Unf",
        "50": style == "1.5Fin",
        "80": style == "SLvl",
        "85": style == "SFoyer",
    }
    subclass = np.select(list(codes.values()), list(codes), default="75")
    return {"BldgType": building, "HouseStyle": style, "MSSubClass": subclass}


def _draw_quality(rng: np.random.Generator, houses: Houses) -> Houses:
    """Ratings and grades: the newer a house within its neighbourhood, the better."""
    built, remodelled = houses["YearBuilt"], houses["YearRemodAdd"]
    n_rows = len(built)
    newness = 0.012 * (built - _typical(houses, "year"))
    quality = _count(_typical(houses, "quality") + newness + 0.72 * rng.standard_t(8, n_rows), 1, 10)
    is_average = rng.random(n_rows) < np.where(houses["YrSold"] - built < 15, 0.92, 0.2)
    condition = np.where(is_average, 5, _count(6 + 1.2 * rng.standard_normal(n_rows), 1, 9))
    finish = quality + 0.02 * (remodelled - 1985)
    upkeep = condition + rng.standard_normal(n_rows)
    heating = (remodelled - 1985) / 20 + 0.25 * (quality - 6) + rng.standard_normal(n_rows)
    return {
        "OverallQual": quality,
        "OverallCond": condition,
        "ExterQual": _grade(finish + 0.6 * rng.standard_normal(n_rows), "Fa TA Gd Ex", (2.9, 6.6, 9.1)),
        "ExterCond": _grade(upkeep, "Po Fa TA Gd Ex", (0.5, 2.8, 7.2, 9.8)),
        "KitchenQual": _grade(finish + 0.8 * rng.standard_normal(n_rows), "Fa TA Gd Ex", (3.1, 6.3, 8.8)),
        "HeatingQC": _grade(heating, "Po Fa TA Gd Ex", (-4.6, -2.4, -0.5, 0.2)),
    }


def _draw_shell(rng: np.random.Generator, houses: Houses) -> Houses:
    """Roof, walls, veneer and foundation."""
    era, quality = _era(houses), houses["OverallQual"]
    n_rows = len(era)
    everyone = np.zeros(n_rows)
    roof = _pick(rng, everyone, "Gable: 78.1, Hip: 19.6, Flat: 0.9, Gambrel: 0.8, Mansard: 0.5, Shed: 0.2")
    covers = (
        "CompShg: 98.9 15, Tar&Grv: 0.1 75, WdShngl: 0.4 1, WdShake: 0.3 1, Metal: 0.07 3, Membran: 0.05 4, "
        "Roll: 0.07 1, ClyTile: 0.07 0"
    )
    siding = _pick(
        rng,
        era,
        "VinylSd: 17 11 8 72, HdBoard: 2 10 31 7, MetalSd: 26 23 11 7, Wd Sdng: 36 28 10 1.2, Plywood: 0.5 5 28 0.7, "
        "CemntBd: 1 0.7 4.5 5.7, BrkFace: 4 10 4.5 0.8, WdShing: 3 4 1.3 0.5, Stucco: 6 1 0.3 0.5, "
        "AsbShng: 4 2.5 0.2 0.1, BrkComm: 0.1 0.3 0.2 0.1, Stone: 0.3 0.3 0.1 0.1, AsphShn: 0.1 0.1 0.1 0.05, "
        "ImStucc: 0.1 0.1 0.1 0.1, CBlock: 0.2 0.1 0.05 0.05",
    )
    second_siding = _pick(
        rng,
        everyone,
        "Plywood: 30, WdShing: 20, Wd Sdng: 12, VinylSd: 10, HdBoard: 8, MetalSd: 5, ImStucc: 6, BrkComm: 4, Stone: 2, "
        "Stucco: 4, AsphShn: 1, Other: 1, CBlock: 1",
    )
    p_veneer = np.clip(0.12 * (quality - 2.9) + 0.1 * (era == 2), 0.05, 0.85)
    veneer_sqft = _whole(_sqft(rng, n_rows, p_veneer, 180, 0.7) * np.exp(0.15 * (quality - 6)))
    veneer = _pick(rng, quality >= 7, "BrkFace: 88 66, Stone: 8 33, BrkCmn: 4 1")
    foundations = (
        "BrkTil: 50 1 0.1 0.1, CBlock: 33 88 88 7, PConc: 14 7 9.5 92.4, Slab: 1 4.5 2.5 0.3, Stone: 2 0.5 0.1 0.1, "
        "Wood: 0.1 0.1 0.2 0.3"
    )
    return {
        "RoofStyle": roof,
        "RoofMatl": _pick(rng, roof == "Flat", covers),
        "Exterior1st": siding,
        "Exterior2nd": np.where(rng.random(n_rows) < 0.88, siding, second_siding),
        "MasVnrType": np.where(veneer_sqft > 0, veneer, "None"),
        "MasVnrArea": veneer_sqft,
        "Foundation": _pick(rng, era, foundations),
    }


_LOG_SIZE = {"1Story": -0.09, "2Story": 0.12, "1.5Fin": 0.06, "1.5Unf": -0.25, "2.5Fin": 0.5, "2.5Unf": 0.28,
             "SFoyer": -0.26, "SLvl": -0.04}  # fmt: skip
_UPPER_SHARE = {"1Story": 0.0, "2Story": 0.465, "1.5Fin": 0.35, "1.5Unf": 0.0, "2.5Fin": 0.45, "2.5Unf": 0.46,
                "SFoyer": 0.03, "SLvl": 0.14}  # fmt: skip


def _draw_floors(rng: np.random.Generator, houses: Houses) -> Houses:
    """Floor areas in sqft, by neighbourhood, quality and style; the living area is their sum."""
    style = houses["HouseStyle"]
    n_rows = len(style)
    log_size = np.log(_typical(houses, "living_sqft")) + _by_level(style, _LOG_SIZE)
    log_size += 0.09 * (houses["OverallQual"] - _typical(houses, "quality")) + 0.20 * rng.standard_normal(n_rows)
    size = np.maximum(np.exp(log_size), 330)
    upper = _whole(size * _by_level(style, _UPPER_SHARE) * np.clip(rng.normal(1, 0.07, n_rows), 0.5, 1.5))
    first = _whole(size) - upper
    has_low_quality = rng.random(n_rows) < np.where(_era(houses) == 0, 0.05, 0.006)
    low_quality = np.where(has_low_quality, rng.integers(50, 571, n_rows), 0)
    living = first + upper + low_quality
    return {"1stFlrSF": first, "2ndFlrSF": upper, "LowQualFinSF": low_quality, "GrLivArea": living}


def _draw_lot(rng: np.random.Generator, houses: Houses) -> Houses:
    """The plot and its surroundings; the areas are heavy tailed."""
    n_rows = len(houses["Neighborhood"])
    everyone = np.zeros(n_rows)
    zone = np.empty(n_rows, dtype=object)
    for name, neighborhood in _NEIGHBORHOODS.items():
        rows = houses["Neighborhood"] == name
        zone[rows] = _pick(rng, np.zeros(rows.sum()), neighborhood.zones)
    config = _pick(rng, everyone, "Inside: 72, Corner: 18, CulDSac: 6.5, FR2: 3.2, FR3: 0.3")
    stretch = 1 + np.where(rng.random(n_rows) < 0.04, rng.pareto(1.5, n_rows), 0)
    log_area = np.log(_typical(houses, "lot_sqft") * stretch) + 0.24 * rng.standard_normal(n_rows)
    area = np.clip(np.exp(log_area), 1300, 250_000)
    frontage = 0.69 * np.sqrt(area) * np.where(config == "CulDSac", 0.8, 1) * np.exp(rng.normal(0, 0.2, n_rows))
    is_large = area > 20_000
    shapes = "Reg: 67 20 25 10, IR1: 31 68 50 50, IR2: 1.7 10 18 30, IR3: 0.3 2 7 10"
    slope = _pick(rng, is_large, "Gtl: 95.8 70, Mod: 4 20, Sev: 0.2 10")
    conditions = "Norm: 86.3, Feedr: 5.5, Artery: 3.3, RRAn: 1.8, PosN: 1.3, RRAe: 0.8, PosA: 0.6, RRNn: 0.3, RRNe: 0.2"
    second_condition = _pick(rng, everyone, conditions)
    return {
        "MSZoning": zone,
        "LotFrontage": _count(frontage, 21, 313),
        "LotArea": _whole(area),
        "Street": _pick(rng, everyone, "Pave: 99.6, Grvl: 0.4"),
        "Alley": _pick(rng, _era(houses) == 0, "NA: 97.5 83, Grvl: 0.6 13, Pave: 1.9 4"),
        "LotShape": _pick(rng, (config == "CulDSac") + 2 * is_large, shapes),
        "LandContour": _pick(rng, slope != "Gtl", "Lvl: 93 30, Bnk: 3.4 20, HLS: 2.3 25, Low: 1.3 25"),
        "Utilities": _pick(rng, everyone, "AllPub: 99.93, NoSeWa: 0.07"),
        "LotConfig": config,
        "LandSlope": slope,
        "Condition1": _pick(rng, everyone, conditions),
        "Condition2": np.where(rng.random(n_rows) < 0.93, "Norm", second_condition),
    }


def _draw_basement(rng: np.random.Generator, houses: Houses) -> Houses:
    """Grades, and areas that add up; all NA or 0 where the house has no basement, as on most slabs."""
    era = _era(houses)
    n_rows = len(era)
    has_basement = rng.random(n_rows) > np.where(houses["Foundation"] == "Slab", 0.9, 0.01)
    total = np.where(has_basement, _whole(houses["1stFlrSF"] * np.exp(rng.normal(-0.04, 0.11, n_rows))), 0)
    finishes = "GLQ: 5 9 15 47, ALQ: 11 21 28 8, BLQ: 12 16 17 3, Rec: 13 22 13 1.5, LwQ: 8 7 8 1.5, Unf: 51 25 19 39"
    finish = _pick(rng, era, finishes)
    is_finished = has_basement & (finish != "Unf")
    # The bound of 1 gives some basements that are finished throughout.
    finished_share = np.minimum(1, 1.1 * rng.beta(2.5, 1.5, n_rows))
    first = np.where(is_finished, np.maximum(1, _whole(total * finished_share)), 0)
    rest = total - first
    has_second = is_finished & (rest > 100) & (rng.random(n_rows) < np.where(era == 3, 0.05, 0.33))
    second = np.where(has_second, _whole(rest * rng.uniform(0.1, 1, n_rows)), 0)
    second_finish = _pick(rng, np.zeros(n_rows), "Rec: 32, LwQ: 28, BLQ: 20, ALQ: 12, GLQ: 8")
    height = houses["OverallQual"] + (houses["YearBuilt"] - 1971) / 25 + 0.7 * rng.standard_normal(n_rows)
    dryness = houses["OverallCond"] + 1.2 * rng.standard_normal(n_rows)
    levels = {
        "BsmtQual": _grade(height, "Fa TA Gd Ex", (1.8, 6.2, 9.4)),
        "BsmtCond": _grade(dryness, "Po Fa TA Gd", (0.7, 2.9, 8.2)),
        "BsmtExposure": _pick(rng, np.zeros(n_rows), "No: 67, Av: 15.5, Gd: 9.5, Mn: 8"),
        "BsmtFinType1": finish,
        "BsmtFinType2": np.where(has_second, second_finish, "Unf"),
    }
    return {name: np.where(has_basement, level, NOT_APPLICABLE) for name, level in levels.items()} | {
        "BsmtFinSF1": first,
        "BsmtFinSF2": second,
        "BsmtUnfSF": rest - second,
        "TotalBsmtSF": total,
        "BsmtFullBath": rng.binomial(2, np.where(is_finished, 0.32, 0.02 * has_basement)),
        "BsmtHalfBath": rng.binomial(2, np.where(is_finished, 0.04, 0.002 * has_basement)),
    }


def _draw_rooms(rng: np.random.Generator, houses: Houses) -> Houses:
    """Counts of rooms, which follow the living area."""
    area = houses["GrLivArea"]
    n_rows = len(area)
    baths = 0.42 + area / 1500 + 0.4 * (houses["YearBuilt"] >= 1980) + 0.3 * rng.standard_normal(n_rows)
    bedrooms = _count(1.65 + area / 1250 + 0.65 * rng.standard_normal(n_rows), 0, 8)
    rooms = 1.4 + 0.8 * bedrooms + area / 560 + 0.6 * rng.standard_normal(n_rows)
    has_two_homes = np.isin(houses["BldgType"], ("Duplex", "2fmCon"))
    kitchens = _pick(rng, has_two_homes, "1: 99.2 25, 2: 0.65 73.8, 3: 0.05 1, 0: 0.1 0.2")
    functions = "Typ: 93.2, Min2: 2.3, Min1: 2.1, Mod: 1, Maj1: 0.95, Maj2: 0.35, Sev: 0.1"
    return {
        "FullBath": _count(baths, 0, 3),
        "HalfBath": rng.binomial(2, np.where(houses["HouseStyle"] == "2Story", 0.38, 0.1)),
        "BedroomAbvGr": bedrooms,
        "KitchenAbvGr": kitchens.astype(np.int64),
        "TotRmsAbvGrd": np.maximum(_count(rooms, 2, 15), bedrooms + 1),
        "Functional": _pick(rng, np.zeros(n_rows), functions),
    }


def _draw_services(rng: np.random.Generator, houses: Houses) -> Houses:
    """Heating, cooling, wiring and drive."""
    era = _era(houses)
    heatings = (
        "GasA: 91 98 99.3 99.6, GasW: 5 1 0.5 0.3, Grav: 2 0.4 0.05 0.03, Wall: 1 0.4 0.1 0.03, "
        "OthW: 0.5 0.1 0.05 0.02, Floor: 0.5 0.1 0.03 0.02"
    )
    wirings = (
        "SBrkr: 73 82 98 99.8, FuseA: 18 15.5 1.8 0.1, FuseF: 8 2 0.2 0.05, FuseP: 0.8 0.3 0.05 0.03, "
        "Mix: 0.2 0.2 0.05 0.02"
    )
    return {
        "Heating": _pick(rng, era, heatings),
        "CentralAir": _pick(rng, era, "Y: 78 92 97 99.7, N: 22 8 3 0.3"),
        "Electrical": _pick(rng, era, wirings),
        "PavedDrive": _pick(rng, era, "Y: 75 92 96 99.3, N: 20 5 2 0.5, P: 5 3 2 0.2"),
    }


def _draw_garage(rng: np.random.Generator, houses: Houses) -> Houses:
    """One car or more, built no earlier than the house; all NA or 0 where there is no garage."""
    era, quality, built = _era(houses), houses["OverallQual"], houses["YearBuilt"]
    n_rows = len(era)
    kinds = (
        "Attchd: 11 60 72 83, Detchd: 70 25 18 5, BuiltIn: 1 2 2 10.5, Basment: 1.5 4 0.8 0.5, CarPort: 0.7 1 1.3 0.1, "
        "2Types: 0.8 1 0.4 0.1, NA: 15 7 5.5 0.8"
    )
    kind = _pick(rng, era, kinds)
    has_garage = kind != NOT_APPLICABLE
    n_cars = _count(0.2 + 0.24 * quality + 0.3 * (era == 3) + 0.5 * rng.standard_normal(n_rows), 1, 4)
    is_added = rng.random(n_rows) < np.where(kind == "Detchd", 0.6, 0.06)
    year = built + is_added * np.floor((houses["YrSold"] - built + 1) * rng.random(n_rows))
    finish = quality + (built - 1971) / 20 + 1.3 * rng.standard_normal(n_rows)
    states = "TA: 84 95 98 99.5, Fa: 12 3.5 1 0.1, Gd: 2 1 0.7 0.2, Po: 1.5 0.3 0.1 0.1, Ex: 0.5 0.2 0.2 0.1"
    levels = {
        "GarageFinish": _grade(finish, "Unf RFn Fin", (5.7, 8.1)),
        "GarageQual": _pick(rng, era, states),
        "GarageCond": _pick(rng, era, states),
    }
    return {name: np.where(has_garage, level, NOT_APPLICABLE) for name, level in levels.items()} | {
        "GarageType": kind,
        "GarageYrBlt": np.where(has_garage, year, np.nan),
        "GarageCars": np.where(has_garage, n_cars, 0),
        "GarageArea": np.where(has_garage, _whole((40 + 250 * n_cars) * np.exp(rng.normal(0, 0.17, n_rows))), 0),
    }


def _draw_extras(rng: np.random.Generator, houses: Houses) -> Houses:
    """Fireplaces, decks, porches, pools, fences and sheds."""
    era, quality = _era(houses), houses["OverallQual"]
    n_rows = len(era)
    is_modern = era == 3
    everyone = np.zeros(n_rows)
    fires = -0.75 + 0.12 * quality + houses["GrLivArea"] / 2700 + 0.6 * rng.standard_normal(n_rows)
    n_fireplaces = _count(fires, 0, 3)
    fire_quality = _grade(quality + 1.6 * rng.standard_normal(n_rows), "Po Fa TA Gd Ex", (2.7, 3.7, 6.1, 10))
    pool_sqft = np.where(rng.random(n_rows) < 0.005, rng.integers(480, 801, n_rows), 0)
    pool_quality = _pick(rng, everyone, "Gd: 40, Ex: 30, Fa: 30")
    misc = _pick(rng, everyone, "NA: 96.3, Shed: 3.3, Gar2: 0.15, Othr: 0.15, TenC: 0.1")
    fences = "NA: 73 93, MnPrv: 15 4.5, GdPrv: 5.5 1.9, GdWo: 5.4 0.5, MnWw: 1.1 0.1"
    p_deck = np.clip(0.3 + 0.2 * is_modern + 0.07 * (quality - 5), 0.1, 0.9)
    p_porch = np.clip(0.3 + 0.35 * is_modern + 0.07 * (quality - 5), 0.1, 0.9)
    return {
        "Fireplaces": n_fireplaces,
        "FireplaceQu": np.where(n_fireplaces > 0, fire_quality, NOT_APPLICABLE),
        "WoodDeckSF": _sqft(rng, n_rows, p_deck, 175, 0.5),
        "OpenPorchSF": _sqft(rng, n_rows, p_porch, 68, 0.65),
        "EnclosedPorch": _sqft(rng, n_rows, np.where(era == 0, 0.38, 0.06), 140, 0.5),
        "3SsnPorch": _sqft(rng, n_rows, 0.016, 180, 0.4),
        "ScreenPorch": _sqft(rng, n_rows, 0.08, 180, 0.4),
        "PoolArea": pool_sqft,
        "PoolQC": np.where(pool_sqft > 0, pool_quality, NOT_APPLICABLE),
        "Fence": _pick(rng, is_modern, fences),
        "MiscFeature": misc,
        "MiscVal": _sqft(rng, n_rows, misc != NOT_APPLICABLE, 500, 0.8),
    }


def _draw_sale(rng: np.random.Generator, houses: Houses) -> Houses:
    """How it was sold: a house sold in the year it was built is mostly new, and a new one's assessment partial."""
    n_rows = len(houses["YrSold"])
    is_new = (houses["YearBuilt"] == houses["YrSold"]) & (rng.random(n_rows) < 0.95)
    kinds = (
        "WD: 95 0, COD: 3.2 0, ConLD: 0.7 0, ConLI: 0.4 0, ConLw: 0.4 0, CWD: 0.3 0, Oth: 0.2 0, Con: 0.2 0, New: 0 1"
    )
    kind = _pick(rng, is_new, kinds)
    is_forced = np.isin(kind, ("COD", "Oth"))
    # Columns: an ordinary sale, a forced one, a new house.
    conditions = (
        "Normal: 91.5 45 1, Abnorml: 5.6 55 0, Family: 1.6 0 0, Alloca: 0.9 0 0, AdjLand: 0.3 0 0, Partial: 0.1 0 99"
    )
    return {"SaleType": kind, "SaleCondition": _pick(rng, is_forced + 2 * is_new, conditions)}
