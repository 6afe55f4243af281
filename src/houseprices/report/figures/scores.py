"""The score by fold, the score to expect elsewhere, the learning curves, and the ablation's heat maps."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from houseprices.report.drawing import BLUE, GREEN, GRID, MUTED, ORANGE, Drawing, draw, log_ticks
from houseprices.report.evidence import Evidence
from houseprices.selection.ablation import grid_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEADROOM = 1.25
"""Height of the scores' axis above the largest of them: the legend stands there."""
_SCORE_HEIGHT, _CURVE_HEIGHT = 4.2, 2.6
_HEAT_MAPS = (
    ("validation_log_rmse", "Validation log-RMSE", "{:.4f}"),
    ("gap", "Gap: validation − training", "{:.3f}"),
    ("weight_norm", "Weight norm", "{:.1f}"),
)


def score_by_fold(evidence: Evidence) -> Drawing:
    """Draw held-out and training error of each fold."""
    metrics = evidence.run.metrics
    folds = metrics.by_fold
    scores, train = [fold.log_rmse for fold in folds], [fold.train for fold in folds]

    def plot(axes: "Axes") -> None:
        x = np.arange(len(folds))
        axes.vlines(x, train, scores, color=GRID, linewidth=3)
        axes.plot(x, scores, "o", color=BLUE, markersize=7, label="held out")
        axes.axhline(metrics.log_rmse.pooled, color=BLUE, linewidth=1.2, linestyle="--", label="all rows")
        axes.plot(x, train, "D", color=ORANGE, markersize=5.5, label="in training")
        repeated = folds[-1].repeat > 0
        names = [f"repeat {fold.repeat + 1}" if repeated else str(fold.fold + 1) for fold in folds]
        step = evidence.run.settings.folds.n_folds if repeated else -(-len(folds) // 15)
        axes.set_xticks(x[::step], names[::step])
        axes.set(xlabel="" if repeated else "fold", ylabel="log-RMSE", ylim=(0, _HEADROOM * max(scores + train)))
        axes.margins(x=0.04)
        axes.grid(axis="x", visible=False)
        axes.legend(loc="upper center", ncols=3, columnspacing=1, handletextpad=0.4)

    alt = (
        f"Held-out log-RMSE of {len(folds)} folds lies between {min(scores):.3f} and {max(scores):.3f}, "
        f"in training between {min(train):.3f} and {max(train):.3f}."
    )
    return draw("Score by fold", alt, plot, _SCORE_HEIGHT)


def expected_score(evidence: Evidence) -> Drawing:
    """Draw the run's score and ridge's beside the scores that a test set of other houses may give."""
    metrics = evidence.run.metrics
    low, middle, high = evidence.expected_score
    public = [entry.public_score for entry in evidence.entries if entry.public_score is not None]
    held_out = {"this run, held out": metrics.log_rmse.pooled, "ridge, held out": metrics.baselines["ridge"]}
    elsewhere = "other houses" if evidence.is_sample else "leaderboard"

    def plot(axes: "Axes") -> None:
        def label(text: str, x: float, y: int, points_above: int) -> None:
            axes.annotate(text, (x, y), xytext=(0, points_above), textcoords="offset points", ha="center")

        for y, score in enumerate(held_out.values()):
            axes.plot(score, y, "o", color=MUTED if y else BLUE, markersize=8)
            label(f"{score:.4f}", score, y, 9)
        last = len(held_out)
        axes.plot([low, high], [last, last], color=BLUE, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot(middle, last, "|", color=BLUE, markersize=16, markeredgewidth=2.5)
        label(f"{low:.3f} to {high:.3f}", middle, last, 12)
        axes.plot(public, [last] * len(public), "D", color=ORANGE, markersize=7)
        axes.set_yticks(range(last + 1), [*held_out, elsewhere])
        axes.set(xlabel="log-RMSE (lower is better)", ylim=(last + 0.5, -0.7))
        axes.margins(x=0.15)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="y", visible=False)

    alt = f"Held out {metrics.log_rmse.pooled:.4f}; 90% bootstrap interval for other houses: {low:.3f} to {high:.3f}."
    title = "Score to expect on other houses" if evidence.is_sample else "Score to expect on the leaderboard"
    return draw(title, alt, plot, _SCORE_HEIGHT)


def learning_curves(model: str, curves: pd.DataFrame) -> list[Drawing]:
    """Draw a model's errors and weight norm by epoch: a thin line a fold, a thick one for their mean."""
    mean = curves.groupby("epoch").mean(numeric_only=True)
    validation, training, norm = (mean[name] for name in ("validation_log_rmse", "training_log_rmse", "weight_norm"))

    def plot_errors(axes: "Axes") -> None:
        _plot_folds(axes, curves, "validation_log_rmse", BLUE, "-", "validation")
        _plot_folds(axes, curves, "training_log_rmse", ORANGE, "--", "training")
        axes.set_yscale("log")
        log_ticks(axes.yaxis, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
        axes.set(xlabel="epoch", ylabel="log-RMSE, log scale")
        axes.legend(loc="upper right")

    def plot_norm(axes: "Axes") -> None:
        _plot_folds(axes, curves, "weight_norm", GREEN)
        axes.set(xlabel="epoch", ylabel="weight norm")

    errors = (
        f"Model {model}: after {len(mean)} epochs validation log-RMSE is {validation.iloc[-1]:.3f}, training "
        f"{training.iloc[-1]:.3f}."
    )
    norms = f"Model {model}: the weight norm goes from {norm.iloc[0]:.1f} to {norm.iloc[-1]:.1f}."
    return [
        draw("Errors of a network", errors, plot_errors, _CURVE_HEIGHT),
        draw("Weight norm of a network", norms, plot_norm, _CURVE_HEIGHT),
    ]


def _plot_folds(
    axes: "Axes", curves: pd.DataFrame, column: str, colour: str, dashes: str = "-", label: str | None = None
) -> None:
    by_fold = curves.pivot_table(index="epoch", columns=["repeat", "fold"], values=column)
    axes.plot(by_fold.index, by_fold, color=colour, linewidth=0.7, alpha=0.35)
    axes.plot(by_fold.index, by_fold.mean(axis=1), color=colour, linewidth=2.2, linestyle=dashes, label=label)


def heat_maps(evidence: Evidence) -> Iterator[Drawing]:
    """Map each figure over weight decay x dropout; a frame marks the best cell, an ellipse the run's own setting."""
    ablation, best = evidence.ablation, evidence.best_cell
    if ablation is None or best is None:
        return
    grid = grid_of(ablation.table)
    for column, title, digits in _HEAT_MAPS:
        table = grid.pivot(index="dropout", columns="weight_decay", values=column)

        def plot(axes: "Axes", table: pd.DataFrame = table, digits: str = digits) -> None:
            _plot_heat_map(axes, table, digits)
            _mark_cells(axes, table, (best.weight_decay, best.dropout), best.own)

        low, high = table.to_numpy().min(), table.to_numpy().max()
        alt = (
            f"{title} over weight decay and dropout, from {digits.format(low)} to {digits.format(high)}; validation "
            f"error is lowest at weight decay {best.weight_decay:g} and dropout {best.dropout:g}."
        )
        yield draw(title, alt, plot)


def _plot_heat_map(axes: "Axes", table: pd.DataFrame, digits: str) -> None:
    values = table.to_numpy()
    # A cell far off must not wash out the differences among the others.
    mesh = axes.pcolormesh(values, cmap="cividis_r", vmin=values.min(), vmax=np.quantile(values, 0.75))
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = mesh.cmap(mesh.norm(value))
        ink = "#ffffff" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else "#000000"
        text = digits.format(value + 0.0)  # + 0.0: no "-0.000"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, fontsize=7.5)
    axes.set_xticks(np.arange(table.shape[1]) + 0.5, [f"{x:g}" for x in table.columns])
    axes.set_yticks(np.arange(len(table)) + 0.5, [f"{x:g}" for x in table.index])
    axes.set(xlabel="weight decay", ylabel="dropout rate")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _mark_cells(axes: "Axes", table: pd.DataFrame, best: tuple[float, float], own: tuple[float, float] | None) -> None:
    from matplotlib.patches import Ellipse, Rectangle

    corner = int(np.argmax(table.columns == best[0])), int(np.argmax(table.index == best[1]))
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=ORANGE, linewidth=3, clip_on=False))
    if own is not None:
        x = np.interp(own[0], table.columns, np.arange(table.shape[1]) + 0.5)
        y = np.interp(own[1], table.index, np.arange(len(table)) + 0.5)
        # White on black is seen on every colour of the map.
        for colour, width in (("#000000", 4.0), ("#ffffff", 1.8)):
            axes.add_patch(Ellipse((x, y), 0.98, 0.72, fill=False, edgecolor=colour, linewidth=width, clip_on=False))
