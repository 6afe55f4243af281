"""No field of a resolved record contradicts another, and what contradicts nothing stays as it was."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from houseprices.data.contradictions import resolve_contradictions
from houseprices.data.schema import NOT_APPLICABLE, PRICE

BASEMENT_LEVELS = ["BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2"]
BASEMENT_FIGURES = ["BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF", "BsmtFullBath", "BsmtHalfBath"]
GARAGE_LEVELS = ["GarageFinish", "GarageQual", "GarageCond"]
GARAGE_FIGURES = ["GarageCars", "GarageArea"]
Fields = dict[str, Any]

PLAIN: Fields = {
    "BsmtQual": "TA", "BsmtCond": "TA", "BsmtExposure": "No", "BsmtFinType1": "Rec", "BsmtFinType2": "Unf",
    "BsmtFinSF1": 300.0, "BsmtFinSF2": 0.0, "BsmtUnfSF": 400.0, "TotalBsmtSF": 700.0, "BsmtFullBath": 1.0,
    "BsmtHalfBath": 0.0, "GarageType": "Attchd", "GarageFinish": "Fin", "GarageQual": "TA", "GarageCond": "TA",
    "GarageYrBlt": 1990.0, "GarageCars": 2.0, "GarageArea": 480.0, "Fireplaces": 1.0, "FireplaceQu": "Gd",
    "PoolArea": 500.0, "PoolQC": "Gd", "MiscVal": 700.0, "MiscFeature": "Shed", "MasVnrType": "Stone",
    "MasVnrArea": 90.0, "YearBuilt": 1990.0, "YearRemodAdd": 2000.0, "YrSold": 2008.0, "Functional": "Min1",
}  # fmt: skip
"""A house that has everything and contradicts itself nowhere."""

NO_BASEMENT: Fields = dict.fromkeys(BASEMENT_LEVELS, "NA") | dict.fromkeys(BASEMENT_FIGURES, 0.0)
NO_GARAGE: Fields = (
    dict.fromkeys(["GarageType", *GARAGE_LEVELS], "NA") | dict.fromkeys(GARAGE_FIGURES, 0.0) | {"GarageYrBlt": np.nan}
)
NOTHING = NO_BASEMENT | NO_GARAGE | {
    "Fireplaces": 0.0, "FireplaceQu": "NA", "PoolArea": 0.0, "PoolQC": "NA", "MiscVal": 0.0, "MiscFeature": "NA",
    "MasVnrType": "None", "MasVnrArea": 0.0,
}  # fmt: skip


def gaps(*columns: str) -> Fields:
    return dict.fromkeys(columns, np.nan)


def other_levels(column: str) -> list[str]:
    return [name for name in BASEMENT_LEVELS if name != column]


RESOLVED: list[tuple[Fields, Fields]] = [  # the fields of a house, and those that are resolved
    ({}, {}),
    (NOTHING, {}),
    # A basement is proved by its area or by one level; then NA about it is a gap, and a missing figure stays one.
    *(({column: "NA"}, gaps(column)) for column in (*BASEMENT_LEVELS, *GARAGE_LEVELS)),
    *(
        (NO_BASEMENT | {column: PLAIN[column], "TotalBsmtSF": np.nan}, gaps(*other_levels(column)))
        for column in BASEMENT_LEVELS
    ),
    (dict.fromkeys(BASEMENT_LEVELS, "NA"), gaps(*BASEMENT_LEVELS)),
    *((gaps(column), {}) for column in (*BASEMENT_FIGURES, *GARAGE_FIGURES)),
    # Without a basement or a garage missing figures are zero.
    (NO_BASEMENT | gaps(*BASEMENT_FIGURES), NO_BASEMENT),
    (NO_BASEMENT | gaps("BsmtFullBath", "BsmtHalfBath"), NO_BASEMENT),
    *((NO_GARAGE | gaps(column), NO_GARAGE) for column in GARAGE_FIGURES),
    # The quality or kind of what is there is no "none".
    *(
        example
        for figure, level in (("Fireplaces", "FireplaceQu"), ("PoolArea", "PoolQC"), ("MiscVal", "MiscFeature"))
        for example in (({level: "NA"}, gaps(level)), ({figure: 0.0, level: "NA"}, {}), ({figure: np.nan}, {}))
    ),
    # Veneer is None beside an area of 0 alone.
    ({"MasVnrType": "None"}, gaps("MasVnrType")),
    ({"MasVnrType": "None", "MasVnrArea": np.nan}, gaps("MasVnrType")),
    ({"MasVnrType": np.nan, "MasVnrArea": 0.0}, {"MasVnrType": "None"}),
    ({"MasVnrType": np.nan}, {}),
    # Years, and functionality.
    *(({"GarageYrBlt": year}, gaps("GarageYrBlt")) for year in (2207.0, 2009.0)),
    ({"GarageYrBlt": 2008.0}, {}),
    ({"YearRemodAdd": 1989.0}, {"YearRemodAdd": 1990.0}),
    ({"YearRemodAdd": 1990.0}, {}),
    *(({column: np.nan}, {}) for column in ("YearBuilt", "YearRemodAdd", "YrSold")),
    ({"Functional": np.nan}, {"Functional": "Typ"}),
]


@pytest.mark.parametrize(("fields", "resolved"), RESOLVED)
def test_only_what_contradicts_another_field_is_changed(fields: Fields, resolved: Fields, houses: pd.DataFrame) -> None:
    before = houses.drop(columns=PRICE).iloc[:2].copy()
    for name, value in PLAIN.items():
        before[name] = pd.Series([fields.get(name, value), value], index=before.index, dtype=before[name].dtype)
    given = before.copy(deep=True)
    after = resolve_contradictions(before)
    pd.testing.assert_frame_equal(before, given)
    for name, value in resolved.items():
        before.loc[before.index[0], name] = value
    pd.testing.assert_frame_equal(after, before)
    pd.testing.assert_frame_equal(resolve_contradictions(after), after)


# ---- the genuine files ----

KNOWN = {
    333: "BsmtFinType2",
    **dict.fromkeys((949, 1488, 2349), "BsmtExposure"),
    **dict.fromkeys((2041, 2186, 2525), "BsmtCond"),
    **dict.fromkeys((2218, 2219), "BsmtQual"),
    2127: "GarageCond GarageFinish GarageQual GarageYrBlt",
    2577: "GarageArea GarageCars GarageCond GarageFinish GarageQual GarageYrBlt",
    2593: "GarageYrBlt",
    **dict.fromkeys((2421, 2504, 2600), "PoolQC"),
    **dict.fromkeys((625, 774, 1231, 1301, 1335, 1670, 2453, 2611), "MasVnrType"),
}
"""The gaps of the houses whose records contradict themselves, by Id."""


@pytest.mark.real_data
def test_the_known_errors_of_the_genuine_files_are_resolved(real_train: pd.DataFrame, real_test: pd.DataFrame) -> None:
    both = pd.concat([real_train.drop(columns=PRICE), real_test])
    for house, columns in KNOWN.items():
        record = both.loc[house]
        gaps_here = sorted(name for name in record.index[record.isna()] if name[:4] == columns[:4])
        assert gaps_here == columns.split(), house
    assert both.loc[[2217, 2474], "Functional"].tolist() == ["Typ", "Typ"]
    assert both.loc[1877, "YearRemodAdd"] == both.loc[1877, "YearBuilt"]


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
