"""The runs of the past, and two of them side by side."""

import textwrap
from datetime import datetime
from shutil import get_terminal_size

from houseprices.console.comparison import figure_rows
from houseprices.console.tables import in_terminal, print_table
from houseprices.report.past_runs import PastRun, RunComparison


def print_runs(runs: list[PastRun]) -> None:
    """A line a run, newest first; in a terminal what was changed from run to run stands below the table."""
    rows = [
        (
            run.name,
            f"{datetime.fromisoformat(run.finished_utc):%d %b}" if in_terminal() else run.finished_utc,
            run.data,
            f"{run.cv_log_rmse:.4f}",
            f"{run.low:.3f}-{run.high:.3f}",
            f"{run.seconds:.0f}",
            "" if run.public_score is None else f"{run.public_score:.4f}",
        )
        for run in runs
    ]
    headings = ("run", "UTC", "houses", "CV", "95%", "s", "public")
    words = ("run", "UTC", "houses")
    if not in_terminal():
        changed = [(*row, "; ".join(run.changes)) for row, run in zip(rows, runs, strict=True)]
        print_table("", (*headings, "changed"), changed)
        return
    print_table("runs, newest first", headings, rows, words=words)
    for run in runs:
        if run.changes:
            _print_wrapped(f"{run.name}: {'; '.join(run.changes)}")
    newest = runs[0]
    for place, run in enumerate(runs[1:], start=1):
        if run.sha256 == newest.sha256 and any(later.changes for later in runs[:place]):
            pair = f'make runs ARGS="{run.name} {newest.name}"'
            _print_wrapped(f"next: `{pair}` compares two of them house by house")
            break


def _print_wrapped(text: str) -> None:
    """In a terminal as many lines as it takes; names and values stay whole, so that they can be copied."""
    width = get_terminal_size().columns if in_terminal() else len(text)
    print(textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False))


def print_run_comparison(comparison: RunComparison) -> None:
    """The figures of both, their differences with intervals, and what was changed."""
    first, second = comparison.n_splits
    splits = f"{first} {'split' if first == 1 else 'splits'}" if first == second else f"{first} and {second} splits"
    judgement = comparison.judgement
    figures = {"whole": judgement.whole, "bulk": judgement.bulk, "median |error|": judgement.median}
    headings = ("log price", "first", "second", "difference", "95%")
    print_table(f"Out of fold, {splits}", headings, figure_rows(figures), words=("log price",))
    _print_wrapped(f"first {comparison.names[0]}, second {comparison.names[1]}: {'; '.join(comparison.changes)}")
