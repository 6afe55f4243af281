"""The schema is the data description: all features, all levels, in order."""

import re
from pathlib import Path

import pandas as pd
import pytest

from houseprices.data.schema import BY_NAME, FEATURES, ID, NOMINALS, NOT_APPLICABLE, NUMBERS, ORDINALS, PRICE

NA_IS_A_LEVEL = {
    "Alley", "BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2", "FireplaceQu", "GarageType",
    "GarageFinish", "GarageQual", "GarageCond", "PoolQC", "Fence", "MiscFeature",
}  # fmt: skip

WORST_AND_BEST = {
    "LotShape": ("IR3", "Reg"),
    "LandSlope": ("Sev", "Gtl"),
    "Utilities": ("ELO", "AllPub"),
    "ExterQual": ("Po", "Ex"),
    "ExterCond": ("Po", "Ex"),
    "BsmtQual": ("Po", "Ex"),
    "BsmtCond": ("Po", "Ex"),
    "BsmtExposure": ("No", "Gd"),
    "BsmtFinType1": ("Unf", "GLQ"),
    "BsmtFinType2": ("Unf", "GLQ"),
    "HeatingQC": ("Po", "Ex"),
    "CentralAir": ("N", "Y"),
    "Electrical": ("Mix", "SBrkr"),
    "KitchenQual": ("Po", "Ex"),
    "Functional": ("Sal", "Typ"),
    "FireplaceQu": ("Po", "Ex"),
    "GarageFinish": ("Unf", "Fin"),
    "GarageQual": ("Po", "Ex"),
    "GarageCond": ("Po", "Ex"),
    "PavedDrive": ("N", "Y"),
    "PoolQC": ("Po", "Ex"),
    "Fence": ("MnWw", "GdPrv"),
}


def test_there_are_79_features_each_of_one_kind() -> None:
    assert len(FEATURES) == len(BY_NAME) == 79
    assert sorted((*NUMBERS, *ORDINALS, *NOMINALS)) == sorted(BY_NAME)
    assert ID not in BY_NAME
    assert PRICE not in BY_NAME


def test_a_number_has_a_unit_and_a_range_and_the_others_have_levels() -> None:
    for feature in FEATURES:
        is_number = feature.kind == "number"
        assert bool(feature.unit) == is_number, feature.name
        assert bool(feature.levels) == (not is_number), feature.name
        assert feature.low < feature.high, feature.name
        assert len(set(feature.levels)) == len(feature.levels), feature.name


def test_every_number_has_ends_that_no_house_on_earth_passes_and_what_is_counted_is_whole() -> None:
    largest = {"LotArea": 4e10, "GrLivArea": 2_152_782, "TotRmsAbvGrd": 1788, "FullBath": 257, "GarageCars": 110}
    assert all(BY_NAME[name].low <= value <= BY_NAME[name].high < 1e12 for name, value in largest.items())
    numbers = [BY_NAME[name] for name in NUMBERS]
    assert all(number.high < 1e12 for number in numbers)
    assert {number.unit for number in numbers if not number.whole} == {"sqft", "feet", "usd"}


def test_na_is_a_level_exactly_where_the_description_says_so() -> None:
    assert {feature.name for feature in FEATURES if NOT_APPLICABLE in feature.levels} == NA_IS_A_LEVEL
    assert {feature.name for feature in FEATURES if feature.na_means} == NA_IS_A_LEVEL | {"GarageYrBlt"}


def test_ordinal_levels_run_from_worst_to_best() -> None:
    assert set(ORDINALS) == set(WORST_AND_BEST)
    for name, (worst, best) in WORST_AND_BEST.items():
        present = [level for level in BY_NAME[name].levels if level != NOT_APPLICABLE]
        assert (present[0], present[-1]) == (worst, best), name


def test_quality_is_graded_poor_fair_typical_good_excellent_in_every_column() -> None:
    graded = [feature for feature in FEATURES if "TA" in feature.levels]
    assert len(graded) == 10
    for feature in graded:
        assert [level for level in feature.levels if level != NOT_APPLICABLE] == ["Po", "Fa", "TA", "Gd", "Ex"]


def test_having_none_ranks_below_the_worst() -> None:
    for name in ORDINALS:
        if NOT_APPLICABLE in BY_NAME[name].levels:
            assert BY_NAME[name].levels[0] == NOT_APPLICABLE, name


def test_no_alias_is_a_level_and_each_stands_for_one() -> None:
    for feature in FEATURES:
        assert not set(feature.aliases) & set(feature.levels), feature.name
        assert set(feature.aliases.values()) <= set(feature.levels), feature.name


def test_dwelling_type_is_a_code_without_order() -> None:
    assert BY_NAME["MSSubClass"].kind == "nominal"
    assert "150" in BY_NAME["MSSubClass"].levels


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["train", "test"])
def test_every_column_and_level_of_the_genuine_files_is_known(real_data: Path, name: str) -> None:
    raw = pd.read_csv(real_data / f"{name}.csv", dtype="str", keep_default_na=False)
    assert list(raw.columns) == [ID, *BY_NAME, *([PRICE] if name == "train" else [])]
    for feature in FEATURES:
        if feature.kind != "number":
            known = {*feature.levels, *feature.aliases, "NA"}
            assert set(raw[feature.name]) <= known, feature.name


@pytest.mark.real_data
def test_every_level_of_the_data_description_is_known(real_data: Path) -> None:
    text = (real_data / "data_description.txt").read_text("utf-8", errors="replace")
    described: dict[str, set[str]] = {}
    for line in text.splitlines():
        if heading := re.match(r"(\w+):", line):
            levels = described.setdefault(heading.group(1), set())
        elif level := line.partition("\t")[0].strip():
            levels.add(level)
    for feature in FEATURES:
        if feature.kind != "number":
            assert described[feature.name], feature.name
            assert described[feature.name] <= {*feature.levels, *feature.aliases}, feature.name
