"""The two tables of a competition folder: Kaggle's files, the synthetic sample, or the user's own, in any form."""

import hashlib
import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.containers import Part, find_table, open_file, table_parts
from houseprices.data.forms import KaggleForm, kaggle_form
from houseprices.data.sample import NOISE_FLOOR, NOTE, write_sample
from houseprices.data.schema import HIGHEST_PRICE_USD, LOWEST_PRICE_USD, PRICE
from houseprices.data.table import logarithm_fault, typed_houses
from houseprices.errors import DataError
from houseprices.files import read_json
from houseprices.progress import Notice, Notify, silent

RAW_FOLDER = Path("data/raw")
SAMPLE_FOLDER = Path("data/sample")
TRAIN_FILE, TEST_FILE = "train.csv", "test.csv"
_FILES: dict[Part, str] = {"train": TRAIN_FILE, "test": TEST_FILE}

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
        kind: kaggle, if both tables are Kaggle's own by their checksums; sample, if `write_sample` wrote them; other.
        train: typed training houses with their prices, see `data.table`.
        test: typed test houses.
        csv: the content of train.csv and test.csv as a run keeps them: the file's own bytes where it was Kaggle's
            plain CSV, else the table in Kaggle's own form.
        sha256: the checksum of each.
        notices: what was understood about the tables, a line each.
        missing: features that neither table has; they are gaps.
        test_price: (n_test_rows,) dollars, where the test table has real prices.
    """

    folder: Path
    kind: DataKind
    train: pd.DataFrame
    test: pd.DataFrame
    csv: dict[str, bytes] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    test_price: NDArray[np.float64] | None = None

    def write(self, folder: Path) -> None:
        """Write train.csv and test.csv into the folder."""
        for name, content in self.csv.items():
            (folder / name).write_bytes(content)


def read_tables(data: Path | None = None, notify: Notify = silent) -> HouseTables:
    """Read the folder's two tables, in any form that `data.containers` and `data.forms` understand.

    Args:
        data: the folder; None for data/raw if there is a training table, else the sample, drawn now if need be.
        notify: called with a notice for each thing that was understood, and where the houses are synthetic.

    Raises:
        DataError: the folder or one of its tables is missing, or a table has faults.
    """
    try:
        folder = _folder(data)
        files = {part: find_table(folder, part) for part in _FILES}
    except OSError as error:
        raise DataError([f"{error.filename}: {error.strerror}"]) from None
    forms: dict[Part, KaggleForm] = {}
    csv: dict[str, bytes] = {}
    for part, name in _FILES.items():
        forms[part], csv[name] = _read(folder, files[part], part)
    missing = _missing_in_both(forms)
    train, test = (typed_houses(forms[part], priced=part == "train") for part in _FILES)
    test_price = _real_prices(forms["test"])
    notices = _notices(folder, forms, missing)
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in csv.items()}
    kind = _kind(folder, sha256)
    for text in notices:
        notify(Notice(text))
    if kind == "sample":
        text = f"{folder} is a synthetic sample: its scores say nothing about Kaggle"
        notify(Notice(f"{text} (best possible log-RMSE {NOISE_FLOOR:.3f})."))
    return HouseTables(folder, kind, train, test, csv, sha256, notices, missing, test_price)


def _folder(data: Path | None) -> Path:
    if data is None:
        if RAW_FOLDER.is_dir() and find_table(RAW_FOLDER, "train") is not None:
            return RAW_FOLDER
        if not (SAMPLE_FOLDER / NOTE).is_file():
            write_sample(SAMPLE_FOLDER)
        return SAMPLE_FOLDER
    if not data.is_dir():
        problem = "is a file" if data.exists() else "no such folder"
        raise DataError([f"{data}: {problem}; accepted: a folder with {TRAIN_FILE} and {TEST_FILE}"])
    return data


def _read(folder: Path, file: Path | None, part: Part) -> tuple[KaggleForm, bytes]:
    """Read a table; return it in Kaggle's spelling, and the bytes of its CSV file."""
    if file is None:
        accepted = f"accepted: Kaggle's {_FILES[part]}, packed or not, or a spreadsheet saved as CSV under that name"
        raise DataError([f"{folder / _FILES[part]}: no such file; {accepted}"])
    with open_file(file) as stream:
        content = stream.read()
    [raw] = table_parts(io.BytesIO(content), str(file), part, sys.maxsize)
    form = kaggle_form(raw, priced=part == "train")
    if file.name.lower() != _FILES[part]:
        form.notices.setdefault("packed", "read as the competition's table, under another file name")
    kept = form.cells
    if part == "test" and _real_prices(form) is not None:
        kept = kept.assign(**{PRICE: form.price})
    if raw.notices or not kept.equals(raw.cells):
        content = kept.to_csv(index=False, lineterminator="\n").encode()
    return form, content


def _missing_in_both(forms: dict[Part, KaggleForm]) -> tuple[str, ...]:
    """Return the features that both tables lack.

    Raises:
        DataError: only one of them lacks a feature.
    """
    faults = []
    train, test = forms["train"], forms["test"]
    for form, other in ((train, test), (test, train)):
        accepted = f"accepted: the column, since {other.raw.source} has it"
        lacking = [name for name in form.missing if name not in other.missing]
        faults += [f"{form.raw.source}: column {name} is missing; {accepted}" for name in lacking]
    if faults:
        raise DataError(faults)
    return train.missing


def _real_prices(form: KaggleForm) -> NDArray[np.float64] | None:
    """Return the prices of a test table, if they are real: in dollars, of every house, and not all the same."""
    if form.price is None:
        return None
    prices = pd.to_numeric(form.price, errors="coerce").to_numpy(dtype=np.float64)
    is_real = ((prices >= LOWEST_PRICE_USD) & (prices <= HIGHEST_PRICE_USD)).all() and (prices != prices[0]).any()
    if not is_real or logarithm_fault(prices):
        form.notices["price"] = f"the column {PRICE} is ignored: its values are no prices in dollars"
        return None
    form.notices["price"] = f"the column {PRICE} trains nothing; the score on its prices is reported"
    return prices


def _notices(folder: Path, forms: dict[Part, KaggleForm], missing: tuple[str, ...]) -> list[str]:
    """List what was understood, a line for each topic: the test table's own only where the training table has none."""
    train, test = forms["train"], forms["test"]
    notices = []
    for topic, text in {**test.notices, **train.notices}.items():
        sources = dict.fromkeys(form.raw.source for form in (train, test) if topic in form.notices)
        notices.append(f"{' and '.join(sources)}: {text}")
    if missing:
        notices.append(f"{folder}: both tables lack {', '.join(missing)}: gaps in every row")
    return notices


def _kind(folder: Path, sha256: dict[str, str]) -> DataKind:
    if sha256 == KAGGLE_SHA256:
        return "kaggle"
    try:
        note = read_json(folder / NOTE, DataError, "as `houseprices sample` writes it")
    except DataError:
        return "other"
    return "sample" if note.get("sha256") == sha256 else "other"
