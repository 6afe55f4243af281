"""The acceptance test: scores, their bootstrap intervals, and the rule."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from houseprices.selection.acceptance import (
    TOLERANCE,
    PairedDifference,
    PairedScores,
    paired_median,
    paired_rmse,
    paired_scores,
    rejection_reasons,
    typical_rows,
)
from houseprices.settings import ModelSettings

TRUTH = np.random.default_rng(0).normal(size=400)
MODELS = {"tanh": vars(ModelSettings())}


def noisy(error: float, seed: int = 1) -> np.ndarray:
    """Predictions in two repeats with independent errors of this size."""
    return TRUTH + error * np.random.default_rng(seed).normal(size=(2, len(TRUTH)))


def scores_of(trimmed: tuple[float, float], rmse: tuple[float, float]) -> PairedScores:
    """From the difference and the upper end of each interval."""
    of_trimmed, of_rmse = (
        PairedDifference(0.1, 0.1 + middle, middle, middle, high) for middle, high in (trimmed, rmse)
    )
    return PairedScores(of_rmse, of_trimmed, of_rmse)


def test_equal_predictions_differ_by_nothing_and_are_rejected():
    same = noisy(0.1)
    scores = paired_scores(same, same, TRUTH)
    for figure in (scores.rmse, scores.trimmed, scores.median):
        assert (figure.low, figure.difference, figure.high) == (0.0, 0.0, 0.0)
    assert rejection_reasons(scores, MODELS)


def test_a_score_is_the_mean_over_repeats_of_the_pooled_error():
    first = np.stack([TRUTH + 0.1, TRUTH + 0.3])
    assert paired_rmse(first, first, TRUTH).first == pytest.approx(0.2)
    assert paired_median(first, first, TRUTH).first == pytest.approx(0.2)


@pytest.mark.parametrize("figure", [paired_rmse, paired_median])
def test_a_difference_lies_in_its_interval_and_changes_sign_with_the_order(figure):
    one, other = noisy(0.2), noisy(0.1, seed=2)
    there, back = figure(one, other, TRUTH), figure(other, one, TRUTH)
    assert there.low < there.difference < there.high < 0
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))


def test_pairing_narrows_the_interval():
    """Errors that both share cancel; as independent errors they would not."""
    shared = noisy(0.2)
    small = 0.01 * np.random.default_rng(5).normal(size=shared.shape)
    paired = paired_rmse(shared, shared + small, TRUTH)
    unpaired = paired_rmse(shared, noisy(0.2, seed=9), TRUTH)
    assert paired.high - paired.low < 0.2 * (unpaired.high - unpaired.low)


@pytest.mark.parametrize("figure", [paired_rmse, paired_median])
def test_repeats_that_disagree_widen_the_interval(figure):
    """A gain in one repeat and a loss in the other is no gain, however alike the houses are."""
    scores = figure(np.stack([TRUTH + 0.2] * 2), np.stack([TRUTH + 0.1, TRUTH + 0.3]), TRUTH)
    assert scores.difference == pytest.approx(0)
    assert (scores.low, scores.high) == pytest.approx((-0.1, 0.1))


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


def test_a_candidate_that_is_better_on_every_house_is_accepted():
    first = noisy(0.2)
    assert rejection_reasons(paired_scores(first, TRUTH + 0.9 * (first - TRUTH), TRUTH), MODELS) == []


def test_a_gain_that_rests_on_one_house_is_no_gain():
    first, second = noisy(0.1), noisy(0.1)
    first[:, 7] += 0.9
    scores = paired_scores(first, second, TRUTH)
    assert scores.rmse.difference < -0.005
    assert scores.trimmed.difference == 0
    [reason] = rejection_reasons(scores, MODELS)
    assert reason.startswith("the interval of the trimmed RMSE")


def test_a_gain_that_harms_one_house_badly_is_no_gain():
    first = noisy(0.1)
    second = TRUTH + 0.9 * (first - TRUTH)
    second[:, 7] = TRUTH[7] + 2.5
    scores = paired_scores(first, second, TRUTH)
    assert scores.trimmed.high < 0
    [reason] = rejection_reasons(scores, MODELS)
    assert reason.startswith("the RMSE is worse")


@pytest.mark.parametrize(
    ("trimmed", "rmse", "improvement", "simplification"),
    [
        ((-0.001, -0.0001), (TOLERANCE, 0.01), True, False),
        ((-0.001, 0.0), (0.0, 0.0), False, True),
        ((-0.001, -0.0001), (TOLERANCE + 1e-6, 0.01), False, False),
        ((0.0004, TOLERANCE - 1e-6), (0.0, TOLERANCE - 1e-6), False, True),
        ((0.0, TOLERANCE), (0.0, 0.0), False, False),
        ((float("nan"), float("nan")), (float("nan"), float("nan")), False, False),
    ],
)
def test_the_rule(trimmed, rmse, improvement, simplification):
    scores = scores_of(trimmed, rmse)
    assert (rejection_reasons(scores, MODELS) == []) is improvement
    assert (rejection_reasons(scores, MODELS, simplification=True) == []) is simplification


@pytest.mark.parametrize("simplification", [True, False])
@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"weight_decay": 0.0}, "weight_decay"),
        ({"dropout": 0.0}, "dropout"),
        ({"weight_decay": 0.0, "hidden": ()}, "weight_decay"),
        ({"dropout": 0.0, "hidden": ()}, ""),  # it has no hidden units to drop
    ],
)
def test_no_model_goes_without_a_regulariser_that_acts_on_it(change, missing, simplification):
    models = MODELS | {"bare": vars(replace(ModelSettings(), **change))}
    reasons = rejection_reasons(scores_of((-0.01, -0.01), (-0.01, -0.01)), models, simplification=simplification)
    assert [reason.partition(" ")[0] for reason in reasons] == ([f"models.bare.{missing}"] if missing else [])
