"""What lies around and beside the dwelling: the lot, the garage and the extras."""

import numpy as np

from houseprices.data.sample.draws import Houses, count, grade, pick, sqft, whole
from houseprices.data.sample.history import era_of
from houseprices.data.sample.neighborhoods import NEIGHBORHOODS, typical
from houseprices.data.schema import NOT_APPLICABLE


def draw_lot(rng: np.random.Generator, houses: Houses) -> Houses:
    """The plot and its surroundings; the areas are heavy tailed."""
    n_rows = len(houses["Neighborhood"])
    everyone = np.zeros(n_rows)
    zone = np.empty(n_rows, dtype=object)
    for name, neighborhood in NEIGHBORHOODS.items():
        rows = houses["Neighborhood"] == name
        zone[rows] = pick(rng, np.zeros(rows.sum()), neighborhood.zones)
    config = pick(rng, everyone, "Inside: 72, Corner: 18, CulDSac: 6.5, FR2: 3.2, FR3: 0.3")
    stretch = 1 + np.where(rng.random(n_rows) < 0.04, rng.pareto(1.5, n_rows), 0)
    log_area = np.log(typical(houses, "lot_sqft") * stretch) + 0.24 * rng.standard_normal(n_rows)
    area = np.clip(np.exp(log_area), 1300, 250_000)
    frontage = 0.69 * np.sqrt(area) * np.where(config == "CulDSac", 0.8, 1) * np.exp(rng.normal(0, 0.2, n_rows))
    is_large = area > 20_000
    shapes = "Reg: 67 20 25 10, IR1: 31 68 50 50, IR2: 1.7 10 18 30, IR3: 0.3 2 7 10"
    slope = pick(rng, is_large, "Gtl: 95.8 70, Mod: 4 20, Sev: 0.2 10")
    conditions = "Norm: 86.3, Feedr: 5.5, Artery: 3.3, RRAn: 1.8, PosN: 1.3, RRAe: 0.8, PosA: 0.6, RRNn: 0.3, RRNe: 0.2"
    second_condition = pick(rng, everyone, conditions)
    return {
        "MSZoning": zone,
        "LotFrontage": count(frontage, 21, 313),
        "LotArea": whole(area),
        "Street": pick(rng, everyone, "Pave: 99.6, Grvl: 0.4"),
        "Alley": pick(rng, era_of(houses) == 0, "NA: 97.5 83, Grvl: 0.6 13, Pave: 1.9 4"),
        "LotShape": pick(rng, (config == "CulDSac") + 2 * is_large, shapes),
        "LandContour": pick(rng, slope != "Gtl", "Lvl: 93 30, Bnk: 3.4 20, HLS: 2.3 25, Low: 1.3 25"),
        "Utilities": pick(rng, everyone, "AllPub: 99.93, NoSeWa: 0.07"),
        "LotConfig": config,
        "LandSlope": slope,
        "Condition1": pick(rng, everyone, conditions),
        "Condition2": np.where(rng.random(n_rows) < 0.93, "Norm", second_condition),
    }


def draw_garage(rng: np.random.Generator, houses: Houses) -> Houses:
    """One car or more, built no earlier than the house; all NA or 0 where there is no garage."""
    era, quality, built = era_of(houses), houses["OverallQual"], houses["YearBuilt"]
    n_rows = len(era)
    kinds = (
        "Attchd: 11 60 72 83, Detchd: 70 25 18 5, BuiltIn: 1 2 2 10.5, Basment: 1.5 4 0.8 0.5, CarPort: 0.7 1 1.3 0.1, "
        "2Types: 0.8 1 0.4 0.1, NA: 15 7 5.5 0.8"
    )
    kind = pick(rng, era, kinds)
    has_garage = kind != NOT_APPLICABLE
    n_cars = count(0.2 + 0.24 * quality + 0.3 * (era == 3) + 0.5 * rng.standard_normal(n_rows), 1, 4)
    is_added = rng.random(n_rows) < np.where(kind == "Detchd", 0.6, 0.06)
    year = built + is_added * np.floor((houses["YrSold"] - built + 1) * rng.random(n_rows))
    finish = quality + (built - 1971) / 20 + 1.3 * rng.standard_normal(n_rows)
    states = "TA: 84 95 98 99.5, Fa: 12 3.5 1 0.1, Gd: 2 1 0.7 0.2, Po: 1.5 0.3 0.1 0.1, Ex: 0.5 0.2 0.2 0.1"
    levels = {
        "GarageFinish": grade(finish, "Unf RFn Fin", (5.7, 8.1)),
        "GarageQual": pick(rng, era, states),
        "GarageCond": pick(rng, era, states),
    }
    return {name: np.where(has_garage, level, NOT_APPLICABLE) for name, level in levels.items()} | {
        "GarageType": kind,
        "GarageYrBlt": np.where(has_garage, year, np.nan),
        "GarageCars": np.where(has_garage, n_cars, 0),
        "GarageArea": np.where(has_garage, whole((40 + 250 * n_cars) * np.exp(rng.normal(0, 0.17, n_rows))), 0),
    }


def draw_extras(rng: np.random.Generator, houses: Houses) -> Houses:
    """Fireplaces, decks, porches, pools, fences and sheds."""
    era, quality = era_of(houses), houses["OverallQual"]
    n_rows = len(era)
    is_modern = era == 3
    everyone = np.zeros(n_rows)
    fires = -0.75 + 0.12 * quality + houses["GrLivArea"] / 2700 + 0.6 * rng.standard_normal(n_rows)
    n_fireplaces = count(fires, 0, 3)
    fire_quality = grade(quality + 1.6 * rng.standard_normal(n_rows), "Po Fa TA Gd Ex", (2.7, 3.7, 6.1, 10))
    pool_sqft = np.where(rng.random(n_rows) < 0.005, rng.integers(480, 801, n_rows), 0)
    pool_quality = pick(rng, everyone, "Gd: 40, Ex: 30, Fa: 30")
    misc = pick(rng, everyone, "NA: 96.3, Shed: 3.3, Gar2: 0.15, Othr: 0.15, TenC: 0.1")
    fences = "NA: 73 93, MnPrv: 15 4.5, GdPrv: 5.5 1.9, GdWo: 5.4 0.5, MnWw: 1.1 0.1"
    p_deck = np.clip(0.3 + 0.2 * is_modern + 0.07 * (quality - 5), 0.1, 0.9)
    p_porch = np.clip(0.3 + 0.35 * is_modern + 0.07 * (quality - 5), 0.1, 0.9)
    return {
        "Fireplaces": n_fireplaces,
        "FireplaceQu": np.where(n_fireplaces > 0, fire_quality, NOT_APPLICABLE),
        "WoodDeckSF": sqft(rng, n_rows, p_deck, 175, 0.5),
        "OpenPorchSF": sqft(rng, n_rows, p_porch, 68, 0.65),
        "EnclosedPorch": sqft(rng, n_rows, np.where(era == 0, 0.38, 0.06), 140, 0.5),
        "3SsnPorch": sqft(rng, n_rows, 0.016, 180, 0.4),
        "ScreenPorch": sqft(rng, n_rows, 0.08, 180, 0.4),
        "PoolArea": pool_sqft,
        "PoolQC": np.where(pool_sqft > 0, pool_quality, NOT_APPLICABLE),
        "Fence": pick(rng, is_modern, fences),
        "MiscFeature": misc,
        "MiscVal": sqft(rng, n_rows, misc != NOT_APPLICABLE, 500, 0.8),
    }
