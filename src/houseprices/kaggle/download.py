"""The competition's files -> data/raw: fetched aside, checked, then moved into place whole."""

import os
from pathlib import Path
from typing import Literal

from houseprices import http
from houseprices.data.source import KAGGLE_SHA256, RAW_FOLDER, TEST_FILE, TRAIN_FILE
from houseprices.data.table import read_houses
from houseprices.errors import DataError, DownloadError, KaggleError
from houseprices.files import replacing, sha256_of
from houseprices.http import Patience, fetch_file, patient_session
from houseprices.kaggle.archive import unpack
from houseprices.kaggle.competition import Kaggle
from houseprices.kaggle.credentials import WITHOUT_KAGGLE, NoCredentialsError
from houseprices.progress import Notice, Notify, silent

Origin = Literal["kaggle", "mirror"]

# They go into place in this order: as long as train.csv is missing, data/raw counts as empty.
_FILES = ("data_description.txt", "sample_submission.csv", TEST_FILE, TRAIN_FILE)
_TABLES = (TRAIN_FILE, TEST_FILE)

# The mirror of "Dive into Deep Learning" speaks plain http, so nothing but the checksums vouches for its files.
MIRROR = "http://d2l-data.s3-accelerate.amazonaws.com"
MIRROR_NAMES = {TRAIN_FILE: "kaggle_house_pred_train.csv", TEST_FILE: "kaggle_house_pred_test.csv"}
MIRROR_SHA1 = {
    TRAIN_FILE: "585e9cc93e70b39160e7921475f9bcd7d31219ce",
    TEST_FILE: "fa19780a7b011d9b009e8bff8e99922a8ee2eb90",
}
_LARGEST_TABLE_BYTES = 10_000_000


def download(
    origin: Origin = "kaggle", to: Path = RAW_FOLDER, patience: Patience | None = None, notify: Notify = silent
) -> tuple[str, ...]:
    """Bring train.csv, test.csv and, from Kaggle, what else the competition has; do nothing where they are.

    Args:
        patience: None for `http.PATIENCE`.
        notify: hears how much has come, and of files that are not the known ones.

    Returns:
        The names of the files that came; empty if train.csv and test.csv were there.

    Raises:
        KaggleError: no credentials, or Kaggle or the way to it failed.
        DownloadError: what came is not the competition's data, or another file is in the way.
    """
    patience = patience or http.PATIENCE
    if all((to / name).is_file() for name in _TABLES):
        _warn_of_other_checksums(to, "is there, and was left as it is", notify)
        return ()
    kaggle = _sign_in(patience) if origin == "kaggle" else None
    with replacing(*(to / name for name in _FILES), error=DownloadError) as files:
        staging = files[0].parent
        found = _fetch_from_kaggle(kaggle, staging, notify) if kaggle else _fetch_from_mirror(staging, patience, notify)
        _check_tables(staging, found, origin)
        _check_nothing_in_the_way(staging, to, found)
    _warn_of_other_checksums(to, "came; Kaggle may have published it anew", notify)
    return found


def _sign_in(patience: Patience) -> Kaggle:
    """As `Kaggle`, but the ways to get credentials end with the one that needs none."""
    try:
        return Kaggle(patience)
    except NoCredentialsError as error:
        raise KaggleError(f"{error}\n{WITHOUT_KAGGLE}") from None


def _fetch_from_kaggle(kaggle: Kaggle, staging: Path, notify: Notify) -> tuple[str, ...]:
    archive = staging / "archive.zip"
    kaggle.download(archive, notify)
    return tuple(unpack(archive, staging, _FILES))


def _fetch_from_mirror(staging: Path, patience: Patience, notify: Notify) -> tuple[str, ...]:
    found = (TEST_FILE, TRAIN_FILE)
    with patient_session(patience) as session:
        for name in found:
            url = f"{MIRROR}/{MIRROR_NAMES[name]}"
            known = {"sha1": MIRROR_SHA1[name], "sha256": KAGGLE_SHA256[name]}
            file, limit = staging / name, _LARGEST_TABLE_BYTES
            fetch_file(session, url, file, patience, limit_bytes=limit, checksums=known, notify=notify)
    return found


def _check_tables(staging: Path, found: tuple[str, ...], origin: Origin) -> None:
    missing = [name for name in _TABLES if name not in found]
    if missing:
        raise DownloadError(f"the archive has no {' and no '.join(missing)}; nothing was kept")
    for name in _TABLES:
        try:
            read_houses(staging / name, priced=name == TRAIN_FILE)
        except DataError as error:
            first = error.faults[0].replace(f"{staging}{os.sep}", "")
            more = f" (and {len(error.faults) - 1} more faults)" if len(error.faults) > 1 else ""
            raise DownloadError(
                f"the files from {origin} are not House Prices': {first}{more}; nothing was kept"
            ) from None


def _warn_of_other_checksums(folder: Path, what: str, notify: Notify) -> None:
    for name in _TABLES:
        got = sha256_of(folder / name)
        if got != KAGGLE_SHA256[name]:
            notify(Notice(f"warning: {name} with SHA-256 {got}, not the known {KAGGLE_SHA256[name]}, {what}"))


def _check_nothing_in_the_way(staging: Path, to: Path, found: tuple[str, ...]) -> None:
    """A lone file is replaced only by its like: it may be somebody's own."""
    for name in found:
        if (to / name).exists() and not ((to / name).is_file() and sha256_of(to / name) == sha256_of(staging / name)):
            raise DownloadError(f"{to / name} is there with other content; move it away and try again")
