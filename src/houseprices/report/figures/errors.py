"""Predicted against actual prices, and residuals by what may explain them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from houseprices.charts import MUTED, ORANGE, Drawing, draw
from houseprices.report.evidence import Evidence
from houseprices.report.figures.marks import DOTS, by_level, height_of, plot_cloud, plot_quantiles
from houseprices.report.money import dollar_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RESIDUAL = "log price − predicted"


def error_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Prices against predictions, then residuals by price, year, quality, sale condition and neighbourhood."""
    yield _against_actual(evidence)
    yield _by_price(evidence)
    yield _by_year(evidence)
    yield _by_level(evidence, "quality", "OverallQual", "overall quality", ordered=True)
    yield _by_level(evidence, "condition", "SaleCondition", "sale condition")
    yield _by_level(evidence, "neighborhood", "Neighborhood", "neighbourhood")


def _against_actual(evidence: Evidence) -> Drawing:
    rows = evidence.rows
    actual, predicted = rows["price_usd"].to_numpy(), rows["predicted_usd"].to_numpy()
    worst = np.isin(np.arange(len(rows)), evidence.worst)

    def plot(axes: "Axes") -> None:
        low, high = 0.9 * min(actual.min(), predicted.min()), 1.1 * max(actual.max(), predicted.max())
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1)
        axes.plot(actual[~worst], predicted[~worst], **DOTS)
        label = f"the {worst.sum()} worst"
        axes.plot(actual[worst], predicted[worst], "D", color=ORANGE, markersize=4.5, label=label)
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        dollar_ticks(axes.xaxis, low, high)
        dollar_ticks(axes.yaxis, low, high)
        axes.set(xlabel="actual price (log scale)", ylabel="predicted out of fold")
        axes.legend(loc="upper left", handletextpad=0.1)

    return draw(
        "predicted_against_actual",
        "Predicted against actual",
        f"Out-of-fold prediction against the price of {len(rows)} houses; half are within "
        f"{100 * np.expm1(rows['residual'].abs().median()):.1f}%.",
        plot,
    )


def _by_price(evidence: Evidence) -> Drawing:
    predicted, residual = evidence.rows["predicted_usd"].to_numpy(), evidence.rows["residual"].to_numpy()

    def plot(axes: "Axes") -> None:
        plot_cloud(axes, predicted, residual)
        axes.set_xscale("log")
        dollar_ticks(axes.xaxis, predicted.min(), predicted.max(), n_ticks=4)
        axes.set(xlabel="predicted price (log scale)", ylabel=_RESIDUAL)

    return draw(
        "residuals_by_price",
        "Residuals by predicted price",
        "Residuals of the log price against the predicted price, with the median of each eighth of the houses.",
        plot,
    )


def _by_year(evidence: Evidence) -> Drawing:
    def plot(axes: "Axes") -> None:
        plot_cloud(axes, evidence.houses["YearBuilt"].to_numpy(), evidence.rows["residual"].to_numpy())
        axes.set(xlabel="year built", ylabel=_RESIDUAL)

    return draw(
        "residuals_by_year",
        "Residuals by year built",
        "Residuals of the log price against the year of construction, with the median of each eighth of the houses.",
        plot,
    )


def _by_level(evidence: Evidence, by: str, feature: str, title: str, *, ordered: bool = False) -> Drawing:
    residuals = by_level(evidence.houses[feature], evidence.rows["residual"].to_numpy(), ordered=ordered)

    def plot(axes: "Axes") -> None:
        plot_quantiles(axes, residuals, counted=True)
        axes.set(xlabel=_RESIDUAL)

    first, *_, last = [*residuals, *residuals]
    told = (
        f"Residuals by {title}, from {first} to {last}."
        if ordered
        else f"Median residual by {title}, lowest in {first} and highest in {last}."
    )
    return draw(f"residuals_by_{by}", f"Residuals by {title}", told, plot, height=height_of(len(residuals)))
