"""Commands on finished runs: predict, report, explain, verify, and the list of all of them."""

import json
import os
import sys
from pathlib import Path

from houseprices.cli.parameters import AsJson, ColumnsOfRun, FileOrStream
from houseprices.errors import RunError, SettingsError

_STANDARD_STREAM = Path("-")


def predict_prices(
    run: Path | None = None,
    *,
    input: FileOrStream,
    output: FileOrStream = Path("-"),
    coverage: float = 0.9,
    columns: ColumnsOfRun = None,
) -> None:
    """Price new houses with a saved run: Id, price, lower and upper, in dollars.

    Args:
        run: Run folder; without it the newest run.
        input: CSV file with Kaggle's columns, without SalePrice; - for the standard input.
        output: CSV file to write; - for the standard output.
        coverage: Share of houses whose price should lie between lower and upper.
        columns: File of the run's own columns, if it has moved; it runs as code, if it is the very file.
    """
    from houseprices.runs.format import LATEST, check_run

    # A wrong folder is told before the seconds that torch's import takes; so below.
    folder = run or LATEST
    check_run(folder)
    from houseprices.console import listening
    from houseprices.runs.predict import predict

    source = sys.stdin.buffer if input == _STANDARD_STREAM else input
    if output != _STANDARD_STREAM:
        with listening() as notify:
            n_houses = predict(folder, source, output, coverage, notify, columns)
        print(f"{output}: {n_houses} houses priced")
        return
    try:
        # A bar would mix with the prices on a terminal.
        with listening(draw=False if sys.stdout.isatty() else None) as notify:
            predict(folder, source, sys.stdout.buffer, coverage, notify, columns)
    except BrokenPipeError:
        # Whoever reads, `head` say, has seen enough; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report(run: Path | None = None, *, columns: ColumnsOfRun = None) -> None:
    """Write a run's report.html, figures/ and intervals.csv into its folder.

    Args:
        run: Run folder; without it the newest one.
        columns: File of the run's own columns, if it has moved; it runs as code, if it is the very file.
    """
    from houseprices.runs.format import LATEST, check_run

    folder = run or LATEST
    check_run(folder)
    from houseprices.console import listening
    from houseprices.report.job import write_report

    with listening() as notify:
        page = write_report(folder, notify, columns)
    print(page)


def explain(
    run: Path | None = None,
    *,
    id: int,  # the option's name
    columns: ColumnsOfRun = None,
    as_json: AsJson = False,
) -> None:
    """Show why a run gave a house its price, feature by feature, and draw it into the run's explanations/.

    Args:
        run: Run folder; without it the newest one.
        id: Of the house, from test.csv or train.csv.
        columns: File of the run's own columns, if it has moved; it runs as code, if it is the very file.
        as_json: Print all effects as JSON on stdout.
    """
    from houseprices.runs.format import LATEST, check_run

    folder = run or LATEST
    check_run(folder)
    from houseprices.console import listening
    from houseprices.console.explanation import print_explanation
    from houseprices.report.explain import explain_house

    with listening() as notify:
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
    """Compute a run again, with its settings on its houses, and say what differs and what may explain it.

    Nothing is written. Exit code 0 if every number is the same, but for rounding in float32; 1 if not.

    Args:
        run: Run folder; without it the newest one.
        data: Folder with the run's train.csv and test.csv, by their checksums; without it the copies in the run.
        columns: File of the run's own columns, if it has moved; it runs as code, if it is the very file.
        as_json: Print the differences as JSON on stdout.
    """
    from houseprices.runs.format import LATEST, check_run

    folder = run or LATEST
    check_run(folder)
    from dataclasses import asdict

    from houseprices.console import listening
    from houseprices.console.verification import print_verification
    from houseprices.runs.verify import verify

    with listening() as notify:
        found = verify(folder, data, columns, notify)
    if as_json:
        print(json.dumps({**asdict(found), "data": str(found.data), "unexplained": found.unexplained}))
    else:
        print_verification(folder, found)
    if found.unexplained:
        names = ", ".join(found.unexplained)
        raise RunError(f"{folder}: {names}: more than rounding differs from what its settings and houses give now")


def list_runs(first: str | None = None, second: str | None = None, *, as_json: AsJson = False) -> None:
    """List the past runs, newest first, with what was changed from run to run; or compare two house by house.

    Args:
        first: Name of a run in runs/, or its folder.
        second: Another one, on the same houses.
        as_json: Print it as JSON on stdout.
    """
    from dataclasses import asdict

    from houseprices.console import listening
    from houseprices.console.runs import print_run_comparison, print_runs
    from houseprices.report.past_runs import compare_runs, past_runs
    from houseprices.runs.format import NO_RUN_YET, RUNS_FOLDER

    if first and second:
        comparison = compare_runs(first, second)
        print(json.dumps(asdict(comparison))) if as_json else print_run_comparison(comparison)
        return
    if first:
        raise SettingsError(f"{first}: there is one run to compare; accepted: two, or none for the list of all")
    with listening() as notify:
        runs = past_runs(notify)
    if as_json:
        print(json.dumps([asdict(run) for run in runs]))
    elif runs:
        print_runs(runs)
    else:
        print(f"{RUNS_FOLDER}: {NO_RUN_YET}")
