"""Laws of the synthetic Ames: its columns and levels, its houses' consistency, its gaps, its price and its noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprices.data import sample_price
from houseprices.data.sample import GAPS, NOISE_FLOOR, TEST_GAPS, Sample, draw_houses, draw_sample, write_sample
from houseprices.data.sample_price import log_price
from houseprices.data.schema import FEATURES, ID, NOT_APPLICABLE, PRICE
from houseprices.errors import SettingsError

NAMES = [feature.name for feature in FEATURES]
FILES = ("train.csv", "test.csv", "sample_submission.csv")
MAY_HAVE_GAPS = {"LotFrontage", "MasVnrArea", *GAPS}


@pytest.fixture(scope="module")
def houses() -> pd.DataFrame:
    return draw_houses(np.random.default_rng(1), 20_000)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return draw_sample(n_rows=20_000, n_test_rows=20_000, seed=2)


# ---- consistency ----


def test_each_value_is_one_the_schema_accepts_and_none_is_missing(houses: pd.DataFrame) -> None:
    for feature in FEATURES:
        values = houses[feature.name]
        if feature.kind == "number":
            assert values.isna().equals(houses["GarageType"].eq("NA") & (feature.name == "GarageYrBlt"))
            assert values.dropna().between(feature.low, feature.high).all()
        else:
            assert set(values) <= set(feature.levels), feature.name


def test_areas_add_up(houses: pd.DataFrame) -> None:
    assert (houses["1stFlrSF"] + houses["2ndFlrSF"] + houses["LowQualFinSF"]).equals(houses["GrLivArea"])
    assert (houses["BsmtFinSF1"] + houses["BsmtFinSF2"] + houses["BsmtUnfSF"]).equals(houses["TotalBsmtSF"])
    for number in "12":
        is_finished = ~houses[f"BsmtFinType{number}"].isin(["Unf", NOT_APPLICABLE])
        assert (houses[f"BsmtFinSF{number}"] > 0).equals(is_finished)


def test_years_are_in_order(houses: pd.DataFrame) -> None:
    built, remodelled, sold = houses["YearBuilt"], houses["YearRemodAdd"], houses["YrSold"]
    garage = houses["GarageYrBlt"].dropna()
    assert (remodelled >= built.clip(lower=1950)).all()
    assert (remodelled <= sold).all()
    assert garage.between(built[garage.index], sold[garage.index]).all()
    assert sold.between(2006, 2010).all()
    assert houses.loc[sold == 2010, "MoSold"].max() <= 7


@pytest.mark.parametrize(
    ("key", "levels", "numbers"),
    [
        (
            "BsmtQual",
            ("BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2"),
            ("BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF", "BsmtFullBath", "BsmtHalfBath"),
        ),
        ("GarageType", ("GarageFinish", "GarageQual", "GarageCond"), ("GarageCars", "GarageArea")),
        ("FireplaceQu", (), ("Fireplaces",)),
        ("PoolQC", (), ("PoolArea",)),
        ("MiscFeature", (), ("MiscVal",)),
    ],
)
def test_a_house_without_one_says_so_in_every_column(
    houses: pd.DataFrame, key: str, levels: tuple[str, ...], numbers: tuple[str, ...]
) -> None:
    has_none = houses[key] == NOT_APPLICABLE
    assert 0 < has_none.sum() < len(houses)
    for name in levels:
        assert (houses[name] == NOT_APPLICABLE).equals(has_none)
    assert (houses.loc[has_none, list(numbers)] == 0).all(axis=None)
    assert (houses.loc[~has_none, list(numbers)] > 0).any(axis=1).all()


def test_gaps_stand_only_where_they_may(sample: Sample) -> None:
    for table, may_have_gaps in ((sample.train, MAY_HAVE_GAPS), (sample.test, MAY_HAVE_GAPS | set(TEST_GAPS))):
        # GarageYrBlt's missing value is no gap: the house has no garage.
        assert set(table.columns[table.isna().any()]) == may_have_gaps | {"GarageYrBlt"}
        assert table["GarageYrBlt"].isna().equals(table["GarageType"] == NOT_APPLICABLE)
        assert table["MasVnrType"].isna().equals(table["MasVnrArea"].isna())


# ---- price ----


def test_the_noise_around_the_price_function_is_the_documented_one_and_unrelated_to_it(sample: Sample) -> None:
    expected = log_price(sample.train)
    residual = np.log(sample.train[PRICE].to_numpy(float)) - expected
    n_rows = len(residual)
    assert abs(residual.mean()) < 4 * NOISE_FLOOR / np.sqrt(n_rows)
    assert abs(residual.std() - NOISE_FLOOR) < 4 * NOISE_FLOOR / np.sqrt(2 * n_rows)
    assert abs(np.corrcoef(residual, expected)[0, 1]) < 4 / np.sqrt(n_rows)
    # Of 20,000 normal draws some 9 lie beyond 3.5 standard deviations: clipped noise would have none.
    assert np.abs(residual).max() > 3.5 * NOISE_FLOOR


def test_the_price_function_reads_no_column_that_may_have_a_gap(sample: Sample) -> None:
    unread = sorted(MAY_HAVE_GAPS | set(TEST_GAPS))
    assert np.array_equal(log_price(sample.test.drop(columns=unread)), log_price(sample.test))


def test_the_price_of_one_house_worked_out_by_hand() -> None:
    plain: dict[str, object] = {
        "Neighborhood": "SawyerW", "GrLivArea": 1500, "TotalBsmtSF": 0, "BsmtFinSF1": 0, "BsmtFinSF2": 0,
        "OverallQual": 6, "OverallCond": 5, "YearBuilt": 2008, "YearRemodAdd": 2008, "YrSold": 2008, "GarageCars": 4,
        "GarageFinish": "Unf", "FullBath": 1, "BsmtFullBath": 0, "HalfBath": 1, "BsmtHalfBath": 0, "Fireplaces": 3,
        "CentralAir": "N", "LotArea": 9500, "SaleCondition": "Normal",
    }  # fmt: skip

    def priced(**changes: object) -> float:
        return float(log_price(pd.DataFrame([plain | changes]))[0])

    # The fourth car and the third fireplace add nothing.
    by_hand = sample_price.BASE + 3 * sample_price.GARAGE_CAR + 1.5 * sample_price.BATH + 2 * sample_price.FIREPLACE
    assert priced() == pytest.approx(by_hand)
    # Quality and neighbourhood bend the effect of size.
    slope = sample_price.LIVING + 3 * sample_price.LIVING_BY_QUALITY
    assert priced(OverallQual=9, GrLivArea=3000) - priced(OverallQual=9) == pytest.approx(slope * np.log(2))
    slope = sample_price.LIVING + sample_price.LIVING_BY_NEIGHBORHOOD * sample_price.NEIGHBORHOOD["IDOTRR"]
    there = {"Neighborhood": "IDOTRR"}
    assert priced(**there, GrLivArea=3000) - priced(**there) == pytest.approx(slope * np.log(2))
    # Age first hurts and then charms.
    assert priced(YearBuilt=1998) - priced() == pytest.approx(sample_price.AGE * np.log(2))
    assert priced(YearBuilt=1888) > priced(YearBuilt=1958)
    unfinished = priced(SaleCondition="Partial") - priced(SaleCondition="Partial", GarageFinish="Fin")
    assert unfinished == pytest.approx(sample_price.UNFINISHED)


# ---- seeds, sizes and files ----


def test_same_seed_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_sample(tmp_path / folder, n_rows=200, n_test_rows=100, seed=seed)
    for name in FILES:
        first, again, other = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert first == again
        assert first != other


def test_training_rows_depend_neither_on_the_number_of_test_rows_nor_on_their_houses() -> None:
    small, large = draw_sample(50, 1, seed=5), draw_sample(50, 70, seed=5)
    pd.testing.assert_frame_equal(small.train, large.train)
    assert large.train.merge(large.test, on=["LotArea", "1stFlrSF", "GarageArea"]).empty
    assert (large.train[ID].tolist(), large.test[ID].tolist()) == (list(range(1, 51)), list(range(51, 121)))
    assert (list(large.train), list(large.test)) == ([ID, *NAMES, PRICE], [ID, *NAMES])


def test_files_are_whole_and_in_kaggles_layout(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "sample"
    written = write_sample(folder, n_rows=300, n_test_rows=200, seed=8)
    assert sorted(path.name for path in folder.iterdir()) == sorted((*FILES, "sample.json"))
    train, test, submission = (pd.read_csv(folder / name, dtype=str, keep_default_na=False) for name in FILES)
    pd.testing.assert_frame_equal(train, written.train.astype(str).fillna("NA").replace("<NA>", "NA"))
    assert not (pd.concat([train, test]) == "").any(axis=None)
    assert submission[ID].equals(test[ID])
    assert submission[PRICE].astype(float).eq(written.train[PRICE].median()).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_rows": 0}, "n_rows must be at least 1, got 0"),
        ({"n_test_rows": -3}, "n_test_rows must be at least 1, got -3"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_refused_settings_are_named(settings: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"^{message}$"):
        write_sample(tmp_path / "none", **settings)
    assert not (tmp_path / "none").exists()


@pytest.mark.real_data
def test_no_house_is_a_real_one_and_the_town_is_about_as_large_and_dear(sample: Sample, real_data: Path) -> None:
    real = pd.read_csv(real_data / "train.csv")
    # Four areas in sqft tell the real houses apart, so a copy with other columns changed would be found, too.
    areas = ["LotArea", "1stFlrSF", "TotalBsmtSF", "GarageArea"]
    assert sample.train.merge(real, on=areas).empty
    for name in (*areas, "GrLivArea", "OverallQual", "YearBuilt", PRICE):
        assert abs(sample.train[name].median() / real[name].median() - 1) < 0.15, name
    assert 0.3 < np.log(sample.train[PRICE]).std() < 0.5
