"""Out-of-fold errors by what may explain them, and the coverage and width of the intervals."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.report.drawing import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    Drawing,
    draw,
    height_for,
    name_lines,
    plot_cloud,
    plot_dots,
    plot_quantiles,
    price_ticks,
    split_by_level,
)
from houseprices.report.evidence import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_RESIDUAL = "log price − predicted"


def error_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Draw residuals by neighbourhood, predictions against prices, and residuals by price, year, quality and sale."""
    residual = evidence.rows["residual"].to_numpy()
    yield _by_level(evidence.houses["Neighborhood"], "neighbourhood", residual)
    yield _against_actual(evidence)
    yield _cloud("predicted price", evidence.rows["predicted_usd"].to_numpy(), residual, in_dollars=True)
    yield _cloud("year built", evidence.houses["YearBuilt"].to_numpy(), residual)
    yield _by_level(evidence.houses["OverallQual"], "overall quality", residual)
    yield _by_level(evidence.houses["SaleCondition"], "sale condition", residual)


def _against_actual(evidence: Evidence) -> Drawing:
    rows = evidence.rows
    actual, predicted = rows["price_usd"].to_numpy(), rows["predicted_usd"].to_numpy()
    worst = np.isin(np.arange(len(rows)), evidence.worst)

    def plot(axes: "Axes") -> None:
        low, high = 0.9 * min(actual.min(), predicted.min()), 1.1 * max(actual.max(), predicted.max())
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1)
        plot_dots(axes, actual[~worst], predicted[~worst])
        label = f"the {worst.sum()} worst"
        axes.plot(actual[worst], predicted[worst], "D", color=ORANGE, markersize=4.5, label=label)
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        price_ticks(axes.xaxis)
        price_ticks(axes.yaxis)
        axes.set(xlabel="actual price (log scale)", ylabel="predicted out of fold")
        axes.legend(loc="upper left", handletextpad=0.1)

    half = 100 * np.expm1(rows["residual"].abs().median())
    alt = f"Out-of-fold prediction against the price of {len(rows)} houses; half are within {half:.1f}%."
    return draw("Predicted against actual", alt, plot, height=4.6)


def _cloud(words: str, x: Floats, residual: Floats, *, in_dollars: bool = False) -> Drawing:
    def plot(axes: "Axes") -> None:
        plot_cloud(axes, x, residual)
        if in_dollars:
            axes.set_xscale("log")
            price_ticks(axes.xaxis)
        axes.set(xlabel=f"{words} (log scale)" if in_dollars else words, ylabel=_RESIDUAL)

    alt = f"Residuals of the log price against the {words}, with the median of each eighth of the houses."
    return draw(f"Residuals by {words}", alt, plot, height=2.6)


def _by_level(levels: pd.Series, words: str, residual: Floats) -> Drawing:
    residuals = split_by_level(levels, residual, ordered=levels.name == "OverallQual")

    def plot(axes: "Axes") -> None:
        plot_quantiles(axes, residuals)
        axes.set(xlabel=_RESIDUAL)

    medians = {level: float(np.median(values)) for level, values in residuals.items()}
    low, high = min(medians, key=lambda level: medians[level]), max(medians, key=lambda level: medians[level])
    alt = f"Median residual by {words}, lowest for {low} and highest for {high}."
    return draw(f"Residuals by {words}", alt, plot, height_for(len(residuals)))


def interval_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Draw measured coverage by price and neighbourhood, and the widths of the test houses' intervals."""
    yield _coverage_by_price(evidence.coverage_by_price)
    yield _coverage_by_neighborhood(evidence.coverage_by_neighborhood)
    yield _widths(*evidence.test_intervals[-1])


def _coverage_by_price(bands: pd.DataFrame) -> Drawing:
    def plot(axes: "Axes") -> None:
        x = np.arange(len(bands))
        for coverage, colour, marker in ((50, GREEN, "s"), (80, PURPLE, "D"), (90, BLUE, "o")):
            inside = 100 * bands[f"inside_{coverage}"]
            axes.axhline(coverage, color=colour, linewidth=1, linestyle="--")
            axes.plot(x, inside, marker, color=colour, markersize=7, label=f"{coverage}% interval")
        axes.set_xticks(x, bands.index, fontsize=9)
        axes.set(xlabel="quarter of the houses by actual price", ylabel="houses inside, %", ylim=(30, 115))
        axes.set_yticks(range(30, 101, 10))
        axes.margins(x=0.14)
        axes.grid(axis="x", visible=False)
        axes.legend(loc="upper center", ncols=3, handletextpad=0, columnspacing=0.8)

    ninety = 100 * bands["inside_90"]
    alt = f"The 90% intervals hold {ninety.min():.1f} to {ninety.max():.1f}% of the houses of each quarter by price."
    return draw("Coverage by price", alt, plot)


def _coverage_by_neighborhood(neighborhoods: pd.DataFrame) -> Drawing:
    share, error = 100 * neighborhoods["inside_90"], 100 * neighborhoods["error"]

    def plot(axes: "Axes") -> None:
        y = np.arange(len(neighborhoods))
        axes.axvline(90, color=BLUE, linewidth=1, linestyle="--")
        axes.hlines(y, share - error, np.minimum(share + error, 100), color=BLUE, linewidth=1.2)
        axes.plot(share, y, "o", color=BLUE, markersize=5)
        name_lines(axes, [f"{name}  ({n})" for name, n in neighborhoods["n_rows"].items()])
        axes.set(xlabel="% inside ± standard error")

    alt = f"From {share.min():.0f}% in {share.index[0]} to {share.max():.0f}%."
    title = "Coverage of the 90% intervals by neighbourhood"
    return draw(title, alt, plot, height_for(len(neighborhoods)))


def _widths(lower: Floats, upper: Floats) -> Drawing:
    half_widths = 100 * np.expm1((upper - lower) / 2)
    half_widths = half_widths[np.isfinite(half_widths)]
    middle = float(np.median(half_widths))

    def plot(axes: "Axes") -> None:
        axes.hist(half_widths, bins=30, color=BLUE, alpha=0.75)
        axes.axvline(middle, color=ORANGE, linewidth=2, label=f"median ±{middle:.0f}%")
        axes.legend(loc="upper right")
        axes.set(xlabel="half width of the 90% interval, % of the price", ylabel="test houses")
        axes.grid(axis="x", visible=False)

    alt = f"Half of the 90% intervals are within ±{middle:.0f}%."
    return draw("Width of the test houses’ intervals", alt, plot)
