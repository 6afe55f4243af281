"""Fashion-MNIST (Xiao et al. 2017) -> data/fashion-mnist: four gzipped IDX files, known by their MD5."""

import hashlib
import os
from pathlib import Path

from houseprices import http
from houseprices.console import transfer_progress
from houseprices.errors import DownloadError
from houseprices.files import staging_folder
from houseprices.http import Patience, fetch_file, patient_session

FASHION_MNIST_FOLDER = Path("data/fashion-mnist")

# Plain http: nothing but the checksums vouches for the files.
ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
_LARGEST_BYTES = 40_000_000


def download_fashion_mnist(
    to: Path = FASHION_MNIST_FOLDER, patience: Patience | None = None, *, show: bool = False
) -> tuple[str, ...]:
    """Bring the files that are not there yet.

    Args:
        patience: None for `http.PATIENCE`.
        show: draw a progress bar on stderr.

    Returns:
        The names of the files that came; empty if all were there.

    Raises:
        DownloadError: a file could not be fetched or is not the known one, or another one is in the way; then none
            is put in place.
    """
    patience = patience or http.PATIENCE
    for name in MD5:
        if (to / name).exists() and not _is_known(to / name):
            raise DownloadError(f"{to / name} is there with other content; move it away and try again")
    missing = tuple(name for name in MD5 if not (to / name).exists())
    if not missing:
        return ()
    with staging_folder(to) as staging:
        with transfer_progress(show=show) as advance, patient_session(patience) as session:
            for name in missing:
                url = f"{ADDRESS}/{name}"
                fetch_file(session, url, staging / name, patience, limit_bytes=_LARGEST_BYTES, advance=advance)
                if not _is_known(staging / name):
                    got = _md5(staging / name)
                    raise DownloadError(f"{url}: MD5 {got}, not the known {MD5[name]}; nothing was kept; try again")
        for name in missing:
            os.replace(staging / name, to / name)
    return missing


def _is_known(file: Path) -> bool:
    return file.is_file() and _md5(file) == MD5[file.name]


def _md5(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
