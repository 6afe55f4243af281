"""The command line. Exit codes: 0 done, 1 the job failed, 2 wrong usage, 130 interrupted."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from cyclopts import App, CycloptsError, Parameter

from houseprices.errors import HousePricesError, SettingsError
from houseprices.lessons.commands import app as lesson_app

app = App(
    name="houseprices",
    help="Kaggle's House Prices with multilayer perceptrons alone, regularised by weight decay and dropout.",
    version_flags=["--version"],
    # Markdown would load a parser at each call, a third of the time that --help takes.
    help_format="plaintext",
    # Else an interruption would end without a word.
    suppress_keyboard_interrupt=False,
)

# `-` is a file's name here, no option.
_File = Annotated[Path, Parameter(allow_leading_hyphen=True)]
_STANDARD_STREAM = Path("-")


def main(argv: list[str] | None = None) -> NoReturn:
    """Run one command and exit; a failure is one line on stderr, with a traceback only after --debug."""
    tokens = sys.argv[1:] if argv is None else argv
    debug = "--debug" in tokens
    try:
        app([token for token in tokens if token != "--debug"], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _complain(str(error))
        sys.exit(2)
    except HousePricesError as error:
        if debug:
            raise
        _complain(str(error))
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except KeyboardInterrupt as interruption:
        _complain(str(interruption) or "interrupted; nothing was written")
        if argv is None:
            # The workers have stopped and no file is open, but to take torch down in order lasts seconds.
            sys.stdout.flush()
            os._exit(130)
        sys.exit(130)
    sys.exit(0)


@app.command
def cv(
    *settings: Annotated[str, Parameter(allow_leading_hyphen=True)],
    data: Path | None = None,
    config: Path | None = None,
    run: Path | None = None,
    seed: int | None = None,
    device: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Cross-validate, predict the test set and write a run folder: the main job.

    Args:
        settings: Any setting by its name in the TOML file, e.g. --folds.n_folds 5 --groups.tanh.dropout 0.3;
            `houseprices settings` lists them.
        data: Folder with train.csv and test.csv. Without it data/raw, or the synthetic sample if that is empty.
        config: TOML file with settings, such as configs/default.toml or a run's config.toml.
        run: Folder to write, new or empty. Without it a new one in runs/.
        seed: Fixes the folds and every network's random numbers.
        device: auto, cpu or cuda.
        as_json: Print the metrics as JSON on stdout.
    """
    from houseprices.settings import load_settings, parse_overrides

    overrides = parse_overrides(settings)
    overrides |= {name: value for name, value in (("seed", seed), ("device", device)) if value is not None}
    options = load_settings(config, overrides)

    from houseprices.console import listening, print_summary
    from houseprices.runs.format import as_json as json_of
    from houseprices.runs.job import run_main_job

    with listening() as tell:
        folder, metrics = run_main_job(data, options, run, tell)
    if as_json:
        print(json.dumps(json_of(metrics)))
    else:
        print_summary(folder, metrics)


@app.command
def compare(
    *settings: Annotated[str, Parameter(allow_leading_hyphen=True)],
    data: Path | None = None,
    config: Path | None = None,
    against: Path | None = None,
    seeds: int = 3,
    without_id: tuple[int, ...] = (),
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Compare two settings house by house on the same folds and seeds: is the second better than the first?

    Args:
        settings: Settings of the second, as for `cv`, e.g. --groups.tanh.dropout 0.3.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file of the first.
        against: TOML file of the second; without it the first one's, changed by the settings given here.
        seeds: How many fold seeds, from 0 on.
        without_id: Houses left out of a second figure; may be repeated.
        as_json: Print the figures as JSON on stdout.
    """
    from dataclasses import asdict

    from houseprices.settings import load_settings, parse_overrides

    first = load_settings(config)
    second = load_settings(against or config, parse_overrides(settings))

    from houseprices.console import listening, print_comparison
    from houseprices.studies.comparison import compare

    with listening() as tell:
        found = compare(data, first, second, n_seeds=seeds, without_ids=without_id, tell=tell)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print_comparison(found)


@app.command
def sample(
    *,
    rows: int = 1460,
    test_rows: int = 1459,
    seed: int = 0,
    to: Path = Path("data/sample"),
) -> None:
    """Write the synthetic sample: train.csv, test.csv and sample_submission.csv.

    Args:
        rows: Houses with a price.
        test_rows: Houses without.
        seed: Another seed draws another town.
        to: The folder.
    """
    from houseprices.data.sample.write import NOISE_FLOOR, write_sample

    write_sample(to, rows, test_rows, seed)
    print(f"{to}: {rows} priced and {test_rows} unpriced synthetic houses; best possible log-RMSE {NOISE_FLOOR:.3f}")


@app.command(name="predict")
def predict_prices(
    *,
    input: _File,
    run: Path = Path("runs/latest"),
    output: _File = Path("-"),
    coverage: float = 0.9,
) -> None:
    """Price new houses with a saved run: Id, price, lower and upper, in dollars.

    Args:
        input: CSV file with Kaggle's columns, without SalePrice; - for the standard input.
        run: Run folder; without it the newest run.
        output: CSV file to write; - for the standard output.
        coverage: Share of houses whose price should lie between lower and upper.
    """
    from houseprices.runs.format import check_run

    # A wrong folder is told before the seconds that torch's import takes.
    check_run(run)
    from houseprices.console import listening
    from houseprices.runs.predict import predict

    source = sys.stdin.buffer if input == _STANDARD_STREAM else input
    if output != _STANDARD_STREAM:
        with listening() as tell:
            n_houses = predict(run, source, output, coverage, tell)
        print(f"{output}: {n_houses} houses priced")
        return
    try:
        # A bar would mix with the prices on a terminal.
        with listening(draw=False if sys.stdout.isatty() else None) as tell:
            predict(run, source, sys.stdout.buffer, coverage, tell)
    except BrokenPipeError:
        # Whoever reads, `head` say, has seen enough; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command(name="download")
def download_files(
    *,
    dataset: Literal["house-prices", "fashion-mnist"] = "house-prices",
    source: Literal["kaggle", "mirror"] | None = None,
    to: Path | None = None,
) -> None:
    """Bring the competition's files, or the images of the lesson on dropout; does nothing where they are.

    Args:
        dataset: house-prices or fashion-mnist.
        source: Of house-prices: kaggle, the default, which needs credentials, or mirror, a public copy of train.csv
            and test.csv.
        to: The folder. Without it data/raw or data/fashion-mnist.
    """
    if dataset == "fashion-mnist":
        _download_fashion_mnist(source, to)
        return
    from houseprices.console import listening
    from houseprices.data.source import RAW_FOLDER
    from houseprices.kaggle.download import download

    to = to or RAW_FOLDER
    with listening() as tell:
        files = download(source or "kaggle", to, tell=tell)
    print(f"{to}: {', '.join(files)}, checked" if files else f"{to}: train.csv and test.csv are there; nothing to do")


def _download_fashion_mnist(source: str | None, to: Path | None) -> None:
    from houseprices.console import listening
    from houseprices.lessons.fashion_mnist import FASHION_MNIST_FOLDER, download_fashion_mnist

    if source:
        raise SettingsError(f"--source {source} belongs to --dataset house-prices; fashion-mnist has one source")
    to = to or FASHION_MNIST_FOLDER
    with listening() as tell:
        files = download_fashion_mnist(to, tell=tell)
    print(f"{to}: {', '.join(files)}, checked" if files else f"{to}: Fashion-MNIST is there; nothing to do")


app.command(lesson_app)


@app.command(name="submit")
def submit_run(
    *,
    run: Path | None = None,
    file: Path | None = None,
    message: str = "",
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    no_wait: Annotated[bool, Parameter(negative="")] = False,
    again: Annotated[bool, Parameter(negative="")] = False,
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
    from houseprices.console import listening
    from houseprices.kaggle.submit import submit

    with listening() as tell:
        submit(run, file, message, dry_run=dry_run, wait=not no_wait, again=again, say=print, tell=tell)


@app.command
def ledger(
    *,
    refresh: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
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
    from houseprices.ledger_table import print_ledger

    print_ledger(entries)


@app.command
def ablate(
    *,
    data: Path | None = None,
    run: Path | None = None,
    config: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Train the grid of weight decay x dropout in one job: a CSV and heat maps, which the report shows.

    Args:
        data: Folder with train.csv and test.csv, as for cv; the grid is written to runs/ablation.
        run: Run folder whose houses and settings to take instead; the grid is written to its ablation/.
        config: TOML file whose first group lends the network's shape and learning rate.
        as_json: Print the grid as JSON on stdout.
    """
    from houseprices.errors import SettingsError

    if run and (data or config):
        raise SettingsError("--run and --data or --config are both given; accepted: a run, or data and settings")
    if run:
        from houseprices.runs.format import check_run

        check_run(run)
    from houseprices.console import listening
    from houseprices.report.ablation_job import make_ablation

    with listening() as tell:
        folder, grid = make_ablation(data, run, config, tell)
    if as_json:
        print(grid.to_json(orient="records"))
        return
    best = grid.iloc[int(grid["validation_log_rmse"].argmin())]
    print(
        f"lowest validation log-RMSE {best['validation_log_rmse']:.4f} ± {best['validation_std']:.4f} (over seeds) "
        f"at weight decay {best['weight_decay']:g}, dropout {best['dropout']:g}"
    )
    print(folder)


@app.command
def report(*, run: Path = Path("runs/latest")) -> None:
    """Write a run's report.html, figures/ and intervals.csv into its folder.

    Args:
        run: Run folder; without it the newest one.
    """
    from houseprices.runs.format import check_run

    check_run(run)
    from houseprices.report.job import write_report

    print(write_report(run))


@app.command
def explain(
    *,
    id: int,  # the option's name
    run: Path = Path("runs/latest"),
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show why a run gave a house its price, feature by feature, and draw it into the run's explanations/.

    Args:
        id: Of the house, from test.csv or train.csv.
        run: Run folder; without it the newest one.
        as_json: Print all 79 effects as JSON on stdout.
    """
    from houseprices.runs.format import check_run

    check_run(run)
    from houseprices.report.explain import explain_house, print_explanation

    explanation = explain_house(run, id)
    if as_json:
        print(json.dumps(explanation))
        return
    print_explanation(explanation)


@app.command(name="settings")
def list_settings() -> None:
    """List every setting of the main job with its default."""
    from houseprices.settings import setting_names

    for name, default in setting_names():
        print(f"--{name:<32} {default}")


def _complain(text: str) -> None:
    for line in text.splitlines():
        print(f"houseprices: {line}", file=sys.stderr)
