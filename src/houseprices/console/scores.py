"""The scores of a run, of a comparison, and of a grid of regularisers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from houseprices.console.tables import in_terminal, print_table

if TYPE_CHECKING:
    import pandas as pd

    from houseprices.studies.comparison import Comparison


def print_summary(run: Path, metrics: dict[str, Any]) -> None:
    """Tables of the scores in a terminal, and always the line that sums up the run."""
    scores, baselines = metrics["log_rmse"], metrics["baselines"]
    if in_terminal():
        _print_folds(metrics)
        _print_groups(metrics["groups"])
    print(
        f"log-RMSE {scores['pooled']:.4f} out of fold, {scores['train']:.4f} in training; "
        f"ridge {baselines['ridge']:.4f}, median {baselines['median']:.4f}; "
        f"{metrics['n_members']} networks in {metrics['seconds']['total']:.1f} s"
    )
    if "noise_floor" in metrics:
        print(f"synthetic data, best possible {metrics['noise_floor']:.4f}")
    print(f"{run}/submission.csv")


def _print_folds(metrics: dict[str, Any]) -> None:
    scores, folds = metrics["log_rmse"], metrics["by_fold"]
    several = folds[-1]["repeat"] > 0
    by_fold = [
        (str(fold["repeat"] + 1), str(fold["fold"] + 1), str(fold["n_rows"]), _score(fold["log_rmse"]),
         _score(fold["train"]))
        for fold in folds
    ]  # fmt: skip
    all_folds = [
        ("", "mean", "", f"{scores['fold_mean']:.4f} ± {scores['fold_std']:.4f}", ""),
        ("", "pooled", str(metrics["n_rows"]), _score(scores["pooled"]), _score(scores["train"])),
    ]
    baselines = [("", name, "", _score(score), "") for name, score in metrics["baselines"].items()]
    headings = ("repeat", "fold", "rows", "out of fold", "training")
    shown = slice(0 if several else 1, None)
    sections = ([row[shown] for row in rows] for rows in (by_fold, all_folds, baselines))
    print_table("log-RMSE by fold", headings[shown], *sections)


def _print_groups(groups: dict[str, dict[str, float]]) -> None:
    rows = [
        (name, _score(group["pooled"]), f"{group['member_mean']:.4f} ± {group['member_std']:.4f}")
        for name, group in groups.items()
    ]
    headings = ("group", "mean of members", "single member, over seeds")
    print_table("log-RMSE by group", headings, rows, words=("group",))


def _score(log_rmse: float) -> str:
    return f"{log_rmse:.4f}"


def print_comparison(comparison: "Comparison") -> None:
    """The two scores, their difference with its interval, and the houses behind it."""
    named = [("every row", comparison.overall), ("without the rows named", comparison.without)]
    for rows, found in named:
        if found:
            print(
                f"log-RMSE {found.first:.4f} -> {found.second:.4f}, difference {found.difference:+.4f} "
                f"[{found.low:+.4f}, {found.high:+.4f}]: {found.verdict} ({rows})"
            )
    print("largest changes of a squared error: " + ", ".join(f"Id {id_} {by:+.3f}" for id_, by in comparison.largest))


def print_best_cell(folder: Path, grid: "pd.DataFrame") -> None:
    """The cell of the ablation with the lowest validation error, and where all of them are."""
    best = grid.iloc[int(grid["validation_log_rmse"].argmin())]
    print(
        f"lowest validation log-RMSE {best['validation_log_rmse']:.4f} ± {best['validation_std']:.4f} (over seeds) "
        f"at weight decay {best['weight_decay']:g}, dropout {best['dropout']:g}"
    )
    print(folder)
