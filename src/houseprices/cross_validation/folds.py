"""Which fold holds each row out."""

import numpy as np
from numpy.typing import NDArray

from houseprices.errors import DataError


def assign_folds(n_rows: int, n_folds: int, n_repeats: int, seed: int) -> NDArray[np.int64]:
    """Split the rows at random into folds whose sizes differ by one at most, anew for each repeat.

    Shape:
        returns: fold_of_row, (n_repeats, n_rows), values 0 .. n_folds - 1

    Raises:
        DataError: fewer than two folds, or more folds than rows.

    >>> assign_folds(n_rows=4, n_folds=2, n_repeats=1, seed=0).sum()
    np.int64(2)
    """
    if not 2 <= n_folds <= n_rows:
        raise DataError([f"folds.n_folds must be in [2, n_rows={n_rows}], got {n_folds}"])
    fold_of_rank = np.arange(n_rows) % n_folds
    generators = [np.random.default_rng([seed, repeat]) for repeat in range(n_repeats)]
    return np.stack([generator.permutation(fold_of_rank) for generator in generators])


def split_rows(fold_of_row: NDArray[np.int64], fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions of the fold's training rows and of its held-out rows, from one repeat's (n_rows,).

    >>> split_rows(np.array([0, 1, 0]), fold=1)
    (array([0, 2]), array([1]))
    """
    held_out = fold_of_row == fold
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
