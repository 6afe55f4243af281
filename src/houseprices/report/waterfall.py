"""One house's price, feature by feature. It imports little, for the processes that draw many."""

import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.charts import BLUE, MUTED, ORANGE, Drawing, draw
from houseprices.data.schema import FEATURES
from houseprices.report.money import dollar_ticks, dollars, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from houseprices.report.attributions import Explanation

OWN_COLUMNS_TOGETHER = "own columns"

_N_BARS = 14


def get_ready() -> None:
    """Import what drawing needs ahead of the first task, and leave Ctrl-C to the process that was started by hand."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import matplotlib.figure  # noqa: F401


def waterfall(house: pd.Series, attributions: NDArray[np.float64], baseline: float, prediction: float) -> Drawing:
    """From the average house's price to this one's, the largest effects first; lengths are in log price."""
    order = np.argsort(-np.abs(attributions), kind="stable")
    shown, others = order[:_N_BARS], order[_N_BARS:]
    of_effects, values = effect_names(len(attributions)), effect_values(house, len(attributions))
    names = [" = ".join(filter(None, (of_effects[index], values[index]))) for index in shown]
    steps = [float(attributions[index]) for index in shown]
    names.append(f"{len(others)} other features")
    steps.append(float(attributions[others].sum()))
    ends = baseline + np.cumsum(steps)
    starts = np.concatenate([[baseline], ends[:-1]])

    def bars(axes: "Axes") -> None:
        places = np.arange(len(steps))[::-1]
        every = np.exp(np.concatenate([starts, ends]))
        span = np.log(every.max() / every.min())
        left, right = every.min() * np.exp(-0.34 * span - 0.01), every.max() * np.exp(0.34 * span + 0.01)
        axes.set_xscale("log")
        axes.set_xlim(left, right)
        colours = [BLUE if step >= 0 else ORANGE for step in steps]
        axes.hlines(places, np.exp(starts), np.exp(ends), colors=colours, linewidth=11)
        axes.vlines(np.exp(ends[:-1]), places[:-1] - 1.25, places[:-1] + 0.25, color=MUTED, linewidth=0.7)
        for place, end, step in zip(places, ends, steps, strict=True):
            up, gap = step >= 0, np.exp(0.015 * span + 0.002)
            axes.text(
                np.exp(end) * gap if up else np.exp(end) / gap, place, percent(step),
                ha="left" if up else "right", va="center_baseline", fontsize=9,
            )  # fmt: skip
        axes.axvline(np.exp(baseline), color=MUTED, linewidth=1, linestyle=":")
        dollar_ticks(axes.xaxis, left, right, n_ticks=3)
        axes.set_yticks(places, names)
        axes.set(xlabel="price (log scale)")
        axes.grid(axis="y", visible=False)

    largest = ", ".join(f"{name} {percent(step)}" for name, step in zip(names[:3], steps[:3], strict=True))
    return draw(
        f"waterfall_{house.name}",
        f"House {house.name}: why {dollars(np.exp(prediction))}",
        f"From {dollars(np.exp(baseline))} to {dollars(np.exp(prediction))}; largest effects: {largest}.",
        bars,
        height=5.0,
    )


def waterfalls(
    houses: pd.DataFrame, explanation: "Explanation", map_: Callable[..., Iterable[Drawing]] = map
) -> Iterable[Drawing]:
    """A drawing a house, in their order; `map_` may be an executor's."""
    each = [houses.iloc[place] for place in range(len(houses))]
    return map_(waterfall, each, explanation.attributions, explanation.baseline, explanation.prediction)


def effect_names(n_effects: int) -> list[str]:
    """What n_effects attributions are of: the 79 features and, of a run with own columns, those together."""
    return [*(feature.name for feature in FEATURES), OWN_COLUMNS_TOGETHER][:n_effects]


def effect_values(house: pd.Series, n_effects: int) -> list[str]:
    """The house's features beside n_effects attributions; own columns together have no value."""
    return [*map(value_text, house), ""][:n_effects]


def value_text(value: object) -> str:
    """A feature's value for people; a gap is "unknown"."""
    if isinstance(value, float):
        return "unknown" if np.isnan(value) else f"{value:g}"
    return "unknown" if pd.isna(value) else str(value)  # type: ignore[call-overload]  # a scalar
