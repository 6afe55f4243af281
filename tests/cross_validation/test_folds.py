"""Folds partition the rows, as evenly as can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houseprices.cross_validation.folds import assign_folds
from houseprices.errors import DataError

SIZES = st.integers(2, 60).flatmap(lambda n_rows: st.tuples(st.just(n_rows), st.integers(2, n_rows)))


@settings(deadline=None)
@given(SIZES, st.integers(1, 3), st.integers(0, 2**63 - 1))
def test_each_repeat_holds_each_row_out_once_in_folds_that_differ_by_one_row_at_most(
    sizes: tuple[int, int], n_repeats: int, seed: int
) -> None:
    n_rows, n_folds = sizes
    fold_of_row = assign_folds(n_rows, n_folds, n_repeats, seed)
    assert fold_of_row.shape == (n_repeats, n_rows)
    for repeat in fold_of_row:
        rows_of_fold = np.bincount(repeat, minlength=n_folds)
        assert len(rows_of_fold) == n_folds
        assert rows_of_fold.sum() == n_rows
        assert rows_of_fold.max() - rows_of_fold.min() <= 1


def test_repeats_split_differently() -> None:
    first, second, third = assign_folds(n_rows=100, n_folds=5, n_repeats=3, seed=0)
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_more_repeats_leave_the_first_ones_as_they_were() -> None:
    alone = assign_folds(n_rows=100, n_folds=5, n_repeats=1, seed=0)
    assert np.array_equal(alone[0], assign_folds(n_rows=100, n_folds=5, n_repeats=3, seed=0)[0])


def test_the_seed_decides_the_split() -> None:
    split = assign_folds(n_rows=100, n_folds=5, n_repeats=2, seed=7)
    assert np.array_equal(split, assign_folds(n_rows=100, n_folds=5, n_repeats=2, seed=7))
    assert not np.array_equal(split, assign_folds(n_rows=100, n_folds=5, n_repeats=2, seed=8))


def test_rows_are_shuffled_before_they_are_split() -> None:
    fold_of_row = assign_folds(n_rows=1000, n_folds=10, n_repeats=1, seed=0)[0]
    assert len(np.unique(fold_of_row[:100])) == 10
    assert not np.array_equal(fold_of_row, np.arange(1000) % 10)


@pytest.mark.parametrize("n_folds", [-1, 0, 1, 6])
def test_a_number_of_folds_that_cannot_be_is_named_with_its_range(n_folds: int) -> None:
    with pytest.raises(DataError, match=rf"n_folds must be in \[2, n_rows=5\], got {n_folds}$"):
        assign_folds(n_rows=5, n_folds=n_folds, n_repeats=1, seed=0)


def test_as_many_folds_as_rows_leave_one_row_out_each_time() -> None:
    assert sorted(assign_folds(n_rows=7, n_folds=7, n_repeats=1, seed=0)[0]) == list(range(7))
