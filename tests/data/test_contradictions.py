"""No field of a resolved record contradicts another, and what contradicts nothing stays as it was."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from houseprices.data.contradictions import resolve_contradictions
from houseprices.data.schema import BY_NAME, NOT_APPLICABLE, PRICE

BASEMENT_LEVELS = ["BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2"]
BASEMENT_FIGURES = ["BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF", "BsmtFullBath", "BsmtHalfBath"]
GARAGE_LEVELS = ["GarageFinish", "GarageQual", "GarageCond"]
GARAGE_FIGURES = ["GarageCars", "GarageArea"]

PLAIN: dict[str, Any] = {
    "BsmtQual": "TA", "BsmtCond": "TA", "BsmtExposure": "No", "BsmtFinType1": "Rec", "BsmtFinType2": "Unf",
    "BsmtFinSF1": 300.0, "BsmtFinSF2": 0.0, "BsmtUnfSF": 400.0, "TotalBsmtSF": 700.0, "BsmtFullBath": 1.0,
    "BsmtHalfBath": 0.0, "GarageType": "Attchd", "GarageFinish": "Fin", "GarageQual": "TA", "GarageCond": "TA",
    "GarageYrBlt": 1990.0, "GarageCars": 2.0, "GarageArea": 480.0, "Fireplaces": 1.0, "FireplaceQu": "Gd",
    "PoolArea": 500.0, "PoolQC": "Gd", "MiscVal": 700.0, "MiscFeature": "Shed", "MasVnrType": "Stone",
    "MasVnrArea": 90.0, "YearBuilt": 1990.0, "YearRemodAdd": 2000.0, "YrSold": 2008.0, "Functional": "Min1",
}  # fmt: skip
"""A house that has everything and contradicts itself nowhere."""

NO_BASEMENT = dict.fromkeys(BASEMENT_LEVELS, NOT_APPLICABLE) | dict.fromkeys(BASEMENT_FIGURES, 0.0)
NO_GARAGE = (
    dict.fromkeys(["GarageType", *GARAGE_LEVELS], NOT_APPLICABLE)
    | dict.fromkeys(GARAGE_FIGURES, 0.0)
    | {"GarageYrBlt": np.nan}
)


@pytest.fixture
def before(houses: pd.DataFrame) -> pd.DataFrame:
    """Two typed houses that have everything: the first is to be spoilt, the second to stay as it is."""
    table = houses.drop(columns=PRICE).iloc[:2].copy()
    for name, value in PLAIN.items():
        table[name] = pd.Series([value, value], index=table.index, dtype=table[name].dtype)
    return table


def resolved(before: pd.DataFrame, **fields: Any) -> pd.Series:
    """The first house after its fields were set and its contradictions resolved; the second must not change."""
    spoilt = before.copy()
    for name, value in fields.items():
        assert pd.isna(value) or BY_NAME[name].kind == "number" or value in BY_NAME[name].levels
        spoilt.loc[spoilt.index[0], name] = value
    after = resolve_contradictions(spoilt)
    pd.testing.assert_frame_equal(after.iloc[1:], before.iloc[1:])
    assert (after.dtypes == before.dtypes).all()
    return after.iloc[0]


def assert_only_changed(house: pd.Series, before: pd.DataFrame, **fields: Any) -> None:
    """The house is the plain one but for the given fields; None stands for a gap."""
    for name in before.columns:
        expected = fields.get(name, before[name].iloc[0])
        if pd.isna(expected):
            assert pd.isna(house[name]), (name, house[name])
        else:
            assert house[name] == expected, (name, house[name])


def test_a_house_that_contradicts_itself_nowhere_stays_as_it_was(before: pd.DataFrame) -> None:
    assert_only_changed(resolved(before), before)


def test_a_house_that_has_nothing_stays_as_it_was(before: pd.DataFrame) -> None:
    nothing = {
        **NO_BASEMENT, **NO_GARAGE, "Fireplaces": 0.0, "FireplaceQu": "NA", "PoolArea": 0.0, "PoolQC": "NA",
        "MiscVal": 0.0, "MiscFeature": "NA", "MasVnrType": "None", "MasVnrArea": 0.0,
    }  # fmt: skip
    assert_only_changed(resolved(before, **nothing), before, **nothing)


def test_the_given_table_is_not_changed_and_a_second_time_changes_nothing(before: pd.DataFrame) -> None:
    spoilt = before.assign(YearRemodAdd=1980.0, MasVnrArea=[0.0, 90.0])
    spoilt.loc[spoilt.index[0], ["PoolQC", "BsmtQual"]] = NOT_APPLICABLE
    given = spoilt.copy(deep=True)
    once = resolve_contradictions(spoilt)
    pd.testing.assert_frame_equal(spoilt, given)
    assert not once.equals(given)
    pd.testing.assert_frame_equal(resolve_contradictions(once), once)


def test_the_samples_houses_need_no_resolving(houses: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(resolve_contradictions(houses), houses)


# ---- basement ----


@pytest.mark.parametrize("column", BASEMENT_LEVELS)
def test_na_about_a_basement_that_another_field_proves_is_a_gap(column: str, before: pd.DataFrame) -> None:
    assert_only_changed(resolved(before, **{column: "NA"}), before, **{column: None})


@pytest.mark.parametrize("column", BASEMENT_LEVELS)
def test_one_filled_level_proves_the_basement_even_without_its_area(column: str, before: pd.DataFrame) -> None:
    fields = NO_BASEMENT | {column: PLAIN[column], "TotalBsmtSF": np.nan}
    house = resolved(before, **fields)
    others = [name for name in BASEMENT_LEVELS if name != column]
    assert_only_changed(house, before, **(fields | dict.fromkeys(others)))


def test_an_area_proves_the_basement_where_all_its_levels_say_na(before: pd.DataFrame) -> None:
    house = resolved(before, **dict.fromkeys(BASEMENT_LEVELS, "NA"))
    assert_only_changed(house, before, **dict.fromkeys(BASEMENT_LEVELS))


@pytest.mark.parametrize("figures", [BASEMENT_FIGURES, ["BsmtFullBath", "BsmtHalfBath"]])
def test_missing_figures_of_no_basement_are_zero(figures: list[str], before: pd.DataFrame) -> None:
    house = resolved(before, **(NO_BASEMENT | dict.fromkeys(figures, np.nan)))
    assert_only_changed(house, before, **NO_BASEMENT)


@pytest.mark.parametrize("column", BASEMENT_FIGURES)
def test_a_missing_figure_of_a_basement_stays_a_gap(column: str, before: pd.DataFrame) -> None:
    assert_only_changed(resolved(before, **{column: np.nan}), before, **{column: None})


# ---- garage ----


@pytest.mark.parametrize("column", GARAGE_LEVELS)
def test_na_about_a_garage_whose_type_is_given_is_a_gap(column: str, before: pd.DataFrame) -> None:
    assert_only_changed(resolved(before, **{column: "NA"}), before, **{column: None})


@pytest.mark.parametrize("column", GARAGE_FIGURES)
def test_a_missing_figure_is_zero_without_a_garage_and_a_gap_with_one(column: str, before: pd.DataFrame) -> None:
    assert_only_changed(resolved(before, **(NO_GARAGE | {column: np.nan})), before, **NO_GARAGE)
    assert_only_changed(resolved(before, **{column: np.nan}), before, **{column: None})


def test_a_garage_built_after_the_sale_has_no_known_year(before: pd.DataFrame) -> None:
    assert_only_changed(resolved(before, GarageYrBlt=2207.0), before, GarageYrBlt=None)
    assert_only_changed(resolved(before, GarageYrBlt=2009.0), before, GarageYrBlt=None)
    assert_only_changed(resolved(before, GarageYrBlt=2008.0), before, GarageYrBlt=2008.0)


# ---- the rest ----


@pytest.mark.parametrize(
    ("figure", "level", "absent"),
    [
        ("Fireplaces", "FireplaceQu", "NA"),
        ("PoolArea", "PoolQC", "NA"),
        ("MiscVal", "MiscFeature", "NA"),
        ("MasVnrArea", "MasVnrType", "None"),
    ],
)
def test_the_quality_or_kind_of_what_is_there_is_a_gap_if_it_says_there_is_none(
    figure: str, level: str, absent: str, before: pd.DataFrame
) -> None:
    assert_only_changed(resolved(before, **{level: absent}), before, **{level: None})
    for value in (0.0, np.nan):
        none = {figure: value, level: absent}
        assert_only_changed(resolved(before, **none), before, **none)


def test_a_house_is_remodelled_no_earlier_than_it_was_built(before: pd.DataFrame) -> None:
    assert_only_changed(resolved(before, YearRemodAdd=1989.0), before, YearRemodAdd=1990.0)
    assert_only_changed(resolved(before, YearRemodAdd=1990.0), before, YearRemodAdd=1990.0)


def test_missing_functionality_is_typical(before: pd.DataFrame) -> None:
    assert_only_changed(resolved(before, Functional=np.nan), before, Functional="Typ")


# ---- the genuine files ----


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("house", "columns"),
    [
        (333, ["BsmtFinType2"]),
        (949, ["BsmtExposure"]),
        (1488, ["BsmtExposure"]),
        (2349, ["BsmtExposure"]),
        (2041, ["BsmtCond"]),
        (2186, ["BsmtCond"]),
        (2525, ["BsmtCond"]),
        (2218, ["BsmtQual"]),
        (2219, ["BsmtQual"]),
        (2127, ["GarageYrBlt", "GarageFinish", "GarageQual", "GarageCond"]),
        (2577, ["GarageYrBlt", "GarageFinish", "GarageQual", "GarageCond", "GarageCars", "GarageArea"]),
        (2593, ["GarageYrBlt"]),
        (2421, ["PoolQC"]),
        (2504, ["PoolQC"]),
        (2600, ["PoolQC"]),
        (2611, ["MasVnrType"]),
    ],
)
def test_a_known_contradiction_of_the_genuine_files_is_a_gap(
    house: int, columns: list[str], real_train: pd.DataFrame, real_test: pd.DataFrame
) -> None:
    record = (real_train if house <= 1460 else real_test).loc[house]
    about = {name[:4] for name in columns}
    gaps = [name for name in record.index[record.isna()] if name[:4] in about]
    assert sorted(gaps) == sorted(columns)


@pytest.mark.real_data
def test_the_houses_whose_basement_figures_are_missing_have_no_basement(real_test: pd.DataFrame) -> None:
    for house in (2121, 2189):
        assert (real_test.loc[house, BASEMENT_FIGURES] == 0).all()
        assert (real_test.loc[house, BASEMENT_LEVELS] == NOT_APPLICABLE).all()


@pytest.mark.real_data
def test_the_other_known_errors_of_the_genuine_files_are_resolved(real_test: pd.DataFrame) -> None:
    assert real_test.loc[[2217, 2474], "Functional"].tolist() == ["Typ", "Typ"]
    assert real_test.loc[1877, "YearRemodAdd"] == real_test.loc[1877, "YearBuilt"]
    assert real_test.loc[2611, "MasVnrArea"] == 198
    assert (real_test.loc[[2421, 2504, 2600], "PoolArea"] > 0).all()


@pytest.mark.real_data
def test_no_record_of_the_genuine_files_contradicts_itself(real_train: pd.DataFrame, real_test: pd.DataFrame) -> None:
    both = pd.concat([real_train.drop(columns=PRICE), real_test])
    n_absent = (both[BASEMENT_LEVELS] == NOT_APPLICABLE).sum(axis=1)
    assert set(n_absent) == {0, 5}
    assert (both.loc[n_absent == 5, BASEMENT_FIGURES] == 0).all(axis=None)
    no_garage = both["GarageType"] == NOT_APPLICABLE
    assert (both.loc[no_garage, GARAGE_LEVELS] == NOT_APPLICABLE).all(axis=None)
    assert (both.loc[no_garage, GARAGE_FIGURES] == 0).all(axis=None)
    assert not (both.loc[~no_garage, GARAGE_LEVELS] == NOT_APPLICABLE).any(axis=None)
    assert not (both["GarageYrBlt"] > both["YrSold"]).any()
    assert (both["YearRemodAdd"] >= both["YearBuilt"]).all()
    for figure, level in (("Fireplaces", "FireplaceQu"), ("PoolArea", "PoolQC"), ("MiscVal", "MiscFeature")):
        assert not ((both[figure] > 0) & (both[level] == NOT_APPLICABLE)).any()
    assert not both["Functional"].isna().any()
