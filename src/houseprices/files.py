"""Files and folders that appear whole or not at all; checksums and JSON files."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from houseprices.errors import HousePricesError, RunError

Failure = Callable[[str], HousePricesError]
"""Makes the caller's own error of a line of text."""


_HIDDEN = re.compile(r"\..+\.[a-z0-9_]{8}\.partial")
"""Names that `tempfile.mkdtemp` makes of the prefix and suffix below."""


@contextmanager
def replacing(*targets: Path, error: Failure = RunError, durable: bool = False) -> Iterator[list[Path]]:
    """Yield a path for each target, to write a file or a folder to; at the end they take the targets' places.

    All of them do, in their order, or none: if the block or a move fails, what stood there stays. A target that the
    block has not written stays as it was. The paths lie together in a hidden folder beside the targets, which goes
    with whatever else was written there; so do the folders above it that had to be made, if nothing is put into them.
    What a killed process left in the targets' folder is cleared away at the beginning.

    Args:
        targets: in one folder. A folder takes the place of another one, contents and all: look into it before.
        error: what an OSError becomes.
        durable: a power cut right after the block loses nothing.

    Raises:
        error: a target cannot be written; where its folder cannot be, before the block begins.
    """
    [folder] = {target.parent for target in targets}
    place = targets[0] if len(targets) == 1 else folder
    if not all(target.name for target in targets):
        raise error(f"{place}: has no name of its own; accepted: a new file or folder")
    with ExitStack() as stack:
        try:
            for parent in reversed([parent for parent in (folder, *folder.parents) if not parent.exists()]):
                parent.mkdir(exist_ok=True)
                stack.callback(_remove_if_empty, parent)
            _clear_away_what_the_dead_left(folder)
            hidden = _new_hidden_folder(targets[0], stack)
            fresh, aside = hidden / "new", hidden / "old"
            fresh.mkdir()
            aside.mkdir()
        except OSError as failure:
            raise error(f"{place}: {failure.strerror}; accepted: a folder that can be written") from None
        try:
            yield [fresh / target.name for target in targets]
            written = [target for target in targets if os.path.lexists(fresh / target.name)]
            if durable:
                for target in written:
                    with (fresh / target.name).open("rb+") as stream:
                        os.fsync(stream.fileno())
            _move(fresh, written, aside)
        except OSError as failure:
            name = Path(os.fsdecode(failure.filename)) if isinstance(failure.filename, str | bytes) else place
            if name.is_relative_to(fresh):
                name = folder / name.relative_to(fresh)
            raise error(f"{name}: {failure.strerror or failure}; nothing was written") from failure
    if durable:
        _sync_folder(folder)


def _new_hidden_folder(target: Path, stack: ExitStack) -> Path:
    """A hidden folder beside the target, locked as long as this process lives; the stack's end removes it."""
    while True:
        hidden = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        with suppress(ImportError, OSError):  # where folders cannot be locked, nobody clears any away either
            stack.callback(os.close, _lock(hidden, wait=True))
        # Another process may have taken it for a dead one's before it was locked.
        if hidden.exists():
            stack.callback(shutil.rmtree, hidden, ignore_errors=True)
            return hidden


def _clear_away_what_the_dead_left(folder: Path) -> None:
    """Remove hidden folders that no process holds locked; what stood in place before them stands there again."""
    for hidden in folder.glob(".*.partial"):
        if hidden.is_symlink() or not _HIDDEN.fullmatch(hidden.name):
            continue
        with suppress(ImportError, OSError), ExitStack() as stack:
            stack.callback(os.close, _lock(hidden, wait=False))
            if {path.name for path in hidden.iterdir()} <= {"new", "old"}:
                for old in (hidden / "old").glob("*"):
                    if not os.path.lexists(folder / old.name):
                        old.rename(folder / old.name)
                shutil.rmtree(hidden, ignore_errors=True)


def _lock(folder: Path, *, wait: bool) -> int:
    """Lock a folder until the descriptor that is returned is closed, be it by the process's end.

    Raises:
        OSError: another process holds the lock, or folders cannot be locked here; ImportError: nor by this Python.
    """
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _move(fresh: Path, targets: list[Path], aside: Path) -> None:
    """Move each new file or folder into place; if one cannot be, all stands again as it stood."""
    with ExitStack() as undo:
        for target in targets:
            new, old = fresh / target.name, aside / target.name
            if _is_folder(new) and _is_folder(target):
                target.rename(old)
                undo.callback(old.rename, target)
            elif os.path.lexists(target) and target != targets[-1]:
                # A copy, so that the file itself is replaced in one step. Nothing can fail after the last target.
                shutil.copy2(target, old, follow_symlinks=False)
                undo.callback(old.replace, target)
            new.replace(target)
            if target != targets[-1]:
                undo.callback(_remove, target)
        undo.pop_all()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # neither Windows nor every file system syncs a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256_of(file: Path) -> str:
    """The file's SHA-256 in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def code_digest(*parts: str) -> str:
    """Compute the SHA-256 of the package's source files, or of the named modules and folders of modules alone.

    >>> code_digest("engine") == code_digest("engine/losses.py")
    False
    """
    package, digest = Path(__file__).parent, hashlib.sha256()
    for path in [package / part for part in parts] or [package]:
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def read_json(file: Path, error: Failure, accepted: str) -> dict[str, Any]:
    """The JSON object in a file.

    Args:
        error: what is raised.
        accepted: ends its text.

    Raises:
        error: the file cannot be read, or holds something else.
    """
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as failure:
        raise error(f"{file}: {failure.strerror}; accepted: {accepted}") from None
    except (ValueError, RecursionError) as failure:
        raise error(f"{file}: no JSON ({failure}); accepted: {accepted}") from None
    if not isinstance(content, dict):
        raise error(f"{file}: no JSON object; accepted: {accepted}")
    return content


def json_text(content: object, indent: int | None = 2) -> str:
    """Return the text that `write_json` writes."""
    return json.dumps(content, indent=indent) + "\n"


def write_json(file: Path, content: object, indent: int | None = 2) -> None:
    """Write a JSON file."""
    file.write_text(json_text(content, indent), "utf-8")
