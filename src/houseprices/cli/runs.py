"""Commands that read a run: predict, report, explain, runs and verify."""

import json
import math
import os
import sys
import textwrap
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from houseprices.cli.terminal import AsJson, ColumnsOfRun, FileOrStream, in_terminal, print_table, progress_bars
from houseprices.errors import RunError, SettingsError

if TYPE_CHECKING:
    from houseprices.report.past_runs import PastRun, RunComparison
    from houseprices.runs.verify import Verification

_STANDARD_STREAM = Path("-")


def predict_prices(
    run: Path | None = None,
    *,
    input: FileOrStream,
    output: FileOrStream = _STANDARD_STREAM,
    coverage: float = 0.9,
    columns: ColumnsOfRun = None,
) -> None:
    """Price new houses with a saved run: Id, price, lower and upper, in dollars.

    Args:
        run: Run folder, or a run's name in runs/; without it the newest run.
        input: CSV file with Kaggle's columns, without SalePrice; - for the standard input.
        output: CSV file to write; - for the standard output.
        coverage: Share of houses whose price should lie between lower and upper.
        columns: The run's file of custom features, if it has moved; it runs as code, if it is the same file.
    """
    from houseprices.runs.format import check_run

    # A wrong folder is refused before the seconds that importing torch takes; so below.
    folder, _ = check_run(run)
    from houseprices.runs.predict import predict

    to_stdout = output == _STANDARD_STREAM
    source = sys.stdin.buffer if input == _STANDARD_STREAM else input
    try:
        # A bar would mix with the prices on a terminal.
        with progress_bars(draw=False if to_stdout and sys.stdout.isatty() else None) as notify:
            n_houses = predict(folder, source, sys.stdout.buffer if to_stdout else output, coverage, notify, columns)
    except BrokenPipeError:
        # The reader, such as `head`, has read enough; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        if not to_stdout:
            print(f"{output}: {n_houses} houses priced")


def report(run: Path | None = None, *, columns: ColumnsOfRun = None) -> None:
    """Write a run's report.html and intervals.csv into its folder.

    Args:
        run: Run folder, or a run's name in runs/; without it the newest run.
        columns: The run's file of custom features, if it has moved; it runs as code, if it is the same file.
    """
    from houseprices.runs.format import check_run

    folder, _ = check_run(run)
    from houseprices.report.page import write_report

    with progress_bars() as notify:
        page = write_report(folder, notify, columns)
    print(page)


def explain(
    run: Path | None = None,
    *,
    id: int,  # the option's name
    columns: ColumnsOfRun = None,
    as_json: AsJson = False,
) -> None:
    """Explain a run's price of a house: the effect of each theme and feature.

    Args:
        run: Run folder, or a run's name in runs/; without it the newest run.
        id: Of the house, from test.csv or train.csv.
        columns: The run's file of custom features, if it has moved; it runs as code, if it is the same file.
        as_json: Print all effects as JSON on stdout.
    """
    from houseprices.runs.format import check_run

    folder, _ = check_run(run)
    from houseprices.report.explain import explain_house

    with progress_bars() as notify:
        explanation = explain_house(folder, id, notify, columns)
    if as_json:
        print(json.dumps(explanation))
    else:
        print_explanation(explanation)


def verify_run(
    run: Path | None = None,
    *,
    data: Path | None = None,
    columns: ColumnsOfRun = None,
    as_json: AsJson = False,
) -> None:
    """Compute a run again, with its settings on its houses, and show the differences and what may explain them.

    Nothing is written. Exit code 0 if every value is the same, or differs as far as another processor, library or code
    was measured to move it; 1 if the run differs.

    Args:
        run: Run folder, or a run's name in runs/; without it the newest run.
        data: Folder with the run's train.csv and test.csv, by their checksums; without it the copies in the run.
        columns: The run's file of custom features, if it has moved; it runs as code, if it is the same file.
        as_json: Print the differences as JSON on stdout.
    """
    from houseprices.runs.format import check_run

    folder, _ = check_run(run)
    from houseprices.runs.verify import verify

    with progress_bars() as notify:
        verification = verify(folder, data, columns, notify)
    if as_json:
        print(json.dumps(asdict(verification)))
    else:
        print_verification(folder, verification)
    if verification.unexplained:
        reason = "; ".join(verification.causes) or "code, libraries and processor are the same"
        raise RunError(f"{folder}: differs in {', '.join(verification.unexplained)} by more than explained ({reason})")


def list_runs(first: str | None = None, second: str | None = None, *, as_json: AsJson = False) -> None:
    """List the past runs, newest first, with what was changed from run to run; or compare two house by house.

    Args:
        first: Name of a run in runs/, or its folder.
        second: Another one, on the same houses.
        as_json: Print it as JSON on stdout.
    """
    from houseprices.report.past_runs import compare_runs, past_runs
    from houseprices.runs.format import NO_RUN_YET, RUNS_FOLDER

    if first and second:
        comparison = compare_runs(first, second)
        print(json.dumps(asdict(comparison))) if as_json else print_run_comparison(comparison)
        return
    if first:
        raise SettingsError(f"{first}: there is one run to compare; accepted: two, or none for the list of all")
    with progress_bars() as notify:
        runs = past_runs(notify)
    if as_json:
        print(json.dumps([asdict(run) for run in runs]))
    elif runs:
        print_runs(runs)
    else:
        print(f"{RUNS_FOLDER}: {NO_RUN_YET}")


def print_runs(runs: list["PastRun"]) -> None:
    """Print a line a run, newest first; in a terminal the changes from run to run stand below the table."""
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
    if not in_terminal():
        changed = [(*row, "; ".join(run.changes)) for row, run in zip(rows, runs, strict=True)]
        print_table("", (*headings, "changed"), changed)
        return
    print_table("runs, newest first", headings, rows, words=headings[:3])
    for run in runs:
        if run.changes:
            _print_wrapped(f"{run.name}: {'; '.join(run.changes)}")
    newest = runs[0]
    if newest.changes and runs[1].sha256 == newest.sha256:
        pair = f"{runs[1].name} {newest.name}"
        command = f'make runs ARGS="{pair}"' if Path("Makefile").is_file() else f"houseprices runs {pair}"
        _print_wrapped(f"next: `{command}` compares them house by house")


def _print_wrapped(text: str) -> None:
    """Wrap the text at the terminal's width; names and values stay whole, so that they can be copied."""
    width = get_terminal_size().columns if in_terminal() else len(text)
    print(textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False))


def print_run_comparison(comparison: "RunComparison") -> None:
    """Print the errors of both, their differences with intervals, and the changed settings."""
    from houseprices.cli.selection import score_rows

    headings = ("log price", "first", "second", "difference", "95% interval")
    print_table("Out of fold", headings, score_rows(comparison.scores), words=("log price",))
    _print_wrapped(f"first {comparison.names[0]}, second {comparison.names[1]}: {'; '.join(comparison.changes)}")


def print_explanation(explanation: dict[str, Any]) -> None:
    """Print the themes, from the average house to the prediction, each with its larger features."""
    from houseprices.report.words import dollars, percent

    reached = explanation["average_log_price"]
    sections = [[("average house", "", "", dollars(explanation["average_usd"]))]]
    for theme in explanation["themes"]:
        reached += theme["log_price"]
        rows = [(theme["theme"], "", percent(theme["log_price"]), dollars(math.exp(reached)))]
        for feature in theme["features"]:
            if abs(feature["log_price"]) >= 0.01:  # about a percent
                rows.append((f"  {feature['words']}", feature["value"], percent(feature["log_price"]), ""))
        sections.append(rows)
    title = f"house {explanation['id']}: {dollars(explanation['predicted_usd'])}"
    headings = ("theme and features", "value", "effect", "price so far")
    print_table(title, headings, *sections, words=headings[:2])


def print_verification(run: Path, verification: "Verification") -> None:
    """Print the differences by output and quantity, the conditions that changed since the run, and the verdict."""
    headings = ("output", "quantity", "rms", "largest", "where")
    rows = [
        (each.file, each.quantity, f"{each.rms:.1e}", f"{each.largest:.1e}", each.place)
        for each in verification.differences
    ]
    if rows:
        print_table(f"{run}, computed again", headings, rows, words=("output", "quantity", "where"))
    print(f"houses: {verification.data}")
    print(f"its networks give its predictions, prices and score to {verification.own_networks:.1e} in log price")
    print("since the run: " + ("; ".join(verification.conditions) or "the same code, libraries, device and processor"))
    print(verification.verdict)
