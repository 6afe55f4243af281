import numpy as np
import pandas as pd
import pytest

from houseprices.imputation import NeighborhoodImputer


@pytest.fixture
def houses(houses: pd.DataFrame) -> pd.DataFrame:
    return houses.drop(columns="SalePrice")


def test_nothing_is_missing_afterwards_and_what_was_known_stays(houses):
    filled = NeighborhoodImputer().fit(houses).transform(houses)
    assert not filled.isna().any().any()
    known = houses.notna()
    for name in houses:
        assert filled[name][known[name]].equals(houses[name][known[name]])
        assert filled[name].dtype == houses[name].dtype


def test_a_gap_takes_the_lower_median_of_its_neighbourhood_and_else_of_all(houses):
    houses["Neighborhood"] = pd.Series(
        ["NAmes"] * 5 + ["Timber"] * (len(houses) - 5), index=houses.index, dtype=houses["Neighborhood"].dtype
    )
    houses["LotFrontage"] = [np.nan, 60, 40, 90, 50] + [100.0] * (len(houses) - 5)
    stranger = houses.iloc[[0]].assign(
        Neighborhood=pd.Series(["Veenker"], index=houses.index[:1], dtype=houses["Neighborhood"].dtype)
    )
    imputer = NeighborhoodImputer().fit(houses)
    assert imputer.transform(houses)["LotFrontage"].iloc[0] == 50  # of 40, 50, 60, 90
    assert imputer.transform(stranger)["LotFrontage"].iloc[0] == 100


def test_having_none_never_fills_a_gap(houses):
    houses["PoolQC"] = houses["PoolQC"].mask(np.arange(len(houses)) >= 0, "NA")
    houses.iloc[0, houses.columns.get_loc("PoolQC")] = "Gd"
    houses.iloc[1, houses.columns.get_loc("PoolQC")] = np.nan
    assert NeighborhoodImputer().fit(houses).transform(houses)["PoolQC"].iloc[1] == "Gd"


def test_a_garage_of_unknown_year_is_as_old_as_the_house(houses):
    houses["GarageYrBlt"] = np.nan
    filled = NeighborhoodImputer().fit(houses).transform(houses)
    assert filled["GarageYrBlt"].equals(houses["YearBuilt"].rename("GarageYrBlt"))


def test_a_column_of_gaps_alone_is_filled_all_the_same(houses):
    houses["LotFrontage"], houses["KitchenQual"] = np.nan, houses["KitchenQual"].mask(houses["LotArea"] > 0)
    filled = NeighborhoodImputer().fit(houses).transform(houses)
    assert (filled["LotFrontage"] == 0).all()
    assert (filled["KitchenQual"] == "TA").all()
