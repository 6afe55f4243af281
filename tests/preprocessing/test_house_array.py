import numpy as np
import pandas as pd

from houseprices.data.schema import FEATURES
from houseprices.preprocessing.house_array import house_array, house_table


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


def test_levels_in_another_order_become_the_same_array(houses):
    """As a table has them whose levels pandas found by itself."""
    found = houses.copy()
    found["Neighborhood"] = pd.Categorical(houses["Neighborhood"].astype("str"))
    assert found["Neighborhood"].cat.categories.tolist() != houses["Neighborhood"].cat.categories.tolist()
    np.testing.assert_array_equal(house_array(found).values, house_array(houses).values)


def test_an_array_passes_as_it_is_and_rows_are_picked(houses):
    array = house_array(houses)
    assert house_array(array) is array
    rows = np.array([5, 2])
    np.testing.assert_array_equal(array.rows(rows).values, house_array(houses.iloc[rows]).values)


def test_the_way_back_gives_the_table(houses):
    table = houses.drop(columns="SalePrice")
    assert table.isna().any(axis=None)
    pd.testing.assert_frame_equal(house_table(house_array(table)), table)
    rows = np.array([5, 2])
    pd.testing.assert_frame_equal(house_table(house_array(table).rows(rows)), table.iloc[rows])
