"""Held-out rows are predicted by networks that never saw them, and each network is trained once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprices.data.schema import PRICE
from houseprices.progress import Progress
from houseprices.selection.held_out import (
    MIN_NETWORKS,
    N_REPEATS,
    ModelOnFolds,
    by_repeat,
    fit_folds,
    log_price_of,
    predict_held_out,
    predict_models,
    two_fold_splits,
)
from houseprices.settings import FeatureSettings, Settings

N_FOLDS = 2 * N_REPEATS


@pytest.fixture
def candidate(fast_settings) -> Settings:
    """Two models."""
    other = replace(fast_settings.models["tiny"], activation="relu", blocks=("numbers",))
    return replace(fast_settings, models={**fast_settings.models, "other": other})


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def n_trained(houses, candidates, cache: Path) -> int:
    reports: list[Progress] = []
    predict_held_out(candidates, houses, cache, reports.append)
    counts = [report.n_done for report in reports]
    assert counts == sorted(counts)
    assert not reports or {report.n_total for report in reports} == {counts[-1]}
    return counts[-1] if reports else 0


def on_folds(houses: pd.DataFrame, settings: Settings, splits=None, n_networks: int = 1) -> ModelOnFolds:
    """Put the model tiny on the folds."""
    model = settings.models["tiny"]
    folds = fit_folds(settings.features, model.blocks, houses, splits or two_fold_splits(len(houses)))
    return ModelOnFolds("tiny", model, settings.seed, n_networks, folds)


def test_each_repeat_holds_every_row_out_once_and_no_two_are_alike():
    splits = two_fold_splits(101)
    for (training, held_out), (other_training, other_held_out) in zip(splits[::2], splits[1::2], strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate([held_out, other_held_out])), np.arange(101))
        np.testing.assert_array_equal(training, other_held_out)
        np.testing.assert_array_equal(other_training, held_out)
    assert len({tuple(held_out) for _, held_out in splits}) == N_FOLDS


def test_predictions_of_folds_return_to_their_rows():
    values = np.random.default_rng(0).normal(size=31)
    in_folds = np.concatenate([values[held_out] for _, held_out in two_fold_splits(31)])
    np.testing.assert_array_equal(by_repeat(in_folds, 31), np.tile(values, (N_REPEATS, 1)))


def test_prices_and_features_outside_the_training_rows_move_no_network(houses, fast_settings, cache):
    splits = [(np.arange(30), np.arange(30, 40))]

    def predictions(table: pd.DataFrame) -> np.ndarray:
        model = on_folds(table, fast_settings, splits)
        return predict_models([model], fast_settings, cache)[model.key]

    before = predictions(houses)
    changed = pd.concat([houses[:40], houses[: len(houses) - 40].set_index(houses.index[40:])])
    np.testing.assert_array_equal(predictions(with_prices(changed, slice(30, None))), before)
    assert (predictions(with_prices(houses, slice(3, 4))) != before).any()


def with_prices(houses: pd.DataFrame, rows: slice) -> pd.DataFrame:
    """Double the prices of some rows."""
    prices = houses[PRICE].to_numpy(copy=True)
    prices[rows] *= 2
    return houses.assign(**{PRICE: prices})


def test_the_ensemble_is_near_the_prices_and_the_mean_over_models(houses, candidate, cache):
    longer = {name: replace(model, epochs=30) for name, model in candidate.models.items()}
    settings = [replace(candidate, models=models) for models in (longer, *({name: longer[name]} for name in longer))]
    both, *alone = (prediction for _, prediction in predict_held_out(settings, houses, cache))
    assert both.shape == (N_REPEATS, len(houses))
    assert np.corrcoef(both.mean(axis=0), log_price_of(houses))[0, 1] > 0.7
    np.testing.assert_allclose(both, np.mean(alone, axis=0), rtol=1e-12)
    assert not np.array_equal(*alone)


@pytest.mark.parametrize(("n_members", "n_repeats", "expected"), [(1, 1, MIN_NETWORKS), (2, 3, 6)])
def test_a_model_has_the_networks_that_the_main_job_averages_and_no_fewer_than_four(
    n_members, n_repeats, expected, houses, fast_settings, cache
):
    models = {"tiny": replace(fast_settings.models["tiny"], n_members=n_members)}
    settings = replace(fast_settings, models=models, folds=replace(fast_settings.folds, n_repeats=n_repeats))
    assert n_trained(houses, [settings], cache) == N_FOLDS * expected


def test_no_network_is_trained_twice(houses, candidate, cache):
    alone = replace(candidate, models={"other": candidate.models["other"]})
    assert n_trained(houses, [candidate, alone], cache) == 2 * N_FOLDS * MIN_NETWORKS
    assert n_trained(houses, [candidate], cache) == 0
    [(_, fresh)], [(_, cached)] = (predict_held_out([candidate], houses, at) for at in (cache.with_name("new"), cache))
    np.testing.assert_array_equal(fresh, cached)


def test_an_interrupted_job_goes_on_with_the_model_at_which_it_was(houses, candidate, cache):
    def interrupt(report) -> None:
        if report.n_done > N_FOLDS * MIN_NETWORKS:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_held_out([candidate], houses, cache, interrupt)
    assert len(list(cache.iterdir())) == 1
    assert n_trained(houses, [candidate], cache) == N_FOLDS * MIN_NETWORKS


def flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda content: content[:-200], lambda _: b"", flip_a_bit])
def test_a_damaged_file_is_trained_anew(damage, houses, fast_settings, cache):
    n_trained(houses, [fast_settings], cache)
    [file] = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert n_trained(houses, [fast_settings], cache) == N_FOLDS * MIN_NETWORKS
    assert n_trained(houses, [fast_settings], cache) == 0


# ---- the key: no cached prediction can be stale ----


def test_the_key_depends_on_hyperparameters_seed_features_houses_prices_rows_and_code(
    houses, fast_settings, monkeypatch
):
    copied = pd.concat([houses[:35], houses[:1].set_index(houses.index[35:36]), houses[36:]])
    copied[PRICE] = houses[PRICE]
    reversed_rows = [(training, held_out[::-1]) for training, held_out in two_fold_splits(len(houses))]
    models = [
        replace(fast_settings.models["tiny"], **change)
        for change in ({"dropout": 0.3}, {"hidden": (9,)}, {"activation": "relu"}, {"blocks": ("numbers",)})
    ]
    keys = [
        on_folds(houses, fast_settings).key,
        *(on_folds(houses, replace(fast_settings, models={"tiny": model})).key for model in models),
        on_folds(houses, replace(fast_settings, seed=1)).key,
        on_folds(houses, fast_settings, n_networks=2).key,
        on_folds(houses, replace(fast_settings, features=FeatureSettings(clip=2.0))).key,
        on_folds(copied, fast_settings).key,
        on_folds(with_prices(houses, slice(3, 4)), fast_settings).key,
        on_folds(houses, fast_settings, reversed_rows).key,
    ]
    monkeypatch.setattr("houseprices.selection.held_out.code_digest", lambda *_: "other code")
    keys.append(on_folds(houses, fast_settings).key)
    assert len(set(keys)) == len(keys)


def test_the_key_depends_on_which_house_has_which_price(houses, fast_settings):
    """Two prices change places: their mean and standard deviation stay, to the last bit."""
    prices = houses[PRICE].to_numpy(copy=True)
    prices[[0, 8]] = prices[[8, 0]]
    before, after = (
        on_folds(table, fast_settings, [(np.arange(40), np.arange(40, 48))])
        for table in (houses, houses.assign(**{PRICE: prices}))
    )
    assert (before.folds[0].log_price_mean, before.folds[0].log_price_std) == (
        after.folds[0].log_price_mean,
        after.folds[0].log_price_std,
    )
    assert before.key != after.key


def test_a_candidates_key_ignores_the_order_of_models_and_the_main_jobs_folds(houses, candidate, cache):
    def key_of(settings: Settings) -> str:
        [(key, _)] = predict_held_out([settings], houses, cache)
        return key

    reversed_models = replace(candidate, models=dict(reversed(candidate.models.items())))
    other_folds = replace(candidate, folds=replace(candidate.folds, n_folds=7))
    assert key_of(candidate) == key_of(reversed_models) == key_of(other_folds)
    assert key_of(candidate) != key_of(replace(candidate, models={"tiny": candidate.models["tiny"]}))
