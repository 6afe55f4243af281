"""A synthetic Ames: Kaggle's columns, levels and gaps, a price function that is known, a noise that is known.

No row comes from the real data; shares and typical values are rounded from the public descriptions of Ames and from
Kaggle's training file. A model's log-RMSE on the sample can be held against `NOISE_FLOOR`, the best that any model can
expect.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.sample_price import log_price
from houseprices.data.schema import FEATURES, ID, NOT_APPLICABLE, PRICE
from houseprices.errors import DataError, SettingsError
from houseprices.files import replacing, sha256_of, write_json

Column = NDArray[Any]

NOTE = "sample.json"
"""Stands beside a sample's CSV files and holds their checksums, so that a run knows what it was trained on."""

NOISE_FLOOR: float = 0.10
"""Standard deviation of the noise in the log price: the best log-RMSE that any model can expect."""

GAPS = {"MasVnrType": 0.005, "Electrical": 0.001}
"""Share of rows with a true gap; a gap in MasVnrType takes MasVnrArea along, and LotFrontage has a rule of its own."""
TEST_GAPS = dict.fromkeys(
    ("MSZoning", "Utilities", "Exterior1st", "Exterior2nd", "KitchenQual", "Functional", "SaleType"), 0.001
)

_NEIGHBORHOODS = """
name    percent year sd   quality living lot   two_storey townhouse zones
Blmngtn 1.2     2005 1.5  7.2     1480   3200  0.02       0.94      RL:94,RM:6
Blueste 0.3     1980 2    6.0     1350   1700  0.80       0.98      RM:90,RL:10
BrDale  1.1     1971 1.5  5.7     1130   1700  0.98       0.99      RM:100
BrkSide 4.0     1930 12   5.1     1200   6300  0.10       0.00      RM:52,RL:48
ClearCr 1.9     1967 17   5.9     1750   17500 0.29       0.00      RL:100
CollgCr 10.3    2001 7    6.7     1490   9300  0.37       0.07      RL:93,RM:7
Crawfor 3.5     1941 21   6.3     1700   11300 0.38       0.06      RL:90,RM:6,RH:4
Edwards 6.8     1955 24   5.1     1220   9000  0.14       0.07      RL:90,RM:8,RH:2
Gilbert 5.4     2000 6    6.6     1600   9900  0.75       0.00      RL:100
IDOTRR  2.5     1923 13   4.8     1130   7900  0.14       0.00      RM:76,C_(all):24
MeadowV 1.2     1972 3    4.5     1060   2000  0.47       0.98      RM:100
Mitchel 3.4     1982 13   5.6     1230   9900  0.08       0.08      RL:90,RM:10
NAmes   15.4    1960 9    5.4     1240   9500  0.10       0.01      RL:99,RH:1
NPkVill 0.6     1976 1.5  6.0     1300   2400  0.55       0.98      RL:100
NWAmes  5.0     1976 7    6.3     1650   11000 0.40       0.00      RL:100
NoRidge 2.8     1995 3    7.9     2350   12000 0.80       0.00      RL:100
NridgHt 5.3     2007 2.5  8.2     1860   11500 0.34       0.28      RL:99,RM:1
OldTown 7.7     1921 21   5.4     1370   7800  0.28       0.00      RM:84,RL:15,C_(all):1
SWISU   1.7     1926 10   5.4     1620   7700  0.28       0.00      RL:80,RH:20
Sawyer  5.1     1966 10   5.1     1140   9600  0.08       0.00      RL:97,RM:3
SawyerW 4.0     1990 11   6.3     1580   9300  0.42       0.12      RL:92,RH:8
Somerst 5.9     2006 3    7.3     1560   8500  0.55       0.30      FV:76,RL:24
StoneBr 1.7     2002 7    8.1     1750   7200  0.28       0.45      RL:100
Timber  2.6     2000 10   7.1     1680   12700 0.26       0.00      RL:100
Veenker 0.8     1978 8    6.7     1480   11200 0.10       0.25      RL:100
"""
"""What is typical of each neighbourhood: percent of the houses, years, sqft, shares of some types, weights of zones."""

_CONDITIONS = "Norm: 86.3, Feedr: 5.5, Artery: 3.3, RRAn: 1.8, PosN: 1.3, RRAe: 0.8, PosA: 0.6, RRNn: 0.3, RRNe: 0.2"
_GARAGE_STATES = "TA: 84 95 98 99.5, Fa: 12 3.5 1 0.1, Gd: 2 1 0.7 0.2, Po: 1.5 0.3 0.1 0.1, Ex: 0.5 0.2 0.2 0.1"
_WEIGHTS = {
    "Street": "Pave: 99.6, Grvl: 0.4",
    "Alley": "NA: 83 97.5 97.5 97.5, Grvl: 13 0.6 0.6 0.6, Pave: 4 1.9 1.9 1.9",
    "Utilities": "AllPub: 99.93, NoSeWa: 0.07",
    "LotConfig": "Inside: 72, Corner: 18, CulDSac: 6.5, FR2: 3.2, FR3: 0.3",
    "LotShape": "Reg: 63, IR1: 33, IR2: 3, IR3: 1",
    "LandContour": "Lvl: 90, Bnk: 4, HLS: 3.5, Low: 2.5",
    "LandSlope": "Gtl: 94.6, Mod: 4.5, Sev: 0.9",
    "Condition1": _CONDITIONS,
    "Condition2": "Norm: 99, Feedr: 0.4, Artery: 0.2, RRNn: 0.1, PosN: 0.1, PosA: 0.1, RRAn: 0.05, RRAe: 0.05",
    "RoofStyle": "Gable: 78.1, Hip: 19.6, Flat: 0.9, Gambrel: 0.8, Mansard: 0.5, Shed: 0.2",
    "RoofMatl": "CompShg: 98.2, Tar&Grv: 0.7, WdShngl: 0.4, WdShake: 0.3, Metal: 0.1, Membran: 0.1, Roll: 0.1, "
    "ClyTile: 0.1",
    "Exterior1st": "VinylSd: 17 11 8 72, HdBoard: 2 10 31 7, MetalSd: 26 23 11 7, Wd Sdng: 36 28 10 1, "
    "Plywood: 1 5 28 1, CemntBd: 1 1 5 6, BrkFace: 4 10 5 1, WdShing: 3 4 1 1, Stucco: 6 1 1 1, AsbShng: 4 3 0 0",
    "Foundation": "BrkTil: 50 1 0 0, CBlock: 33 88 88 7, PConc: 14 7 9 92.4, Slab: 1 4 3 0.3, Stone: 2 0 0 0, "
    "Wood: 0 0 0 0.3",
    "Heating": "GasA: 91 98 99.3 99.6, GasW: 5 1 0.5 0.4, Grav: 2 0.4 0.1 0, Wall: 1 0.4 0.1 0, OthW: 0.5 0.1 0 0, "
    "Floor: 0.5 0.1 0 0",
    "CentralAir": "Y: 78 92 97 99.7, N: 22 8 3 0.3",
    "Electrical": "SBrkr: 73 82 98 99.8, FuseA: 18 15 1.8 0.2, FuseF: 8 2 0.2 0, FuseP: 0.8 0.3 0 0, Mix: 0.2 0.2 0 0",
    "PavedDrive": "Y: 75 92 96 99.3, N: 20 5 2 0.5, P: 5 3 2 0.2",
    "Functional": "Typ: 93.2, Min2: 2.3, Min1: 2.1, Mod: 1, Maj1: 0.95, Maj2: 0.35, Sev: 0.1",
    "BsmtExposure": "No: 67, Av: 15.5, Gd: 9.5, Mn: 8",
    "BsmtFinType1": "GLQ: 5 9 15 47, ALQ: 11 21 28 8, BLQ: 12 16 17 3, Rec: 13 22 13 1.5, LwQ: 8 7 8 1.5, "
    "Unf: 51 25 19 39",
    "BsmtFinType2": "Rec: 32, LwQ: 28, BLQ: 20, ALQ: 12, GLQ: 8",
    "GarageType": "Attchd: 11 60 72 83, Detchd: 70 25 18 5, BuiltIn: 1 2 2 10.5, Basment: 1.5 4 0.8 0.5, "
    "CarPort: 0.7 1 1.3 0.1, 2Types: 0.8 1 0.4 0.1, NA: 15 7 5.5 0.8",
    "GarageQual": _GARAGE_STATES,
    "GarageCond": _GARAGE_STATES,
    "PoolQC": "Gd: 40, Ex: 30, Fa: 30",
    "Fence": "NA: 73 73 73 93, MnPrv: 15 15 15 4.5, GdPrv: 6 6 6 2, GdWo: 5 5 5 0.5, MnWw: 1 1 1 0",
    "MiscFeature": "NA: 96.3, Shed: 3.3, Gar2: 0.15, Othr: 0.15, TenC: 0.1",
    "SaleType": "WD: 95, COD: 3.2, ConLD: 0.7, ConLI: 0.4, ConLw: 0.4, CWD: 0.3, Oth: 0.2, Con: 0.2",
    "SaleCondition": "Normal: 89.6, Abnorml: 7.5, Family: 1.6, Alloca: 0.9, AdjLand: 0.3, Partial: 0.1",
}
"""Weights of the levels, one for all houses or one for each era: before 1946, to 1960, to 1985, since."""

_ERA_STARTS = (1946, 1961, 1986)
_QUALITY = ("OverallQual", 0.8, "Fa TA Gd Ex", (3, 6.4, 8.9))
_GRADES: dict[str, tuple[str, float, str, tuple[float, ...]]] = {
    "ExterQual": _QUALITY,
    "KitchenQual": _QUALITY,
    "BsmtQual": _QUALITY,
    "HeatingQC": ("OverallQual", 1.5, "Fa TA Gd Ex", (2.5, 5, 6.2)),
    "FireplaceQu": ("OverallQual", 1.6, "Po Fa TA Gd Ex", (2.7, 3.7, 6.1, 10)),
    "GarageFinish": ("OverallQual", 1.3, "Unf RFn Fin", (5.7, 7.5)),
    "ExterCond": ("OverallCond", 1.0, "Po Fa TA Gd Ex", (0.5, 2.8, 7.2, 9.8)),
    "BsmtCond": ("OverallCond", 1.2, "Po Fa TA Gd", (0.7, 2.9, 8.2)),
}
"""A grade follows a rating: its name, the spread around it, the levels and the bounds between them."""

_STYLES = {  # floors above the first as a share of the area, logarithm of the area against the neighbourhood's
    "1Story": (0.0, -0.09), "2Story": (0.465, 0.12), "1.5Fin": (0.35, 0.06), "1.5Unf": (0.0, -0.25),
    "2.5Fin": (0.45, 0.5), "2.5Unf": (0.46, 0.28), "SFoyer": (0.03, -0.26), "SLvl": (0.14, -0.04),
}  # fmt: skip
_SUBCLASSES = {"1Story": "20", "2Story": "60", "1.5Fin": "50", "1.5Unf": "45", "2.5Fin": "75", "2.5Unf": "75",
               "SFoyer": "85", "SLvl": "80"}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A synthetic competition.

    Attributes:
        train: (n_rows, 81): Id, the 79 features and SalePrice in whole dollars, as in Kaggle's train.csv.
        test: (n_test_rows, 80): the same without SalePrice; its Ids follow on.
        noise: standard deviation of the log price's noise.

    The level NA, "the house has none", is the text "NA"; a true gap is a missing value, and so is GarageYrBlt where
    there is no garage. On disk all of them read NA. MSSubClass is text: its digits are a code.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    noise: float


def draw_sample(n_rows: int = 1460, n_test_rows: int = 1459, seed: int = 0) -> Sample:
    """Draw a sample; the same arguments give the same rows.

    The two parts have a random stream each, so the training rows don't depend on `n_test_rows`.

    Raises:
        SettingsError: a number of rows is below 1, or the seed below 0.
    """
    for name, value, lowest in (("n_rows", n_rows, 1), ("n_test_rows", n_test_rows, 1), ("seed", seed, 0)):
        if value < lowest:
            raise SettingsError(f"{name} must be at least {lowest}, got {value}")
    train_rng, test_rng = np.random.default_rng(seed).spawn(2)
    train = draw_houses(train_rng, n_rows)
    noisy_log_price = log_price(train) + train_rng.normal(0, NOISE_FLOOR, n_rows)
    train = _with_gaps(train_rng, train, GAPS)
    train[PRICE] = np.rint(np.exp(noisy_log_price)).astype(np.int64)
    test = _with_gaps(test_rng, draw_houses(test_rng, n_test_rows), GAPS | TEST_GAPS)
    train.insert(0, ID, np.arange(1, n_rows + 1))
    test.insert(0, ID, np.arange(n_rows + 1, n_rows + n_test_rows + 1))
    return Sample(train, test, NOISE_FLOOR)


def write_sample(folder: Path, n_rows: int = 1460, n_test_rows: int = 1459, seed: int = 0) -> Sample:
    """Write train.csv, test.csv and sample_submission.csv in Kaggle's layout, and a note; all or none.

    The sample submission prices each test house at the median of the training prices.

    Raises:
        SettingsError: as `draw_sample`.
        DataError: the folder cannot be written.
    """
    sample = draw_sample(n_rows, n_test_rows, seed)
    submission = pd.DataFrame({ID: sample.test[ID], PRICE: float(sample.train[PRICE].median())})
    tables = {"train.csv": sample.train, "test.csv": sample.test, "sample_submission.csv": submission}
    with replacing(*(folder / name for name in (*tables, NOTE)), error=DataError) as (*files, note):
        for table, file in zip(tables.values(), files, strict=True):
            table.to_csv(file, index=False, na_rep="NA", lineterminator="\n")
        sha256 = {file.name: sha256_of(file) for file in files[:2]}
        write_json(note, {"synthetic": True, "noise": NOISE_FLOOR, "seed": seed, "sha256": sha256})
    return sample


def draw_houses(rng: np.random.Generator, n_rows: int) -> pd.DataFrame:
    """Draw complete houses, without Id, price or true gaps: (n_rows, 79), columns in Kaggle's order."""
    town = pd.read_csv(io.StringIO(_NEIGHBORHOODS), sep=r"\s+", index_col="name")
    everyone = np.zeros(n_rows, dtype=np.int64)

    def normal(spread: float) -> Column:
        return spread * rng.standard_normal(n_rows)

    def chance(share: Column | float) -> Column:
        return rng.random(n_rows) < share

    def area(share: Column | float, median: float, log_sd: float) -> Column:
        return np.where(chance(share), _whole(np.maximum(10, median * np.exp(normal(log_sd)))), 0)

    neighborhood = _pick(rng, everyone, ", ".join(f"{name}: {share}" for name, share in town["percent"].items()))
    typical = {name: town[name].reindex(neighborhood).to_numpy() for name in town.columns}
    h: dict[str, Column] = {"Neighborhood": neighborhood}

    # Years: built no later than sold, remodelled in between; the records of remodelling begin in 1950, those of sales
    # end in July 2010.
    sold = _pick(rng, everyone, "2006: 314, 2007: 329, 2008: 304, 2009: 338, 2010: 175").astype(np.int64)
    months = "1: 3 3, 2: 3 3, 3: 6 6, 4: 8 8, 5: 12 12, 6: 15 15, 7: 14 3, 8: 7 0, 9: 4 0, 10: 5 0, 11: 5 0, 12: 4 0"
    drawn = _whole(typical["year"] + typical["sd"] * rng.standard_normal(n_rows))
    built = np.minimum(1872 + np.abs(drawn - 1872), sold)
    earliest = np.maximum(built, 1950)
    later = earliest + np.floor((sold - earliest + 1) * np.sqrt(rng.random(n_rows))).astype(np.int64)
    remodelled = np.where(chance(0.25 + 0.35 * np.minimum((sold - built) / 60, 1)), later, earliest)
    h |= {"YrSold": sold, "YearBuilt": built, "YearRemodAdd": remodelled}
    h["MoSold"] = _pick(rng, (sold == 2010).astype(np.int64), months).astype(np.int64)
    era = np.searchsorted(_ERA_STARTS, built, side="right")

    # Levels, then ratings and the grades that follow them.
    h |= {name: _pick(rng, era, weights) for name, weights in _WEIGHTS.items()}
    zones = {name: _pick(rng, everyone, text.replace("_", " ")) for name, text in town["zones"].items()}
    h["MSZoning"] = np.array([zones[name][row] for row, name in enumerate(neighborhood)], dtype=object)
    h["Exterior2nd"] = np.where(chance(0.88), h["Exterior1st"], _pick(rng, everyone, _WEIGHTS["Exterior1st"]))
    quality = _count(typical["quality"] + 0.012 * (built - typical["year"]) + 0.72 * rng.standard_t(8, n_rows), 1, 10)
    is_average = chance(np.where(sold - built < 15, 0.92, 0.2))
    h |= {"OverallQual": quality, "OverallCond": np.where(is_average, 5, _count(6 + normal(1.2), 1, 9))}
    for name, (rating, spread, levels, bounds) in _GRADES.items():
        newness = 0.02 * (remodelled - 1985) if rating == "OverallQual" else 0
        score = h[rating] + newness + normal(spread)
        h[name] = np.array(levels.split(), dtype=object)[np.searchsorted(bounds, score)]

    # The dwelling's type and floors; the living area is their sum.
    is_townhouse = chance(typical["townhouse"])
    detached = _pick(rng, era, "1Fam: 92 94 90 98.5, 2fmCon: 7 2 0.5 0.1, Duplex: 1 4 9.5 1.4")
    building = np.where(is_townhouse, _pick(rng, everyone, "TwnhsE: 73, Twnhs: 27"), detached)
    others = "1Story: 40 82 79 92, 1.5Fin: 45 13 1 2, 1.5Unf: 5 1 0 0, 2.5Fin: 3 0 0 0, 2.5Unf: 6 0 0 0, "
    others += "SFoyer: 0.5 0.5 8 2.5, SLvl: 0.5 4 12 3.3"
    style = np.where(chance(typical["two_storey"]), "2Story", _pick(rng, era, others))
    subclass = pd.Series(style).map(_SUBCLASSES).to_numpy(dtype=object)
    subclass = np.where(is_townhouse, np.where(style == "1Story", "120", "160"), subclass)
    subclass = np.select([building == "Duplex", building == "2fmCon"], ["90", "190"], subclass)
    upper_share, log_size = (pd.Series(style).map(_STYLES).str[place].to_numpy(dtype=np.float64) for place in (0, 1))
    log_size = log_size + np.log(typical["living"]) + 0.09 * (quality - typical["quality"]) + normal(0.2)
    size = _whole(np.maximum(np.exp(log_size), 330))
    upper = _whole(size * upper_share * np.clip(1 + normal(0.07), 0.5, 1.5))
    low_quality = np.where(chance(np.where(era == 0, 0.05, 0.006)), rng.integers(50, 571, n_rows), 0)
    living = size + low_quality
    h |= {"BldgType": building, "HouseStyle": style, "MSSubClass": subclass, "GrLivArea": living}
    h |= {"1stFlrSF": size - upper, "2ndFlrSF": upper, "LowQualFinSF": low_quality}

    # The lot, with a heavy tail.
    stretch = 1 + np.where(chance(0.04), rng.pareto(1.5, n_rows), 0)
    lot = np.clip(typical["lot"] * stretch * np.exp(normal(0.24)), 1300, 250_000)
    frontage = 0.69 * np.sqrt(lot) * np.where(h["LotConfig"] == "CulDSac", 0.8, 1) * np.exp(normal(0.2))
    h |= {"LotArea": _whole(lot), "LotFrontage": _count(frontage, 21, 313)}

    # The basement: its areas add up; all NA or 0 where there is none.
    has_basement = chance(np.where(h["Foundation"] == "Slab", 0.1, 0.99))
    total = np.where(has_basement, _whole(h["1stFlrSF"] * np.exp(-0.04 + normal(0.11))), 0)
    is_finished = has_basement & (h["BsmtFinType1"] != "Unf")
    share = np.minimum(1, 1.1 * rng.beta(2.5, 1.5, n_rows))
    first = np.where(is_finished, np.maximum(1, _whole(total * share)), 0)
    has_second = is_finished & (total - first > 100) & chance(np.where(era == 3, 0.05, 0.33))
    second = np.where(has_second, _whole((total - first) * rng.uniform(0.1, 1, n_rows)), 0)
    h["BsmtFinType2"] = np.where(has_second, h["BsmtFinType2"], "Unf")
    h |= {"BsmtFinSF1": first, "BsmtFinSF2": second, "BsmtUnfSF": total - first - second, "TotalBsmtSF": total}
    h["BsmtFullBath"] = rng.binomial(2, np.where(is_finished, 0.32, 0.02 * has_basement))
    h["BsmtHalfBath"] = rng.binomial(2, np.where(is_finished, 0.04, 0.002 * has_basement))

    # Rooms follow the living area.
    bedrooms = _count(1.65 + living / 1250 + normal(0.65), 0, 8)
    h |= {"BedroomAbvGr": bedrooms, "KitchenAbvGr": np.where(building == "Duplex", 2, 1)}
    h["FullBath"] = _count(0.42 + living / 1500 + 0.4 * (built >= 1980) + normal(0.3), 0, 3)
    h["HalfBath"] = rng.binomial(2, np.where(style == "2Story", 0.38, 0.1))
    h["TotRmsAbvGrd"] = np.maximum(_count(1.4 + 0.8 * bedrooms + living / 560 + normal(0.6), 2, 15), bedrooms + 1)
    h["Fireplaces"] = _count(-0.75 + 0.12 * quality + living / 2700 + normal(0.6), 0, 3)

    # The garage, built no earlier than the house; what lies around; the sale, partial where the house is new.
    n_cars = _count(0.2 + 0.24 * quality + 0.3 * (era == 3) + normal(0.5), 1, 4)
    is_added = chance(np.where(h["GarageType"] == "Detchd", 0.6, 0.06))
    h["GarageYrBlt"] = built + is_added * np.floor((sold - built + 1) * rng.random(n_rows))
    h |= {"GarageCars": n_cars, "GarageArea": _whole((40 + 250 * n_cars) * np.exp(normal(0.17)))}
    p_outside = np.clip(0.3 + 0.25 * (era == 3) + 0.07 * (quality - 5), 0.1, 0.9)
    h |= {"WoodDeckSF": area(p_outside, 175, 0.5), "OpenPorchSF": area(p_outside, 68, 0.65)}
    h |= {"EnclosedPorch": area(np.where(era == 0, 0.38, 0.06), 140, 0.5), "3SsnPorch": area(0.016, 180, 0.4)}
    h |= {"ScreenPorch": area(0.08, 180, 0.4), "PoolArea": area(0.005, 600, 0.2)}
    h["MiscVal"] = area((h["MiscFeature"] != NOT_APPLICABLE).astype(float), 500, 0.8)
    h["MasVnrArea"] = area(np.clip(0.12 * (quality - 2.9) + 0.1 * (era == 2), 0.05, 0.85), 200, 0.7)
    veneer = _pick(rng, (quality >= 7).astype(np.int64), "BrkFace: 88 66, Stone: 8 33, BrkCmn: 4 1")
    h["MasVnrType"] = np.where(h["MasVnrArea"] > 0, veneer, "None")
    is_new = (built == sold) & chance(0.95)
    h["SaleType"] = np.where(is_new, "New", h["SaleType"])
    h["SaleCondition"] = np.where(is_new, np.where(chance(0.97), "Partial", "Normal"), h["SaleCondition"])

    has_garage = h["GarageType"] != NOT_APPLICABLE
    for columns, present in (
        (("BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2"), has_basement),
        (("GarageFinish", "GarageQual", "GarageCond"), has_garage),
        (("FireplaceQu",), h["Fireplaces"] > 0),
        (("PoolQC",), h["PoolArea"] > 0),
    ):
        h |= {name: np.where(present, h[name], NOT_APPLICABLE) for name in columns}
    h |= {name: np.where(has_garage, h[name], 0) for name in ("GarageCars", "GarageArea")}
    h["GarageYrBlt"] = np.where(has_garage, h["GarageYrBlt"], np.nan)
    # GarageYrBlt is the one number without a value where the house has none.
    return pd.DataFrame({feature.name: h[feature.name] for feature in FEATURES}).astype({"GarageYrBlt": "Int64"})


def _pick(rng: np.random.Generator, group: Column, text: str) -> Column:
    """Draw levels in proportion to their weights, "level: weight of each group, ..": (n_rows,)."""
    pairs = [item.rsplit(":", 1) for item in text.split(",")]
    levels = np.array([level.strip() for level, _ in pairs], dtype=object)
    bounds = np.cumsum(np.array([weights.split() for _, weights in pairs], dtype=float), axis=0)
    if bounds.shape[1] == 1:
        group = np.zeros(len(group), dtype=np.int64)
    # The last bound is left out, so that a draw which rounds up to the total still gets the last level.
    draws = rng.random(len(group)) * bounds[-1, group]
    drawn: Column = levels[(draws >= bounds[:-1, group]).sum(axis=0)]
    return drawn


def _whole(values: Column) -> Column:
    return np.rint(values).astype(np.int64)


def _count(values: Column, low: int, high: int) -> Column:
    return np.clip(_whole(values), low, high)


def _with_gaps(rng: np.random.Generator, houses: pd.DataFrame, shares: dict[str, float]) -> pd.DataFrame:
    """Return a copy with true gaps: the frontage, more often where the lot is irregular, and `shares` of others."""
    n_rows = len(houses)
    gapped = houses.astype({"LotFrontage": "Int64", "MasVnrArea": "Int64"})
    p_frontage = np.where(houses["LotShape"] == "Reg", 0.10, 0.30)
    gapped.loc[rng.random(n_rows) < p_frontage, "LotFrontage"] = pd.NA
    for name, share in shares.items():
        rows = rng.random(n_rows) < share
        gapped.loc[rows, [name, "MasVnrArea"] if name == "MasVnrType" else [name]] = pd.NA
    return gapped
