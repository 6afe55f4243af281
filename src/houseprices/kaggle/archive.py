"""A zip from the network -> the files that are wanted, and nothing anywhere else."""

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

from houseprices.errors import DownloadError

LARGEST_UNPACKED_BYTES = 50_000_000
"""Kaggle's four files have 1 MB together."""


def unpack(archive: Path, folder: Path, wanted: Collection[str]) -> list[str]:
    """Write the wanted files of an archive's top level into the folder; nothing else of it is read.

    Returns:
        The wanted names that the archive has.

    Raises:
        DownloadError: it is no zip, a wanted file is damaged, or they unpack to too much.
    """
    with archive.open("rb") as stream:
        beginning = stream.read(512)
    if beginning.lstrip()[:1] == b"<":
        raise DownloadError("a web page came instead of the archive; is a proxy or a sign-in page in between?")
    try:
        with zipfile.ZipFile(archive) as content:
            found = [name for name in wanted if name in content.namelist()]
            # zipfile never unpacks more than the declared size.
            n_bytes = sum(content.getinfo(name).file_size for name in found)
            if n_bytes > LARGEST_UNPACKED_BYTES:
                limit = f"{LARGEST_UNPACKED_BYTES / 1e6:.0f}"
                raise DownloadError(f"the archive unpacks to {n_bytes / 1e6:.0f} MB, more than {limit}; refused")
            contents = {name: content.read(name) for name in found}
    # zipfile raises NotImplementedError for an unknown compression and RuntimeError for an encrypted member.
    # OSError for a place outside the file.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError):
        raise DownloadError("the archive is damaged or no zip; nothing was kept; try again") from None
    for name, unpacked in contents.items():
        (folder / name).write_bytes(unpacked)
    return found
