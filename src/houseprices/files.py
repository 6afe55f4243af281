"""Folders and files that appear whole or not at all, in place of what stood there."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from houseprices.errors import DownloadError, RunError


@contextmanager
def replacing(*targets: Path) -> Iterator[list[Path]]:
    """Yield a path beside each target to write a file or a folder to; all take their targets' places at the end.

    If the block fails, what stood there stays.

    Raises:
        RunError: a target cannot be written.
    """
    staged = [target.with_name(f".{target.name}.{os.getpid()}.partial") for target in targets]
    try:
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        yield staged
        for fresh, target in zip(staged, targets, strict=True):
            if target.is_dir() and not target.is_symlink():
                old = target.with_name(f".{target.name}.{os.getpid()}.old")
                target.rename(old)
                fresh.rename(target)
                shutil.rmtree(old)
            else:
                fresh.replace(target)
    except OSError as error:
        raise RunError(f"{error.filename}: {error.strerror}; accepted: a folder that can be written") from None
    finally:
        for fresh in staged:
            if fresh.is_dir():
                shutil.rmtree(fresh, ignore_errors=True)
            else:
                fresh.unlink(missing_ok=True)


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


def sha256_of(file: Path) -> str:
    """The file's SHA-256 in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
