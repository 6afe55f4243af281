"""Own columns of a saved run: their file is run again only if it is the very file of the run, or the user names it so.

A run keeps a copy of the file and no state of its code. Read back, the columns are fitted anew on each fold's training
rows. The copy lies in the folder to be read: a run comes from anywhere, and looking at one must run none of its code.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.schema import PRICE
from houseprices.errors import ColumnsError, RunError
from houseprices.preprocessing.house_array import house_array
from houseprices.preprocessing.own_columns import ColumnsFile, OwnColumns, read_columns_file
from houseprices.runs.format import CUSTOM_FEATURES, Manifest


def find_columns_file(folder: Path, manifest: Manifest, named: str, given: Path | None) -> ColumnsFile | None:
    """The file of the run's own columns, to be run; None if the run has none.

    Args:
        folder: the run's.
        manifest: its manifest.
        named: the file in the run's settings, from the folder where the run was made.
        given: another place of the file.

    Raises:
        RunError: neither is the file that the run was made with.
    """
    sha256 = manifest.outputs_sha256.get(CUSTOM_FEATURES)
    if not named or sha256 is None:
        if given is not None:
            raise RunError(f"{folder}: has no own columns; accepted: the command without --columns {given}")
        return None
    path = given or Path(named)
    accepted = f"--columns with the run's file, such as its copy {folder / CUSTOM_FEATURES} (it runs as code: read it)"
    if given is None and path.resolve().is_relative_to(folder.resolve()):
        raise RunError(f"{path}: lies in the run, whose code runs only if it is named; accepted: {accepted}")
    try:
        file = read_columns_file(path)
    except ColumnsError as error:
        raise RunError(f"{str(error).partition(';')[0]}; accepted: {accepted}") from None
    if file.sha256 != sha256:
        raise RunError(f"{path}: is not the file of the run {folder} (its SHA-256 is another); accepted: {accepted}")
    return file


def fit_own_columns(
    file: ColumnsFile, train_houses: pd.DataFrame, held_out: list[NDArray[np.bool_]]
) -> list[OwnColumns]:
    """Fit the file's columns anew for each fold on its training rows.

    Args:
        file: of the run.
        train_houses: the typed train.csv of the run.
        held_out: of each fold, (n_rows,) which rows it held out.

    Raises:
        ColumnsError: the file fails, or gives something else than finite numbers.
    """
    houses, log_price = house_array(train_houses.drop(columns=PRICE)), np.log(train_houses[PRICE].to_numpy())
    return [file.fit(houses.rows(~rows), log_price[~rows]) for rows in held_out]
