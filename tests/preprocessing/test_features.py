"""The transformer of a fold: the columns of its blocks, the same bits alone, among other rows and from JSON."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from houseprices.preprocessing.columns import BLOCKS, COLUMNS, LINEAR_BLOCKS
from houseprices.preprocessing.features import HouseFeatures


def column(features: HouseFeatures, houses: pd.DataFrame, name: str) -> np.ndarray:
    return features.transform(houses)[:, list(features.get_feature_names_out()).index(name)]


def test_the_matrix_is_finite_float32_with_a_name_for_every_column(houses):
    features = HouseFeatures(BLOCKS).fit(houses)
    matrix = features.transform(houses)
    assert matrix.dtype == np.float32
    assert matrix.shape == (len(houses), len(features.get_feature_names_out()))
    assert np.isfinite(matrix).all()


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


def test_blocks_partition_the_columns_in_order(houses):
    features = HouseFeatures(BLOCKS).fit(houses)
    names = features.get_feature_names_out()
    for block in BLOCKS:
        assert [names[index] for index in features.block_columns([block])] == [of.name for of in COLUMNS[block]]
    np.testing.assert_array_equal(features.block_columns(BLOCKS), np.arange(len(names)))
    with pytest.raises(KeyError, match="products"):
        HouseFeatures(LINEAR_BLOCKS).fit(houses).block_columns(["products"])


def test_columns_are_the_same_whatever_rows_are_fitted(houses):
    few, many = HouseFeatures().fit(houses.iloc[:10]), HouseFeatures().fit(houses)
    assert list(few.get_feature_names_out()) == list(many.get_feature_names_out())


def test_a_row_transforms_alike_alone_and_among_others(houses):
    features = HouseFeatures().fit(houses)
    np.testing.assert_array_equal(features.transform(houses)[3:4], features.transform(houses.iloc[3:4]))


def test_sizes_are_on_a_log_scale(houses):
    """Half and double the median lie equally far from it."""
    features = HouseFeatures(clip=1e6).fit(houses)
    median = houses["LotArea"].median()
    low, high = (
        column(features, houses.assign(LotArea=(median + 1) * factor - 1), "LotArea")[0] for factor in (0.5, 2)
    )
    assert low == pytest.approx(-high, rel=1e-4)


def test_ordinal_levels_keep_their_order(houses):
    features = HouseFeatures().fit(houses)
    levels = houses["KitchenQual"].cat.categories
    rows = houses.iloc[[0] * len(levels)].copy()
    rows["KitchenQual"] = pd.Categorical(levels, categories=levels, ordered=True)
    assert (np.diff(column(features, rows, "KitchenQual")) > 0).all()


def test_a_level_has_a_column_of_its_own_only_with_enough_training_rows(houses):
    counts = houses["Neighborhood"].value_counts()
    features = HouseFeatures(min_level_rows=4).fit(houses)
    for level, n_rows in counts.items():
        expected = (houses["Neighborhood"] == level).to_numpy() & (n_rows >= 4)
        np.testing.assert_array_equal(column(features, houses, f"Neighborhood={level}"), expected)


def test_an_unseen_level_is_a_row_of_zeros(houses):
    without = houses[houses["Neighborhood"] != "NAmes"]
    features = HouseFeatures().fit(without)
    matrix = features.transform(houses)
    names = features.get_feature_names_out()
    of_level = [name.startswith("Neighborhood=") or " in Neighborhood=" in name for name in names]
    strangers = (houses["Neighborhood"] == "NAmes").to_numpy()
    assert strangers.any()
    assert (matrix[strangers][:, of_level] == 0).all()


def test_a_rare_kind_of_sale_has_no_column_and_yet_its_sizes(houses):
    features = HouseFeatures(min_level_rows=len(houses) + 1).fit(houses)
    partial = (houses["SaleCondition"] == "Partial").to_numpy()
    assert partial.any()
    assert (column(features, houses, "SaleCondition=Partial") == 0).all()
    expected = column(features, houses, "YearBuilt") * partial
    np.testing.assert_array_equal(column(features, houses, "YearBuilt if SaleCondition=Partial"), expected)


def test_the_cross_blocks_are_products_of_their_parts(houses):
    features = HouseFeatures(min_level_rows=1).fit(houses)
    np.testing.assert_allclose(
        column(features, houses, "OverallQual in Neighborhood=NAmes"),
        column(features, houses, "OverallQual") * column(features, houses, "Neighborhood=NAmes"),
    )
    np.testing.assert_allclose(
        column(features, houses, "YearBuilt if SaleCondition=Partial"),
        column(features, houses, "YearBuilt") * column(features, houses, "SaleCondition=Partial"),
    )
    np.testing.assert_allclose(
        column(features, houses, "OverallQual - median of Neighborhood if SaleType=New"),
        column(features, houses, "OverallQual - median of Neighborhood") * column(features, houses, "SaleType=New"),
    )


def test_median_and_deviation_add_up_to_the_number(houses):
    features = HouseFeatures().fit(houses)
    usual = column(features, houses, "OverallQual, median of Neighborhood")
    deviation = column(features, houses, "OverallQual - median of Neighborhood")
    np.testing.assert_allclose(usual + deviation, column(features, houses, "OverallQual"), atol=1e-6)
    assert np.median(deviation[(houses["Neighborhood"] == "NAmes").to_numpy()]) == pytest.approx(0, abs=1e-6)


def test_fitted_state_survives_json_to_the_bit(houses):
    features = HouseFeatures().fit(houses)
    again = HouseFeatures.from_dict(json.loads(json.dumps(features.to_dict())))
    np.testing.assert_array_equal(again.transform(houses), features.transform(houses))


def test_saved_state_of_another_shape_is_refused(houses):
    for part, name in (("rows_of_level", "Neighborhood"), ("statistics", "LotArea, median of Neighborhood")):
        saved = HouseFeatures().fit(houses).to_dict()
        saved[part][name].pop()
        with pytest.raises(ValueError, match="cannot reshape"):
            HouseFeatures.from_dict(saved)


def test_transforming_before_fitting_is_refused(houses):
    with pytest.raises(NotFittedError, match="HouseFeatures: fit it before"):
        HouseFeatures().transform(houses)


def test_a_product_is_the_product_of_its_numbers(houses):
    features = HouseFeatures().fit(houses)
    quality, area = (column(features, houses, name) for name in ("OverallQual", "LogTotalArea"))
    np.testing.assert_allclose(column(features, houses, "LogTotalArea * OverallQual"), quality * area, rtol=1e-5)
    np.testing.assert_allclose(column(features, houses, "OverallQual * OverallQual"), quality**2, rtol=1e-5)
