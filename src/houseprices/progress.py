"""What a job tells of itself while it works. A job only tells; `console` draws and prints what it hears."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a stage of the job has come.

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


Tell = Callable[[Progress | Notice], None]
"""How a job is listened to: it calls this with each thing that it has to tell."""


def silent(_told: Progress | Notice) -> None:
    """Listen to nothing."""
