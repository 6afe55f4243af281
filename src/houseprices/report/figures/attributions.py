"""Which features move the prices, and how the price moves with each."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from houseprices.charts import BLUE, INK, Drawing, draw
from houseprices.data.schema import BY_NAME
from houseprices.report.evidence import Evidence, Floats
from houseprices.report.figures.marks import by_level, height_of, name_lines, plot_cloud, plot_quantiles
from houseprices.report.themes import OWN_COLUMNS, WORDS, effect_names, themes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_EFFECTS = 9
"""Features whose effect is drawn."""
_N_IMPORTANT = 20
_UNITS = {"sqft": "square feet", "feet": "feet", "usd": "dollars", "rating": "rating, 1 to 10", "year": "year"}


def importance_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Overall importance of themes, then of features, with the spread over folds."""
    n_effects = len(evidence.importance)
    yield _importance("importance_by_theme", "What moves the prices", evidence.theme_importance,
                      evidence.fold_theme_importance, list(themes_of(n_effects)), 3.5)  # fmt: skip
    features = evidence.importance.head(_N_IMPORTANT)
    yield _importance(
        "importance", "… feature by feature", features, evidence.fold_importance, effect_names(n_effects), 5.9
    )


def _importance(
    name: str, title: str, sizes: pd.Series, of_folds: Floats, columns: list[str], height: float
) -> Drawing:
    """Bars of the sizes, and a line from the lowest to the highest fold; `columns` are the names of `of_folds`."""
    by_fold = 100 * of_folds[:, [columns.index(key) for key in sizes.index]]
    words = [WORDS.get(key, key) for key in sizes.index]

    def plot(axes: "Axes") -> None:
        places = np.arange(len(sizes))[::-1]
        axes.barh(places, 100 * sizes, color=BLUE, alpha=0.7, height=0.66)
        axes.hlines(places, by_fold.min(axis=0), by_fold.max(axis=0), color=INK, linewidth=1.5)
        name_lines(axes, words[::-1])
        axes.set(xlabel="mean size, % of the price")

    return draw(name, title, f"Most important are {', '.join(words[:3])}.", plot, height=height)


def effect_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Attribution against value for the main features."""
    for name in evidence.importance.index.drop(OWN_COLUMNS, errors="ignore")[:N_EFFECTS]:
        yield _effect(evidence, str(name))


def _effect(evidence: Evidence, name: str) -> Drawing:
    feature = BY_NAME[name]
    is_number = feature.kind == "number"
    effect = 100 * np.expm1(evidence.explanation.attributions[:, list(BY_NAME).index(name)])
    values = evidence.houses[name]

    def cloud(axes: "Axes") -> None:
        known = values.notna().to_numpy()
        x, y = values.to_numpy(dtype=np.float64)[known], effect[known]
        plot_cloud(axes, x, y)
        axes.set(xlabel=_UNITS.get(feature.unit, feature.unit), ylabel="effect on the price, %")
        axes.locator_params(axis="x", nbins=6, integer=True)
        if feature.unit in ("sqft", "feet", "usd"):
            if x.min() > 0 and x.max() > 10 * np.median(x):
                axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
        margin = 0.06 * (y.max() - y.min()) or 1.0
        axes.set_ylim(y.min() - margin, y.max() + margin)

    def levels(axes: "Axes") -> None:
        plot_quantiles(axes, by_level(values, effect, ordered=feature.kind != "nominal"))
        axes.set(xlabel="effect on the price, %")

    low, high = np.quantile(effect, (0.05, 0.95))
    return draw(
        f"effect_{name}",
        f"{WORDS[name].capitalize()} ({name})",
        f"Effect of {WORDS[name]} on the price, between {low:+.0f}% and {high:+.0f}% for nine houses in ten.",
        cloud if is_number else levels,
        height=height_of(0 if is_number else values.nunique()),
    )
