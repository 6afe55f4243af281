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

    The prices appear whole or not at all. `coverage` is that of the interval from lower to upper; see `read_run` for
    `columns`. Returns the number of houses.

    Raises:
        RunError, ColumnsError: the run cannot be read, or its custom features fail.
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
    unseen_levels = {}
    for feature in NOMINALS:
        n_rows_of_level = np.sum([fold.features.rows_of_level_[feature] for fold in saved.ensemble.folds], axis=0)
        unseen_levels[feature] = set(np.array(BY_NAME[feature].levels)[n_rows_of_level == 0].tolist())
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
    """Price typed houses: Id, price and the ends of its interval, in dollars and cents, (n_rows, 4)."""
    predictions = saved.ensemble.predict_folds(houses)
    ends = saved.ensemble.intervals(predictions, (coverage,))[0]
    table = submission_table(houses.index.to_numpy(), predictions.mean).rename(columns={PRICE: "price"})
    table["lower"], table["upper"] = np.exp(ends).round(2)
    return table


@contextmanager
def _whole_or_not(output: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Yield a stream whose content appears in the output if the block ends well."""
    if isinstance(output, Path) and output.is_dir():
        raise DataError(f"{output}: Is a directory; accepted: a file that can be written")
    if isinstance(output, Path) and (output.is_file() or not output.exists()):
        with replacing(output, error=DataError) as (fresh,), fresh.open("wb") as stream:
            yield stream
        return
    # Pipes and devices cannot be replaced: they get everything at the end.
    with tempfile.TemporaryFile() as spool:
        yield spool
        spool.seek(0)
        with output.open("wb") if isinstance(output, Path) else nullcontext(output) as stream:
            shutil.copyfileobj(spool, stream)
            stream.flush()
