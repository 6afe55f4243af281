"""The tables of a competition folder: Kaggle's files, the synthetic sample, or the user's own."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from houseprices.data.sample.write import NOISE_FLOOR, NOTE, write_sample
from houseprices.data.table import read_houses
from houseprices.errors import DataError
from houseprices.files import read_json, sha256_of
from houseprices.progress import Notice, Notify, silent

RAW_FOLDER = Path("data/raw")
SAMPLE_FOLDER = Path("data/sample")
TRAIN_FILE, TEST_FILE = "train.csv", "test.csv"

KAGGLE_SHA256 = {
    TRAIN_FILE: "1e18addf81e5e4d347cc17ee6075bbe4a42b7fa26b9e5b063e8f692a5f929d41",
    TEST_FILE: "8fdd3d829d4d986b58f845c9553b225e67dd8383624d90fb6ca1d4bed5798c1e",
}

DataKind = Literal["kaggle", "sample", "other"]


@dataclass(frozen=True, eq=False)
class HouseTables:
    """The training and test tables of a folder.

    Attributes:
        folder: where they were read.
        kind: kaggle, if both files are Kaggle's own by their checksums; sample, if `write_sample` wrote them; other.
        train: typed training houses with their prices, see `data.table`.
        test: typed test houses.
        csv: the content of train.csv and test.csv as a run keeps them: the files' own bytes.
        sha256: the checksum of each.
        notices: what had to be understood about the tables, a line each.
        test_price: (n_test_rows,) dollars, where the test table has real prices.
    """

    folder: Path
    kind: DataKind
    train: pd.DataFrame
    test: pd.DataFrame
    csv: dict[str, bytes]
    sha256: dict[str, str]
    notices: list[str] = field(default_factory=list)
    test_price: pd.Series | None = None

    def write(self, folder: Path) -> None:
        """Write train.csv and test.csv into the folder."""
        for name, content in self.csv.items():
            (folder / name).write_bytes(content)


def read_tables(data: Path | None = None, notify: Notify = silent) -> HouseTables:
    """Read the folder's two tables.

    Args:
        data: folder with train.csv and test.csv; None for data/raw if train.csv is there, else the sample, which is
            drawn now if need be.
        notify: called with a notice where the houses are synthetic.

    Raises:
        DataError: the folder or one of its files is missing, or a table has faults.
    """
    folder = _folder(data)
    missing = [name for name in (TRAIN_FILE, TEST_FILE) if not (folder / name).is_file()]
    if missing:
        raise DataError([f"{folder / name}: no such file; accepted: Kaggle's {name}" for name in missing])
    train, test = (read_houses(folder / name, priced=name == TRAIN_FILE) for name in (TRAIN_FILE, TEST_FILE))
    csv = {name: (folder / name).read_bytes() for name in (TRAIN_FILE, TEST_FILE)}
    sha256 = {name: sha256_of(folder / name) for name in csv}
    kind = _kind(folder, sha256)
    if kind == "sample":
        text = f"{folder} is a synthetic sample: its scores say nothing about Kaggle"
        notify(Notice(f"{text} (best possible log-RMSE {NOISE_FLOOR:.3f})."))
    return HouseTables(folder, kind, train, test, csv, sha256)


def _folder(data: Path | None) -> Path:
    if data is None:
        if (RAW_FOLDER / TRAIN_FILE).is_file():
            return RAW_FOLDER
        if not (SAMPLE_FOLDER / NOTE).is_file():
            write_sample(SAMPLE_FOLDER)
        return SAMPLE_FOLDER
    if not data.is_dir():
        problem = "is a file" if data.exists() else "no such folder"
        raise DataError([f"{data}: {problem}; accepted: a folder with {TRAIN_FILE} and {TEST_FILE}"])
    return data


def _kind(folder: Path, sha256: dict[str, str]) -> DataKind:
    if sha256 == KAGGLE_SHA256:
        return "kaggle"
    try:
        note = read_json(folder / NOTE, DataError, "as `houseprices sample` writes it")
    except DataError:
        return "other"
    return "sample" if note.get("sha256") == sha256 else "other"
