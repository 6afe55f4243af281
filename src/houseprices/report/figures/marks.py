"""What several figures are drawn with: clouds of houses with their medians, and quantiles level by level."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.charts import BLUE, MUTED, ORANGE
from houseprices.report.words import level_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

DOTS: dict[str, Any] = {
    "color": BLUE,
    "marker": "o",
    "linestyle": "none",
    "markersize": 2.6,
    "markeredgewidth": 0,
    "alpha": 0.45,
}
"""A dot a house, many of them."""


def height_of(n_lines: int) -> float:
    """Inches for so many lines, one above the other."""
    return max(3.5, 0.24 * n_lines + 0.8)


def plot_cloud(axes: "Axes", x: Floats, y: Floats, n_parts: int = 8) -> None:
    """A dot a house, and the median of y in each n-th part of the houses by x; at each x, if there are only a few."""
    axes.plot(x, y, **DOTS)
    axes.axhline(0, color=MUTED, linewidth=1)
    values, n_rows = np.unique(x, return_counts=True)
    if len(values) <= 2 * n_parts:
        parts = [x == value for value in values[n_rows >= 3]]
    else:
        edges = np.unique(np.quantile(x, np.linspace(0, 1, n_parts + 1)))
        part = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, max(len(edges) - 2, 0))
        parts = [part == index for index in np.unique(part)]
    medians = [(np.median(x[rows]), np.median(y[rows])) for rows in parts]
    axes.plot(*np.array(medians).reshape(-1, 2).T, color=ORANGE, linewidth=2.2, marker="o", markersize=4)


def by_level(levels: pd.Series, values: Floats, *, ordered: bool) -> dict[str, Floats]:
    """The values of the houses of each level, in words: in the levels' own order, or else by their medians."""
    text = levels.map(lambda level: f"{level:g}" if isinstance(level, float) else str(level)).to_numpy()
    names = levels.cat.categories.astype("str") if levels.dtype == "category" else sorted(set(text), key=float)
    of_level = {level_words(str(levels.name), name): values[text == name] for name in names if (text == name).any()}
    return of_level if ordered else dict(sorted(of_level.items(), key=lambda item: float(np.median(item[1]))))


def plot_quantiles(axes: "Axes", of_level: Mapping[str, Floats], *, counted: bool = False) -> None:
    """Median, middle half and middle nine tenths of each level's values; with `counted` their number in brackets."""
    for place, values in enumerate(of_level.values()):
        low, left, middle, right, high = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
        axes.plot([low, high], [place, place], color=BLUE, linewidth=1.2, solid_capstyle="butt")
        axes.plot([left, right], [place, place], color=BLUE, linewidth=6, alpha=0.45, solid_capstyle="butt")
        axes.plot(middle, place, "o", color=BLUE, markersize=5)
    axes.axvline(0, color=MUTED, linewidth=1)
    name_lines(axes, [f"{level}  ({len(values)})" if counted else level for level, values in of_level.items()])


def name_lines(axes: "Axes", names: list[str]) -> None:
    """A name beside each line, from the bottom up, and no grid between them."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.grid(axis="y", visible=False)
