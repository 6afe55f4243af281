"""Commands for Kaggle: download, submit and ledger."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from houseprices.cli.terminal import AsJson, Flag, in_terminal, print_table, progress_bars

if TYPE_CHECKING:
    from houseprices.kaggle.ledger import Entry


def download_files(*, source: Literal["kaggle", "mirror"] = "kaggle", to: Path = Path("data/raw")) -> None:
    """Bring the competition's files; do nothing if train.csv and test.csv are there.

    Args:
        source: kaggle, which needs credentials, or mirror, a public copy of train.csv and test.csv.
        to: The folder.
    """
    from houseprices.kaggle.download import download

    with progress_bars() as notify:
        files = download(source, to, notify)
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
        run: Run folder or its name in runs/; without it and --file the newest one.
        file: Any CSV file with Id,SalePrice in place of a run's.
        message: Put before the run's name, CV score and code version.
        dry_run: Do everything but the upload.
        no_wait: Return after the upload; `ledger --refresh` brings the score later.
        again: Submit prices that were submitted before.
    """
    from houseprices.kaggle.submit import REFRESH, submit

    with progress_bars() as notify:
        outcome = submit(run, file, message, dry_run=dry_run, wait=not no_wait, again=again, notify=notify)
    if outcome is None:
        print("dry run: nothing was sent")
        return
    entry, rank = outcome
    if entry.public_score is None:
        print(f"submitted; {REFRESH} brings the score")
    else:
        cv, difference = entry.cv_log_rmse, entry.difference
        print(
            f"public score {entry.public_score:.5f}, rank {rank or 'unknown'}; cross-validation "
            + ("unknown" if cv is None else f"{cv:.5f}, difference {difference:+.5f}")
        )


def ledger(*, refresh: Flag = False, as_json: AsJson = False) -> None:
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
    elif entries:
        print_ledger(entries)
    else:
        print(f"{LEDGER}: no submissions yet; `make submit` makes one")


def print_ledger(entries: list["Entry"]) -> None:
    """Print a table in a terminal; elsewhere tab-separated lines under a header."""
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
