"""One house's price, theme by theme. It imports little, for the processes that draw many."""

import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.charts import BLUE, MUTED, ORANGE, PAPER, Drawing, draw
from houseprices.data.schema import FEATURES
from houseprices.report.money import dollar_ticks, dollars, percent
from houseprices.report.themes import POSITIONS, THEMES, WORDS, by_size, by_theme
from houseprices.report.words import value_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from houseprices.report.attributions import Explanation

_DETAIL_LETTERS = 74
"""That fit under a bar."""


def get_ready() -> None:
    """Import what drawing needs ahead of the first task, and leave Ctrl-C to the process that was started by hand."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import matplotlib.figure  # noqa: F401


def waterfall(house: pd.Series, attributions: NDArray[np.float64], baseline: float, prediction: float) -> Drawing:
    """From the average house's price to this one's, theme by theme, the largest effects first, in log price.

    Under each bar stand the features that have most of its effect.
    """
    themes = list(THEMES)
    effects = by_theme(attributions[None])[0]
    order = by_size(effects)
    names, steps = [themes[place] for place in order], effects[order]
    details = [_largest(house, attributions, POSITIONS[name]) for name in names]
    ends = baseline + np.cumsum(steps)
    starts = np.concatenate([[baseline], ends[:-1]])

    def bars(axes: "Axes") -> None:
        places = np.arange(len(steps))[::-1]
        every = np.exp(np.concatenate([starts, ends]))
        span = np.log(every.max() / every.min())
        left, right = every.min() * np.exp(-0.2 * span - 0.01), every.max() * np.exp(0.3 * span + 0.01)
        axes.set_xscale("log")
        axes.set_xlim(left, right)
        axes.set_ylim(-0.75, len(steps) - 0.6)
        colours = [BLUE if step >= 0 else ORANGE for step in steps]
        axes.hlines(places, np.exp(starts), np.exp(ends), colors=colours, linewidth=11)
        axes.vlines(np.exp(ends[:-1]), places[:-1] - 1.18, places[:-1] + 0.18, color=MUTED, linewidth=0.7)
        for place, end, step, detail in zip(places, ends, steps, details, strict=True):
            up, gap = step >= 0, np.exp(0.015 * span + 0.002)
            axes.text(
                np.exp(end) * gap if up else np.exp(end) / gap, place, percent(step),
                ha="left" if up else "right", va="center_baseline", fontsize=9,
            )  # fmt: skip
            beside_the_names = axes.get_yaxis_transform()
            axes.text(1, place - 0.45, detail, transform=beside_the_names, ha="right", va="center_baseline",
                      fontsize=8, color=MUTED, backgroundcolor=PAPER, clip_on=False)  # fmt: skip
        axes.axvline(np.exp(baseline), color=MUTED, linewidth=1, linestyle=":")
        dollar_ticks(axes.xaxis, left, right, n_ticks=3)
        axes.set_yticks(places, names)
        axes.set(xlabel="price (log scale)")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    largest = ", ".join(f"{name} {percent(step)}" for name, step in zip(names[:3], steps[:3], strict=True))
    return draw(
        f"waterfall_{house.name}",
        f"House {house.name}: why {dollars(np.exp(prediction))}",
        f"From {dollars(np.exp(baseline))} to {dollars(np.exp(prediction))}; largest effects: {largest}.",
        bars,
        height=5.0,
    )


def _largest(house: pd.Series, attributions: NDArray[np.float64], places: list[int]) -> str:
    """The features with the largest effects, as many as fit in a line."""
    line = ""
    for place in by_size(attributions, places):
        name = FEATURES[place].name
        one = f"{WORDS[name]} {value_words(name, house.iloc[place])} {percent(attributions[place])}"
        if len(line) + len(one) + 2 > _DETAIL_LETTERS:
            break
        line += f"; {one}" if line else one
    return line


def waterfalls(
    houses: pd.DataFrame, explanation: "Explanation", map_: Callable[..., Iterable[Drawing]] = map
) -> Iterable[Drawing]:
    """A drawing a house, in their order; `map_` may be an executor's."""
    each = [houses.iloc[place] for place in range(len(houses))]
    return map_(waterfall, each, explanation.attributions, explanation.baseline, explanation.prediction)
