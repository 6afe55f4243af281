"""Effects of themes and features on the prices, by importance and by value."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from houseprices.data.schema import BY_NAME
from houseprices.report.drawing import (
    BLUE,
    INK,
    Drawing,
    draw,
    height_for,
    name_lines,
    plot_cloud,
    plot_quantiles,
    split_by_level,
)
from houseprices.report.evidence import Evidence
from houseprices.report.words import CUSTOM_FEATURES, meaning

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_N_EFFECTS = 10
_N_IMPORTANT = 20
_UNITS = {"sqft": "square feet", "feet": "feet", "usd": "dollars", "rating": "rating, 1 to 10", "year": "year"}


def effect_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Draw the importance of themes and features, then effect against value for the most important features."""
    yield _importance("Importance of themes", evidence.theme_importance)
    yield _importance("Importance of features", evidence.importance.head(_N_IMPORTANT))
    for name in evidence.importance.index.drop(CUSTOM_FEATURES, errors="ignore")[:_N_EFFECTS]:
        yield _effect(evidence, str(name))


def _importance(title: str, importance: pd.DataFrame) -> Drawing:
    table = 100 * importance[::-1]
    words = [meaning(effect) for effect in table.index]

    def plot(axes: "Axes") -> None:
        y = np.arange(len(table))
        axes.barh(y, table["size"], color=BLUE, alpha=0.7, height=0.66)
        axes.hlines(y, table["lowest"], table["highest"], color=INK, linewidth=1.5)
        name_lines(axes, words)
        axes.set(xlabel="mean size, % of the price")

    return draw(title, f"Most important: {', '.join(words[:-4:-1])}.", plot, height_for(len(table)))


def _effect(evidence: Evidence, name: str) -> Drawing:
    feature, values = BY_NAME[name], evidence.houses[name]
    effect = 100 * np.expm1(evidence.explanation.attributions[:, list(BY_NAME).index(name)])
    is_number = feature.kind == "number"
    levels = {} if is_number else split_by_level(values, effect, ordered=feature.kind == "ordinal")

    def plot_number(axes: "Axes") -> None:
        known = values.notna().to_numpy()
        x, y = values.to_numpy(dtype=np.float64)[known], effect[known]
        plot_cloud(axes, x, y)
        axes.set(xlabel=_UNITS.get(feature.unit, feature.unit), ylabel="effect on the price, %")
        axes.locator_params(axis="x", nbins=6, integer=True)
        if feature.unit in ("sqft", "feet", "usd"):
            if x.min() > 0 and x.max() > 10 * np.median(x):
                axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")

    def plot_levels(axes: "Axes") -> None:
        plot_quantiles(axes, levels)
        axes.set(xlabel="effect on the price, %")

    low, high = np.quantile(effect, (0.05, 0.95))
    return draw(
        f"{feature.meaning.capitalize()} ({name})",
        f"Effect of {feature.meaning} on the price, between {low:+.0f}% and {high:+.0f}% for nine houses in ten.",
        plot_number if is_number else plot_levels,
        2.9 if is_number else height_for(len(levels)),
    )
