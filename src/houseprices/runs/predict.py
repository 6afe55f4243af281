"""Prices and intervals of new houses from a saved run; part by part, so that a table may have any length."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from houseprices.cross_validation.intervals import rank_of
from houseprices.data.containers import open_file
from houseprices.data.schema import BY_NAME, NOMINALS, PRICE
from houseprices.data.table import house_parts
from houseprices.errors import DataError
from houseprices.files import replacing
from houseprices.progress import Notice, Notify, Progress, silent
from houseprices.runs.read import SavedRun, read_run
from houseprices.runs.write import submission_table

ROWS_AT_ONCE = 4096


def predict(
    run: Path,
    source: Path | BinaryIO,
    output: Path | BinaryIO,
    coverage: float,
    notify: Notify = silent,
    columns: Path | None = None,
) -> int:
    """Price a table of houses in any form; write a CSV file with Id, price, lower and upper, in dollars.

    Args:
        run: run folder.
        source: the table: a file, or a stream such as the standard input.
        output: a file or a stream for the prices, which appear whole or not at all.
        coverage: of the interval from lower to upper, see `cross_validation.intervals`.
        notify: callback for progress, and for notices about the table.
        columns: the run's file of user-defined features, see `read_run`.

    Returns:
        The number of houses.

    Raises:
        RunError, ColumnsError: the run cannot be read, or its user-defined features fail.
        SettingsError: the coverage is not between 0 and 1.
        DataError: a fault in the table, or the output cannot be written.
    """
    rank_of(coverage, 1)  # refuses a wrong coverage before anything is read
    saved = read_run(run, columns)
    n_rows = len(saved.ensemble.out_of_fold.ids)
    if rank_of(coverage, n_rows) > n_rows:
        bound = f"{n_rows} training rows cannot bound an interval of coverage {coverage:g}"
        notify(Notice(f"{bound}: it reaches from 0 to inf"))
    files = [file for file in (source, output) if isinstance(file, Path) and file.exists()]
    if len(files) == 2 and files[0].samefile(files[1]):
        raise DataError(f"{output}: is the input; accepted: another file")
    unseen_levels = _unseen_levels(saved)
    n_houses = 0
    notify(Progress("pricing houses"))
    with (
        open_file(source) if isinstance(source, Path) else nullcontext(source) as stream,
        _whole_or_not(output) as destination,
    ):
        name = str(source) if isinstance(source, Path) else "standard input"
        absent = saved.manifest.data.missing
        for houses in house_parts(stream, name, priced=False, rows_at_once=ROWS_AT_ONCE, absent=absent, notify=notify):
            for feature, unseen in unseen_levels.items():
                for level in sorted(unseen & set(houses[feature].dropna())):
                    notify(Notice(f"{feature}: {level!r} stands in no training row; read as none of the levels"))
                    unseen.remove(level)
            prices = price_table(saved, houses, coverage)
            prices.to_csv(destination, index=False, header=n_houses == 0, lineterminator="\n")
            n_houses += len(houses)
            notify(Progress("pricing houses", n_houses))
    return n_houses


def price_table(saved: SavedRun, houses: pd.DataFrame, coverage: float) -> pd.DataFrame:
    """Prices of typed houses and the ends of their intervals, in dollars and cents: (n_rows, 4), in the houses' order.

    Raises:
        SettingsError: the coverage is not between 0 and 1.
        DataError: a price is not finite and positive.
    """
    predictions = saved.ensemble.predict_folds(houses)
    ends = saved.ensemble.intervals(predictions, (coverage,))[0]
    table = submission_table(houses.index.to_numpy(), predictions.mean).rename(columns={PRICE: "price"})
    table["lower"], table["upper"] = np.exp(ends).round(2)
    return table


def _unseen_levels(saved: SavedRun) -> dict[str, set[str]]:
    """The levels of each nominal feature that no training row of the run has."""
    return {
        name: {
            level
            for level, *n_rows in zip(
                BY_NAME[name].levels,
                *(fold.features.rows_of_level_[name] for fold in saved.ensemble.folds),
                strict=True,
            )
            if not any(n_rows)
        }
        for name in NOMINALS
    }


@contextmanager
def _whole_or_not(output: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Yield a stream whose content appears in the output if the block ends well."""
    if isinstance(output, Path):
        if output.is_dir() or not output.parent.is_dir():
            reason = "Is a directory" if output.is_dir() else "No such file or directory"
            raise DataError(f"{output}: {reason}; accepted: a file that can be written")
        if output.is_file() or not output.exists():
            with replacing(output, error=DataError) as (fresh,), fresh.open("wb") as stream:
                yield stream
            return
    # Pipes and devices cannot be replaced: they get everything at the end.
    with tempfile.TemporaryFile() as spool:
        yield spool
        spool.seek(0)
        if not isinstance(output, Path):
            shutil.copyfileobj(spool, output)
            output.flush()
            return
        try:
            with output.open("wb") as stream:
                shutil.copyfileobj(spool, stream)
        except OSError as error:
            raise DataError(f"{output}: {error.strerror}; accepted: a file that can be written") from error
