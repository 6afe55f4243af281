"""The gate's figures and its rule."""

from dataclasses import replace

import numpy as np
import pytest

from houseprices.selection.gate import (
    N_HALVINGS,
    TOLERANCE,
    Judgement,
    PairedDifference,
    bulk_of,
    by_halving,
    halvings,
    judge,
    objections,
    paired_difference,
    paired_median,
)
from houseprices.settings import ModelSettings, Settings

TRUTH = np.random.default_rng(0).normal(size=400)
RECIPE = Settings()


def guesses(error: float, seed: int = 1) -> np.ndarray:
    """Predictions in two halvings with independent errors of this size."""
    return TRUTH + error * np.random.default_rng(seed).normal(size=(2, len(TRUTH)))


def judgement(bulk: tuple[float, float], whole: tuple[float, float]) -> Judgement:
    """From (difference, high) of each."""
    of_bulk, of_whole = (PairedDifference(0.1, 0.1 + mid, mid, mid, high) for mid, high in (bulk, whole))
    return Judgement(of_whole, of_bulk, of_whole, 0.5, 0.5)


def test_each_halving_holds_every_row_out_once_and_no_two_are_alike():
    sets = halvings(101)
    assert len(sets) == 2 * N_HALVINGS
    for one, other in zip(sets[::2], sets[1::2], strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate([one.held_out, other.held_out])), np.arange(101))
        np.testing.assert_array_equal(one.training, other.held_out)
    assert len({tuple(one.held_out) for one in sets}) == len(sets)


def test_predictions_of_halves_return_to_their_rows():
    sets = halvings(31)
    found = by_halving(sets, [TRUTH[one.held_out] for one in sets])
    np.testing.assert_array_equal(found, np.tile(TRUTH[:31], (N_HALVINGS, 1)))


def test_equal_predictions_differ_by_nothing():
    same = guesses(0.1)
    found = judge(same, same, TRUTH)
    for difference in (found.whole, found.bulk, found.median):
        assert (difference.low, difference.difference, difference.high) == (0.0, 0.0, 0.0)
    assert found.won_whole == found.won_bulk == 0
    assert objections(found, RECIPE)


def test_the_score_is_the_mean_over_halvings_of_the_pooled_error():
    first = np.stack([TRUTH + 0.1, TRUTH + 0.3])
    assert paired_difference(first, first, TRUTH).first == pytest.approx(0.2)
    assert paired_median(first, first, TRUTH).first == pytest.approx(0.2)


@pytest.mark.parametrize("figure", [paired_difference, paired_median])
def test_a_difference_lies_in_its_interval_and_turns_its_sign_when_the_two_change_places(figure):
    one, other = guesses(0.2), guesses(0.1, seed=2)
    there, back = figure(one, other, TRUTH), figure(other, one, TRUTH)
    assert there.low < there.difference < there.high < 0
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))


def test_pairing_narrows_the_interval():
    """Errors that both share cancel; as independent errors they would not."""
    shared = guesses(0.2)
    small = 0.01 * np.random.default_rng(5).normal(size=shared.shape)
    paired = paired_difference(shared, shared + small, TRUTH)
    unpaired = paired_difference(shared, guesses(0.2, seed=9), TRUTH)
    assert paired.high - paired.low < 0.2 * (unpaired.high - unpaired.low)


def test_halvings_that_disagree_widen_the_interval():
    """A gain in one halving and a loss in the other is no gain, however alike the houses are."""
    first = np.stack([TRUTH + 0.2, TRUTH + 0.2])
    second = np.stack([TRUTH + 0.1, TRUTH + 0.3])
    found = paired_difference(first, second, TRUTH)
    assert found.difference == pytest.approx(0)
    assert (found.low, found.high) == pytest.approx((-0.1, 0.1))


def test_the_interval_covers_the_true_difference_of_independent_draws():
    """95% intervals over 200 fresh problems; 5 standard errors below 95% would be 87%."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        first, second = 0.3 * rng.normal(size=(1, 150)), 0.2 * rng.normal(size=(1, 150))
        found = paired_difference(first, second, np.zeros(150), n_draws=300)
        covered += found.low <= 0.2 - 0.3 <= found.high
    assert covered >= 0.87 * 200


def test_the_bulk_leaves_out_the_hundredth_that_both_together_err_most_on():
    first, second = guesses(0.01), guesses(0.01, seed=2)
    first[:, [3, 30]] += 1.5
    second[:, [30, 300]] += 1.6
    first[0, 200] += 2.9  # once only
    np.testing.assert_array_equal(np.flatnonzero(~bulk_of([first, second], TRUTH)), [3, 30, 200, 300])
    assert bulk_of([np.zeros((10, 1460))] * 2, np.zeros(1460)).sum() == 1460 - 15


def test_a_recipe_that_is_better_on_every_house_wins_every_halving_and_is_adopted():
    first = guesses(0.2)
    found = judge(first, TRUTH + 0.9 * (first - TRUTH), TRUTH)
    assert found.won_whole == found.won_bulk == 1
    assert objections(found, RECIPE) == []


def test_a_gain_that_rests_on_one_house_is_no_gain():
    first, second = guesses(0.1), guesses(0.1)
    first[:, 7] += 0.9
    found = judge(first, second, TRUTH)
    assert found.whole.difference < -0.005
    assert found.bulk.difference == 0
    [reason] = objections(found, RECIPE)
    assert reason.startswith("the bulk's interval")


def test_a_recipe_that_wins_the_bulk_and_loses_the_whole_is_not_adopted():
    first = guesses(0.1)
    second = TRUTH + 0.9 * (first - TRUTH)
    second[:, 7] = TRUTH[7] + 2.5
    found = judge(first, second, TRUTH)
    assert found.bulk.high < 0
    [reason] = objections(found, RECIPE)
    assert reason.startswith("the whole is +")


@pytest.mark.parametrize(
    ("bulk", "whole", "improvement", "simplification"),
    [
        ((-0.001, -0.0001), (TOLERANCE, 0.01), True, False),
        ((-0.001, 0.0), (0.0, 0.0), False, True),
        ((-0.001, -0.0001), (TOLERANCE + 1e-6, 0.01), False, False),
        ((0.0004, TOLERANCE - 1e-6), (0.0, TOLERANCE - 1e-6), False, True),
        ((0.0, TOLERANCE), (0.0, 0.0), False, False),
        ((float("nan"), float("nan")), (float("nan"), float("nan")), False, False),
    ],
)
def test_the_rule(bulk, whole, improvement, simplification):
    found = judgement(bulk, whole)
    assert (objections(found, RECIPE) == []) is improvement
    assert (objections(found, RECIPE, simplification=True) == []) is simplification


@pytest.mark.parametrize("setting", ["weight_decay", "dropout"])
@pytest.mark.parametrize("simplification", [True, False])
def test_no_kind_goes_without_a_regulariser(setting, simplification):
    models = {"one": ModelSettings(), "bare": replace(ModelSettings(), **{setting: 0.0})}
    better = judgement((-0.01, -0.01), (-0.01, -0.01))
    [reason] = objections(better, replace(RECIPE, models=models), simplification=simplification)
    assert reason.startswith(f"models.bare.{setting} is 0")
