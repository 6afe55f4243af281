"""The command that looks for better recipes."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import PositiveFloat, PositiveInt

from houseprices.cli.parameters import AsJson, Override
from houseprices.errors import SettingsError


def tune(
    *settings: Override,
    trials: PositiveInt = 100,
    timeout: PositiveFloat | None = None,
    storage: Path = Path("runs/tune/search.journal"),
    data: Path | None = None,
    config: Path | None = None,
    space: Path | None = None,
    batch: PositiveInt = 8,
    keep: PositiveInt = 5,
    max_correlation: float = 0.95,
    show: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Search for better recipes, many networks at once, and say what the best is worth after the choosing.

    The same command goes on where it was stopped. Ten halvings of the houses score each trial, as in `compare`.

    Args:
        settings: Any setting of the base, as for `cv`, e.g. --workers 2 or --ray HOST:PORT.
        trials: In all, those of earlier calls with the same storage among them.
        timeout: Seconds, after which no trials are begun any more.
        storage: Optuna's journal of the search; what the trials predicted is kept beside it.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file whose first group has what is not varied.
        space: TOML file with the ranges and choices of what is varied.
        batch: Trials that are asked for at once; more keep more machines busy, and learn less of each other.
        keep: Trials in the committee, at most.
        max_correlation: Errors of any two trials in the committee correlate less than that.
        show: Print the search so far; train and write nothing.
        as_json: Print the figures as JSON on stdout.
    """
    from houseprices.settings import load_settings, parse_overrides

    base = load_settings(config, parse_overrides(settings))
    if not 0 < max_correlation <= 1:
        raise SettingsError(f"max-correlation is {max_correlation}; accepted: above 0, up to 1")

    from dataclasses import asdict

    from houseprices.console import listening
    from houseprices.console.search import print_search
    from houseprices.selection import search
    from houseprices.selection.search_space import DEFAULT_SPACE, read_space

    if show:
        if settings or config or space:
            raise SettingsError(
                "--show stands beside settings; accepted: --show [--storage FILE] [--data DIR] [--json]"
            )
        with listening() as notify:
            found = search.show(data, storage, notify)
    else:
        varied = read_space(space or DEFAULT_SPACE)
        try:
            with listening() as notify:
                found = search.search(
                    data,
                    base,
                    varied,
                    trials,
                    storage=storage,
                    batch=batch,
                    timeout=timeout or float("inf"),
                    n_kept=keep,
                    max_correlation=max_correlation,
                    notify=notify,
                )
        except KeyboardInterrupt:
            kept = f"the trials so far are kept in {storage}"
            raise KeyboardInterrupt(f"interrupted; {kept}, and the same command goes on") from None
    if as_json:
        print(json.dumps(asdict(found), default=str))
    else:
        print_search(found)
