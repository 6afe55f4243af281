"""Trains members on worker threads of this process."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, fields
from functools import cache
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from houseprices.engine.device import one_thread
from houseprices.engine.executor import OnTrained, TrainingTable, ignore
from houseprices.engine.members import Member, Plan, plan_of
from houseprices.engine.memory import available_bytes, bytes_per_member
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.training import LearningCurves, train, warm_up
from houseprices.errors import OutOfMemoryError

MEMBERS_AT_ONCE = 1
"""Members that train side by side on a CPU. The compiled steps take one member after another anyway: nothing is gained
by 2, 4 or 10 (measured, see LOG.md), and single members keep all workers busy to the end."""

_GPU_MEMBERS_AT_ONCE = 10_000

Trained = tuple[BatchedMLP, LearningCurves]


@dataclass(frozen=True)
class PendingOnThreads:
    """Members in training, a batch a thread; see `executor.PendingMembers`."""

    batches: list[Future[Trained]]

    def wait(self, on_trained: OnTrained = ignore) -> Trained:
        """All members as one network, and their learning curves."""
        trained = []
        for batch in self.batches:
            trained.append(batch.result())
            on_trained(len(trained[-1][0].parameters))
        return join(trained)


def join(trained: Sequence[Trained]) -> Trained:
    """Batches of members as one."""
    parameters = torch.cat([network.parameters for network, _ in trained])
    curves = (np.concatenate([getattr(of, field.name) for _, of in trained]) for field in fields(LearningCurves))
    return BatchedMLP(trained[0][0].architecture, parameters=parameters), LearningCurves(*curves)


@contextmanager
def single_threads() -> Iterator[None]:
    """Let torch and BLAS compute in one thread within the block, beside the workers and in them.

    With threads of their own they would wait for each other; and the number of threads changes the last bits of a sum.
    """
    with one_thread(), threadpool_limits(1, user_api="blas"):
        yield


class TrainingPool:
    """Workers of one thread each, which scale better than several threads inside one small matrix product.

    A member's result depends on its own seed and rows, not on the number of workers. Leaving the block by an
    exception, Ctrl-C included, stops the workers at their next step.

    Args:
        n_workers: threads; 0 for one a core.
        device: where members train; on a GPU one worker, and all members of a group at once.
    """

    def __init__(self, n_workers: int, device: torch.device) -> None:
        on_gpu = device.type == "cuda"
        self._device = device
        self._members_at_once = _GPU_MEMBERS_AT_ONCE if on_gpu else MEMBERS_AT_ONCE
        self._stop = np.zeros(1, dtype=np.bool_)
        self.n_slots = 1 if on_gpu else n_workers or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self.n_slots)
        self._single_threads = ExitStack()
        self._alone = threading.Lock()

    def __enter__(self) -> Self:
        # numba loads the BLAS library of its products at their first use: before the limit, which must find it.
        warm_up(self._device)
        self._single_threads.enter_context(single_threads())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stop[0] = True
        self._threads.shutdown(wait=True, cancel_futures=kind is not None)
        self._single_threads.close()

    def submit(
        self, table: TrainingTable, members: Sequence[Member], columns: NDArray[np.intp] | None = None
    ) -> PendingOnThreads:
        """Start the members on the table's columns, all of them for None; see `executor.Executor`."""
        n_rows, d_in = len(table.matrix), table.matrix.shape[1] if columns is None else len(columns)
        size, alone = self._batch_size(plan_of(members, d_in), n_rows, len(members))

        @cache
        def inputs() -> torch.Tensor:
            """The columns' own copy, made when the first batch trains and shared by all."""
            matrix = table.matrix if columns is None else table.matrix[:, columns]
            # Columns chosen by numpy lie one after another; made here, the rows' copy serves all members.
            return torch.from_numpy(np.ascontiguousarray(matrix)).to(self._device)

        targets = torch.from_numpy(table.targets).to(self._device)
        batches = [members[start : start + size] for start in range(0, len(members), size)]
        return PendingOnThreads([self._threads.submit(self._train, inputs, targets, one, alone) for one in batches])

    def _batch_size(self, plan: Plan, n_rows: int, n_members: int) -> tuple[int, bool]:
        """Members at once, fewer where memory is short, and whether no other such batch may train meanwhile."""
        architecture = plan.architecture
        each = bytes_per_member(architecture, plan.batch_size, n_rows, self._device)
        # All trained members are kept, and once more while they are joined.
        kept = 2 * n_members * architecture.n_parameters * 4
        available = available_bytes(self._device)
        if kept + each > available:
            raise OutOfMemoryError(
                f"training {n_members} networks of {architecture.n_parameters:,} parameters with batches of "
                f"{plan.batch_size:,} rows needs {(kept + each) / 1e9:.1f} GB of memory, one at a time; available are "
                f"{available / 1e9:.1f} GB; accepted: narrower hidden layers, smaller batches or fewer members"
            )
        fitting = (available - kept) // (each * self.n_slots)
        return max(1, min(self._members_at_once, fitting)), fitting < 1

    def _train(
        self, inputs: Callable[[], torch.Tensor], targets: torch.Tensor, members: Sequence[Member], alone: bool
    ) -> Trained:
        # The setting of the thread that made the pool does not reach this one.
        torch.set_num_threads(1)
        with self._alone if alone else nullcontext():
            return train(inputs(), targets, members, self._stop)
