"""The acceptance test: scores, their bootstrap intervals, and the rule."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from houseprices.selection.acceptance import (
    TOLERANCE,
    PairedDifference,
    PairedScores,
    missing_regularisers,
    paired_median,
    paired_rmse,
    paired_scores,
    score_reasons,
    typical_rows,
)
from houseprices.settings import ModelSettings

TRUTH = np.random.default_rng(0).normal(size=400)


def noisy(error: float, seed: int = 1) -> np.ndarray:
    """Predictions in two repeats with independent errors of this size."""
    return TRUTH + error * np.random.default_rng(seed).normal(size=(2, len(TRUTH)))


def reasons_against(scores: PairedScores) -> list[str]:
    return score_reasons(scores.rmse, scores.trimmed, simplification=False)


def test_equal_predictions_differ_by_nothing_and_are_rejected():
    scores = paired_scores(noisy(0.1), noisy(0.1), TRUTH)
    for figure in (scores.rmse, scores.trimmed, scores.median):
        assert (figure.low, figure.difference, figure.high) == (0.0, 0.0, 0.0)
    assert reasons_against(scores)


@pytest.mark.parametrize("figure", [paired_rmse, paired_median])
def test_repeats_that_disagree_widen_the_interval(figure):
    """A gain in one repeat and a loss in the other is no gain, however alike the houses are."""
    scores = figure(np.stack([TRUTH + 0.2] * 2), np.stack([TRUTH + 0.1, TRUTH + 0.3]), TRUTH)
    assert (scores.first, scores.second) == pytest.approx((0.2, 0.2))
    assert (scores.low, scores.high) == pytest.approx((-0.1, 0.1))


def test_pairing_narrows_the_interval():
    """Errors that both share cancel; as independent errors they would not."""
    shared = noisy(0.2)
    small = 0.01 * np.random.default_rng(5).normal(size=shared.shape)
    paired = paired_rmse(shared, shared + small, TRUTH)
    unpaired = paired_rmse(shared, noisy(0.2, seed=9), TRUTH)
    assert paired.high - paired.low < 0.2 * (unpaired.high - unpaired.low)


@pytest.mark.parametrize(
    ("figure", "truth"), [(paired_rmse, 0.2 - 0.3), (paired_median, 0.67449 * (0.2 - 0.3))], ids=["rmse", "median"]
)
def test_the_interval_covers_the_true_difference(figure, truth):
    """95% intervals over 200 fresh problems; 5 standard errors around 95% are 87% to 100%."""
    rng = np.random.default_rng(3)
    intervals = []
    for _ in range(200):
        first, second = 0.3 * rng.normal(size=(1, 150)), 0.2 * rng.normal(size=(1, 150))
        intervals.append(figure(first, second, np.zeros(150), n_resamples=300))
    assert np.mean([interval.low <= truth <= interval.high for interval in intervals]) >= 0.87
    # 97.5% quantiles, not wider ones: the spread of the differences is that of the intervals.
    spread = np.std([interval.difference for interval in intervals])
    width = np.mean([interval.high - interval.low for interval in intervals])
    assert width == pytest.approx(2 * 1.96 * spread, rel=0.2)


def test_more_resamples_take_no_more_memory():
    first, second = noisy(0.2), noisy(0.1, seed=2)

    def peak(n_resamples: int) -> int:
        tracemalloc.start()
        for figure in (paired_rmse, paired_median):
            figure(first, second, TRUTH, n_resamples)
        _, bytes_at_most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return bytes_at_most

    peak(100)
    assert peak(2000) < 1.1 * peak(200)


def test_trimming_leaves_out_the_hundredth_with_the_largest_errors_of_both():
    first, second = noisy(0.01), noisy(0.01, seed=2)
    first[:, [3, 30]] += 1.5
    second[:, [30, 300]] += 1.6
    first[0, 200] += 2.9  # in one repeat
    np.testing.assert_array_equal(np.flatnonzero(~typical_rows([first, second], TRUTH)), [3, 30, 200, 300])
    assert typical_rows([np.zeros((10, 1460))] * 2, np.zeros(1460)).sum() == 1460 - 15


@pytest.mark.parametrize(
    ("harmed", "error", "reason"),
    [("second", 2.5, "the RMSE is worse"), ("first", 0.9, "the interval of the trimmed RMSE"), ("", 0, "")],
)
def test_a_gain_on_one_house_does_not_count_and_harm_to_one_house_does(harmed, error, reason):
    """The second is better on all houses if the first is not harmed, else equal on all but one."""
    first = noisy(0.1)
    second = first.copy() if harmed == "first" else TRUTH + 0.9 * (first - TRUTH)
    if harmed:
        (first if harmed == "first" else second)[:, 7] = TRUTH[7] + error
    reasons = reasons_against(paired_scores(first, second, TRUTH))
    assert [text.startswith(reason) for text in reasons] == ([True] if reason else [])


@pytest.mark.parametrize(
    ("trimmed", "rmse", "improvement", "simplification"),
    [
        ((-0.001, -0.0001), (TOLERANCE, 0.01), True, False),
        ((-0.001, 0.0), (0.0, 0.0), False, True),
        ((-0.001, -0.0001), (TOLERANCE + 1e-6, 0.01), False, False),
        ((0.0004, TOLERANCE - 1e-6), (0.0, TOLERANCE - 1e-6), False, True),
        ((0.0, TOLERANCE), (0.0, 0.0), False, False),
    ],
)
def test_the_rule(trimmed, rmse, improvement, simplification):
    figures = [PairedDifference(0.1, 0.1 + middle, middle, middle, high) for middle, high in (rmse, trimmed)]
    assert (score_reasons(*figures, simplification=False) == []) is improvement
    assert (score_reasons(*figures, simplification=True) == []) is simplification


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"weight_decay": 0.0}, "weight_decay"),
        ({"dropout": 0.0}, "dropout"),
        ({"weight_decay": 0.0, "hidden": ()}, "weight_decay"),
        ({"dropout": 0.0, "hidden": ()}, ""),  # it has no hidden units to drop
    ],
)
def test_no_model_goes_without_a_regulariser_that_acts_on_it(change, missing):
    models = {"tanh": vars(ModelSettings()), "bare": vars(replace(ModelSettings(), **change))}
    reasons = missing_regularisers(models)
    assert [reason.partition(" ")[0] for reason in reasons] == ([f"models.bare.{missing}"] if missing else [])
