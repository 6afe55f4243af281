"""What each kind of network brings to a committee: which ones err differently, and what would be lost without each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """One group of a recipe; all figures are means over halvings, of log prices.

    Attributes:
        n_members: networks a half.
        whole, bulk: log-RMSE of the group alone.
        median: median absolute error of the group alone.
        bulk_without: log-RMSE of the other models together, in the bulk; None if there is no other.
        correlation: {other group: correlation of both models' errors, in the bulk}
    """

    n_members: int
    whole: float
    bulk: float
    median: float
    bulk_without: float | None
    correlation: dict[str, float]


def kinds_of(
    by_model: Mapping[str, Floats], n_members: Mapping[str, int], log_price: Floats, bulk: NDArray[np.bool_]
) -> dict[str, Kind]:
    """Each group of a recipe.

    Args:
        by_model: {group: (n_halvings, n_rows) log prices}
        n_members: {group: networks a half}
        log_price: (n_rows,)
        bulk: (n_rows,) which rows are no rare ones, see `gate.bulk_of`.
    """
    errors = {name: prediction - log_price for name, prediction in by_model.items()}

    def kind(name: str) -> Kind:
        others = {other: of_other for other, of_other in errors.items() if other != name}
        return Kind(
            n_members=n_members[name],
            whole=_log_rmse(errors[name]),
            bulk=_log_rmse(errors[name][:, bulk]),
            median=float(np.median(np.abs(errors[name]), axis=1).mean()),
            # The committee is the plain mean of its models, and so is its error.
            bulk_without=_log_rmse(np.mean(list(others.values()), axis=0)[:, bulk]) if others else None,
            correlation={
                other: _correlation(errors[name][:, bulk], of_other[:, bulk]) for other, of_other in others.items()
            },
        )

    return {name: kind(name) for name in by_model}


def _log_rmse(errors: Floats) -> float:
    return float(np.sqrt((errors**2).mean(axis=1)).mean())


def _correlation(one: Floats, other: Floats) -> float:
    """Mean over halvings, of (n_halvings, n_rows) errors."""
    return float(np.mean([np.corrcoef(*of_halving)[0, 1] for of_halving in zip(one, other, strict=True)]))
