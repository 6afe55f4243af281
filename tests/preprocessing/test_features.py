"""The transformer of a fold: the columns of its blocks, the same bits alone and among other rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from houseprices.preprocessing.columns import BLOCKS, COLUMNS, LINEAR_BLOCKS
from houseprices.preprocessing.features import HouseFeatures

DEVIATION = "OverallQual - median of Neighborhood"


def column(features: HouseFeatures, houses: pd.DataFrame, name: str) -> np.ndarray:
    return features.transform(houses)[:, list(features.get_feature_names_out()).index(name)]


def test_the_blocks_that_are_built_do_not_change_the_bits_of_a_block(houses):
    everything = HouseFeatures(BLOCKS).fit(houses)
    matrix = everything.transform(houses)
    for blocks in ([block] for block in BLOCKS):
        np.testing.assert_array_equal(
            HouseFeatures(blocks).fit(houses).transform(houses), matrix[:, everything.block_columns(blocks)]
        )
    some = HouseFeatures(["piecewise_linear", "numbers", "products"]).fit(houses)
    np.testing.assert_array_equal(some.transform(houses), matrix[:, everything.block_columns(some.blocks)])
    assert some.blocks == ("numbers", "products", "piecewise_linear")
    assert some.statistics_.keys() == {
        statistic.name for of in COLUMNS["piecewise_linear"] for statistic in of.statistics
    }


def test_blocks_partition_the_columns_whatever_rows_are_fitted_and_a_row_alone_has_the_same_bits(houses):
    features = HouseFeatures(BLOCKS).fit(houses)
    names = features.get_feature_names_out()
    for block in BLOCKS:
        assert [names[index] for index in features.block_columns([block])] == [of.name for of in COLUMNS[block]]
    np.testing.assert_array_equal(features.block_columns(BLOCKS), np.arange(len(names)))
    np.testing.assert_array_equal(HouseFeatures(BLOCKS).fit(houses.iloc[:10]).get_feature_names_out(), names)
    matrix = features.transform(houses)
    assert (matrix.dtype, matrix.shape) == (np.float32, (len(houses), len(names)))
    assert np.isfinite(matrix).all()
    np.testing.assert_array_equal(features.transform(houses.iloc[3:4]), matrix[3:4])
    with pytest.raises(KeyError, match="products"):
        HouseFeatures(LINEAR_BLOCKS).fit(houses).block_columns(["products"])


def test_saved_state_of_another_shape_is_refused(houses):
    for part, name in (("rows_of_level", "Neighborhood"), ("statistics", "LotArea, median of Neighborhood")):
        saved = HouseFeatures().fit(houses).to_dict()
        saved[part][name].pop()
        with pytest.raises(ValueError, match="cannot reshape"):
            HouseFeatures.from_dict(saved)


def test_transforming_before_fitting_is_refused(houses):
    with pytest.raises(NotFittedError, match="HouseFeatures: fit it before"):
        HouseFeatures().transform(houses)


def test_a_level_has_columns_of_its_own_only_with_enough_training_rows(houses):
    """An unseen level is a row of zeros; so is a rare kind of sale, and yet it has its sizes."""
    training = houses[houses["Neighborhood"] != "NAmes"]
    features = HouseFeatures(min_level_rows=4).fit(training)
    for level in houses["Neighborhood"].cat.categories:
        is_level = (houses["Neighborhood"] == level).to_numpy()
        expected = is_level & ((training["Neighborhood"] == level).sum() >= 4)
        np.testing.assert_array_equal(column(features, houses, f"Neighborhood={level}"), expected)
    names, unseen = features.get_feature_names_out(), (houses["Neighborhood"] == "NAmes").to_numpy()
    of_level = [name.startswith("Neighborhood=") or " in Neighborhood=" in name for name in names]
    assert unseen.any()
    assert (features.transform(houses)[unseen][:, of_level] == 0).all()

    rare = HouseFeatures(min_level_rows=len(houses) + 1).fit(houses)
    partial = (houses["SaleCondition"] == "Partial").to_numpy()
    assert partial.any()
    assert (column(rare, houses, "SaleCondition=Partial") == 0).all()
    expected = column(rare, houses, "YearBuilt") * partial
    np.testing.assert_array_equal(column(rare, houses, "YearBuilt if SaleCondition=Partial"), expected)


@pytest.mark.parametrize(
    ("product", "first", "second"),
    [
        ("LogTotalArea * OverallQual", "LogTotalArea", "OverallQual"),
        ("OverallQual * OverallQual", "OverallQual", "OverallQual"),
        ("OverallQual in Neighborhood=NAmes", "OverallQual", "Neighborhood=NAmes"),
        ("YearBuilt if SaleCondition=Partial", "YearBuilt", "SaleCondition=Partial"),
        (f"{DEVIATION} if SaleType=New", DEVIATION, "SaleType=New"),
    ],
)
def test_products_are_those_of_their_parts_and_a_deviation_is_from_the_levels_median(houses, product, first, second):
    features = HouseFeatures(min_level_rows=1).fit(houses)
    one, other = (column(features, houses, name) for name in (first, second))
    np.testing.assert_allclose(column(features, houses, product), one * other, rtol=1e-5 if " * " in product else 1e-7)
    median, deviation = (column(features, houses, name) for name in ("OverallQual, median of Neighborhood", DEVIATION))
    np.testing.assert_allclose(median + deviation, column(features, houses, "OverallQual"), atol=1e-6)
    assert np.median(deviation[(houses["Neighborhood"] == "NAmes").to_numpy()]) == pytest.approx(0, abs=1e-6)
