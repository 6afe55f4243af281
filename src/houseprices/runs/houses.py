"""The houses of a run, read back from its folder."""

import pandas as pd

from houseprices.data.schema import ID, PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE
from houseprices.data.table import read_houses
from houseprices.errors import RunError
from houseprices.files import sha256_of
from houseprices.runs.format import OUT_OF_FOLD
from houseprices.runs.read import SavedRun


def read_run_houses(run: SavedRun) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The typed training houses, in the order of `run.out_of_fold` and without their prices, and the test houses.

    Raises:
        RunError: a file is missing or not the one that the run was trained on.
    """
    for name in (TRAIN_FILE, TEST_FILE):
        file = run.folder / name
        if not file.is_file():
            raise RunError(f"{file}: no such file; accepted: a run folder with its houses (make the run anew)")
        if sha256_of(file) != run.manifest.data.sha256.get(name):
            raise RunError(f"{file}: was altered since the run; accepted: the file that the run was trained on")
    training = read_houses(run.folder / TRAIN_FILE, priced=True).drop(columns=PRICE)
    if training.index.tolist() != run.out_of_fold[ID].tolist():
        raise RunError(f"{run.folder / OUT_OF_FOLD}: its Ids are not those of {TRAIN_FILE}; accepted: one run's files")
    return training, read_houses(run.folder / TEST_FILE, priced=False)
