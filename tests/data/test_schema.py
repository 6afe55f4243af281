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
GRADED = [
    "ExterQual", "ExterCond", "BsmtQual", "BsmtCond", "HeatingQC", "KitchenQual", "FireplaceQu", "GarageQual",
    "GarageCond", "PoolQC",
]  # fmt: skip
WORST_AND_BEST = {
    "LotShape": ("IR3", "Reg"), "LandSlope": ("Sev", "Gtl"), "Utilities": ("ELO", "AllPub"), "CentralAir": ("N", "Y"),
    "BsmtExposure": ("No", "Gd"), "BsmtFinType1": ("Unf", "GLQ"), "BsmtFinType2": ("Unf", "GLQ"),
    "Electrical": ("Mix", "SBrkr"), "Functional": ("Sal", "Typ"), "GarageFinish": ("Unf", "Fin"),
    "PavedDrive": ("N", "Y"), "Fence": ("MnWw", "GdPrv"), **dict.fromkeys(GRADED, ("Po", "Ex")),
}  # fmt: skip


def test_there_are_79_features_each_of_one_kind() -> None:
    assert len(FEATURES) == len(BY_NAME) == 79
    assert sorted((*NUMBERS, *ORDINALS, *NOMINALS)) == sorted(BY_NAME)
    assert not {ID, PRICE} & BY_NAME.keys()
    assert BY_NAME["MSSubClass"].kind == "nominal"


def test_a_number_has_a_unit_and_a_range_and_the_others_have_levels() -> None:
    for feature in FEATURES:
        is_number = feature.kind == "number"
        assert bool(feature.unit) == is_number == (not feature.levels), feature.name
        assert feature.low < feature.high, feature.name
        assert len({level.lower() for level in feature.levels}) == len(feature.levels), feature.name
        assert not set(feature.aliases) & set(feature.levels), feature.name
        assert set(feature.aliases.values()) <= set(feature.levels), feature.name


def test_every_number_has_ends_that_no_house_on_earth_passes_and_what_is_counted_is_whole() -> None:
    largest = {"LotArea": 4e10, "GrLivArea": 2_152_782, "TotRmsAbvGrd": 1788, "FullBath": 257, "GarageCars": 110}
    assert all(BY_NAME[name].low <= value <= BY_NAME[name].high < 1e12 for name, value in largest.items())
    numbers = [BY_NAME[name] for name in NUMBERS]
    assert all(number.high < 1e12 for number in numbers)
    assert {number.unit for number in numbers if not number.whole} == {"sqft", "feet", "usd"}


def test_na_is_a_level_exactly_where_the_description_says_so() -> None:
    assert {feature.name for feature in FEATURES if NOT_APPLICABLE in feature.levels} == NA_IS_A_LEVEL
    assert {feature.name for feature in FEATURES if feature.na_means} == NA_IS_A_LEVEL | {"GarageYrBlt"}


def test_ordinal_levels_run_from_none_and_worst_to_best() -> None:
    assert set(ORDINALS) == set(WORST_AND_BEST)
    for name, (worst, best) in WORST_AND_BEST.items():
        levels = BY_NAME[name].levels
        present = levels[1:] if name in NA_IS_A_LEVEL else levels
        assert levels[: len(levels) - len(present)] in ((), (NOT_APPLICABLE,)), name
        assert (present[0], present[-1]) == (worst, best), name
        assert name not in GRADED or present == ("Po", "Fa", "TA", "Gd", "Ex"), name


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["train", "test"])
def test_every_column_and_level_of_the_genuine_files_is_known(real_data: Path, name: str) -> None:
    raw = pd.read_csv(real_data / f"{name}.csv", dtype="str", keep_default_na=False)
    assert list(raw.columns) == [ID, *BY_NAME, *([PRICE] if name == "train" else [])]
    for feature in FEATURES:
        if feature.kind != "number":
            assert set(raw[feature.name]) <= {*feature.levels, *feature.aliases, "NA"}, feature.name


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
