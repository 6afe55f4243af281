"""The scores of a run, and of a grid of regularisers."""

from pathlib import Path
from typing import TYPE_CHECKING

from houseprices.console.tables import in_terminal, print_table

if TYPE_CHECKING:
    import pandas as pd

    from houseprices.runs.format import Metrics


def print_summary(run: Path, metrics: "Metrics") -> None:
    """Tables of the scores in a terminal, and always the line that sums up the run."""
    from houseprices.runs.format import SUBMISSION

    scores, baselines = metrics.log_rmse, metrics.baselines
    if in_terminal():
        _print_folds(metrics)
        _print_groups(metrics)
    print(
        f"log-RMSE {scores.pooled:.4f} out of fold, {scores.train:.4f} in training; "
        f"ridge {baselines['ridge']:.4f}, median {baselines['median']:.4f}; "
        f"{metrics.n_members} networks in {metrics.seconds['total']:.1f} s"
    )
    if metrics.noise_floor is not None:
        print(f"synthetic data, best possible {metrics.noise_floor:.4f}")
    print(run / SUBMISSION)


def _print_folds(metrics: "Metrics") -> None:
    scores, folds = metrics.log_rmse, metrics.by_fold
    by_fold = [
        (str(one.repeat + 1), str(one.fold + 1), str(one.n_rows), _score(one.log_rmse), _score(one.train))
        for one in folds
    ]
    all_folds = [
        ("", "mean", "", f"{_score(scores.fold_mean)} ± {_score(scores.fold_std)}", ""),
        ("", "pooled", str(metrics.n_rows), _score(scores.pooled), _score(scores.train)),
    ]
    baselines = [("", name, "", _score(score), "") for name, score in metrics.baselines.items()]
    headings = ("repeat", "fold", "rows", "out of fold", "training")
    # One repeat needs no column.
    shown = slice(0 if folds[-1].repeat > 0 else 1, None)
    sections = ([row[shown] for row in rows] for rows in (by_fold, all_folds, baselines))
    print_table("log-RMSE by fold", headings[shown], *sections)


def _print_groups(metrics: "Metrics") -> None:
    rows = [
        (name, _score(group.pooled), f"{_score(group.member_mean)} ± {_score(group.member_std)}")
        for name, group in metrics.groups.items()
    ]
    headings = ("group", "mean of members", "single member, over seeds")
    print_table("log-RMSE by group", headings, rows, words=("group",))


def _score(log_rmse: float) -> str:
    return f"{log_rmse:.4f}"


def print_best_cell(folder: Path, grid: "pd.DataFrame") -> None:
    """The cell of the ablation with the lowest validation error, and where all of them are."""
    best = grid.iloc[int(grid["validation_log_rmse"].argmin())]
    print(
        f"lowest validation log-RMSE {best['validation_log_rmse']:.4f} ± {best['validation_std']:.4f} (over seeds) "
        f"at weight decay {best['weight_decay']:g}, dropout {best['dropout']:g}"
    )
    print(folder)
