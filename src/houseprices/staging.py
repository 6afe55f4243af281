"""Folders and files that appear whole or not at all, in place of what stood there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from houseprices.errors import RunError


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
