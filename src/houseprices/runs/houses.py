"""The houses of a run, read back from its folder."""

import pandas as pd

from houseprices.data.schema import PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE
from houseprices.runs.kept_houses import read_kept_houses
from houseprices.runs.read import SavedRun


def read_run_houses(run: SavedRun) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The typed training houses, in the order of `run.out_of_fold` and without their prices, and the test houses.

    Raises:
        RunError: a file is missing or not the one that the run was trained on.
    """
    training, test = (
        read_kept_houses(run.folder, run.manifest, name, run.out_of_fold) for name in (TRAIN_FILE, TEST_FILE)
    )
    return training.drop(columns=PRICE), test
