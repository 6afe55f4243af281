"""Random draws of columns: levels by weight, grades, counts, areas."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Column = npt.NDArray[Any]
Houses = dict[str, Column]
"""The columns drawn so far, {feature: (n_rows,)}."""


def _weights(text: str) -> tuple[list[str], Column]:
    """Levels and their weights, (n_levels, n_groups), from "level: a weight for each group, level: ..."."""
    pairs = [item.rsplit(":", 1) for item in text.split(",")]
    return [level.strip() for level, _ in pairs], np.array([weights.split() for _, weights in pairs], dtype=float)


def pick(rng: np.random.Generator, group: Column, text: str) -> Column:
    """Levels drawn in proportion to their weights in each row's group: (n_rows,), object.

    >>> pick(np.random.default_rng(0), np.array([0, 1, 1]), "Y: 1 0, N: 0 1")
    array(['Y', 'N', 'N'], dtype=object)
    """
    levels, weights = _weights(text)
    index = np.empty(len(group), dtype=np.int64)
    for g, cumulative in enumerate(np.cumsum(weights, axis=0).T):
        rows = group == g
        # The last bound is left out, so that a draw which rounds up to the total still gets the last level.
        index[rows] = np.searchsorted(cumulative[:-1], rng.random(rows.sum()) * cumulative[-1], side="right")
    return np.array(levels, dtype=object)[index]


def grade(score: Column, levels: str, bounds: tuple[float, ...]) -> Column:
    """The ordered level that each score falls in; `bounds` lie between neighbouring levels."""
    graded: Column = np.array(levels.split(), dtype=object)[np.searchsorted(bounds, score)]
    return graded


def whole(values: Column) -> Column:
    """The nearest whole numbers."""
    return np.rint(values).astype(np.int64)


def count(values: Column, low: int, high: int) -> Column:
    """The nearest whole numbers from low to high."""
    return np.clip(whole(values), low, high)


def sqft(rng: np.random.Generator, n_rows: int, share: Column | float, median: float, log_sd: float) -> Column:
    """Log-normal areas of at least 10 sqft for a share of the rows, 0 for the others; whole numbers."""
    area = np.maximum(10, median * np.exp(log_sd * rng.standard_normal(n_rows)))
    return np.where(rng.random(n_rows) < share, whole(area), 0)


def by_level(levels: Column, values: dict[str, float]) -> Column:
    """The value of each row's level."""
    return pd.Series(levels).map(values).to_numpy(dtype=np.float64)
