"""Errors and weight norms epoch by epoch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from houseprices.charts import BLUE, GREEN, ORANGE, Drawing, draw, log_ticks
from houseprices.report.evidence import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curve_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Two figures a group: a thin line a fold, a thick one for their mean."""
    for number, (group, curves) in enumerate(evidence.run.curves.groupby("model", sort=False), start=1):
        yield _errors(f"curves_{number}_errors", str(group), curves)
        yield _norm(f"curves_{number}_norm", str(group), curves)


def _errors(name: str, group: str, curves: pd.DataFrame) -> Drawing:
    def plot(axes: "Axes") -> None:
        _plot_folds(axes, curves, "validation_log_rmse", BLUE, "-", "validation")
        _plot_folds(axes, curves, "training_log_rmse", ORANGE, "--", "training")
        axes.set_yscale("log")
        log_ticks(axes.yaxis, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
        axes.set(xlabel="epoch", ylabel="log-RMSE of a network (log scale)")
        axes.legend(loc="upper right")

    mean = _mean_of_folds(curves)
    last = mean.iloc[-1]
    return draw(
        name,
        f"{group}: errors by epoch",
        f"Group {group}: after {len(mean)} epochs validation log-RMSE is {last['validation_log_rmse']:.3f}, training "
        f"{last['training_log_rmse']:.3f}.",
        plot,
    )


def _norm(name: str, group: str, curves: pd.DataFrame) -> Drawing:
    def plot(axes: "Axes") -> None:
        _plot_folds(axes, curves, "weight_norm", GREEN)
        axes.set(xlabel="epoch", ylabel="weight norm of a network")

    norm = _mean_of_folds(curves)["weight_norm"]
    return draw(
        name,
        f"{group}: weight norm by epoch",
        f"Group {group}: the weight norm goes from {norm.iloc[0]:.1f} to {norm.iloc[-1]:.1f}.",
        plot,
    )


def _plot_folds(
    axes: "Axes", curves: pd.DataFrame, column: str, colour: str, dashes: str = "-", label: str | None = None
) -> None:
    for _, fold in curves.groupby(["repeat", "fold"]):
        axes.plot(fold["epoch"], fold[column], color=colour, linewidth=0.7, alpha=0.35)
    mean = _mean_of_folds(curves)
    axes.plot(mean.index, mean[column], color=colour, linewidth=2.2, linestyle=dashes, label=label)


def _mean_of_folds(curves: pd.DataFrame) -> pd.DataFrame:
    return curves.groupby("epoch").mean(numeric_only=True)
