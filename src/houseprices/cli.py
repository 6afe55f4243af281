"""The command line. Exit codes: 0 done, 1 the job failed, 2 wrong usage, 130 interrupted."""

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import App, CycloptsError, Parameter

from houseprices.errors import HousePricesError, SettingsError

app = App(
    name="houseprices",
    help="Kaggle's House Prices with multilayer perceptrons alone, regularised by weight decay and dropout.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)


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
    except KeyboardInterrupt:
        _complain("interrupted; nothing was written")
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
        settings: Any setting by its name in the TOML file, e.g. --folds.n_folds 5 --groups.relu.dropout 0.3;
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

    from houseprices.main_job import run_main_job

    folder, metrics = run_main_job(data, options, run, show=sys.stderr.isatty())
    if as_json:
        print(json.dumps(metrics))
        return
    from houseprices.display import print_summary

    print_summary(folder, metrics)


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
    from houseprices.sample import NOISE_FLOOR
    from houseprices.sources import make_sample

    make_sample(to, rows, test_rows, seed)
    print(f"{to}: {rows} priced and {test_rows} unpriced synthetic houses; best possible log-RMSE {NOISE_FLOOR:.3f}")


@app.command(name="settings")
def list_settings() -> None:
    """List every setting of the main job with its default."""
    from houseprices.settings import setting_names

    for name, default in setting_names():
        print(f"--{name:<32} {default}")


def _complain(text: str) -> None:
    for line in text.splitlines():
        print(f"houseprices: {line}", file=sys.stderr)
