"""Numbers of a house computed by hand, and the laws of their scaling."""

import numpy as np
import pytest

from houseprices.data.schema import FEATURES
from houseprices.preprocessing.houses import POSITION, HouseArray
from houseprices.preprocessing.numbers import ENGINEERED, NUMBERS, Scaler, compute_numbers

HOUSE = {
    "GrLivArea": 1500, "TotalBsmtSF": 900, "BsmtFinSF1": 400, "BsmtFinSF2": 50, "OpenPorchSF": 30, "EnclosedPorch": 20,
    "3SsnPorch": 10, "ScreenPorch": 5, "WoodDeckSF": 100, "FullBath": 2, "BsmtFullBath": 1, "HalfBath": 1,
    "BsmtHalfBath": 2, "YrSold": 2009, "MoSold": 7, "YearBuilt": 1990, "YearRemodAdd": 2001, "GarageYrBlt": 1995,
    "GarageArea": 480, "2ndFlrSF": 0, "PoolArea": 0, "OverallQual": 7, "OverallCond": 5, "ExterQual": 3,
    "KitchenQual": 2, "BsmtQual": 4, "HeatingQC": 1, "LotFrontage": 60,
}  # fmt: skip
EXPECTED = {
    "GrLivArea": np.log(1501), "FullBath": 2, "KitchenQual": 2, "LogTotalArea": np.log(2401),
    "LogFinishedArea": np.log(1951), "LogOutdoorArea": np.log(166), "LogPorchArea": np.log(66), "TotalBaths": 4.5,
    "AgeAtSale": 19, "YearsSinceRemodel": 8, "GarageAge": 14, "SaleTime": 2009.5, "IsNew": 0, "IsRemodelled": 1,
    "HasBasement": 1, "HasGarage": 1, "HasSecondFloor": 0, "HasPool": 0, "QualityTimesLogArea": 7 * np.log(2401),
    "QualityTimesCondition": 35, "QualitySum": 10, "LotFrontageUnknown": 0,
}  # fmt: skip


def numbers(**changes: float) -> dict[str, float]:
    values = np.zeros((1, len(FEATURES)))
    for name, value in {**HOUSE, **changes}.items():
        values[0, POSITION[name]] = value
    filled = np.where(np.isnan(values), 70.0, values)
    computed = compute_numbers(HouseArray(values), HouseArray(filled))[0]
    return dict(zip((number.name for number in NUMBERS), computed, strict=True))


def test_numbers_of_a_house_computed_by_hand():
    assert {number.name for number in ENGINEERED} <= EXPECTED.keys()
    computed = numbers()
    assert {name: computed[name] for name in EXPECTED} == pytest.approx(EXPECTED, abs=1e-12)
    unknown = numbers(LotFrontage=np.nan)
    assert unknown["LotFrontageUnknown"] == 1
    assert unknown["LotFrontage"] == pytest.approx(np.log(71))


def test_flags_change_at_the_smallest_size_and_at_the_year_of_sale():
    changed = numbers(TotalBsmtSF=0, GarageArea=0, **{"2ndFlrSF": 1}, PoolArea=1, YearBuilt=2009, YearRemodAdd=2009)
    flags = ("HasBasement", "HasGarage", "HasSecondFloor", "HasPool", "IsNew", "IsRemodelled")
    assert [changed[flag] for flag in flags] == [0, 0, 1, 1, 1, 0]
    smallest = numbers(TotalBsmtSF=1, GarageArea=1)
    assert (smallest["HasBasement"], smallest["HasGarage"]) == (1, 1)
    assert numbers(YearBuilt=2010)["IsNew"] == 1  # finished after the sale
    assert numbers(YearBuilt=2008)["IsNew"] == 0


def test_scaled_training_rows_have_median_zero_and_interquartile_range_one_and_stay_within_the_clip():
    skewed = np.exp(np.random.default_rng(0).normal(size=(501, 3)) * [1, 2, 3])
    scaled = Scaler.fit(skewed, clip=1e9).transform(skewed)
    np.testing.assert_allclose(np.median(scaled, axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.subtract(*np.quantile(scaled, (0.75, 0.25), axis=0)), 1)
    assert 1.9 < np.abs(Scaler.fit(skewed, clip=2.0).transform(1e6 * skewed)).max() <= 2.0


def test_a_number_that_most_rows_share_is_divided_by_its_standard_deviation_and_a_constant_becomes_zero():
    rare = np.stack([np.arange(40) < 3, np.ones(40)], axis=1) * 1.0
    scaler = Scaler.fit(rare, clip=1e9)
    np.testing.assert_allclose(scaler.transform(rare)[:, 0], rare[:, 0] / rare[:, 0].std())
    assert (scaler.transform(rare + 5.0)[:, 1] == 0).all()
