"""Where members train: in this process or on a cluster, behind one small interface."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from houseprices.engine.members import Member
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.training import LearningCurves

OnTrained = Callable[[int], object]
"""Called with the number of members that have just been trained."""


def ignore(_n_members: int) -> None:
    """Wait without a word."""


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """What many members train on. It is known by itself, not by its content: a cluster is sent each one once.

    Shape:
        matrix: (n_rows, d_in)
        targets: (n_rows,), about standardised
    """

    matrix: NDArray[np.float32]
    targets: NDArray[np.float32]


class PendingMembers(Protocol):
    """Members in training."""

    def wait(self, on_trained: OnTrained = ignore) -> tuple[BatchedMLP, LearningCurves]:
        """All members as one network, and their learning curves; `on_trained` is told how many are ready each time."""


class Executor(Protocol):
    """Trains members while its block is open; leaving it by an exception, Ctrl-C included, stops them.

    A member's result depends on its own seed, settings and rows, not on where it was computed, on equal processors.

    Attributes:
        n_slots: members that train at the same time.
    """

    n_slots: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def submit(
        self, table: TrainingTable, members: Sequence[Member], columns: NDArray[np.intp] | None = None
    ) -> PendingMembers:
        """Start the members on the table's columns, all of them for None.

        Raises:
            ResourceError: not even one member fits into the memory; on a cluster `wait` raises it.
            ValueError: the members differ in something that a batch shares, see `members.Plan`.
        """
