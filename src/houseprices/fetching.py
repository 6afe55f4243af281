"""One file by plain HTTP, and the folder beside its target in which it waits until it is checked."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from houseprices.errors import DownloadError
from houseprices.network import BrokenTransferError, Patience, save_body


@contextmanager
def staging_folder(to: Path) -> Iterator[Path]:
    """A folder on the target's file system, gone at the end; so are the target's new folders if the block fails.

    Raises:
        DownloadError: the target cannot be written.
    """
    made = [folder for folder in (to, *to.parents) if not folder.exists()]
    try:
        to.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".download-", dir=to))
    except OSError as error:
        raise DownloadError(f"{to}: {error.strerror}; accepted: a folder that can be written") from None
    try:
        yield staging
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            folder.rmdir()
        if isinstance(error, OSError):
            raise DownloadError(f"{to}: {error.strerror or 'cannot be written'}; the files are not in place") from error
        raise
    shutil.rmtree(staging, ignore_errors=True)


def fetch_file(
    session: requests.Session,
    url: str,
    file: Path,
    patience: Patience,
    *,
    limit_bytes: int,
    advance: Callable[[int, int], None],
) -> None:
    """Fetch one file from a mirror.

    Args:
        limit_bytes: largest body accepted.
        advance: see `network.save_body`.

    Raises:
        DownloadError: there is no answer, no such file, or not the whole of it.
    """
    try:
        with session.get(url, stream=True) as response:
            if response.status_code != 200:
                raise DownloadError(f"the mirror answered {response.status_code} for {url}; try again later")
            save_body(response, file, patience, limit_bytes=limit_bytes, advance=advance)
    except BrokenTransferError as error:
        raise DownloadError(f"{url}: {error}; try again") from None
    except requests.RequestException:
        raise DownloadError(f"no answer from the mirror, {url}; check the network and try again") from None
