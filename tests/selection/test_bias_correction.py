"""The score of a choice is corrected for selection bias."""

import json
from pathlib import Path

import numpy as np
import pytest

from houseprices.cli import main
from houseprices.preprocessing.houses import house_array
from houseprices.selection.acceptance import PairedDifference, PairedScores
from houseprices.selection.bias_correction import (
    Choose,
    acceptance_rule,
    correct_log,
    corrected_score,
    greedy_ensemble,
    lowest_rmse,
    mean_prediction,
    score_of,
)
from houseprices.selection.compare import Comparison, add_to_log, keep_candidate, log_line
from houseprices.selection.held_out import HeldOut, PricedHouses
from houseprices.settings import Settings

N_ROWS, N_REPEATS = 120, 2
TRUTH = np.random.default_rng(0).normal(size=N_ROWS)
ALL_ROWS = np.arange(N_ROWS)
LOG = Path("log.csv")


def candidates(n_candidates: int, error: float, seed: int) -> np.ndarray:
    """Predictions with independent errors of this size, the same in every repeat."""
    noise = np.random.default_rng(seed).normal(size=(n_candidates, 1, N_ROWS))
    return TRUTH + error * np.repeat(noise, N_REPEATS, axis=1)


def acceptance(predictions: np.ndarray, log_price: np.ndarray) -> Choose:
    trials = [(candidate, False) for candidate in range(1, len(predictions))]
    return acceptance_rule(predictions, log_price, trials, n_resamples=30)


def pair(predictions: np.ndarray, log_price: np.ndarray) -> Choose:
    return greedy_ensemble(predictions, log_price, 2)


@pytest.mark.parametrize(
    ("rule", "n_problems", "truth"), [(lowest_rmse, 40, 1), (acceptance, 12, 1), (pair, 40, 1 / 2)]
)
def test_among_candidates_of_pure_noise_the_corrected_score_is_the_true_one(rule, n_problems, truth):
    """Every candidate's true squared error is 1, that of the mean of two is a half."""
    corrected, naive = np.empty((2, n_problems))
    for problem in range(n_problems):
        noise = candidates(6, 1.0, seed=problem)
        choose = rule(noise, TRUTH)
        corrected[problem] = corrected_score(noise, TRUTH, choose, n_resamples=20)[0].rmse ** 2
        naive[problem] = score_of(mean_prediction(noise, choose(ALL_ROWS)), TRUTH).rmse ** 2

    def standard_error(squared: np.ndarray) -> float:
        return float(np.std(squared) / np.sqrt(n_problems))

    assert abs(corrected.mean() - truth) < 3 * standard_error(corrected)
    assert (naive - corrected).mean() < -2 * standard_error(naive - corrected)


def test_a_single_candidate_needs_no_correction():
    single = candidates(1, 0.1, seed=1)
    corrected, shares = corrected_score(single, TRUTH, lowest_rmse(single, TRUTH))
    naive = score_of(single[0], TRUTH)
    assert (corrected.rmse, corrected.trimmed) == pytest.approx((naive.rmse, naive.trimmed), rel=1e-12)
    assert naive.trimmed < naive.rmse
    assert shares == {(0,): 1.0}


def test_a_candidate_far_better_than_all_others_needs_no_correction():
    predictions = np.concatenate([candidates(5, 0.5, seed=1), candidates(1, 0.1, seed=2)])
    corrected, shares = corrected_score(predictions, TRUTH, lowest_rmse(predictions, TRUTH))
    assert corrected.rmse == pytest.approx(score_of(predictions[5], TRUTH).rmse, rel=1e-12)
    assert shares == {(5,): 1.0}


def test_no_house_that_is_scored_has_been_chosen_on():
    resampled: list[int] = []

    def second(rows: np.ndarray) -> tuple[int, ...]:
        resampled.extend(rows)
        return (1,)

    right = np.arange(N_ROWS, dtype=float)
    corrected_score(np.stack([right, right])[:, None], right, second, n_resamples=1)
    wrong_where_resampled = right + np.isin(ALL_ROWS, resampled)
    # The same houses are drawn again.
    score, _ = corrected_score(np.stack([right, wrong_where_resampled])[:, None], right, second, n_resamples=1)
    assert 0 < len(set(resampled)) < N_ROWS
    assert score.rmse == 0


def test_the_ensemble_takes_what_lowers_its_error_most_and_nothing_else():
    noise = np.random.default_rng(1).normal(size=(N_ROWS, 4))
    shared, *own = np.sqrt(N_ROWS) * np.linalg.qr(noise)[0].T[:, None]  # uncorrelated, of variance 1
    errors = np.stack([0.10 * shared, 0.125 * shared, 0.13 * own[0], 0.14 * own[1], 9 * own[2]])
    choose = greedy_ensemble(TRUTH + errors, TRUTH, 5)
    # The twin of the best adds nothing, though it is second best; the last one only harms.
    assert choose(ALL_ROWS) == (0, 2, 3)
    assert greedy_ensemble(TRUTH + errors, TRUTH, 2)(ALL_ROWS) == (0, 2)
    sizes = [score_of(mean_prediction(TRUTH + errors, choose(ALL_ROWS)[:size]), TRUTH).rmse for size in (1, 2, 3)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("rule", [lowest_rmse, pair])
def test_a_rule_sees_the_resampled_rows_alone(rule):
    predictions = candidates(6, 1.0, seed=1)
    rows = np.random.default_rng(2).integers(N_ROWS // 2, size=N_ROWS)
    before = rule(predictions, TRUTH)(rows)
    predictions[:, :, N_ROWS // 2 :] = np.random.default_rng(3).normal(size=predictions[:, :, N_ROWS // 2 :].shape)
    assert rule(predictions, TRUTH)(rows) == before


def test_a_row_counts_as_often_as_it_was_resampled():
    errors = np.ones((2, 1, N_ROWS))
    errors[0, 0, 0], errors[1, 0, 1] = 0, 0
    choose = lowest_rmse(TRUTH + errors, TRUTH)
    assert [choose(np.array(rows)) for rows in ([0, 0, 1], [0, 1, 1])] == [(0,), (1,)]


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([(1, False), (2, False)], 2),  # each better than the one before
        ([(2, False), (1, False)], 2),
        ([(3, False)], 0),  # a little worse
        ([(3, True)], 3),  # simpler and a little worse
        ([(4, True)], 0),
        ([(3, True), (1, False)], 1),
    ],
)
def test_the_acceptance_test_is_replayed_from_trial_to_trial(trials, expected):
    error = candidates(1, 0.1, seed=3)[0] - TRUTH
    predictions = np.stack([TRUTH + factor * error for factor in (1.0, 0.9, 0.8, 1.004, 1.008)])
    assert acceptance_rule(predictions, TRUTH, trials)(ALL_ROWS) == (expected,)


@pytest.fixture
def log(place, houses):
    """Three trials: better and accepted, far better but without dropout, and one whose predictions are lost."""
    array = house_array(houses.drop(columns="SalePrice"))
    priced = PricedHouses(np.arange(N_ROWS), array, TRUTH, "kaggle", "")
    no_dropout = Settings(models={"tanh": type(Settings().models["tanh"])(dropout=0.0)})

    def keep(key: str, error: float, settings: Settings) -> None:
        prediction = {"tanh": TRUTH + np.full((N_REPEATS, 1), error)}
        keep_candidate(settings, HeldOut(key, prediction, {"tanh": 4}), priced)

    keep("start", 0.1, Settings())
    for key, error, settings, reasons in (
        ("better", 0.08, Settings(), []),
        ("bare", 0.01, no_dropout, ["no dropout"]),
        ("lost", 0.07, Settings(), ["by chance"]),
    ):
        keep(key, error, settings)
        scores = PairedScores(*[PairedDifference(0.0, 0.0, 0.0, 0.0, 0.0)] * 3)
        comparison = Comparison(0, "improvement", "start", key, [], scores, reasons, {}, [])
        add_to_log(LOG, log_line(comparison, "kaggle", ""))
    Path("runs/compare/candidates/lost.npz").unlink()
    return keep


def test_the_trials_of_a_log_are_replayed_and_the_lost_one_is_named(log):
    corrected = correct_log(LOG, n_resamples=10)
    assert (corrected.first, corrected.accepted) == ("start", "better")
    assert (corrected.n_trials, corrected.missing) == (2, [3])
    assert corrected.chosen == {"better": 1.0}
    scores = (corrected.first_score, corrected.accepted_score, corrected.corrected)
    assert [score.rmse for score in scores] == pytest.approx([0.1, 0.08, 0.08])


def test_predictions_of_other_houses_are_not_replayed(log):
    file = Path("runs/compare/candidates/bare.npz")
    with np.load(file) as content:
        np.savez(file, **{**content, "log_price": content["log_price"] + 1})
    assert correct_log(LOG, n_resamples=5).missing == [2, 3]


def corrected_by_command(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        main(["compare", "--corrected", "--log", str(LOG), *arguments])
    return exit_info.value.code


def test_the_corrected_score_is_printed(log, capsys):
    assert corrected_by_command() == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[1] for row in rows[1:4]] == ["0.1000", "0.0800", "0.0800"]
    assert corrected_by_command("--json") == 0
    assert json.loads(capsys.readouterr().out)["missing"] == [3]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 1, "has no trial on the data 'kaggle'"),
        (["--config", "some.toml"], 2, "--corrected stands beside other options"),
        (["--models.tanh.dropout", "0.3"], 2, "--corrected stands beside other options"),
    ],
)
def test_a_log_that_cannot_be_corrected_is_one_line(arguments, code, message, place, capsys):
    assert corrected_by_command(*arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_without_the_accepted_candidate_there_is_nothing_to_correct(log, capsys):
    Path("runs/compare/candidates/better.npz").unlink()
    assert corrected_by_command() == 1
    assert "better.npz: the predictions of an earlier candidate are missing" in capsys.readouterr().err
