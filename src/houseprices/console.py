"""What the commands show in a terminal: progress bars, a spinner and tables."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from houseprices.progress import Notice, Tell
from houseprices.progress import Progress as Told

if TYPE_CHECKING:
    from houseprices.runs.format import Metrics
    from houseprices.studies.comparison import Comparison

_COLUMNS = (
    SpinnerColumn(),
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.fields[counted]}"),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
)


@contextmanager
def listening(*, draw: bool | None = None) -> Iterator[Tell]:
    """Yield what a job tells to: a notice becomes a line on stderr, a stage a bar there that goes when the block ends.

    Args:
        draw: whether to draw bars; None for whether stderr is a terminal.
    """
    console = Console(stderr=True)
    shown = sys.stderr.isatty() if draw is None else draw
    # What is printed meanwhile goes above the bars, but not to the terminal if stdout is elsewhere.
    redirect = sys.stdout.isatty()
    with Progress(*_COLUMNS, console=console, transient=True, disable=not shown, redirect_stdout=redirect) as bars:
        stages: dict[str, TaskID] = {}

        def tell(told: Told | Notice) -> None:
            if isinstance(told, Notice):
                complain(told.text)
                return
            if told.stage not in stages:
                for earlier in stages.values():
                    bars.update(earlier, visible=False)
                stages[told.stage] = bars.add_task(told.stage, total=told.n_total, counted="")
            counted = _counted(told)
            bars.update(stages[told.stage], completed=told.n_done, total=told.n_total, counted=counted)

        yield tell


def complain(text: str) -> None:
    """Print each line on stderr, under the program's name."""
    for line in text.splitlines():
        print(f"houseprices: {line}", file=sys.stderr, flush=True)


def _counted(told: Told) -> str:
    """How far a stage is, in figures; nothing where there is nothing to count."""
    if told.in_bytes:
        whole = f" of {decimal(told.n_total)}" if told.n_total else ""
        return f"{decimal(told.n_done)}{whole}"
    return f"{told.n_done}/{told.n_total}" if told.n_total else ""


def print_summary(run: Path, metrics: "Metrics") -> None:
    """Tables of the scores if stdout is a terminal, and always the line that sums up the run."""
    from houseprices.runs.format import SUBMISSION

    scores, baselines = metrics.log_rmse, metrics.baselines
    if sys.stdout.isatty():
        console = Console()
        console.print(_fold_table(metrics), _group_table(metrics))
    print(
        f"log-RMSE {scores.pooled:.4f} out of fold, {scores.train:.4f} in training; "
        f"ridge {baselines['ridge']:.4f}, median {baselines['median']:.4f}; "
        f"{metrics.n_members} networks in {metrics.seconds['total']:.1f} s"
    )
    if metrics.noise_floor is not None:
        print(f"synthetic data, best possible {metrics.noise_floor:.4f}")
    print(run / SUBMISSION)


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


def _fold_table(metrics: "Metrics") -> Table:
    table = Table(title="log-RMSE by fold")
    several = metrics.by_fold[-1].repeat > 0
    for heading in (*(["repeat"] if several else []), "fold", "rows", "out of fold", "training"):
        table.add_column(heading, justify="right")
    for fold in metrics.by_fold:
        cells = [str(fold.fold + 1), str(fold.n_rows), f"{fold.log_rmse:.4f}", f"{fold.train:.4f}"]
        table.add_row(*([str(fold.repeat + 1)] if several else []), *cells)
    scores = metrics.log_rmse
    blank = [""] if several else []
    table.add_section()
    table.add_row(*blank, "mean", "", f"{scores.fold_mean:.4f} ± {scores.fold_std:.4f}", "")
    table.add_row(*blank, "pooled", str(metrics.n_rows), f"{scores.pooled:.4f}", f"{scores.train:.4f}", style="bold")
    for name, score in metrics.baselines.items():
        table.add_row(*blank, name, "", f"{score:.4f}", "", style="dim")
    return table


def _group_table(metrics: "Metrics") -> Table:
    table = Table(title="log-RMSE by group")
    for heading in ("group", "mean of members", "single member, over seeds"):
        table.add_column(heading, justify="left" if heading == "group" else "right")
    for name, group in metrics.groups.items():
        table.add_row(name, f"{group.pooled:.4f}", f"{group.member_mean:.4f} ± {group.member_std:.4f}")
    return table
