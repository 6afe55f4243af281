"""The competition's files: fetched into a hidden folder, checked, then moved into place whole."""

import io
import os
import zipfile
import zlib
from pathlib import Path
from typing import Literal

import requests

from houseprices.data.source import KAGGLE_SHA256, RAW_FOLDER, TEST_FILE, TRAIN_FILE
from houseprices.data.table import read_houses
from houseprices.errors import DataError, DownloadError
from houseprices.files import replacing, sha256_of
from houseprices.kaggle.client import Kaggle, patient_session
from houseprices.kaggle.refusals import NoCredentialsError
from houseprices.progress import Notice, Notify, Progress, silent

Origin = Literal["kaggle", "mirror"]

# They go into place in this order: as long as train.csv is missing, data/raw counts as empty.
_FILES = ("data_description.txt", "sample_submission.csv", TEST_FILE, TRAIN_FILE)
_TABLES = (TRAIN_FILE, TEST_FILE)

MIRROR = "http://d2l-data.s3-accelerate.amazonaws.com"
"""The mirror of "Dive into Deep Learning"; plain http, so nothing but the checksums vouches for its files."""
MIRROR_NAMES = {TRAIN_FILE: "kaggle_house_pred_train.csv", TEST_FILE: "kaggle_house_pred_test.csv"}

_MAX_UNPACKED_BYTES = 50_000_000
"""Kaggle's four files have 1 MB together."""


def download(origin: Origin = "kaggle", to: Path = RAW_FOLDER, notify: Notify = silent) -> tuple[str, ...]:
    """Fetch train.csv, test.csv and, from Kaggle, the competition's other files; do nothing if the two are there.

    Raises:
        KaggleError: there are no credentials, or Kaggle or the connection failed.
        DownloadError: the files are not the competition's, or another file is in the way.
    """
    if all((to / name).is_file() for name in _TABLES):
        _warn_of_other_checksums(to, "is there, and was left as it is", notify)
        return ()
    try:
        kaggle = Kaggle() if origin == "kaggle" else None
    except NoCredentialsError as error:
        way = "  4. without an account, from the public mirror:         make download SOURCE=mirror"
        raise NoCredentialsError(f"{error}\n{way}") from None
    notify(Progress(f"downloading from {'Kaggle' if kaggle else 'the mirror'}"))
    with replacing(*(to / name for name in _FILES), error=DownloadError) as files:
        staging = files[0].parent
        if kaggle:
            names = unpack(kaggle.download(), staging)
        else:
            names = _TABLES
            for name in _TABLES:
                _fetch(f"{MIRROR}/{MIRROR_NAMES[name]}", staging / name, KAGGLE_SHA256[name])
        _check_tables(staging, names, origin)
        for new, old in ((staging / name, to / name) for name in names):
            # A lone file may be somebody's own.
            if old.exists() and not (old.is_file() and sha256_of(old) == sha256_of(new)):
                raise DownloadError(f"{old} is there with other content; move it away and try again")
    _warn_of_other_checksums(to, "came; Kaggle may have published it anew", notify)
    return names


def _fetch(url: str, file: Path, known: str) -> None:
    """Fetch a file from the mirror, whose SHA-256 must be the known one."""
    try:
        with patient_session() as session:
            response = session.get(url)
    except requests.RequestException:
        raise DownloadError(f"no answer from the mirror, {url}; check the network and try again") from None
    if response.status_code != 200:
        raise DownloadError(f"the mirror answered {response.status_code} for {url}; try again later")
    file.write_bytes(response.content)
    if (actual := sha256_of(file)) != known:
        raise DownloadError(f"{url}: SHA256 {actual}, not the known {known}; nothing was kept")


def unpack(archive: bytes, folder: Path) -> tuple[str, ...]:
    """Write the competition's files of an archive's top level into the folder, and return their names."""
    if archive.lstrip()[:1] == b"<":
        raise DownloadError("a web page came instead of the archive; is a proxy or a sign-in page in between?")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as content:
            names = tuple(name for name in _FILES if name in content.namelist())
            # zipfile never unpacks more than the declared size.
            n_bytes = sum(content.getinfo(name).file_size for name in names)
            if n_bytes > _MAX_UNPACKED_BYTES:
                limit = f"{_MAX_UNPACKED_BYTES / 1e6:.0f}"
                raise DownloadError(f"the archive unpacks to {n_bytes / 1e6:.0f} MB, more than {limit}; refused")
            contents = {name: content.read(name) for name in names}
    # zipfile raises NotImplementedError for an unknown compression and RuntimeError for an encrypted file.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError):
        raise DownloadError("the archive is damaged or no zip; nothing was kept; try again") from None
    for name, unpacked in contents.items():
        (folder / name).write_bytes(unpacked)
    return names


def _check_tables(staging: Path, names: tuple[str, ...], origin: Origin) -> None:
    missing = [name for name in _TABLES if name not in names]
    if missing:
        raise DownloadError(f"the archive has no {' and no '.join(missing)}; nothing was kept")
    for name in _TABLES:
        try:
            read_houses(staging / name, priced=name == TRAIN_FILE)
        except DataError as error:
            fault = error.faults[0].replace(f"{staging}{os.sep}", "")
            raise DownloadError(f"the files from {origin} are not House Prices': {fault}; nothing was kept") from None


def _warn_of_other_checksums(folder: Path, state: str, notify: Notify) -> None:
    for name in _TABLES:
        if (actual := sha256_of(folder / name)) != KAGGLE_SHA256[name]:
            notify(Notice(f"warning: {name} with SHA-256 {actual}, not the known {KAGGLE_SHA256[name]}, {state}"))
