"""What a fold learns from comes from its training rows alone, and each member from its own settings and seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from houseprices.cross_validation.fold_training import FoldData, prepare_fold, start_members, start_training
from houseprices.cross_validation.folds import assign_folds
from houseprices.engine.training import open_executor
from houseprices.preprocessing.columns import BLOCKS
from houseprices.preprocessing.houses import house_array
from houseprices.settings import FeatureSettings, ModelSettings, Settings

TINY = ModelSettings(hidden=(4,), epochs=2)


@pytest.fixture
def data(houses) -> FoldData:
    log_price = np.log(houses["SalePrice"].to_numpy())
    fold_of_row = assign_folds(len(houses), n_folds=3, n_repeats=2, seed=0)
    return prepare_fold(
        1, 2, house_array(houses.drop(columns="SalePrice")), log_price, fold_of_row, FeatureSettings(), BLOCKS
    )


def test_the_rows_are_those_of_the_fold_of_its_repeat(houses, data):
    held_out = assign_folds(len(houses), n_folds=3, n_repeats=2, seed=0)[1] == 2
    np.testing.assert_array_equal(data.held_out, np.flatnonzero(held_out))
    np.testing.assert_array_equal(data.training, np.flatnonzero(~held_out))


def test_targets_are_the_log_prices_standardised_on_the_training_rows(houses, data):
    assert data.targets[data.training].mean() == pytest.approx(0, abs=1e-6)
    assert data.targets[data.training].std() == pytest.approx(1, abs=1e-6)
    log_price = np.log(houses["SalePrice"])
    np.testing.assert_allclose(data.log_price_mean + data.log_price_std * data.targets, log_price, rtol=1e-6)


def test_a_column_is_live_where_a_training_row_fills_it(data):
    """A column that held-out rows alone fill is dead: its weight would stay where it started."""
    columns = data.live_columns(BLOCKS)
    dead = np.setdiff1d(np.arange(data.matrix.shape[1]), columns)
    assert data.matrix[data.training][:, columns].any(axis=0).all()
    assert not data.matrix[data.training][:, dead].any()
    assert data.matrix[data.held_out][:, dead].any()


def test_members_of_different_regularisation_are_those_that_train_alone(data):
    members = [(TINY, 0), (replace(TINY, weight_decay=5.0), 0), (replace(TINY, dropout=0.1), 7)]
    with open_executor(2, "cpu") as executor:
        batch = start_members(executor, data, ("numbers",), members)(lambda _n_networks: None)
        alone = [start_members(executor, data, ("numbers",), [one])(lambda _n_networks: None) for one in members]
    assert torch.equal(batch.network.parameters, torch.cat([one.network.parameters for one in alone]))
    np.testing.assert_array_equal(batch.curves.validation, np.concatenate([one.curves.validation for one in alone]))
    assert not torch.equal(batch.network.parameters[0], batch.network.parameters[1])


def test_no_two_networks_start_alike_whatever_their_repeat_fold_group_and_seed(data):
    """At such a learning rate they end where they start."""
    group = replace(TINY, n_members=2, blocks=("numbers",), learning_rate=1e-30, weight_decay=0.0)
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    starts = []
    with open_executor(2, "cpu") as executor:
        for seed in (0, 1):
            settings = Settings(seed=seed, models={"one": group, "other": group})
            for repeat, fold in places:
                wait = start_training(executor, replace(data, repeat=repeat, fold=fold), settings)
                model, curves = wait(lambda _n_members: None)
                assert (model.repeat, model.fold) == (repeat, fold)
                assert curves["one"].training.shape == (2, TINY.epochs)
                starts += [model.networks[name].parameters for name in ("one", "other")]
    assert len(torch.unique(torch.cat(starts), dim=0)) == 2 * 4 * 2 * 2


PRICES_AND_PLACES = """
class Features:
    def fit(self, houses, log_price):
        self.mean = log_price.groupby(houses["Neighborhood"].astype("str")).mean()
        self.usual = log_price.mean() + houses["LotArea"].mean()
        return self
    def transform(self, houses):
        level = houses["Neighborhood"].astype("str").map(self.mean).fillna(self.usual)
        return level.to_frame("level") + houses[["OverallQual"]].astype("float64").to_numpy()
"""


def test_own_columns_of_training_rows_move_with_training_rows_alone(houses, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(PRICES_AND_PLACES, "utf-8")
    fold_of_row = assign_folds(len(houses), n_folds=3, n_repeats=1, seed=0)
    training = np.flatnonzero(fold_of_row[0] != 1)

    def own_columns(changed_rows: np.ndarray, change_price: bool) -> np.ndarray:
        table = houses.copy()
        rows = table.index[changed_rows]
        if change_price:
            table.loc[rows, "SalePrice"] *= 3
        else:
            table.loc[rows, "Neighborhood"] = "NAmes"
            table.loc[rows, "LotArea"] += 1e5
        log_price = np.log(table.pop("SalePrice").to_numpy())
        settings = FeatureSettings(columns=str(file))
        data = prepare_fold(0, 1, house_array(table), log_price, fold_of_row, settings, ["custom"])
        return data.matrix[training][:, data.live_columns(("custom",))]

    before = own_columns(np.array([], dtype=int), False)
    assert before.shape == (len(training), 1)
    for change_price in (False, True):
        np.testing.assert_array_equal(own_columns(np.flatnonzero(fold_of_row[0] == 1), change_price), before)
        assert (own_columns(training[:1], change_price) != before).any()
