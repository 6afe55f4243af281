"""The chart of a sweep over strengths from zero on, both axes logarithmic."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from houseprices.charts import line_style, log_ticks


def plot_sweep(axes: Axes, strengths: Sequence[float], lines: Mapping[str, NDArray[np.float64]]) -> None:
    """Draw a line a name; the strengths may begin with zero."""
    for index, (name, values) in enumerate(lines.items()):
        axes.plot(strengths, values, label=name, **line_style(index), marker="o", markersize=4)
    least = min(strength for strength in strengths if strength > 0)
    axes.set_xscale("symlog", linthresh=least, linscale=0.6)
    powers = range(math.ceil(math.log10(least)), math.floor(math.log10(max(strengths))) + 1)
    axes.set_xticks([0, *(10.0**power for power in powers)], ["0", *(f"{10.0**power:g}" for power in powers)])
    axes.set_xlim(left=-least / 2)
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    axes.legend()
