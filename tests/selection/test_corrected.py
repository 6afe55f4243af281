"""The score of what was chosen is corrected for the choice."""

import json
from pathlib import Path

import numpy as np
import pytest

from houseprices.cli import main
from houseprices.selection.committee import best_that_differ
from houseprices.selection.corrected import Choose, correct_looks, corrected_score, gate_rule, lowest, mean_of, score_of
from houseprices.selection.experiments import Recipe, add_look, keep_recipe, look_of
from houseprices.selection.gate import Judgement, PairedDifference
from houseprices.settings import Settings, dump_settings

N_ROWS, N_HALVINGS = 120, 2
TRUTH = np.random.default_rng(0).normal(size=N_ROWS)
LOG = Path("log.csv")


def candidates(n_candidates: int, error: float, seed: int) -> np.ndarray:
    """Predictions that err by so much, each on other houses."""
    noise = np.random.default_rng(seed).normal(size=(n_candidates, 1, N_ROWS))
    return TRUTH + error * np.repeat(noise, N_HALVINGS, axis=1)


def improvements(n_candidates: int) -> list[tuple[int, bool]]:
    return [(candidate, False) for candidate in range(1, n_candidates)]


def gate(predictions: np.ndarray, log_price: np.ndarray) -> Choose:
    return gate_rule(predictions, log_price, improvements(len(predictions)), n_draws=30)


def committee(predictions: np.ndarray, log_price: np.ndarray) -> Choose:
    return best_that_differ(predictions, log_price, 2, 0.95)


@pytest.mark.parametrize(("rule", "n_problems", "truth"), [(lowest, 40, 1), (gate, 12, 1), (committee, 40, 1 / 2)])
def test_among_candidates_of_pure_noise_the_corrected_score_is_no_better_than_the_truth(rule, n_problems, truth):
    """Every candidate's true squared error is 1, that of a mean of two is a half."""
    corrected, naive = np.empty((2, n_problems))
    for problem in range(n_problems):
        noise = candidates(6, 1.0, seed=problem)
        choose = rule(noise, TRUTH)
        corrected[problem] = corrected_score(noise, TRUTH, choose, n_draws=20)[0].whole ** 2
        naive[problem] = score_of(mean_of(noise, choose(np.arange(N_ROWS))), TRUTH).whole ** 2

    def standard_error(of: np.ndarray) -> float:
        return float(np.std(of) / np.sqrt(n_problems))

    assert abs(corrected.mean() - truth) < 3 * standard_error(corrected)
    assert (naive - corrected).mean() < -2 * standard_error(naive - corrected)
    if rule is lowest:
        assert naive.mean() < 1 - 5 * standard_error(naive)


def test_what_nobody_chose_needs_no_correction():
    one = candidates(1, 0.1, seed=1)
    corrected, shares = corrected_score(one, TRUTH, lowest(one, TRUTH))
    naive = score_of(one[0], TRUTH)
    assert (corrected.whole, corrected.bulk) == pytest.approx((naive.whole, naive.bulk), rel=1e-12)
    assert naive.bulk < naive.whole
    assert shares == {(0,): 1.0}


def test_what_is_far_better_than_all_others_needs_no_correction():
    both = np.concatenate([candidates(5, 0.5, seed=1), candidates(1, 0.1, seed=2)])
    corrected, shares = corrected_score(both, TRUTH, lowest(both, TRUTH))
    assert corrected.whole == pytest.approx(score_of(both[5], TRUTH).whole, rel=1e-12)
    assert shares == {(5,): 1.0}


def test_no_house_that_is_scored_has_been_chosen_on():
    drawn: list[int] = []

    def second(rows: np.ndarray) -> tuple[int, ...]:
        drawn.extend(rows)
        return (1,)

    right = np.arange(N_ROWS, dtype=float)
    corrected_score(np.stack([right, right])[:, None], right, second, n_draws=1)
    wrong_where_drawn = right + np.isin(np.arange(N_ROWS), drawn)
    # The same houses are drawn again.
    score, _ = corrected_score(np.stack([right, wrong_where_drawn])[:, None], right, second, n_draws=1)
    assert 0 < len(set(drawn)) < N_ROWS
    assert score.whole == 0


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(1, False), (2, False)], 2),  # each better than the one before
        ([(2, False), (1, False)], 2),
        ([(3, False)], 0),  # a little worse
        ([(3, True)], 3),  # simpler and a little worse
        ([(3, True), (4, True)], 3),  # the two losses together are too much
        ([(3, True), (4, False)], 3),
        ([(4, True)], 0),
        ([(3, True), (1, False), (0, True)], 1),  # the loss counts from the improvement
    ],
)
def test_the_gate_is_replayed_from_look_to_look(steps, expected):
    error = candidates(1, 0.1, seed=3)[0] - TRUTH
    of = np.stack([TRUTH + factor * error for factor in (1.0, 0.9, 0.8, 1.004, 1.008)])
    assert gate_rule(of, TRUTH, steps)(np.arange(N_ROWS)) == (expected,)


def note(name: str, prediction: np.ndarray, rule: str, verdict: str, settings: Settings | None = None) -> None:
    """A look at Kaggle's houses, counted from the recipe `first`."""
    zero = PairedDifference(0.0, 0.0, 0.0, 0.0, 0.0)
    keep_recipe(Recipe(name, prediction, TRUTH, dump_settings(settings or Settings())))
    add_look(LOG, look_of("kaggle", "", rule, "first", "first", name, Judgement(zero, zero, zero, 0.5, 0.5), verdict))


@pytest.fixture
def looks(place) -> None:
    """Three looks: better and adopted, far better but without dropout, and lost since."""
    group = Settings().models["tanh"]
    bare = Settings(models={"tanh": type(group)(dropout=0.0)})
    keep_recipe(Recipe("first", TRUTH + 0.1 * np.ones((N_HALVINGS, 1)), TRUTH, dump_settings(Settings())))
    note("better", TRUTH + 0.08 * np.ones((N_HALVINGS, 1)), "improvement", "adopted")
    note("bare", TRUTH + 0.01 * np.ones((N_HALVINGS, 1)), "improvement", "rejected", bare)
    note("lost", TRUTH + 0.07 * np.ones((N_HALVINGS, 1)), "improvement", "rejected")
    Path("runs/gate/recipes/lost.npz").unlink()


def test_the_looks_of_the_log_are_replayed_and_the_lost_one_is_named(looks):
    found = correct_looks(LOG, n_draws=10)
    assert (found.first, found.adopted, found.n_looks, found.missing) == ("first", "better", 2, [3])
    assert found.chosen == {"better": 1.0}
    assert found.corrected.whole == pytest.approx(0.08)
    assert (found.first_score.whole, found.naive.whole) == pytest.approx((0.1, 0.08))


def test_predictions_of_other_houses_are_no_part_of_the_replay(looks):
    file = Path("runs/gate/recipes/bare.npz")
    file.unlink()
    keep_recipe(Recipe("bare", np.zeros((N_HALVINGS, N_ROWS)), TRUTH + 1, dump_settings(Settings())))
    assert correct_looks(LOG, n_draws=5).missing == [2, 3]


def corrected(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        main(["compare", "--corrected", "--log", str(LOG), *arguments])
    return exit_info.value.code


def test_the_correction_is_printed(looks, capsys):
    assert corrected() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "log-RMSE\twhole\tbulk",
        "first first\t0.1000\t0.1000",
        "adopted better\t0.0800\t0.0800",
        "adopted, corrected for the choice\t0.0800\t0.0800",
    ]
    assert lines[-1] == "2 looks replayed; without the looks 3, whose predictions are not kept here"
    assert corrected("--json") == 0
    assert json.loads(capsys.readouterr().out)["missing"] == [3]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 1, "has no look at the data 'kaggle'"),
        (["--config", "some.toml"], 2, "--corrected stands beside other options"),
        (["--models.tanh.dropout", "0.3"], 2, "--corrected stands beside other options"),
    ],
)
def test_what_cannot_be_corrected_is_one_line(arguments, code, told, place, capsys):
    assert corrected(*arguments) == code
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_an_adopted_recipe_that_is_lost_leaves_nothing_to_correct(looks, capsys):
    Path("runs/gate/recipes/better.npz").unlink()
    assert corrected() == 1
    assert "better.npz: the predictions of an earlier recipe are not kept here" in capsys.readouterr().err
