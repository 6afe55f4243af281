"""The tables of houses that a run keeps."""

from pathlib import Path

import pandas as pd

from houseprices.data.schema import ID
from houseprices.data.source import TRAIN_FILE
from houseprices.data.table import read_houses
from houseprices.errors import RunError
from houseprices.files import sha256_of
from houseprices.runs.format import OUT_OF_FOLD, Manifest


def read_kept_houses(folder: Path, manifest: Manifest, name: str, out_of_fold: pd.DataFrame) -> pd.DataFrame:
    """Read train.csv or test.csv of a run folder as a typed table, the first with prices.

    Raises:
        RunError: it is missing or not the file that the run was trained on, or oof.csv has other houses.
    """
    file = folder / name
    if not file.is_file():
        raise RunError(f"{file}: no such file; accepted: a run folder with its houses (make the run anew)")
    if sha256_of(file) != manifest.data.sha256.get(name):
        raise RunError(f"{file}: was altered since the run; accepted: the file that the run was trained on")
    houses = read_houses(file, priced=name == TRAIN_FILE)
    if name == TRAIN_FILE and houses.index.tolist() != out_of_fold[ID].tolist():
        raise RunError(f"{folder / OUT_OF_FOLD}: its Ids are not those of {TRAIN_FILE}; accepted: one run's files")
    return houses
