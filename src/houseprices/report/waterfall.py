"""One house's price, theme by theme. It imports little, for the processes that draw many."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.charts import BLUE, MUTED, ORANGE, PAPER, Drawing, draw
from houseprices.report.money import dollar_ticks, dollars, percent
from houseprices.report.themes import WORDS, by_size, by_theme, effect_names, themes_of
from houseprices.report.words import effect_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from houseprices.report.attributions import Explanation

_DETAIL_LETTERS = 74
"""That fit under a bar."""


def get_ready() -> None:
    """Import what drawing needs ahead of the first task; end with the process that was started by hand, not by Ctrl-C.

    That process ends this one itself, unless it is killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import matplotlib.figure  # noqa: F401  # that it is loaded is all


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


def waterfall(house: pd.Series, attributions: NDArray[np.float64], baseline: float, prediction: float) -> Drawing:
    """From the average house's price to this one's, theme by theme, the largest effects first, in log price.

    Under each bar stand the features that have most of its effect.
    """
    places_of = themes_of(len(attributions))
    themes = list(places_of)
    effects = by_theme(attributions[None])[0]
    order = by_size(effects)
    names, steps = [themes[place] for place in order], effects[order]
    details = [_largest(house, attributions, places_of[name]) for name in names]
    ends = baseline + np.cumsum(steps)
    starts = np.concatenate([[baseline], ends[:-1]])

    def bars(axes: "Axes") -> None:
        places = np.arange(len(steps))[::-1]
        every = np.exp(np.concatenate([starts, ends]))
        span = np.log(every.max() / every.min())
        left, right = every.min() * np.exp(-0.4 * span - 0.01), every.max() * np.exp(0.35 * span + 0.01)
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
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
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
        height=0.6 + 0.55 * len(steps),
    )


def _largest(house: pd.Series, attributions: NDArray[np.float64], places: list[int]) -> str:
    """The features with the largest effects, as many as fit in a line."""
    line, names = "", effect_names(len(attributions))
    for place in by_size(attributions, places):
        name = names[place]
        one = f"{WORDS.get(name, name)} {effect_words(name, house)} {percent(attributions[place])}"
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
