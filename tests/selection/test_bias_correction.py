"""The score of a choice is corrected for selection bias."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from houseprices.cli import main
from houseprices.selection.bias_correction import (
    Choose,
    acceptance_rule,
    corrected_score,
    greedy_ensemble,
    mean_prediction,
    score_of,
)
from houseprices.selection.compare import COLUMNS, keep_candidate

N_ROWS, N_REPEATS = 120, 2
TRUTH = np.random.default_rng(0).normal(size=N_ROWS)
ALL_ROWS = np.arange(N_ROWS)


def candidates(n_candidates: int, error: float, seed: int) -> np.ndarray:
    """Predictions with independent errors of this size, the same in every repeat."""
    noise = np.random.default_rng(seed).normal(size=(n_candidates, 1, N_ROWS))
    return TRUTH + error * np.repeat(noise, N_REPEATS, axis=1)


def acceptance(predictions: np.ndarray, log_price: np.ndarray) -> Choose:
    trials = [(candidate, False) for candidate in range(1, len(predictions))]
    return acceptance_rule(predictions, log_price, trials, n_resamples=30)


def best(predictions: np.ndarray, log_price: np.ndarray) -> Choose:
    return greedy_ensemble(predictions, log_price, 1)


def pair(predictions: np.ndarray, log_price: np.ndarray) -> Choose:
    return greedy_ensemble(predictions, log_price, 2)


@pytest.mark.parametrize(("rule", "n_problems", "truth"), [(best, 40, 1), (acceptance, 12, 1), (pair, 40, 1 / 2)])
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


@pytest.mark.parametrize("n_worse", [0, 5])
def test_a_candidate_far_better_than_all_others_needs_no_correction(n_worse):
    predictions = np.concatenate([candidates(n_worse, 0.5, seed=1), candidates(1, 0.1, seed=2)])
    corrected, shares = corrected_score(predictions, TRUTH, best(predictions, TRUTH))
    error = 0.1 * np.random.default_rng(2).normal(size=N_ROWS)
    trimmed = np.sort(np.abs(error))[:-2]  # without 1% of 120, rounded up
    assert corrected.rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    assert corrected.trimmed == pytest.approx(np.sqrt(np.mean(trimmed**2)), rel=1e-12)
    assert shares == {(n_worse,): 1.0}


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
    # The twin of the best adds nothing, though it is second best; the last one only harms.
    for max_size, choice in ((5, (0, 2, 3)), (2, (0, 2)), (1, (0,))):
        assert greedy_ensemble(TRUTH + errors, TRUTH, max_size)(ALL_ROWS) == choice


def test_a_row_counts_as_often_as_it_was_resampled():
    errors = np.ones((2, 1, N_ROWS))
    errors[0, 0, 0], errors[1, 0, 1] = 0, 0
    choose = best(TRUTH + errors, TRUTH)
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


# ---- the log ----


@pytest.fixture
def corrected(place, capsys):
    """Correct a log of four trials: better and accepted, without dropout, with lost predictions, on other houses."""
    for key, error in (("start", 0.1), ("better", 0.08), ("bare", 0.01)):
        prediction = TRUTH + np.full((N_REPEATS, 1), error)
        keep_candidate(key, prediction, TRUTH, regularised=key != "bare")
    with Path("log.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="0")
        table.writeheader()
        trials = (("kaggle", "better"), ("kaggle", "bare"), ("kaggle", "lost"), ("other", "elsewhere"))
        for (data, key), verdict in zip(trials, ["accepted", *["rejected"] * 3], strict=True):
            table.writerow({"data": data, "rule": "improvement", "first": "start", "second": key, "verdict": verdict})

    def run(*arguments: str, log: str = "log.csv") -> tuple[int | str | None, str, str]:
        with pytest.raises(SystemExit) as exit_info:
            main(["compare", "--corrected", "--log", log, *arguments])
        return exit_info.value.code, *capsys.readouterr()

    return run


def test_the_trials_of_a_log_are_replayed_and_the_lost_one_is_named(corrected):
    code, stdout, _ = corrected("--json")
    assert code == 0
    result = json.loads(stdout)
    assert (result["first"], result["accepted"]) == ("start", "better")
    assert (result["n_trials"], result["missing"]) == (2, [3])
    assert result["chosen"] == {"better": 1.0}
    scores = [result[name]["rmse"] for name in ("first_score", "accepted_score", "corrected")]
    assert scores == pytest.approx([0.1, 0.08, 0.08])
    printed = corrected()[1].splitlines()
    assert [row.split("\t")[1] for row in printed[1:4]] == ["0.1000", "0.0800", "0.0800"]


@pytest.mark.parametrize(
    ("arguments", "log", "code", "message"),
    [
        ([], "nowhere.csv", 1, "nowhere.csv: has no trial on Kaggle's houses"),
        (["--config", "some.toml"], "log.csv", 2, "--corrected stands beside other options"),
        ([], "log.csv", 1, "log.csv: the predictions of better are missing"),
    ],
)
def test_a_log_that_cannot_be_corrected_is_one_line(arguments, log, code, message, corrected):
    Path("runs/compare/candidates/better.npz").unlink()
    result, _, error = corrected(*arguments, log=log)
    assert (result, error.count("\n")) == (code, 1)
    assert message in error
