"""Where the data comes from: a folder of Kaggle's files, or the synthetic sample."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from houseprices.data.sample.write import NOISE_FLOOR, NOTE, write_sample
from houseprices.errors import DataError
from houseprices.files import read_json, sha256_of
from houseprices.progress import Notice, Notify

RAW_FOLDER = Path("data/raw")
SAMPLE_FOLDER = Path("data/sample")
TRAIN_FILE, TEST_FILE = "train.csv", "test.csv"

KAGGLE_SHA256 = {
    TRAIN_FILE: "1e18addf81e5e4d347cc17ee6075bbe4a42b7fa26b9e5b063e8f692a5f929d41",
    TEST_FILE: "8fdd3d829d4d986b58f845c9553b225e67dd8383624d90fb6ca1d4bed5798c1e",
}

DataKind = Literal["kaggle", "sample", "other"]


@dataclass(frozen=True)
class Source:
    """A folder with train.csv and test.csv.

    Attributes:
        folder: where they are.
        kind: kaggle, if both files are Kaggle's own by their checksums; sample, if `write_sample` wrote them; other.
        sha256: of each file.
    """

    folder: Path
    kind: DataKind
    sha256: dict[str, str]

    def notify_if_synthetic(self, notify: Notify) -> None:
        """Notify what the scores of a synthetic sample are worth, if the houses are one."""
        if self.kind == "sample":
            text = f"{self.folder} is a synthetic sample: its scores say nothing about Kaggle"
            notify(Notice(f"{text} (best possible log-RMSE {NOISE_FLOOR:.3f})."))


def find_source(folder: Path | None = None) -> Source:
    """The given folder; without one, data/raw if train.csv is there, else the sample, drawn now if need be.

    Raises:
        DataError: the folder or one of its files is missing.
    """
    if folder is None:
        folder = RAW_FOLDER if (RAW_FOLDER / TRAIN_FILE).is_file() else SAMPLE_FOLDER
        if folder == SAMPLE_FOLDER and not (SAMPLE_FOLDER / NOTE).is_file():
            write_sample(SAMPLE_FOLDER)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise DataError([f"{folder}: {what}; accepted: a folder with {TRAIN_FILE} and {TEST_FILE}"])
    missing = [name for name in (TRAIN_FILE, TEST_FILE) if not (folder / name).is_file()]
    if missing:
        raise DataError([f"{folder / name}: no such file; accepted: Kaggle's {name}" for name in missing])
    found = {name: sha256_of(folder / name) for name in (TRAIN_FILE, TEST_FILE)}
    kind: DataKind = "other"
    if found == KAGGLE_SHA256:
        kind = "kaggle"
    elif _noted_checksums(folder) == found:
        kind = "sample"
    return Source(folder, kind, found)


def _noted_checksums(folder: Path) -> object:
    """The checksums in the folder's note; None without a note, or with one that somebody spoilt."""
    try:
        return read_json(folder / NOTE, DataError, "as `houseprices sample` writes it").get("sha256")
    except DataError:
        return None
