"""Laws of the synthetic Ames: its columns and levels, its houses' consistency, its gaps, its price and its noise."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprices.data.sample import price as sample_price
from houseprices.data.sample.price import log_price
from houseprices.data.sample.town import draw_houses
from houseprices.data.sample.write import _GAPS, _TEST_GAPS, NOISE_FLOOR, Sample, draw_sample, write_sample
from houseprices.data.schema import FEATURES, ID, NOT_APPLICABLE, PRICE, Feature
from houseprices.errors import DataError, SettingsError

NAMES = [feature.name for feature in FEATURES]
FILES = ("train.csv", "test.csv", "sample_submission.csv")
MAY_HAVE_GAPS = {"LotFrontage", "MasVnrArea", *_GAPS}
REAL_DATA = os.environ.get("HOUSEPRICES_REAL_DATA")


@pytest.fixture(scope="module")
def houses() -> pd.DataFrame:
    return draw_houses(np.random.default_rng(1), 20_000)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return draw_sample(n_rows=20_000, n_test_rows=20_000, seed=2)


# ---- columns and levels ----


def test_columns_and_ids_are_kaggles(sample: Sample) -> None:
    assert list(sample.train) == [ID, *NAMES, PRICE]
    assert list(sample.test) == [ID, *NAMES]
    assert sample.train[ID].tolist() == list(range(1, 20_001))
    assert sample.test[ID].tolist() == list(range(20_001, 40_001))


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_each_value_is_one_the_schema_accepts_and_none_is_missing(houses: pd.DataFrame, feature: Feature) -> None:
    values = houses[feature.name]
    if feature.kind == "number":
        assert values.isna().equals(houses["GarageType"].eq("NA") & (feature.name == "GarageYrBlt"))
        assert values.dropna().between(feature.low, feature.high).all()
    else:
        assert set(values) <= set(feature.levels)


def test_the_price_is_in_whole_dollars_and_spread_as_in_ames(sample: Sample) -> None:
    price = sample.train[PRICE]
    assert price.dtype == np.int64
    assert 150_000 < price.median() < 180_000
    assert 0.35 < np.log(price).std() < 0.45


# ---- consistency ----


def test_areas_add_up(houses: pd.DataFrame) -> None:
    assert (houses["1stFlrSF"] + houses["2ndFlrSF"] + houses["LowQualFinSF"]).equals(houses["GrLivArea"])
    assert (houses["BsmtFinSF1"] + houses["BsmtFinSF2"] + houses["BsmtUnfSF"]).equals(houses["TotalBsmtSF"])


def test_years_are_in_order(houses: pd.DataFrame) -> None:
    built, remodelled, sold = houses["YearBuilt"], houses["YearRemodAdd"], houses["YrSold"]
    garage = houses["GarageYrBlt"].dropna()
    assert (remodelled >= built.clip(lower=1950)).all()
    assert (remodelled <= sold).all()
    assert (garage >= built[garage.index]).all()
    assert (garage <= sold[garage.index]).all()
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


@pytest.mark.parametrize("which", ["1", "2"])
def test_a_basement_has_finished_area_where_it_has_a_finish(houses: pd.DataFrame, which: str) -> None:
    is_finished = ~houses[f"BsmtFinType{which}"].isin(["Unf", NOT_APPLICABLE])
    assert (houses[f"BsmtFinSF{which}"] > 0).equals(is_finished)


def test_veneer_has_area_where_it_has_a_type(houses: pd.DataFrame) -> None:
    assert (houses["MasVnrArea"] > 0).equals(houses["MasVnrType"] != "None")


def test_a_new_house_is_sold_in_the_year_it_was_built_and_mostly_partial(houses: pd.DataFrame) -> None:
    is_new = houses["SaleType"] == "New"
    assert (houses.loc[is_new, "YearBuilt"] == houses.loc[is_new, "YrSold"]).all()
    assert (houses.loc[is_new, "SaleCondition"] == "Partial").mean() > 0.9
    assert (houses.loc[~is_new, "SaleCondition"] == "Partial").mean() < 0.01


def test_sizes_quality_and_year_are_correlated_as_they_are_in_ames(houses: pd.DataFrame) -> None:
    correlation = houses[["OverallQual", "YearBuilt", "GrLivArea", "1stFlrSF", "TotalBsmtSF"]].corr()
    assert correlation.loc["OverallQual", "YearBuilt"] > 0.4
    assert correlation.loc["OverallQual", "GrLivArea"] > 0.4
    assert correlation.loc["1stFlrSF", "TotalBsmtSF"] > 0.7


def test_lot_areas_are_heavy_tailed(houses: pd.DataFrame) -> None:
    assert houses["LotArea"].max() > 10 * houses["LotArea"].median()


# ---- gaps ----


def test_gaps_stand_only_where_they_may(sample: Sample) -> None:
    for table, may_have_gaps in ((sample.train, MAY_HAVE_GAPS), (sample.test, MAY_HAVE_GAPS | set(_TEST_GAPS))):
        # GarageYrBlt's missing value is no gap: the house has no garage.
        assert set(table.columns[table.isna().any()]) == may_have_gaps | {"GarageYrBlt"}
        assert table["GarageYrBlt"].isna().equals(table["GarageType"] == NOT_APPLICABLE)
        assert table["MasVnrType"].isna().equals(table["MasVnrArea"].isna())


def test_gaps_are_about_as_frequent_as_in_ames(sample: Sample) -> None:
    share = sample.test.isna().mean()
    assert 0.15 < share["LotFrontage"] < 0.20
    assert 0.003 < share["MasVnrType"] < 0.007
    assert share[["Electrical", *_TEST_GAPS]].between(0.0002, 0.002).all()


# ---- price ----


def test_the_residual_around_the_price_function_is_the_documented_noise(sample: Sample) -> None:
    residual = np.log(sample.train[PRICE].to_numpy(float)) - log_price(sample.train)
    n_rows = len(residual)
    assert sample.noise == NOISE_FLOOR
    assert abs(residual.mean()) < 4 * NOISE_FLOOR / np.sqrt(n_rows)
    assert abs(residual.std() - NOISE_FLOOR) < 4 * NOISE_FLOOR / np.sqrt(2 * n_rows)
    # Of 20,000 normal draws some 9 lie beyond 3.5 standard deviations: clipped noise would have none.
    assert np.abs(residual).max() > 3.5 * NOISE_FLOOR


def test_the_noise_is_unrelated_to_the_price_function(sample: Sample) -> None:
    expected = log_price(sample.train)
    residual = np.log(sample.train[PRICE].to_numpy(float)) - expected
    assert abs(np.corrcoef(residual, expected)[0, 1]) < 4 / np.sqrt(len(residual))


def test_the_price_function_reads_no_column_that_may_have_a_gap(sample: Sample) -> None:
    unread = sorted(MAY_HAVE_GAPS | set(_TEST_GAPS))
    assert np.array_equal(log_price(sample.test.drop(columns=unread)), log_price(sample.test))
    assert np.isfinite(log_price(sample.test)).all()


def test_the_price_function_follows_its_formula(houses: pd.DataFrame) -> None:
    before = log_price(houses)

    def effect(**changes: object) -> np.ndarray:
        return log_price(houses.assign(**changes)) - before

    quality = houses["OverallQual"].to_numpy(float)
    doubled = sample_price.LIVING_ELASTICITY + sample_price.QUALITY_TIMES_LIVING * (quality - 6)
    np.testing.assert_allclose(effect(GrLivArea=2 * houses["GrLivArea"]), doubled * np.log(2))
    lot = np.log(3) * sample_price.LOT_ELASTICITY
    np.testing.assert_allclose(effect(LotArea=3 * houses["LotArea"]), lot)
    np.testing.assert_allclose(effect(OverallCond=houses["OverallCond"] + 1), sample_price.CONDITION_POINT)
    np.testing.assert_allclose(effect(FullBath=houses["FullBath"] + 2), 2 * sample_price.BATH)
    discount = effect(SaleCondition="Abnorml") - effect(SaleCondition="Normal")
    np.testing.assert_allclose(discount, sample_price.SALE_CONDITION["Abnorml"])


def test_the_price_of_one_house_worked_out_by_hand() -> None:
    plain: dict[str, object] = {
        "Neighborhood": "SawyerW", "GrLivArea": 1500, "TotalBsmtSF": 0, "BsmtFinSF1": 0, "BsmtFinSF2": 0,
        "OverallQual": 6, "OverallCond": 5, "ExterQual": "TA", "BsmtQual": "NA", "YearBuilt": 2008,
        "YearRemodAdd": 2008, "YrSold": 2008, "GarageCars": 4, "FullBath": 1, "BsmtFullBath": 0, "HalfBath": 1,
        "BsmtHalfBath": 0, "Fireplaces": 3, "CentralAir": "N", "LotArea": 9500, "SaleCondition": "Normal",
    }  # fmt: skip
    # No basement's grade is one step below TA; the fourth car and the third fireplace add nothing.
    by_hand = (
        sample_price.BASE
        - sample_price.GRADE_STEP["BsmtQual"]
        + 3 * sample_price.GARAGE_CAR
        + 1.5 * sample_price.BATH
        + 2 * sample_price.FIREPLACE
    )
    assert log_price(pd.DataFrame([plain])) == pytest.approx([by_hand])
    aged = log_price(pd.DataFrame([plain | {"YearBuilt": 1998, "YearRemodAdd": 1988}]))
    by_hand += sample_price.AGE * np.log(2) + sample_price.YEARS_SINCE_REMODEL * np.log(3)
    assert aged == pytest.approx([by_hand])


# ---- seeds, sizes and files ----


def test_same_seed_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_sample(tmp_path / folder, n_rows=200, n_test_rows=100, seed=seed)
    for name in FILES:
        first, again, other = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert first == again
        assert first != other


def test_training_rows_do_not_depend_on_the_number_of_test_rows() -> None:
    pd.testing.assert_frame_equal(draw_sample(50, 1, seed=5).train, draw_sample(50, 70, seed=5).train)


def test_training_and_test_rows_are_different_houses() -> None:
    both = draw_sample(300, 300, seed=6)
    sizes = ["LotArea", "1stFlrSF", "GarageArea"]
    assert both.train.merge(both.test, on=sizes).empty


@pytest.mark.parametrize("n_rows", [1, 2, 37])
def test_any_number_of_rows(n_rows: int) -> None:
    small = draw_sample(n_rows, n_test_rows=n_rows + 1, seed=7)
    assert (len(small.train), len(small.test)) == (n_rows, n_rows + 1)
    assert small.test[ID].iloc[0] == n_rows + 1
    assert small.train[PRICE].gt(0).all()


def test_files_are_whole_and_in_kaggles_layout(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "sample"
    written = write_sample(folder, n_rows=300, n_test_rows=200, seed=8)
    assert sorted(path.name for path in folder.iterdir()) == sorted((*FILES, "sample.json"))
    train, test, submission = (pd.read_csv(folder / name, dtype=str, keep_default_na=False) for name in FILES)
    assert list(train) == [ID, *NAMES, PRICE]
    assert list(test) == [ID, *NAMES]
    assert list(submission) == [ID, PRICE]
    pd.testing.assert_frame_equal(train, written.train.astype(str).fillna("NA").replace("<NA>", "NA"))
    assert (test["PoolQC"] == "NA").any()
    assert (test["LotFrontage"] == "NA").any()
    assert (test["MasVnrType"] == "None").any()
    assert not (pd.concat([train, test]) == "").any(axis=None)
    assert submission[ID].equals(test[ID])
    assert submission[PRICE].astype(float).eq(written.train[PRICE].median()).all()


def test_a_failed_write_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sample(tmp_path, n_rows=5, n_test_rows=5, seed=9)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail_half_way(_table: pd.DataFrame, path: Path, **_options: object) -> None:
        path.write_text("Id,MSSub")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail_half_way)
    with pytest.raises(DataError, match="disk full; nothing was written"):
        write_sample(tmp_path, n_rows=5, n_test_rows=5, seed=10)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


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
        draw_sample(**settings)
    with pytest.raises(SettingsError, match=f"^{message}$"):
        write_sample(tmp_path / "none", **settings)
    assert not (tmp_path / "none").exists()


# ---- against the real data ----


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    assert REAL_DATA is not None
    return pd.read_csv(Path(REAL_DATA) / "train.csv", dtype=str, keep_default_na=False)


needs_real_data = pytest.mark.skipif(
    REAL_DATA is None, reason="HOUSEPRICES_REAL_DATA names no folder with Kaggle's train.csv"
)


@needs_real_data
@pytest.mark.real_data
def test_no_house_is_a_real_one(real: pd.DataFrame, sample: Sample) -> None:
    # Four areas in sqft tell the real houses apart, so a copy with other columns changed would be found, too.
    areas = ["LotArea", "1stFlrSF", "TotalBsmtSF", "GarageArea"]
    real_houses = set(real[areas].astype(int).itertuples(index=False, name=None))
    for table in (sample.train, sample.test):
        assert real_houses.isdisjoint(table[areas].itertuples(index=False, name=None))


@needs_real_data
@pytest.mark.real_data
def test_every_level_of_the_real_training_file_is_drawn(real: pd.DataFrame) -> None:
    drawn = draw_houses(np.random.default_rng(0), 200_000)
    for feature in FEATURES:
        if feature.kind != "number":
            levels = set(real[feature.name].replace(feature.aliases)) & set(feature.levels)
            assert levels <= set(drawn[feature.name]), feature.name
