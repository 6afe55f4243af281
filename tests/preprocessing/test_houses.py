"""A table and its array hold the same cells; gaps are filled with typical values of the training rows."""

import numpy as np
import pandas as pd
import pytest

from houseprices.data.schema import BY_NAME, FEATURES
from houseprices.preprocessing.houses import HouseArray, NeighborhoodImputer, house_array, house_table


def test_every_cell_can_be_read_back(houses):
    for feature in FEATURES:
        houses[feature.name] = houses[feature.name].mask(np.arange(len(houses)) == 2)
    array = house_array(houses)
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


def test_the_order_of_a_tables_categories_does_not_matter(houses):
    inferred = houses.assign(Neighborhood=pd.Categorical(houses["Neighborhood"].astype("str")))
    assert inferred["Neighborhood"].cat.categories.tolist() != houses["Neighborhood"].cat.categories.tolist()
    np.testing.assert_array_equal(house_array(inferred).values, house_array(houses).values)


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


def test_a_gap_of_a_nominal_feature_gets_the_most_frequent_level(houses):
    zones = [None, *["RL"] * 3, *["RM"] * (len(houses) - 4)]
    houses["MSZoning"] = pd.Categorical(zones, categories=BY_NAME["MSZoning"].levels)
    houses["Neighborhood"] = pd.Categorical(["NAmes"] * len(houses), categories=BY_NAME["Neighborhood"].levels)
    assert levels(filled(houses), "MSZoning")[0] == "RM"


def test_the_level_not_applicable_never_fills_a_gap(houses):
    quality = ["Gd", None, *["NA"] * (len(houses) - 2)]
    houses["PoolQC"] = pd.Categorical(quality, categories=BY_NAME["PoolQC"].levels, ordered=True)
    assert levels(filled(houses), "PoolQC")[:3] == ["Gd", "Gd", "NA"]


def test_a_garage_of_unknown_year_is_as_old_as_the_house(houses):
    houses["GarageYrBlt"] = np.nan
    np.testing.assert_array_equal(filled(houses)["GarageYrBlt"], houses["YearBuilt"])


def test_a_feature_without_any_known_value_is_filled_with_zero_or_its_middle_level(houses):
    houses["LotFrontage"], houses["KitchenQual"] = np.nan, houses["KitchenQual"].mask(houses["LotArea"] > 0)
    assert (filled(houses)["LotFrontage"] == 0).all()
    assert set(levels(filled(houses), "KitchenQual")) == {"TA"}
