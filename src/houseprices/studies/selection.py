"""How groups of networks are combined: by the plain mean. And what a choice among them would have brought, honestly.

To choose the groups that score best and to report the score they were chosen by is to flatter oneself (Cawley and
Talbot 2010). The nested score is free of that: for each fold the choice sees the other folds' rows only.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from houseprices.cross_validation.metrics import log_rmse

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Selection:
    """Log-RMSE of the mean of all groups beside that of the best subset of them.

    Attributes:
        all_groups: nothing is chosen.
        naive: of the subset that scores best on all rows, on those same rows.
        nested: of the subset chosen without the fold that it is scored on.
        chosen: the naive choice.
    """

    all_groups: float
    naive: float
    nested: float
    chosen: tuple[str, ...]


def select_groups(predictions: Mapping[str, Floats], log_price: Floats, fold_of_row: NDArray[np.int64]) -> Selection:
    """Score the mean of every subset of the groups, chosen naively and nested.

    Args:
        predictions: {group: (n_rows,)} out-of-fold log prices.
        log_price: (n_rows,)
        fold_of_row: (n_rows,) the folds that the choice is nested in.

    >>> truth = np.zeros(4)
    >>> select_groups({"good": truth + 0.1, "bad": truth + 0.5}, truth, np.array([0, 0, 1, 1])).chosen
    ('good',)
    """
    names = list(predictions)
    subsets = [chosen for size in range(1, len(names) + 1) for chosen in itertools.combinations(names, size)]
    means = np.stack([np.mean([predictions[name] for name in chosen], axis=0) for chosen in subsets])
    squared = (means - log_price) ** 2  # (n_subsets, n_rows)
    nested = np.empty(len(log_price))
    for fold in np.unique(fold_of_row):
        held_out = fold_of_row == fold
        best = squared[:, ~held_out].mean(axis=1).argmin()
        nested[held_out] = means[best, held_out]
    naive = squared.mean(axis=1).argmin()
    return Selection(
        all_groups=log_rmse(means[-1], log_price),
        naive=log_rmse(means[naive], log_price),
        nested=log_rmse(nested, log_price),
        chosen=subsets[naive],
    )
