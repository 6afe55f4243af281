"""The dwelling itself: its type, quality, shell and floors."""

import numpy as np

from houseprices.data.sample.draws import Houses, by_level, count, grade, pick, sqft, whole
from houseprices.data.sample.history import era_of
from houseprices.data.sample.neighborhoods import typical

_LOG_SIZE = {"1Story": -0.09, "2Story": 0.12, "1.5Fin": 0.06, "1.5Unf": -0.25, "2.5Fin": 0.5, "2.5Unf": 0.28,
             "SFoyer": -0.26, "SLvl": -0.04}  # fmt: skip
_UPPER_SHARE = {"1Story": 0.0, "2Story": 0.465, "1.5Fin": 0.35, "1.5Unf": 0.0, "2.5Fin": 0.45, "2.5Unf": 0.46,
                "SFoyer": 0.03, "SLvl": 0.14}  # fmt: skip


def draw_building(rng: np.random.Generator, houses: Houses) -> Houses:
    """The dwelling's type and style, and the class code that follows from them and the year."""
    era = era_of(houses)
    n_rows = len(era)
    is_townhouse = rng.random(n_rows) < typical(houses, "p_townhouse")
    detached = pick(rng, era, "1Fam: 92 94 90 98.5, 2fmCon: 7 2 0.5 0.1, Duplex: 1 4 9.5 1.4")
    building = np.where(is_townhouse, pick(rng, np.zeros(n_rows), "TwnhsE: 73, Twnhs: 27"), detached)
    # The neighbourhood says how many houses have two storeys; of the others, the fifth column is the townhouses'.
    other = pick(
        rng,
        np.where(is_townhouse, 4, era),
        "1Story: 40 82 79 92 90, 1.5Fin: 45 13 1 2 0, 1.5Unf: 5 1 0.1 0.1 0, 2.5Fin: 3 0.1 0.1 0.1 0, "
        "2.5Unf: 6 0.3 0.1 0.1 0, SFoyer: 0.5 0.5 8 2.5 7, SLvl: 0.5 4 12 3.3 3",
    )
    style = np.where(rng.random(n_rows) < typical(houses, "p_two_storey"), "2Story", other)
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


def draw_quality(rng: np.random.Generator, houses: Houses) -> Houses:
    """Ratings and grades: the newer a house within its neighbourhood, the better."""
    built, remodelled = houses["YearBuilt"], houses["YearRemodAdd"]
    n_rows = len(built)
    newness = 0.012 * (built - typical(houses, "year"))
    quality = count(typical(houses, "quality") + newness + 0.72 * rng.standard_t(8, n_rows), 1, 10)
    is_average = rng.random(n_rows) < np.where(houses["YrSold"] - built < 15, 0.92, 0.2)
    condition = np.where(is_average, 5, count(6 + 1.2 * rng.standard_normal(n_rows), 1, 9))
    finish = quality + 0.02 * (remodelled - 1985)
    upkeep = condition + rng.standard_normal(n_rows)
    heating = (remodelled - 1985) / 20 + 0.25 * (quality - 6) + rng.standard_normal(n_rows)
    return {
        "OverallQual": quality,
        "OverallCond": condition,
        "ExterQual": grade(finish + 0.6 * rng.standard_normal(n_rows), "Fa TA Gd Ex", (2.9, 6.6, 9.1)),
        "ExterCond": grade(upkeep, "Po Fa TA Gd Ex", (0.5, 2.8, 7.2, 9.8)),
        "KitchenQual": grade(finish + 0.8 * rng.standard_normal(n_rows), "Fa TA Gd Ex", (3.1, 6.3, 8.8)),
        "HeatingQC": grade(heating, "Po Fa TA Gd Ex", (-4.6, -2.4, -0.5, 0.2)),
    }


def draw_shell(rng: np.random.Generator, houses: Houses) -> Houses:
    """Roof, walls, veneer and foundation."""
    era, quality = era_of(houses), houses["OverallQual"]
    n_rows = len(era)
    everyone = np.zeros(n_rows)
    roof = pick(rng, everyone, "Gable: 78.1, Hip: 19.6, Flat: 0.9, Gambrel: 0.8, Mansard: 0.5, Shed: 0.2")
    covers = (
        "CompShg: 98.9 15, Tar&Grv: 0.1 75, WdShngl: 0.4 1, WdShake: 0.3 1, Metal: 0.07 3, Membran: 0.05 4, "
        "Roll: 0.07 1, ClyTile: 0.07 0"
    )
    siding = pick(
        rng,
        era,
        "VinylSd: 17 11 8 72, HdBoard: 2 10 31 7, MetalSd: 26 23 11 7, Wd Sdng: 36 28 10 1.2, Plywood: 0.5 5 28 0.7, "
        "CemntBd: 1 0.7 4.5 5.7, BrkFace: 4 10 4.5 0.8, WdShing: 3 4 1.3 0.5, Stucco: 6 1 0.3 0.5, "
        "AsbShng: 4 2.5 0.2 0.1, BrkComm: 0.1 0.3 0.2 0.1, Stone: 0.3 0.3 0.1 0.1, AsphShn: 0.1 0.1 0.1 0.05, "
        "ImStucc: 0.1 0.1 0.1 0.1, CBlock: 0.2 0.1 0.05 0.05",
    )
    second_siding = pick(
        rng,
        everyone,
        "Plywood: 30, WdShing: 20, Wd Sdng: 12, VinylSd: 10, HdBoard: 8, MetalSd: 5, ImStucc: 6, BrkComm: 4, Stone: 2, "
        "Stucco: 4, AsphShn: 1, Other: 1, CBlock: 1",
    )
    p_veneer = np.clip(0.12 * (quality - 2.9) + 0.1 * (era == 2), 0.05, 0.85)
    veneer_sqft = whole(sqft(rng, n_rows, p_veneer, 180, 0.7) * np.exp(0.15 * (quality - 6)))
    veneer = pick(rng, quality >= 7, "BrkFace: 88 66, Stone: 8 33, BrkCmn: 4 1")
    foundations = (
        "BrkTil: 50 1 0.1 0.1, CBlock: 33 88 88 7, PConc: 14 7 9.5 92.4, Slab: 1 4.5 2.5 0.3, Stone: 2 0.5 0.1 0.1, "
        "Wood: 0.1 0.1 0.2 0.3"
    )
    return {
        "RoofStyle": roof,
        "RoofMatl": pick(rng, roof == "Flat", covers),
        "Exterior1st": siding,
        "Exterior2nd": np.where(rng.random(n_rows) < 0.88, siding, second_siding),
        "MasVnrType": np.where(veneer_sqft > 0, veneer, "None"),
        "MasVnrArea": veneer_sqft,
        "Foundation": pick(rng, era, foundations),
    }


def draw_floors(rng: np.random.Generator, houses: Houses) -> Houses:
    """Floor areas in sqft, by neighbourhood, quality and style; the living area is their sum."""
    style = houses["HouseStyle"]
    n_rows = len(style)
    log_size = np.log(typical(houses, "living_sqft")) + by_level(style, _LOG_SIZE)
    log_size += 0.09 * (houses["OverallQual"] - typical(houses, "quality")) + 0.20 * rng.standard_normal(n_rows)
    size = np.maximum(np.exp(log_size), 330)
    upper = whole(size * by_level(style, _UPPER_SHARE) * np.clip(rng.normal(1, 0.07, n_rows), 0.5, 1.5))
    first = whole(size) - upper
    has_low_quality = rng.random(n_rows) < np.where(era_of(houses) == 0, 0.05, 0.006)
    low_quality = np.where(has_low_quality, rng.integers(50, 571, n_rows), 0)
    living = first + upper + low_quality
    return {"1stFlrSF": first, "2ndFlrSF": upper, "LowQualFinSF": low_quality, "GrLivArea": living}
