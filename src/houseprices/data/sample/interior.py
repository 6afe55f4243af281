"""What is inside: the basement, rooms and services."""

import numpy as np

from houseprices.data.sample.draws import Houses, count, grade, pick, whole
from houseprices.data.sample.history import era_of
from houseprices.data.schema import NOT_APPLICABLE


def draw_basement(rng: np.random.Generator, houses: Houses) -> Houses:
    """Grades, and areas that add up; all NA or 0 where the house has no basement, as on most slabs."""
    era = era_of(houses)
    n_rows = len(era)
    has_basement = rng.random(n_rows) > np.where(houses["Foundation"] == "Slab", 0.9, 0.01)
    total = np.where(has_basement, whole(houses["1stFlrSF"] * np.exp(rng.normal(-0.04, 0.11, n_rows))), 0)
    finishes = "GLQ: 5 9 15 47, ALQ: 11 21 28 8, BLQ: 12 16 17 3, Rec: 13 22 13 1.5, LwQ: 8 7 8 1.5, Unf: 51 25 19 39"
    finish = pick(rng, era, finishes)
    is_finished = has_basement & (finish != "Unf")
    # The bound of 1 gives some basements that are finished throughout.
    finished_share = np.minimum(1, 1.1 * rng.beta(2.5, 1.5, n_rows))
    first = np.where(is_finished, np.maximum(1, whole(total * finished_share)), 0)
    rest = total - first
    has_second = is_finished & (rest > 100) & (rng.random(n_rows) < np.where(era == 3, 0.05, 0.33))
    second = np.where(has_second, whole(rest * rng.uniform(0.1, 1, n_rows)), 0)
    second_finish = pick(rng, np.zeros(n_rows), "Rec: 32, LwQ: 28, BLQ: 20, ALQ: 12, GLQ: 8")
    height = houses["OverallQual"] + (houses["YearBuilt"] - 1971) / 25 + 0.7 * rng.standard_normal(n_rows)
    dryness = houses["OverallCond"] + 1.2 * rng.standard_normal(n_rows)
    levels = {
        "BsmtQual": grade(height, "Fa TA Gd Ex", (1.8, 6.2, 9.4)),
        "BsmtCond": grade(dryness, "Po Fa TA Gd", (0.7, 2.9, 8.2)),
        "BsmtExposure": pick(rng, np.zeros(n_rows), "No: 67, Av: 15.5, Gd: 9.5, Mn: 8"),
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


def draw_rooms(rng: np.random.Generator, houses: Houses) -> Houses:
    """Counts of rooms, which follow the living area."""
    area = houses["GrLivArea"]
    n_rows = len(area)
    baths = 0.42 + area / 1500 + 0.4 * (houses["YearBuilt"] >= 1980) + 0.3 * rng.standard_normal(n_rows)
    bedrooms = count(1.65 + area / 1250 + 0.65 * rng.standard_normal(n_rows), 0, 8)
    rooms = 1.4 + 0.8 * bedrooms + area / 560 + 0.6 * rng.standard_normal(n_rows)
    has_two_homes = np.isin(houses["BldgType"], ("Duplex", "2fmCon"))
    kitchens = pick(rng, has_two_homes, "1: 99.2 25, 2: 0.65 73.8, 3: 0.05 1, 0: 0.1 0.2")
    functions = "Typ: 93.2, Min2: 2.3, Min1: 2.1, Mod: 1, Maj1: 0.95, Maj2: 0.35, Sev: 0.1"
    return {
        "FullBath": count(baths, 0, 3),
        "HalfBath": rng.binomial(2, np.where(houses["HouseStyle"] == "2Story", 0.38, 0.1)),
        "BedroomAbvGr": bedrooms,
        "KitchenAbvGr": kitchens.astype(np.int64),
        "TotRmsAbvGrd": np.maximum(count(rooms, 2, 15), bedrooms + 1),
        "Functional": pick(rng, np.zeros(n_rows), functions),
    }


def draw_services(rng: np.random.Generator, houses: Houses) -> Houses:
    """Heating, cooling, wiring and drive."""
    era = era_of(houses)
    heatings = (
        "GasA: 91 98 99.3 99.6, GasW: 5 1 0.5 0.3, Grav: 2 0.4 0.05 0.03, Wall: 1 0.4 0.1 0.03, "
        "OthW: 0.5 0.1 0.05 0.02, Floor: 0.5 0.1 0.03 0.02"
    )
    wirings = (
        "SBrkr: 73 82 98 99.8, FuseA: 18 15.5 1.8 0.1, FuseF: 8 2 0.2 0.05, FuseP: 0.8 0.3 0.05 0.03, "
        "Mix: 0.2 0.2 0.05 0.02"
    )
    return {
        "Heating": pick(rng, era, heatings),
        "CentralAir": pick(rng, era, "Y: 78 92 97 99.7, N: 22 8 3 0.3"),
        "Electrical": pick(rng, era, wirings),
        "PavedDrive": pick(rng, era, "Y: 75 92 96 99.3, N: 20 5 2 0.5, P: 5 3 2 0.2"),
    }
