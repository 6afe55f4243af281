"""The scores of a run, and of a grid of regularisers."""

from pathlib import Path
from typing import TYPE_CHECKING

from houseprices.console.tables import in_terminal, print_table

if TYPE_CHECKING:
    import pandas as pd

    from houseprices.runs.format import Metrics

_MOST_SPLITS = 8
"""That fit into 80 columns."""


def print_summary(run: Path, metrics: "Metrics") -> None:
    """Tables of the scores in a terminal, and always the line that sums up the run."""
    from houseprices.runs.format import MANIFEST, SUBMISSION, Manifest, read_record

    scores, baselines = metrics.log_rmse, metrics.baselines
    manifest = read_record(Manifest, run / MANIFEST)
    if in_terminal():
        _print_folds(metrics)
        _print_scores(metrics)
        if len(metrics.models) > 1:
            _print_models(metrics)
    # A terminal has the baselines above, and 80 columns.
    others = "\n" if in_terminal() else f"; ridge {baselines['ridge']:.4f}, median {baselines['median']:.4f}; "
    print(
        f"log-RMSE {scores.pooled:.4f} out of fold, {scores.train:.4f} in training{others}"
        f"{metrics.n_members} networks in {metrics.seconds['total']:.1f} s, {manifest.step} step on {manifest.device}"
    )
    if metrics.noise_floor is not None:
        print(f"synthetic data, best possible {metrics.noise_floor:.4f}")
    print(run / SUBMISSION)
    if in_terminal():
        sample = metrics.data == "sample"
        after = "`make download` brings Kaggle's files" if sample else "`make submit` sends it to Kaggle"
        print(f"next: `make report` shows why on one page; {after}")


def _print_folds(metrics: "Metrics") -> None:
    """A row a fold, a column a split: as many as a terminal has room for."""
    folds = metrics.by_fold
    n_splits = folds[-1].repeat + 1
    if n_splits > _MOST_SPLITS:
        return
    places = range(max(one.fold for one in folds) + 1)
    score_of = {(one.fold, one.repeat): one for one in folds}
    if n_splits == 1:
        headings: tuple[str, ...] = ("fold", "rows", "out of fold", "training")
        rows = [(str(one.fold + 1), str(one.n_rows), _score(one.log_rmse), _score(one.train)) for one in folds]
        print_table("log-RMSE by fold", headings, rows)
        return
    splits = range(n_splits)
    headings = ("fold", *(f"split {split + 1}" for split in splits))
    table = [(str(fold + 1), *(_score(score_of[fold, split].log_rmse) for split in splits)) for fold in places]
    means = [sum(score_of[fold, split].log_rmse for fold in places) / len(places) for split in splits]
    print_table("log-RMSE out of fold, by fold and split", headings, table, [("mean", *map(_score, means))])


def _print_scores(metrics: "Metrics") -> None:
    scores = metrics.log_rmse
    named = {"median": "median price"}
    rows = [
        (f"mean of {len(metrics.by_fold)} folds", f"{_score(scores.fold_mean)} ± {_score(scores.fold_std)}", ""),
        (f"all {metrics.n_rows:,} rows", _score(scores.pooled), _score(scores.train)),
    ]
    baselines = [(f"baseline: {named.get(name, name)}", _score(score), "") for name, score in metrics.baselines.items()]
    print_table("", ("", "out of fold", "training"), rows, baselines, words=("",))


def _print_models(metrics: "Metrics") -> None:
    """A group's mean, and the spread of its networks: over splits, where there are several."""
    n_splits = metrics.by_fold[-1].repeat + 1
    rows = []
    for name, group in metrics.models.items():
        spread = f" ± {_score(group.member_std)}" if group.member_std > 0 else ""
        rows.append((name, _score(group.pooled), f"{_score(group.member_mean)}{spread}"))
    headings = ("model", "its mean", "one network" + (f", over {n_splits} splits" if n_splits > 1 else ""))
    print_table("log-RMSE by group, out of fold", headings, rows, words=("model",))


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
