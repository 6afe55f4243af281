"""Commands that speak with Kaggle: download, submit and ledger."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from houseprices.cli.terminal import AsJson, Flag, in_terminal, print_table

if TYPE_CHECKING:
    from houseprices.kaggle.ledger import Entry


def download_files(
    *,
    source: Literal["kaggle", "mirror"] = "kaggle",
    to: Path | None = None,
) -> None:
    """Bring the competition's files; does nothing where they are.

    Args:
        source: kaggle, which needs credentials, or mirror, a public copy of train.csv and test.csv.
        to: The folder. Without it data/raw.
    """
    from houseprices.cli.terminal import listening
    from houseprices.data.source import RAW_FOLDER
    from houseprices.kaggle.download import download

    to = to or RAW_FOLDER
    with listening() as notify:
        files = download(source, to, notify=notify)
    print(f"{to}: {', '.join(files)}, checked" if files else f"{to}: train.csv and test.csv are there; nothing to do")


def submit_run(
    run: Path | None = None,
    *,
    file: Path | None = None,
    message: str = "",
    dry_run: Flag = False,
    no_wait: Flag = False,
    again: Flag = False,
) -> None:
    """Check a run's submission, upload it, wait for the score and note it in submissions/ledger.jsonl.

    Args:
        run: Run folder; without it and --file the newest one.
        file: Any CSV with Id,SalePrice in place of a run's.
        message: Put before the run's name, CV score and code version.
        dry_run: Do everything but the upload.
        no_wait: Return after the upload; `houseprices ledger --refresh` brings the score later.
        again: Submit a file that was submitted before.
    """
    from houseprices.cli.terminal import listening
    from houseprices.kaggle.submit import submit

    with listening() as notify:
        submit(run, file, message, dry_run=dry_run, wait=not no_wait, again=again, say=print, notify=notify)


def ledger(
    *,
    refresh: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Show cross-validation against leaderboard, submission by submission.

    Args:
        refresh: Ask Kaggle for the scores that are missing.
        as_json: Print the entries as JSON on stdout.
    """
    from dataclasses import asdict

    from houseprices.kaggle.ledger import LEDGER, read_ledger

    if refresh:
        from houseprices.kaggle.submit import refresh as refresh_ledger

        entries = refresh_ledger()
    else:
        entries = read_ledger()
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries]))
        return
    if not entries:
        print(f"{LEDGER}: no submissions yet; `make submit` makes one")
        return

    print_ledger(entries)


_PLOT_COLUMNS, _PLOT_ROWS = 56, 16


def print_ledger(entries: list["Entry"]) -> None:
    """Table and plot in a terminal; elsewhere tab-separated lines under a header."""
    rows = [_cells(entry) for entry in entries]
    if not in_terminal():
        print_table("", ("submitted_utc", "source", "cv", "public", "difference", "status", "ref"), rows)
        return
    # Kaggle's number stands in the lines below and in --json: with it the table would not fit 80 columns.
    short = [(when[:16].replace("T", " "), *others) for when, *others, _ref in rows]
    headings = ("UTC", "run or file", "CV", "public", "gap", "status")
    print_table("submissions", headings, short, words=("UTC", "run or file", "status"))
    for entry in entries:
        if entry.reason:
            print(f"Kaggle's number {entry.ref}: {entry.reason}")
    if plot := scatter_plot(entries):
        print(plot)


def scatter_plot(entries: list["Entry"]) -> str:
    """Leaderboard (up) against cross-validation (right), "●" a submission, "·" where the two are equal.

    Both axes have the same range, so that the distance from the dotted line is the difference. Submissions that share
    a place are counted. "" if fewer than two have both scores.
    """
    points = [
        (entry.cv_log_rmse, entry.public_score)
        for entry in entries
        if entry.cv_log_rmse is not None and entry.public_score is not None
    ]
    if len(points) < 2:
        return ""
    scores = [score for point in points for score in point]
    low, high = min(scores), max(scores)
    margin = 0.05 * (high - low) or 0.001
    low, high = low - margin, high + margin

    def place(score: float, n_cells: int) -> int:
        return min(n_cells - 1, int((score - low) / (high - low) * n_cells))

    grid = [[" "] * _PLOT_COLUMNS for _ in range(_PLOT_ROWS)]
    for column in range(_PLOT_COLUMNS):
        grid[column * _PLOT_ROWS // _PLOT_COLUMNS][column] = "·"
    n_at: dict[tuple[int, int], int] = {}
    for cv, public in points:
        at = place(public, _PLOT_ROWS), place(cv, _PLOT_COLUMNS)
        n_at[at] = n_at.get(at, 0) + 1
    for (row, column), n_points in n_at.items():
        grid[row][column] = "●" if n_points == 1 else str(n_points) if n_points < 10 else "+"
    lines = ["leaderboard (● a submission, 2-9 so many at one place, · equal to CV)"]
    for row in range(_PLOT_ROWS - 1, -1, -1):
        label = f"{high:.4f}" if row == _PLOT_ROWS - 1 else f"{low:.4f}" if row == 0 else ""
        lines.append(f"{label:>7} │" + "".join(grid[row]).rstrip())
    lines.append(" " * 8 + "└" + "─" * _PLOT_COLUMNS)
    lines.append(" " * 9 + f"{low:.4f}" + f"{high:.4f} CV".rjust(_PLOT_COLUMNS - 6))
    return "\n".join(lines)


def _cells(entry: "Entry") -> list[str]:
    return [
        entry.submitted_utc,
        Path(entry.run).name if entry.run else entry.file,
        "" if entry.cv_log_rmse is None else f"{entry.cv_log_rmse:.4f}",
        "" if entry.public_score is None else f"{entry.public_score:.5f}",
        "" if entry.difference is None else f"{entry.difference:+.4f}",
        entry.status,
        "" if entry.ref is None else str(entry.ref),
    ]
