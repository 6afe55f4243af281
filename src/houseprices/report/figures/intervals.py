"""Measured coverage by price band and neighbourhood, and the widths of the submission's intervals."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from houseprices.charts import BLUE, GREEN, ORANGE, PURPLE, Drawing, draw
from houseprices.report.evidence import Evidence
from houseprices.report.figures.marks import Floats, height_of, name_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def interval_figures(evidence: Evidence, bands: pd.DataFrame, neighborhoods: pd.DataFrame) -> Iterator[Drawing]:
    """Coverage in the tables of `coverage`, and widths."""
    yield _by_price(bands)
    yield _by_neighborhood(neighborhoods)
    yield _widths(evidence.test_intervals[-1])


def _by_price(bands: pd.DataFrame) -> Drawing:
    def plot(axes: "Axes") -> None:
        places = np.arange(len(bands))
        for coverage, colour, marker in ((50, GREEN, "s"), (80, PURPLE, "D"), (90, BLUE, "o")):
            inside = 100 * bands[f"inside_{coverage}"]
            axes.axhline(coverage, color=colour, linewidth=1, linestyle="--")
            axes.plot(places, inside, marker, color=colour, markersize=7, label=f"{coverage}% interval")
        axes.set_xticks(places, bands["band"], fontsize=9)
        axes.set(xlabel="quarter of the houses by actual price", ylabel="houses inside, %", ylim=(30, 115))
        axes.set_yticks(range(30, 101, 10))
        axes.margins(x=0.14)
        axes.grid(axis="x", visible=False)
        axes.legend(loc="upper center", ncols=3, handletextpad=0, columnspacing=0.8)

    ninety = 100 * bands["inside_90"]
    return draw(
        "coverage_by_price",
        "Measured coverage by price",
        f"The 90% intervals hold {ninety.min():.1f} to {ninety.max():.1f}% of the houses of each quarter by price.",
        plot,
    )


def _by_neighborhood(neighborhoods: pd.DataFrame) -> Drawing:
    share, error = 100 * neighborhoods["inside_90"], 100 * neighborhoods["error"]

    def plot(axes: "Axes") -> None:
        places = np.arange(len(neighborhoods))
        axes.axvline(90, color=BLUE, linewidth=1, linestyle="--")
        axes.hlines(places, share - error, np.minimum(share + error, 100), color=BLUE, linewidth=1.2)
        axes.plot(share, places, "o", color=BLUE, markersize=5)
        name_lines(axes, [f"{row.Neighborhood}  ({row.n_rows})" for row in neighborhoods.itertuples()])
        axes.set(xlabel="% inside ± standard error")

    return draw(
        "coverage_by_neighborhood",
        "Measured coverage of the 90% intervals by neighbourhood",
        f"From {share.min():.0f}% in {neighborhoods['Neighborhood'].iloc[0]} to {share.max():.0f}%.",
        plot,
        height=height_of(len(neighborhoods)),
    )


def _widths(ends: Floats) -> Drawing:
    """Of the lower and upper ends, (2, n_rows) in log price."""
    spans = 100 * np.expm1((ends[1] - ends[0]) / 2)
    spans = spans[np.isfinite(spans)]

    def plot(axes: "Axes") -> None:
        axes.hist(spans, bins=30, color=BLUE, alpha=0.75)
        if len(spans):
            axes.axvline(float(np.median(spans)), color=ORANGE, linewidth=2, label=f"median ±{np.median(spans):.0f}%")
            axes.legend(loc="upper right")
        axes.set(xlabel="half width of the 90% interval, % of the price", ylabel="houses of the submission")
        axes.grid(axis="x", visible=False)

    told = f"Half of the 90% intervals are narrower than ±{np.median(spans):.0f}%." if len(spans) else "None is finite."
    return draw("interval_widths", "Width of the submission's intervals", told, plot)
