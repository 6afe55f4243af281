"""The command line. Exit codes: 0 done, 1 the job failed, 2 wrong usage, 128 + the signal's number interrupted."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

from cyclopts import App, CycloptsError, Parameter

from houseprices.cli import kaggle, runs, selection, train
from houseprices.cli.terminal import print_error
from houseprices.errors import HousePricesError, SettingsError

app = App(
    name="houseprices",
    help="Kaggle's House Prices with multilayer perceptrons alone, regularised by weight decay and dropout.\n\n"
    "Every command takes --help, and --debug to show where in the code it failed.",
    version_flags=["--version"],
    # Markdown would load a parser at each call, a third of the time that --help takes.
    help_format="plaintext",
    # Else an interruption would end without a word.
    suppress_keyboard_interrupt=False,
)
app.command(train.cv)
app.command(selection.compare)
app.command(selection.tune)
app.command(train.ablate)
app.command(train.sample)
app.command(train.list_settings, name="settings")
app.command(runs.predict_prices, name="predict")
app.command(runs.report)
app.command(runs.explain)
app.command(runs.list_runs, name="runs")
app.command(runs.verify_run, name="verify")
app.command(kaggle.download_files, name="download")
app.command(kaggle.submit_run, name="submit")
app.command(kaggle.ledger)


@app.command(show=False)
def lesson(*_tokens: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Answer who still types it."""
    raise SettingsError("lessons are notebooks: make lessons")


_interrupted_by = signal.SIGINT


def main(argv: list[str] | None = None) -> NoReturn:
    """Run one command and exit; a failure is one line on stderr, with a traceback only after --debug."""
    tokens = sys.argv[1:] if argv is None else argv
    debug = "--debug" in tokens
    if argv is None:
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(number) == signal.SIG_DFL:  # nohup has a reason to ignore it
                signal.signal(number, _interrupt)
    try:
        app([_at_home(token) for token in tokens if token != "--debug"], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        print_error(str(error))
        sys.exit(2)
    except HousePricesError as error:
        if debug:
            raise
        print_error(str(error))
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except OSError as error:
        # Python's own words will do for what no job expects, such as a folder on the way that may not be entered.
        if debug:
            raise
        print_error(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        sys.exit(1)
    except KeyboardInterrupt as interruption:
        print_error(str(interruption) or "interrupted; nothing was written")
        if argv is None:
            # The workers have stopped and no file is open, but to take torch down in order lasts seconds.
            sys.stdout.flush()
            os._exit(128 + _interrupted_by)
        sys.exit(128 + _interrupted_by)
    sys.exit(0)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does: what was begun is cleared away."""
    global _interrupted_by
    _interrupted_by = signal.Signals(number)
    raise KeyboardInterrupt


def _at_home(token: str) -> str:
    """~ for the home folder where the shell has left it: in --run=~/run, and in what make quotes."""
    option, equals, value = token.rpartition("=") if token.startswith("--") else ("", "", token)
    return f"{option}{equals}{os.path.expanduser(value)}" if value.startswith("~/") or value == "~" else token
