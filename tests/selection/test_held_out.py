"""Held-out rows are predicted by networks that never saw them, and each network is trained once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.progress import Progress
from houseprices.selection.held_out import MIN_MEMBERS, HeldOutSet, batches_of, digest_of, predict_held_out
from houseprices.settings import FeatureSettings, Settings


@pytest.fixture
def town(houses) -> tuple[HouseArray, np.ndarray, list[HeldOutSet]]:
    """Houses, log prices, and two overlapping held-out sets that leave some rows out altogether."""
    rows = np.arange(len(houses))
    sets = [HeldOutSet(rows[:30], rows[30:40]), HeldOutSet(rows[10:], rows[:10])]
    return house_array(houses.drop(columns="SalePrice")), np.log(houses["SalePrice"].to_numpy()), sets


@pytest.fixture
def recipe(fast_settings) -> Settings:
    other = replace(fast_settings.models["tiny"], activation="relu", blocks=("numbers",))
    return replace(fast_settings, models={**fast_settings.models, "other": other})


@pytest.fixture
def kept(tmp_path) -> Path:
    """A folder for predictions."""
    return tmp_path / "kept"


def predicted(town, recipes, kept=None, notify=lambda _told: None):
    houses, log_price, sets = town
    return predict_held_out(batches_of(recipes, houses, log_price, sets), recipes[0], kept, notify)


def n_trained(town, recipes, kept: Path) -> int:
    told: list[Progress] = []
    predicted(town, recipes, kept, told.append)
    counts = [one.n_done for one in told]
    assert counts == sorted(counts)
    assert not told or {one.n_total for one in told} == {counts[-1]}
    return counts[-1] if told else 0


def key(town, recipe: Settings) -> str:
    houses, log_price, sets = town
    return digest_of(batches_of([recipe], houses, log_price, sets)[0])


def test_prices_and_features_of_rows_outside_the_training_rows_move_no_network(town, recipe):
    houses, log_price, _ = town
    sets = [HeldOutSet(np.arange(30), np.arange(30, 40))]
    before = predicted((houses, log_price, sets), [recipe])[0]
    shifted = np.where(np.arange(len(log_price)) < 30, log_price, log_price + 1)
    values = houses.values.copy()
    values[40:] = values[:8]
    after = predicted((HouseArray(values), shifted, sets), [recipe])[0]
    for name in recipe.models:
        np.testing.assert_array_equal(before[name][0], after[name][0])


def test_a_set_is_predicted_in_the_order_of_its_rows_and_near_the_prices(town, fast_settings):
    group = replace(fast_settings.models["tiny"], epochs=30)
    houses, log_price, _ = town
    rows = np.arange(len(log_price))
    [found] = predicted((houses, log_price, [HeldOutSet(rows, rows)]), [replace(fast_settings, models={"tiny": group})])
    assert np.corrcoef(found["tiny"][0].mean(axis=0), log_price)[0, 1] > 0.8


def test_a_group_has_the_networks_that_the_main_job_averages_for_a_house_and_no_fewer_than_four(town, recipe):
    for n_members, n_repeats, expected in ((1, 1, MIN_MEMBERS), (2, 3, 6)):
        models = {"tiny": replace(recipe.models["tiny"], n_members=n_members)}
        one = replace(recipe, models=models, folds=replace(recipe.folds, n_repeats=n_repeats))
        [found] = predicted(town, [one])
        assert [of.shape for of in found["tiny"]] == [(expected, 10), (expected, 10)]


def test_what_is_kept_is_not_trained_again_and_has_the_same_bits(town, recipe, kept):
    fresh = predicted(town, [recipe])[0]
    assert n_trained(town, [recipe], kept) == 2 * 2 * MIN_MEMBERS
    assert n_trained(town, [recipe], kept) == 0
    again = predicted(town, [recipe], kept)[0]
    for name in recipe.models:
        for one, other in zip(fresh[name], again[name], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_group_that_stands_in_two_recipes_is_trained_once(town, recipe, kept):
    alone = replace(recipe, models={"other": recipe.models["other"]})
    assert n_trained(town, [recipe, alone], kept) == 2 * 2 * MIN_MEMBERS


def test_an_interrupted_job_goes_on_where_it_was(town, recipe, kept):
    def interrupt(told) -> None:
        if told.n_done >= 2 * MIN_MEMBERS:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predicted(town, [recipe], kept, interrupt)
    assert len(list(kept.iterdir())) == 1
    assert n_trained(town, [recipe], kept) == 3 * MIN_MEMBERS


def test_a_spoilt_file_is_trained_anew(town, recipe, kept):
    n_trained(town, [recipe], kept)
    next(kept.iterdir()).write_bytes(b"nothing")
    assert n_trained(town, [recipe], kept) == MIN_MEMBERS
    assert n_trained(town, [recipe], kept) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"dropout": 0.3}, {"weight_decay": 0.1}, {"epochs": 3}, {"hidden": (9,)}, {"activation": "relu"},
        {"blocks": ("numbers", "one_hot")}, {"n_members": 5}, {"huber_delta": float("inf")},
    ],
)  # fmt: skip
def test_another_recipe_has_another_name(change, town, fast_settings):
    changed = replace(fast_settings, models={"tiny": replace(fast_settings.models["tiny"], **change)})
    assert key(town, changed) != key(town, fast_settings)


def test_the_name_hears_of_seed_features_houses_prices_and_rows(town, fast_settings):
    houses, log_price, sets = town
    values = houses.values.copy()
    values[35] = values[0]
    swapped = [HeldOutSet(sets[0].training, sets[0].held_out[::-1]), sets[1]]
    names = {
        key(town, fast_settings),
        key(town, replace(fast_settings, seed=1)),
        key(town, replace(fast_settings, features=FeatureSettings(clip=2.0))),
        key((HouseArray(values), log_price, sets), fast_settings),
        key((houses, log_price + np.eye(1, len(log_price), 3)[0], sets), fast_settings),
        key((houses, log_price, swapped), fast_settings),
    }
    assert len(names) == 6


def test_the_name_is_deaf_to_the_order_of_groups_and_to_the_main_jobs_folds(town, recipe):
    reversed_groups = replace(recipe, models=dict(reversed(recipe.models.items())))
    other_folds = replace(recipe, folds=replace(recipe.folds, n_folds=7))
    assert key(town, recipe) == key(town, reversed_groups) == key(town, other_folds)
