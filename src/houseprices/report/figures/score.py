"""The score by fold beside the baselines, and what to expect of the leaderboard."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from houseprices.charts import BLUE, GRID, MUTED, ORANGE, Drawing, draw
from houseprices.report.evidence import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROOM = 1.25
"""Height of the scores' axis above the largest of them: the legend stands there."""


def score_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Score by fold, and the score to expect of other houses: the leaderboard's, unless they are made up."""
    yield _by_fold(evidence)
    yield _expected(evidence)


def _by_fold(evidence: Evidence) -> Drawing:
    metrics = evidence.run.metrics
    folds = metrics.by_fold
    scores = [fold.log_rmse for fold in folds]
    train = [fold.train for fold in folds]

    def plot(axes: "Axes") -> None:
        places = np.arange(len(folds))
        axes.vlines(places, train, scores, color=GRID, linewidth=3)
        axes.plot(places, scores, "o", color=BLUE, markersize=7, label="held out")
        axes.axhline(metrics.log_rmse.pooled, color=BLUE, linewidth=1.2, linestyle="--", label="all rows")
        axes.plot(places, train, "D", color=ORANGE, markersize=5.5, label="in training")
        several = folds[-1].repeat > 0
        names = [f"split {one.repeat + 1}" if several else str(one.fold + 1) for one in folds]
        step = evidence.run.settings.folds.n_folds if several else -(-len(folds) // 15)
        axes.set_xticks(places[::step], names[::step])
        axes.set(xlabel="" if several else "fold", ylabel="log-RMSE", ylim=(0, _ROOM * max(scores + train)))
        axes.margins(x=0.04)
        axes.grid(axis="x", visible=False)
        axes.legend(loc="upper center", ncols=3, columnspacing=1, handletextpad=0.4)

    return draw(
        "score_by_fold",
        "Score by fold",
        f"Held-out log-RMSE of {len(folds)} folds lies between {min(scores):.3f} and {max(scores):.3f}, "
        f"in training between {min(train):.3f} and {max(train):.3f}.",
        plot,
    )


def _expected(evidence: Evidence) -> Drawing:
    metrics = evidence.run.metrics
    low, middle, high = evidence.expected_score
    public = [entry.public_score for entry in evidence.entries if entry.public_score is not None]
    ours = metrics.log_rmse.pooled
    elsewhere = "other houses" if evidence.is_sample else "leaderboard"
    known = {"this run, held out": ours}
    known |= {f"{name}, held out": score for name, score in metrics.baselines.items() if name != "median"}

    def plot(axes: "Axes") -> None:
        def note(text: str, x: float, place: int, points_above: int) -> None:
            above = (0, points_above)
            axes.annotate(text, (x, place), xytext=above, textcoords="offset points", ha="center")

        for place, score in enumerate(known.values()):
            axes.plot(score, place, "o", color=MUTED if place else BLUE, markersize=8)
            note(f"{score:.4f}", score, place, 9)
        last = len(known)
        axes.plot([low, high], [last, last], color=BLUE, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot(middle, last, "|", color=BLUE, markersize=16, markeredgewidth=2.5)
        note(f"{low:.3f} to {high:.3f}", middle, last, 12)
        axes.plot(public, [last] * len(public), "D", color=ORANGE, markersize=7)
        axes.set_yticks(range(last + 1), [*known, elsewhere])
        axes.set(xlabel="log-RMSE (lower is better)", ylim=(last + 0.5, -0.7))
        axes.margins(x=0.15)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="y", visible=False)

    return draw(
        "expected_score",
        "What to expect of other houses" if evidence.is_sample else "What to expect of the leaderboard",
        f"Held out {ours:.4f}; nine in ten test sets of this size would score {low:.3f} to {high:.3f}.",
        plot,
    )
