"""Folds partition the rows; features, targets and networks of a fold come from its training rows alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from houseprices.cross_validation.cross_validate import submit_fold
from houseprices.cross_validation.fold import Fold, assign_folds, fit_fold, split_rows
from houseprices.engine.training import open_executor
from houseprices.errors import DataError
from houseprices.preprocessing.columns import BLOCKS
from houseprices.preprocessing.houses import house_array
from houseprices.settings import FeatureSettings, ModelSettings, Settings

TINY = ModelSettings(n_members=2, hidden=(4,), epochs=2, blocks=("numbers",))

SIZES = st.integers(2, 60).flatmap(lambda n_rows: st.tuples(st.just(n_rows), st.integers(2, n_rows)))


@settings(deadline=None)
@given(SIZES, st.integers(1, 3), st.integers(0, 2**63 - 1))
def test_each_repeat_holds_each_row_out_once_in_folds_that_differ_by_one_row_at_most(
    sizes: tuple[int, int], n_repeats: int, seed: int
) -> None:
    n_rows, n_folds = sizes
    fold_of_row = assign_folds(n_rows, n_folds, n_repeats, seed)
    assert fold_of_row.shape == (n_repeats, n_rows)
    for repeat in fold_of_row:
        rows_of_fold = np.bincount(repeat, minlength=n_folds)
        assert len(rows_of_fold) == n_folds
        assert rows_of_fold.sum() == n_rows
        assert rows_of_fold.max() - rows_of_fold.min() <= 1


def test_each_repeat_and_each_seed_splits_differently_and_more_repeats_leave_the_first_as_they_were() -> None:
    splits = np.concatenate([assign_folds(n_rows=100, n_folds=5, n_repeats=3, seed=seed) for seed in (0, 1)])
    assert len(np.unique(splits, axis=0)) == 6
    np.testing.assert_array_equal(assign_folds(n_rows=100, n_folds=5, n_repeats=1, seed=0), splits[:1])


@pytest.mark.parametrize("n_folds", [-1, 0, 1, 6])
def test_a_number_of_folds_that_cannot_be_is_named_with_its_range(n_folds: int) -> None:
    with pytest.raises(DataError, match=rf"n_folds must be in \[2, n_rows=5\], got {n_folds}$"):
        assign_folds(n_rows=5, n_folds=n_folds, n_repeats=1, seed=0)


@pytest.fixture
def fold(houses) -> Fold:
    log_price = np.log(houses["SalePrice"].to_numpy())
    rows = split_rows(assign_folds(len(houses), n_folds=3, n_repeats=2, seed=0)[1], 2)
    array = house_array(houses.drop(columns="SalePrice"))
    blocks = set(BLOCKS) - {"custom"}
    return fit_fold(1, 2, rows, array, log_price, FeatureSettings(), blocks)


def test_targets_are_the_log_prices_standardised_on_the_training_rows(houses, fold):
    assert fold.targets[fold.training_rows].mean() == pytest.approx(0, abs=1e-6)
    assert fold.targets[fold.training_rows].std() == pytest.approx(1, abs=1e-6)
    log_price = np.log(houses["SalePrice"])
    np.testing.assert_allclose(fold.log_price_mean + fold.log_price_std * fold.targets, log_price, rtol=1e-6)


def test_networks_see_the_columns_that_are_nonzero_in_a_training_row(fold):
    """The weight of a column that only held-out rows fill would stay where it started."""
    blocks = tuple(block for block in BLOCKS if block != "custom")
    columns = fold.columns(blocks)
    others = np.setdiff1d(np.arange(fold.matrix.shape[1]), columns)
    assert fold.matrix[fold.training_rows][:, columns].any(axis=0).all()
    assert not fold.matrix[fold.training_rows][:, others].any()
    assert fold.matrix[fold.held_out_rows][:, others].any()
    np.testing.assert_array_equal(fold.data(blocks).inputs, fold.matrix[: len(fold.targets), columns])


def test_models_with_the_same_blocks_share_one_copy_of_their_columns(fold):
    assert fold.data(("numbers", "products")) is fold.data(("numbers", "products"))
    assert fold.data(("numbers",)) is not fold.data(("numbers", "products"))
    np.testing.assert_array_equal(fold.data(("numbers",)).validation_rows, fold.held_out_rows)
    assert len(fold.data(("numbers",), with_curves=False).validation_rows) == 0


def test_no_two_networks_start_alike_whatever_their_repeat_fold_model_and_seed(fold):
    """At such a learning rate they end where they start."""
    still = replace(TINY, learning_rate=1e-30, weight_decay=0.0)
    starts = []
    with open_executor(2, "cpu") as executor:
        for seed in (0, 1):
            job = Settings(seed=seed, models={"one": still, "other": still})
            for repeat, index in ((0, 0), (0, 1), (1, 0), (1, 1)):
                pending = submit_fold(executor, replace(fold, repeat=repeat, fold=index), job)
                starts += [model.result().network.parameters for model in pending.values()]
    assert len(torch.unique(torch.cat(starts), dim=0)) == 2 * 4 * 2 * 2


PRICES_BY_NEIGHBORHOOD = """
class Features:
    def fit(self, houses, log_price):
        self.mean = log_price.groupby(houses["Neighborhood"].astype("str")).mean()
        self.usual = log_price.mean() + houses["LotArea"].mean()
        return self
    def transform(self, houses):
        level = houses["Neighborhood"].astype("str").map(self.mean).fillna(self.usual)
        return level.to_frame("level") + houses[["OverallQual"]].astype("float64").to_numpy()
"""


def test_custom_features_of_training_rows_change_with_training_rows_alone(houses, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(PRICES_BY_NEIGHBORHOOD, "utf-8")
    rows = split_rows(assign_folds(len(houses), n_folds=3, n_repeats=1, seed=0)[0], 1)

    def custom_features(changed_rows: np.ndarray, change_price: bool) -> np.ndarray:
        table = houses.copy()
        ids = table.index[changed_rows]
        if change_price:
            table.loc[ids, "SalePrice"] *= 3
        else:
            table.loc[ids, "Neighborhood"] = "NAmes"
            table.loc[ids, "LotArea"] += 1e5
        log_price = np.log(table.pop("SalePrice").to_numpy())
        settings = FeatureSettings(columns=str(file))
        fold = fit_fold(0, 1, rows, house_array(table), log_price, settings, ["custom"])
        return fold.matrix[rows[0]]

    before = custom_features(np.array([], dtype=int), False)
    assert before.shape == (len(rows[0]), 1)
    for change_price in (False, True):
        np.testing.assert_array_equal(custom_features(rows[1], change_price), before)
        assert (custom_features(rows[0][:1], change_price) != before).any()
