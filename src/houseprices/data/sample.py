"""A synthetic Ames: Kaggle's columns, levels and gaps, a price function that is known, a noise that is known.

No row comes from the real data; shares and typical values are rounded from the public descriptions of Ames and from
Kaggle's training file. A model's log-RMSE on the sample can be held against `NOISE_FLOOR`, the best that any model can
expect.
"""

import io
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

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

_STYLES = {
    "1Story": (0.0, -0.09, "20"), "2Story": (0.465, 0.12, "60"), "1.5Fin": (0.35, 0.06, "50"),
    "1.5Unf": (0.0, -0.25, "45"), "2.5Fin": (0.45, 0.5, "75"), "2.5Unf": (0.46, 0.28, "75"),
    "SFoyer": (0.03, -0.26, "85"), "SLvl": (0.14, -0.04, "80"),
}  # fmt: skip
"""A style's floors above the first as a share of the area, log of the area against the neighbourhood's, MSSubClass."""


class Sample(NamedTuple):
    """A synthetic competition: (n_rows, 81) with Id and SalePrice, and (n_test_rows, 80) whose Ids follow on.

    The level NA, "the house has none", is the text "NA"; a true gap is a missing value, and so is GarageYrBlt where
    there is no garage. On disk all of them read NA. MSSubClass is text: its digits are a code.
    """

    train: pd.DataFrame
    test: pd.DataFrame


def draw_sample(n_rows: int = 1460, n_test_rows: int = 1459, seed: int = 0) -> Sample:
    """Draw a sample; the same arguments give the same rows, and the training rows do not depend on `n_test_rows`.

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
    return Sample(train, test)


def write_sample(folder: Path, n_rows: int = 1460, n_test_rows: int = 1459, seed: int = 0) -> Sample:
    """Write train.csv, test.csv and sample_submission.csv in Kaggle's layout, and a note; all or none.

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
    tables = tomllib.loads((resources.files("houseprices.data") / "town.toml").read_text("utf-8"))
    weights, town = tables["weights"], pd.read_csv(io.StringIO(tables["neighborhoods"]), sep=r"\s+", index_col="name")
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
    h |= {name: _pick(rng, era, text) for name, text in weights.items()}
    zones = {name: _pick(rng, everyone, text.replace("_", " ")) for name, text in town["zones"].items()}
    h["MSZoning"] = np.array([zones[name][row] for row, name in enumerate(neighborhood)], dtype=object)
    h["Exterior2nd"] = np.where(chance(0.88), h["Exterior1st"], _pick(rng, everyone, weights["Exterior1st"]))
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
    upper_share, log_size, subclass = pd.DataFrame(_STYLES)[style].to_numpy()
    subclass = np.where(is_townhouse, np.where(style == "1Story", "120", "160"), subclass)
    subclass = np.select([building == "Duplex", building == "2fmCon"], ["90", "190"], subclass)
    log_size = log_size.astype(float) + np.log(typical["living"]) + 0.09 * (quality - typical["quality"]) + normal(0.2)
    size = _whole(np.maximum(np.exp(log_size), 330))
    upper = _whole(size * upper_share.astype(float) * np.clip(1 + normal(0.07), 0.5, 1.5))
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
