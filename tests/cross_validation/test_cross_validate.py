import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from houseprices.cross_validation.cross_validate import CrossValidation, cross_validate
from houseprices.cross_validation.ensemble import ensemble_mean
from houseprices.cross_validation.metrics import log_rmse
from houseprices.data.sample import write_sample
from houseprices.data.schema import BY_NAME
from houseprices.data.table import read_houses
from houseprices.errors import DataError
from houseprices.progress import Notice, Progress
from houseprices.settings import FoldSettings, ModelSettings, Settings

TINY = ModelSettings(n_members=5, hidden=(6,), epochs=2, batch_size=16)
SETTINGS = Settings(
    device="cpu",
    folds=FoldSettings(n_folds=3, n_repeats=2),
    models={
        "relu": replace(TINY, loss="student_t"),
        "tanh": replace(TINY, n_members=1, activation="tanh", blocks=("numbers",)),
    },
)


def run(train: pd.DataFrame, test: pd.DataFrame, settings: Settings = SETTINGS) -> CrossValidation:
    return cross_validate(train, test, settings)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town")
    write_sample(folder, n_rows=60, n_test_rows=20, seed=3)
    return folder


@pytest.fixture(scope="module")
def town_train(town: Path) -> pd.DataFrame:
    return read_houses(town / "train.csv", priced=True)


@pytest.fixture(scope="module")
def town_test(town: Path) -> pd.DataFrame:
    return read_houses(town / "test.csv", priced=False)


@pytest.fixture(scope="module")
def result(town_train: pd.DataFrame, town_test: pd.DataFrame) -> CrossValidation:
    return run(town_train, town_test)


def test_a_held_out_row_is_predicted_by_the_networks_of_its_own_fold_whose_curves_end_at_its_error(result, town_train):
    houses, known = town_train.drop(columns="SalePrice"), result.ensemble.out_of_fold
    for fitted, curves in zip(result.ensemble.folds, result.curves, strict=True):
        rows = np.flatnonzero(known.fold_of_row[fitted.repeat] == fitted.fold)
        matrix = fitted.features.transform(houses.iloc[rows])
        for name, predictions in result.by_model.items():
            np.testing.assert_allclose(fitted.predict(name, matrix), predictions[fitted.repeat][:, rows], atol=1e-5)
            errors = [log_rmse(network, known.log_price[rows]) for network in predictions[fitted.repeat][:, rows]]
            np.testing.assert_allclose(curves[name].validation[:, -1], errors, rtol=1e-4)


def odd(column: pd.Series, rng: np.random.Generator) -> object:
    return (
        rng.permutation(column.cat.categories)[0] if column.dtype == "category" else column.max() * rng.uniform(2, 1e3)
    )


def end_of_range(column: pd.Series, _rng: np.random.Generator) -> object:
    """The largest that the schema accepts."""
    return column.cat.categories[-1] if column.dtype == "category" else BY_NAME[str(column.name)].high


@pytest.mark.parametrize(
    "poison", [odd, end_of_range, lambda _column, _rng: None], ids=["odd values", "ends of the ranges", "gaps"]
)
def test_nothing_fitted_for_a_fold_moves_when_its_held_out_rows_change_wildly(poison, result, town_train, town_test):
    """Features and prices alike; the other folds, which train on those rows, must move."""
    wild = town_train.copy()
    victims = np.flatnonzero(result.ensemble.out_of_fold.fold_of_row[0] == 0)
    rng = np.random.default_rng(0)
    for name in wild.columns.drop("SalePrice"):
        wild.iloc[victims, wild.columns.get_loc(name)] = poison(wild[name], rng)
    wild.iloc[victims, wild.columns.get_loc("SalePrice")] *= 1000
    after = run(wild, town_test)
    before_fold, after_fold = result.ensemble.folds[0], after.ensemble.folds[0]
    assert (before_fold.repeat, before_fold.fold) == (0, 0)
    assert before_fold.features.to_dict() == after_fold.features.to_dict()
    assert before_fold.log_price_mean == after_fold.log_price_mean
    assert before_fold.log_price_std == after_fold.log_price_std
    for name in before_fold.networks:
        np.testing.assert_array_equal(before_fold.columns[name], after_fold.columns[name])
        assert torch.equal(before_fold.networks[name].parameters, after_fold.networks[name].parameters)
    assert result.ensemble.folds[1].features.to_dict() != after.ensemble.folds[1].features.to_dict()
    assert result.ensemble.folds[1].log_price_mean != after.ensemble.folds[1].log_price_mean


def test_a_rows_price_moves_neither_its_prediction_nor_its_error_scale(town_train, town_test):
    once = replace(SETTINGS, folds=FoldSettings(n_folds=3, n_repeats=1))
    before = run(town_train, town_test, once)
    victims = before.ensemble.out_of_fold.fold_of_row[0] == 0
    after = run(town_train.assign(SalePrice=town_train["SalePrice"] * np.where(victims, 1000, 1)), town_test, once)
    known, known_after = before.ensemble.out_of_fold, after.ensemble.out_of_fold
    for name in ("prediction", "error_scale"):
        np.testing.assert_array_equal(getattr(known_after, name)[victims], getattr(known, name)[victims])
        assert (getattr(known_after, name)[~victims] != getattr(known, name)[~victims]).all()
    # The width of its interval does move: the networks behind other folds' residuals were trained on the row.
    widths, widths_after = (np.diff(of.intervals([0.8]), axis=1)[0, 0, victims] for of in (known, known_after))
    assert (widths_after != widths).any()
    for name, guess in before.baselines.items():
        np.testing.assert_array_equal(after.baselines[name][victims], guess[victims])


def test_test_predictions_are_the_mean_over_folds_and_repeats_in_log_space(result, town_test):
    folds = result.ensemble.folds
    by_fold = [ensemble_mean(fold.predict_models(fold.features.transform(town_test))[0]) for fold in folds]
    np.testing.assert_allclose(result.test, np.mean(by_fold, axis=0), atol=1e-5)
    np.testing.assert_allclose(result.test, result.ensemble.predict_folds(town_test).mean, atol=1e-5)


def test_results_do_not_depend_on_the_number_of_workers(result, town_train, town_test):
    for workers in (1, 3):
        again = run(town_train, town_test, replace(SETTINGS, workers=workers))
        np.testing.assert_array_equal(again.prediction, result.prediction)
        np.testing.assert_array_equal(again.test, result.test)


def test_the_training_score_is_that_of_the_rows_a_fold_was_trained_on(result, town_train):
    fitted, known = result.ensemble.folds[0], result.ensemble.out_of_fold
    rows = np.flatnonzero(known.fold_of_row[0] != 0)
    matrix = fitted.features.transform(town_train.drop(columns="SalePrice").iloc[rows])
    prediction = ensemble_mean(fitted.predict_models(matrix)[0])
    assert result.training_log_rmse[0, 0] == pytest.approx(log_rmse(prediction, known.log_price[rows]), rel=1e-4)


def test_equal_prices_and_single_digit_rows_train_all_the_same(town_train, town_test):
    few = town_train.iloc[:4].assign(SalePrice=100_000.0)
    settings = replace(SETTINGS, folds=FoldSettings(n_folds=4, n_repeats=1))
    assert np.isfinite(run(few, town_test, settings).prediction).all()


def test_houses_that_fill_no_column_are_refused(town_train, town_test):
    settings = replace(SETTINGS, folds=FoldSettings(n_folds=2, n_repeats=1))
    with pytest.raises(DataError, match=r"models\.\w+: the 1 training rows of fold 0 fill none of its columns; "):
        cross_validate(town_train.iloc[:2], town_test, settings)


def test_the_error_scale_is_that_of_the_networks_that_never_saw_the_row(result, town_train):
    known = result.ensemble.out_of_fold
    scales = result.ensemble.predict_folds(town_train.drop(columns="SalePrice")).error_scale
    unseen = np.take_along_axis(scales, known.fold_of_row[:, None], axis=1)
    np.testing.assert_array_equal(known.error_scale, unseen.mean(axis=(0, 1)))
    assert known.error_scale.std() > 0


def test_the_seconds_of_the_stages_add_up_and_training_counts_cpu_seconds(town_train, town_test):
    """Five networks that train beside the baselines take CPU time, however short the wait for them is."""
    longer = replace(SETTINGS, workers=1, models={"relu": replace(TINY, epochs=200)})
    start = time.perf_counter(), time.process_time()
    result = run(town_train, town_test, longer)
    wall_seconds, cpu_seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    assert set(result.seconds) == {"features", "compilation", "baselines", "training", "prediction"}
    assert 0.9 * wall_seconds < sum(result.seconds.values()) <= wall_seconds
    assert 0.2 * cpu_seconds < result.training_cpu_seconds < cpu_seconds


def test_progress_counts_the_trained_networks(town_train, town_test):
    events = []
    cross_validate(town_train, town_test, SETTINGS, events.append)
    progress = [event for event in events if isinstance(event, Progress)]
    counts = [event.n_done for event in progress]
    assert (counts[0], counts[-1]) == (0, 3 * 2 * (5 + 1))
    assert counts == sorted(counts)
    assert {(event.stage, event.n_total) for event in progress} == {("training networks", counts[-1])}


def test_copies_of_a_house_are_reported(town_train, town_test):
    events = []
    twice = pd.concat([town_train, town_train.iloc[[4, 2]].set_axis([9001, 9002])])
    cross_validate(twice, town_test, SETTINGS, events.append)
    [text] = [event.text for event in events if isinstance(event, Notice) and "copies" in event.text]
    ids = f"{town_train.index[2]}, {town_train.index[4]}, 9001, 9002"
    assert f"4 priced houses are copies of each other but for Id and price (Id {ids});" in text


def test_the_torch_step_is_reported_where_it_replaces_the_compiled_one(town_train, town_test, monkeypatch):
    notices = []
    for step in ("compiled", "torch"):
        monkeypatch.setattr("houseprices.cross_validation.cross_validate.step_on", lambda _device, step=step: step)
        events = []
        cross_validate(town_train, town_test, SETTINGS, events.append)
        notices.append([event.text for event in events if isinstance(event, Notice) and "numba" in event.text])
    assert notices[0] == []
    [text] = notices[1]
    assert text.endswith("(NUMBA_CACHE_DIR): networks train by the torch step, three to four times slower")


def test_a_failing_callback_stops_the_workers(town_train, town_test):
    def fail(event: Progress | Notice) -> None:
        if isinstance(event, Progress) and event.n_done:
            raise KeyboardInterrupt

    quick, slow = replace(TINY, n_members=1), replace(TINY, epochs=1_000_000)
    settings = replace(SETTINGS, models={"quick": quick, "slow": slow})
    with pytest.raises(KeyboardInterrupt):
        cross_validate(town_train, town_test, settings, fail)


@pytest.mark.real_data
def test_a_level_of_the_test_table_alone_is_named_once(real_train, real_test):
    fast = Settings(
        device="cpu", folds=FoldSettings(n_folds=2, n_repeats=1), models={"tiny": replace(TINY, n_members=1, epochs=1)}
    )
    events = []
    cross_validate(real_train, real_test, fast, events.append)
    assert [event for event in events if isinstance(event, Notice)] == [
        Notice("MSSubClass: '150' only in the test table; read as none of the levels")
    ]
