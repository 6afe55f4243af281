"""Progress and notices of a job. The job calls `notify`; the command line draws and prints."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Progress of a stage of the job.

    Attributes:
        stage: what is being done, as a person would say it.
        n_done: units of the stage that are done.
        n_total: how many there are in all; None where nobody knows.
        in_bytes: whether the units are bytes.
    """

    stage: str
    n_done: int = 0
    n_total: int | None = None
    in_bytes: bool = False


@dataclass(frozen=True)
class Notice:
    """A line that the user should read, though the job goes on."""

    text: str


Notify = Callable[[Progress | Notice], None]
"""Callback of a job: called with each progress report and notice."""


def counting(notify: Notify, stage: str, n_total: int) -> Callable[[int], None]:
    """Notify that the stage begins, and return what to call with the number of units that have just been done."""
    n_done = 0

    def count(n_more: int) -> None:
        nonlocal n_done
        n_done += n_more
        notify(Progress(stage, n_done, n_total))

    count(0)
    return count


def silent(_told: Progress | Notice) -> None:
    """Listen to nothing."""
