"""Held-out rows are predicted by networks that never saw them, and each network is trained once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.progress import Progress
from houseprices.selection.held_out import (
    MIN_NETWORKS,
    N_REPEATS,
    ModelOnFolds,
    PricedHouses,
    by_repeat,
    fit_folds,
    predict_held_out,
    predict_models,
    two_fold_splits,
)
from houseprices.settings import FeatureSettings, Settings

N_FOLDS = 2 * N_REPEATS


@pytest.fixture
def priced(houses) -> PricedHouses:
    array = house_array(houses.drop(columns="SalePrice"))
    return PricedHouses(houses.index.to_numpy(), array, np.log(houses["SalePrice"].to_numpy()), "other", "")


@pytest.fixture
def candidate(fast_settings) -> Settings:
    """Two models."""
    other = replace(fast_settings.models["tiny"], activation="relu", blocks=("numbers",))
    return replace(fast_settings, models={**fast_settings.models, "other": other})


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def n_trained(priced, candidates, cache: Path) -> int:
    reports: list[Progress] = []
    predict_held_out(candidates, priced, cache, reports.append)
    counts = [report.n_done for report in reports]
    assert counts == sorted(counts)
    assert not reports or {report.n_total for report in reports} == {counts[-1]}
    return counts[-1] if reports else 0


def test_each_repeat_holds_every_row_out_once_and_no_two_are_alike():
    splits = two_fold_splits(101)
    assert len(splits) == N_FOLDS
    for (training, held_out), (other_training, other_held_out) in zip(splits[::2], splits[1::2], strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate([held_out, other_held_out])), np.arange(101))
        np.testing.assert_array_equal(training, other_held_out)
        np.testing.assert_array_equal(other_training, held_out)
    assert len({tuple(held_out) for _, held_out in splits}) == N_FOLDS


def test_predictions_of_folds_return_to_their_rows():
    values = np.random.default_rng(0).normal(size=31)
    in_folds = np.concatenate([values[held_out] for _, held_out in two_fold_splits(31)])
    np.testing.assert_array_equal(by_repeat(in_folds, 31), np.tile(values, (N_REPEATS, 1)))


def test_prices_and_features_outside_the_training_rows_move_no_network(priced, fast_settings):
    splits = [(np.arange(30), np.arange(30, 40))]

    def predictions(houses: HouseArray, log_price: np.ndarray) -> np.ndarray:
        folds = fit_folds(
            fast_settings.features,
            fast_settings.models["tiny"].blocks,
            replace(priced, houses=houses, log_price=log_price),
            splits,
        )
        model = ModelOnFolds("tiny", fast_settings.models["tiny"], 0, 1, folds)
        return predict_models([model], fast_settings, None)[model.key]

    values = priced.houses.values.copy()
    values[40:] = values[:8]
    shifted = priced.log_price + (np.arange(len(values)) >= 30)
    before, after = predictions(priced.houses, priced.log_price), predictions(HouseArray(values), shifted)
    np.testing.assert_array_equal(before, after)
    moved = priced.log_price + np.eye(1, len(values), 3)[0]
    assert (predictions(priced.houses, moved) != before).any()


def test_predictions_are_of_the_right_rows_and_near_the_prices(priced, fast_settings):
    models = {"tiny": replace(fast_settings.models["tiny"], epochs=30)}
    [held_out] = predict_held_out([replace(fast_settings, models=models)], priced, None)
    assert held_out.prediction.shape == (N_REPEATS, len(priced.log_price))
    assert np.corrcoef(held_out.prediction.mean(axis=0), priced.log_price)[0, 1] > 0.7


def test_the_ensemble_is_the_mean_over_models_of_the_mean_over_networks(priced, candidate):
    [both] = predict_held_out([candidate], priced, None)
    np.testing.assert_allclose(both.prediction, np.mean(list(both.by_model.values()), axis=0), rtol=1e-12)
    assert not np.array_equal(both.by_model["tiny"], both.by_model["other"])
    folds = fit_folds(
        candidate.features, candidate.models["tiny"].blocks, priced, two_fold_splits(len(priced.log_price))
    )
    by_size = []
    for n_networks in (1, 2):
        model = ModelOnFolds("tiny", candidate.models["tiny"], candidate.seed, n_networks, folds)
        by_size.append(predict_models([model], candidate, None)[model.key])
    assert (by_size[0] != by_size[1]).any()
    np.testing.assert_allclose(by_size[0], by_size[1], atol=1.0)


@pytest.mark.parametrize(("n_members", "n_repeats", "expected"), [(1, 1, MIN_NETWORKS), (2, 3, 6)])
def test_a_model_has_the_networks_that_the_main_job_averages_and_no_fewer_than_four(
    n_members, n_repeats, expected, priced, fast_settings
):
    models = {"tiny": replace(fast_settings.models["tiny"], n_members=n_members)}
    folds = replace(fast_settings.folds, n_repeats=n_repeats)
    [held_out] = predict_held_out([replace(fast_settings, models=models, folds=folds)], priced, None)
    assert held_out.n_networks == {"tiny": expected}


def test_cached_predictions_have_the_same_bits_and_are_not_trained_again(priced, candidate, cache):
    [fresh] = predict_held_out([candidate], priced, None)
    assert n_trained(priced, [candidate], cache) == 2 * N_FOLDS * MIN_NETWORKS
    assert n_trained(priced, [candidate], cache) == 0
    [cached] = predict_held_out([candidate], priced, cache)
    for name in candidate.models:
        np.testing.assert_array_equal(fresh.by_model[name], cached.by_model[name])


def test_a_model_of_two_candidates_is_trained_once(priced, candidate, cache):
    alone = replace(candidate, models={"other": candidate.models["other"]})
    assert n_trained(priced, [candidate, alone], cache) == 2 * N_FOLDS * MIN_NETWORKS


def test_an_interrupted_job_goes_on_with_the_model_at_which_it_was(priced, candidate, cache):
    def interrupt(report) -> None:
        if report.n_done > N_FOLDS * MIN_NETWORKS:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_held_out([candidate], priced, cache, interrupt)
    assert len(list(cache.iterdir())) == 1
    assert n_trained(priced, [candidate], cache) == N_FOLDS * MIN_NETWORKS


@pytest.mark.parametrize("damage", [lambda _: b"nothing", lambda content: content[:-200], lambda _: b""])
def test_a_damaged_file_is_trained_anew(damage, priced, fast_settings, cache):
    n_trained(priced, [fast_settings], cache)
    [file] = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert n_trained(priced, [fast_settings], cache) == N_FOLDS * MIN_NETWORKS
    assert n_trained(priced, [fast_settings], cache) == 0


def test_one_altered_byte_of_a_cached_prediction_is_noticed(priced, fast_settings, cache):
    n_trained(priced, [fast_settings], cache)
    [file] = cache.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert n_trained(priced, [fast_settings], cache) == N_FOLDS * MIN_NETWORKS


# ---- the key: no cached prediction can be stale ----


@pytest.mark.parametrize(
    "change",
    [
        {"dropout": 0.3}, {"weight_decay": 0.1}, {"epochs": 3}, {"hidden": (9,)}, {"activation": "relu"},
        {"blocks": ("numbers", "one_hot")}, {"n_members": 5}, {"huber_delta": float("inf")},
    ],
)  # fmt: skip
def test_another_model_has_another_key(change, priced, fast_settings):
    changed = replace(fast_settings, models={"tiny": replace(fast_settings.models["tiny"], **change)})
    assert key(priced, changed) != key(priced, fast_settings)


def test_the_key_depends_on_seed_features_houses_prices_and_rows(priced, fast_settings):
    values = priced.houses.values.copy()
    values[35] = values[0]
    moved = priced.log_price + np.eye(1, len(values), 3)[0]
    reversed_rows = [(training, held_out[::-1]) for training, held_out in two_fold_splits(len(values))]
    keys = {
        key(priced, fast_settings),
        key(priced, replace(fast_settings, seed=1)),
        key(priced, replace(fast_settings, features=FeatureSettings(clip=2.0))),
        key(replace(priced, houses=HouseArray(values)), fast_settings),
        key(replace(priced, log_price=moved), fast_settings),
        key(priced, fast_settings, reversed_rows),
    }
    assert len(keys) == 6


def test_the_key_depends_on_the_code_that_trains(priced, fast_settings, monkeypatch):
    before = key(priced, fast_settings)
    monkeypatch.setattr("houseprices.selection.held_out.code_digest", lambda *_: "other code")
    assert key(priced, fast_settings) != before


def test_a_candidates_key_ignores_the_order_of_models_and_the_main_jobs_folds(priced, candidate, cache):
    def key_of(settings: Settings) -> str:
        [held_out] = predict_held_out([settings], priced, cache)
        return held_out.key

    reversed_models = replace(candidate, models=dict(reversed(candidate.models.items())))
    other_folds = replace(candidate, folds=replace(candidate.folds, n_folds=7))
    assert key_of(candidate) == key_of(reversed_models) == key_of(other_folds)
    assert key_of(candidate) != key_of(replace(candidate, models={"tiny": candidate.models["tiny"]}))


def key(priced: PricedHouses, settings: Settings, splits=None) -> str:
    splits = splits or two_fold_splits(len(priced.log_price))
    model = settings.models["tiny"]
    folds = fit_folds(settings.features, model.blocks, priced, splits)
    return ModelOnFolds("tiny", model, settings.seed, model.n_members, folds).key
