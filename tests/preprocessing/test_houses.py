"""A table and its array hold the same cells; gaps are filled with typical values of the training rows."""

import numpy as np
import pandas as pd
import pytest

from houseprices.data.schema import BY_NAME, FEATURES
from houseprices.preprocessing.houses import HouseArray, NeighborhoodImputer, house_array, house_table


def test_every_cell_can_be_read_back_whatever_the_order_of_the_categories(houses):
    for feature in FEATURES:
        houses[feature.name] = houses[feature.name].mask(np.arange(len(houses)) == 2)
    inferred = houses.assign(Neighborhood=pd.Categorical(houses["Neighborhood"].astype("str")))
    assert inferred["Neighborhood"].cat.categories.tolist() != houses["Neighborhood"].cat.categories.tolist()
    array = house_array(inferred)
    assert len(array) == len(houses)
    for feature in FEATURES:
        column = houses[feature.name]
        np.testing.assert_array_equal(np.isnan(array[feature.name]), column.isna())
        if feature.kind == "number":
            np.testing.assert_array_equal(array[feature.name], column)
        else:
            known = column.notna().to_numpy()
            codes = array.codes(feature.name)
            assert [feature.levels[code] for code in codes[known]] == column[known].tolist()
            assert (codes[~known] == -1).all()


def test_array_converts_back_to_the_table_and_to_any_of_its_rows(houses):
    assert houses.isna().any(axis=None)
    pd.testing.assert_frame_equal(house_table(house_array(houses)), houses)
    rows = np.array([5, 2])
    pd.testing.assert_frame_equal(house_table(house_array(houses).rows(rows)), houses.iloc[rows])


# ---- imputation ----


def filled(training: pd.DataFrame, houses: pd.DataFrame | None = None) -> HouseArray:
    imputer = NeighborhoodImputer().fit(house_array(training))
    return imputer.transform(house_array(training if houses is None else houses))


def levels(array: HouseArray, name: str) -> list[str]:
    return [BY_NAME[name].levels[code] for code in array.codes(name)]


def test_no_gap_remains_and_known_values_stay(houses):
    before, after = house_array(houses).values, filled(houses).values
    assert np.isnan(before).any()
    assert not np.isnan(after).any()
    np.testing.assert_array_equal(after[~np.isnan(before)], before[~np.isnan(before)])


@pytest.mark.parametrize(
    ("neighborhood", "filler"), [("NAmes", 50), ("Veenker", 100), (None, 100)], ids=["own", "unseen", "gap"]
)
def test_a_gap_gets_the_lower_median_of_its_neighbourhood_or_of_all_rows(houses, neighborhood, filler):
    dtype = houses["Neighborhood"].dtype
    houses["Neighborhood"] = pd.Categorical(["NAmes"] * 5 + ["Timber"] * (len(houses) - 5), dtype=dtype)
    houses["LotFrontage"] = [np.nan, 60, 40, 90, 50] + [100.0] * (len(houses) - 5)
    house = houses.iloc[[0]].assign(Neighborhood=pd.Categorical([neighborhood], dtype=dtype))
    assert filled(houses, house)["LotFrontage"][0] == filler


@pytest.mark.parametrize(
    ("name", "known", "filler"),
    [
        ("MSZoning", [*["RL"] * 3, *["RM"] * 4], "RM"),
        ("PoolQC", ["Gd", *["NA"] * 6], "Gd"),
        ("KitchenQual", [None] * 7, "TA"),
    ],
    ids=["the most frequent", "never NA", "the middle one where none is known"],
)
def test_a_gap_of_levels_gets_a_typical_level(houses, name, known, filler):
    houses = houses.iloc[:8].copy()
    houses["Neighborhood"] = pd.Categorical(["NAmes"] * 8, dtype=houses["Neighborhood"].dtype)
    houses[name] = pd.Categorical([None, *known], dtype=houses[name].dtype)
    assert levels(filled(houses), name) == [filler, *(level or filler for level in known)]


def test_a_garage_of_unknown_year_is_as_old_as_the_house_and_an_unknown_number_is_zero(houses):
    houses[["GarageYrBlt", "LotFrontage"]] = np.nan
    np.testing.assert_array_equal(filled(houses)["GarageYrBlt"], houses["YearBuilt"])
    assert (filled(houses)["LotFrontage"] == 0).all()
