import numpy as np
import pandas as pd
import pytest

from houseprices.data.schema import BY_NAME
from houseprices.preprocessing.house_array import HouseArray, house_array
from houseprices.preprocessing.imputation import NeighborhoodImputer


@pytest.fixture
def houses(houses: pd.DataFrame) -> pd.DataFrame:
    return houses.drop(columns="SalePrice")


def filled(training: pd.DataFrame, houses: pd.DataFrame | None = None) -> HouseArray:
    imputer = NeighborhoodImputer().fit(house_array(training))
    return imputer.transform(house_array(training if houses is None else houses))


def level(houses: HouseArray, name: str, row: int) -> str:
    return BY_NAME[name].levels[houses.codes(name)[row]]


def test_nothing_is_missing_afterwards_and_what_was_known_stays(houses):
    before, after = house_array(houses).values, filled(houses).values
    assert np.isnan(before).any()
    assert not np.isnan(after).any()
    np.testing.assert_array_equal(after[~np.isnan(before)], before[~np.isnan(before)])


def test_a_gap_takes_the_lower_median_of_its_neighbourhood_and_else_of_all(houses):
    houses["Neighborhood"] = pd.Series(
        ["NAmes"] * 5 + ["Timber"] * (len(houses) - 5), index=houses.index, dtype=houses["Neighborhood"].dtype
    )
    houses["LotFrontage"] = [np.nan, 60, 40, 90, 50] + [100.0] * (len(houses) - 5)
    stranger = houses.iloc[[0]].assign(
        Neighborhood=pd.Series(["Veenker"], index=houses.index[:1], dtype=houses["Neighborhood"].dtype)
    )
    unplaced = stranger.assign(Neighborhood=stranger["Neighborhood"].mask([True]))
    assert filled(houses)["LotFrontage"][0] == 50  # of 40, 50, 60, 90
    assert filled(houses, stranger)["LotFrontage"][0] == 100
    assert filled(houses, unplaced)["LotFrontage"][0] == 100


def test_a_gap_of_a_nominal_feature_takes_the_most_frequent_level(houses):
    levels = BY_NAME["MSZoning"].levels
    zones = ["RL"] * 3 + ["RM"] * (len(houses) - 4)
    houses["MSZoning"] = pd.Categorical([None, *zones], categories=levels)
    houses["Neighborhood"] = pd.Categorical(["NAmes"] * len(houses), categories=BY_NAME["Neighborhood"].levels)
    assert level(filled(houses), "MSZoning", 0) == "RM"


def test_having_none_never_fills_a_gap(houses):
    houses["PoolQC"] = houses["PoolQC"].mask(np.arange(len(houses)) >= 0, "NA")
    houses.iloc[0, houses.columns.get_loc("PoolQC")] = "Gd"
    houses.iloc[1, houses.columns.get_loc("PoolQC")] = np.nan
    assert level(filled(houses), "PoolQC", 1) == "Gd"


def test_a_garage_of_unknown_year_is_as_old_as_the_house(houses):
    houses["GarageYrBlt"] = np.nan
    np.testing.assert_array_equal(filled(houses)["GarageYrBlt"], houses["YearBuilt"])


def test_a_column_of_gaps_alone_is_filled_all_the_same(houses):
    houses["LotFrontage"], houses["KitchenQual"] = np.nan, houses["KitchenQual"].mask(houses["LotArea"] > 0)
    assert (filled(houses)["LotFrontage"] == 0).all()
    assert {level(filled(houses), "KitchenQual", row) for row in range(len(houses))} == {"TA"}
