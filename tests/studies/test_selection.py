import numpy as np
import pytest

from houseprices.studies.selection import select_groups

N_ROWS = 500
FOLDS = np.arange(N_ROWS) % 10
TRUTH = np.random.default_rng(0).normal(size=N_ROWS)


def test_the_mean_of_all_groups_is_scored_as_it_is():
    found = select_groups({"high": TRUTH + 0.1, "low": TRUTH - 0.1}, TRUTH, FOLDS)
    assert found.all_groups == pytest.approx(0, abs=1e-12)
    assert found.chosen == ("high", "low")


def test_the_naive_choice_is_never_worse_than_any_subset_and_nested_never_better_than_naive_here():
    rng = np.random.default_rng(1)
    groups = {str(index): TRUTH + rng.normal(size=N_ROWS) for index in range(5)}
    found = select_groups(groups, TRUTH, FOLDS)
    assert found.naive <= found.all_groups
    assert found.naive <= min(np.sqrt(np.mean((guess - TRUTH) ** 2)) for guess in groups.values())
    assert found.nested >= found.naive


def test_the_nested_choice_does_not_see_the_fold_it_is_scored_on():
    """A group that is perfect in one fold and poor elsewhere wins nothing there: its fold must not choose it."""
    oracle = np.where(FOLDS == 3, TRUTH, TRUTH + 5.0)
    plain = TRUTH + np.where(FOLDS == 3, 2.0, 0.1)
    found = select_groups({"oracle": oracle, "plain": plain}, TRUTH, FOLDS)
    assert found.nested == pytest.approx(np.sqrt(np.mean((plain - TRUTH) ** 2)))


def test_choosing_among_groups_that_differ_by_chance_flatters_naively_and_not_nested():
    """Eight groups with the same true error 1: over 30 draws the naive score lies below it, the nested one does not."""
    naive, nested = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        # Strongly correlated, so that the mean of all gains little and the choice is one of chance.
        shared = rng.normal(size=60)
        groups = {str(index): np.sqrt(0.9) * shared + np.sqrt(0.1) * rng.normal(size=60) for index in range(8)}
        found = select_groups(groups, np.zeros(60), np.arange(60) % 6)
        naive.append(found.naive - found.all_groups)
        nested.append(found.nested - found.all_groups)
    assert np.mean(naive) < 0 < np.mean(nested)
