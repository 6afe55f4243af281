"""A zip from the network -> the files that are wanted, and nothing anywhere else."""

import stat
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from houseprices.errors import DownloadError

LARGEST_UNPACKED_BYTES = 50_000_000
"""Kaggle's four files have 1 MB together."""


def unpack(archive: Path, folder: Path, wanted: Collection[str]) -> list[str]:
    """Extract the wanted files from an archive's top level into the folder.

    Returns:
        The wanted names that the archive has.

    Raises:
        DownloadError: it is no zip, it is damaged, a name leads elsewhere, or it unpacks to too much.
    """
    with archive.open("rb") as stream:
        beginning = stream.read(512)
    if beginning.lstrip()[:1] == b"<":
        raise DownloadError("a web page came instead of the archive; is a proxy or a sign-in page in between?")
    try:
        with zipfile.ZipFile(archive) as content:
            members = content.infolist()
            _check_members(members)
            damaged = content.testzip()
            if damaged:
                raise DownloadError(f"the archive is damaged at {damaged!r}; nothing was kept; try again")
            found = [member for member in members if member.filename in wanted]
            for member in found:
                (folder / member.filename).write_bytes(content.read(member))
    # zipfile raises NotImplementedError for an unknown compression and RuntimeError for an encrypted member.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        raise DownloadError("the archive is damaged or no zip; nothing was kept; try again") from None
    return [member.filename for member in found]


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    """Names and sizes, before a byte is unpacked; zipfile itself never unpacks more than the declared size."""
    seen: set[str] = set()
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in member.filename:
            raise DownloadError(f"the archive has the name {member.filename!r}, which leads out of its folder; refused")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DownloadError(f"the archive has a link, {member.filename!r}; refused")
        if member.filename in seen:
            raise DownloadError(f"the archive has {member.filename!r} twice; refused")
        seen.add(member.filename)
    n_bytes = sum(member.file_size for member in members)
    if n_bytes > LARGEST_UNPACKED_BYTES:
        raise DownloadError(
            f"the archive unpacks to {n_bytes / 1e6:.0f} MB, more than {LARGEST_UNPACKED_BYTES / 1e6:.0f}; refused"
        )
