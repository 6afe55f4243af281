"""The ledger, submissions/ledger.jsonl: every submission ever made, one line of JSON each."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from houseprices.errors import LedgerError
from houseprices.files import replacing

LEDGER = Path("submissions/ledger.jsonl")

LOCK_S = 30.0
"""For another process that writes."""

Status = Literal["unconfirmed", "pending", "complete", "error"]


@dataclass(frozen=True)
class Entry:
    """One submission.

    Attributes:
        sha256: of the CSV file as it was sent.
        run: the run folder that the prices come from; None if unknown.
        cv_log_rmse: the run's pooled out-of-fold score; None if unknown.
        message: as Kaggle shows it; its last word is unique.
        ref: Kaggle's number; None as long as Kaggle has not confirmed it.
        status: unconfirmed (sent, the answer was lost), pending, complete or error.
        public_score: log-RMSE on the leaderboard.
        reason: why Kaggle could not score it.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}

    submitted_utc: str
    file: str
    sha256: str
    run: str | None
    cv_log_rmse: float | None
    message: str
    ref: int | None = None
    status: Status = "unconfirmed"
    public_score: float | None = None
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """Leaderboard minus cross-validation; None unless both are known."""
        if self.public_score is None or self.cv_log_rmse is None:
            return None
        return self.public_score - self.cv_log_rmse

    @property
    def is_open(self) -> bool:
        """True as long as Kaggle may have news of it."""
        return self.status in ("unconfirmed", "pending")


_ENTRY = TypeAdapter(Entry)


def read_ledger(path: Path = LEDGER) -> list[Entry]:
    """Read all entries, oldest first; none if there is no ledger yet. A line that is no entry raises LedgerError."""
    if not path.exists():
        return []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path}: {getattr(error, 'strerror', None) or 'no UTF-8 text'}") from None
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(_ENTRY.validate_json(line, strict=True))
        except ValidationError as error:
            field, reason = ".".join(map(str, error.errors()[0]["loc"])), error.errors()[0]["msg"]
            raise LedgerError(f"{path}: line {number} is no entry ({field}: {reason}); correct or remove it") from None
    return entries


def note(entry: Entry, path: Path = LEDGER, check: Callable[[list[Entry]], object] = lambda _: None) -> None:
    """Replace the entry with the same message, or append, unless `check` raises on the entries that are there.

    No other process writes between the check and the new entry.
    """
    with _changing(path) as entries:
        check(entries)
        is_new = all(old.message != entry.message for old in entries)
        entries[:] = [entry if old.message == entry.message else old for old in entries] + [entry] * is_new


def remove(entry: Entry, path: Path) -> None:
    """Remove an entry that turned out to be no submission."""
    with _changing(path) as entries:
        entries[:] = [old for old in entries if old.message != entry.message]


@contextmanager
def _changing(path: Path) -> Iterator[list[Entry]]:
    """Yield the entries to change; they replace the file in one step, one process at a time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_S, poll_interval=0.01):
            entries = read_ledger(path)
            yield entries
            with replacing(path, error=LedgerError, durable=True) as (fresh,):
                fresh.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in entries), "utf-8")
    except Timeout as error:
        raise LedgerError(f"{path}: another process has held {error.lock_file} for {LOCK_S:g} s; try again") from None
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}; accepted: a folder that can be written") from None
