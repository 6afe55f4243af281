"""Trains members on a Ray cluster, to the bits that this process would give on an equal processor.

Ray carries what is large, tables and lists of rows, once to each node that needs it; with a task go the members'
settings and seeds. A task trains its members as a pool of one thread would, so that where it runs plays no part, and
Ray does again elsewhere what was lost with a node.
"""

import logging
import socket
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, NamedTuple, Self
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from houseprices.engine.code import code_digest
from houseprices.engine.executor import OnTrained, TrainingTable, ignore
from houseprices.engine.members import Member, Plan, plan_of
from houseprices.engine.pool import Trained, TrainingPool, join, single_threads
from houseprices.engine.training import step_on
from houseprices.errors import HousePricesError, ResourceError

TASK_WORK = 5e10
"""Members are sent together until their forward passes take so many multiplications: some seconds of one core."""

RETRIES = 20
"""How often a task is begun anew, as nodes are lost under it."""

_ANSWER_SECONDS = 3
_CONNECT_SECONDS = 6
"""Together less than ten."""

_CPU = torch.device("cpu")


class _Sent(NamedTuple):
    """A member on its way, without its arrays; they are references into the cluster's store, None for none."""

    member: Member
    matrix: Any
    targets: Any
    columns: Any
    rows: Any
    validation_rows: Any
    weights: Any


@dataclass
class _Task:
    """Members that are sent together; once they are, Ray's promise of what becomes of them, and then that itself."""

    sent: list[_Sent] = field(default_factory=list)
    work: float = 0.0
    promise: Any = None
    trained: list[Trained] | None = None


@dataclass(frozen=True)
class PendingOnCluster:
    """Members in training, each a place in a task; see `executor.PendingMembers`."""

    cluster: "RayCluster"
    places: list[tuple[_Task, int]]

    def wait(self, on_trained: OnTrained = ignore) -> Trained:
        """All members as one network, and their learning curves.

        Raises:
            ResourceError: a member does not fit into a node's memory, a node has other code, or the cluster is lost.
        """
        trained = []
        for task, place in self.places:
            trained.append(self.cluster.result_of(task)[place])
            on_trained(1)
        return join(trained)


class RayCluster:
    """An `executor.Executor` whose slots are the CPUs of a Ray cluster.

    Args:
        address: HOST:PORT of its head, as `ray start` prints it; this machine must be a node of the cluster.

    Raises:
        ResourceError: Ray is not installed, or no cluster answers at the address.
    """

    n_slots: int

    def __init__(self, address: str) -> None:
        try:
            import ray
        except ImportError:
            raise ResourceError(
                "ray is not installed; accepted: pip install 'houseprices[cluster]', or no --ray"
            ) from None
        _check_that_grpc_answers(address)
        self._address = address
        self._ray: Any = ray  # its types are too strict for a decorated function
        self._open: list[_Task] = []
        self._references: WeakKeyDictionary[TrainingTable, dict[int, tuple[object, Any]]] = WeakKeyDictionary()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._ray.shutdown)  # the cluster stops what this process has asked of it
            self._connect()
            self.n_slots = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
            self._remote = self._ray.remote(num_cpus=1, max_retries=RETRIES)(_train)
            # Baselines and predictions are made here, with the threads, and so the bits, that a pool's process has.
            stack.enter_context(single_threads())
            self._leave = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave.close()

    def _connect(self) -> None:
        """Become a part of the cluster, in a thread of its own: to give up, Ray itself takes a minute."""
        failures: list[Exception] = []

        def connect() -> None:
            try:
                self._ray.init(self._address, log_to_driver=False, configure_logging=False)
            except Exception as error:  # of this thread Python would print it, and go on; below it is told in a line
                failures.append(error)

        # It warns that it has left the handlers of signals alone, as it should.
        logging.getLogger("ray").setLevel(logging.ERROR)
        connecting = threading.Thread(target=connect, daemon=True)
        connecting.start()
        connecting.join(_CONNECT_SECONDS)
        if connecting.is_alive() or failures:
            why = _first_line(failures[0]) if failures else "the cluster does not take this machine in"
            raise ResourceError(f"ray {self._address}: {why}; accepted: {_ACCEPTED}")

    def submit(
        self, table: TrainingTable, members: Sequence[Member], columns: NDArray[np.intp] | None = None
    ) -> PendingOnCluster:
        """Start the members on the table's columns, all of them for None; see `executor.Executor`."""
        plan = plan_of(members, table.matrix.shape[1] if columns is None else len(columns))
        return PendingOnCluster(self, [self._place(table, member, columns, plan) for member in members])

    def result_of(self, task: _Task) -> list[Trained]:
        """What became of the task's members."""
        # Whoever waits has nothing more to send for now, and a node may be idle.
        for waiting in self._open:
            self._send(waiting)
        self._open = []
        if task.trained is None:
            task.trained, task.sent = self._get(task), []
        return task.trained

    def _get(self, task: _Task) -> list[Trained]:
        try:
            trained: list[Trained] = self._ray.get(task.promise)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, HousePricesError):
                raise error.cause from None
            why = f"a node failed with {type(error.cause).__name__}: {_first_line(error.cause)}"
            raise ResourceError(f"ray {self._address}: {why}; accepted: {_SAME_INSTALLATION}") from error
        except self._ray.exceptions.RayError as error:
            accepted = "a cluster that keeps a node"
            raise ResourceError(f"ray {self._address}: {_first_line(error)}; accepted: {accepted}") from error
        return trained

    def _place(
        self, table: TrainingTable, member: Member, columns: NDArray[np.intp] | None, plan: Plan
    ) -> tuple[_Task, int]:
        """The task that the member goes with, and its place there: dealt to as many tasks as there are slots."""
        if len(self._open) < self.n_slots:
            self._open.append(_Task())
        task = min(self._open, key=lambda one: one.work)
        arrays = (table.matrix, table.targets, columns, member.rows, member.validation_rows, member.weights)
        bare = replace(member, rows=_NONE, validation_rows=_NONE, weights=None)
        task.sent.append(_Sent(bare, *(self._reference(table, array) for array in arrays)))
        task.work += plan.n_steps * plan.batch_size * plan.architecture.n_weights
        place = task, len(task.sent) - 1
        if task.work >= TASK_WORK:
            self._send(task)
            self._open.remove(task)
        return place

    def _send(self, task: _Task) -> None:
        task.promise = self._remote.remote(task.sent, code_digest(), step_on(_CPU))

    def _reference(self, table: TrainingTable, array: object) -> Any:
        """The array in the cluster's store, put there at its first use with the table, and kept as long as it."""
        kept = self._references.setdefault(table, {})
        if array is not None and id(array) not in kept:
            kept[id(array)] = array, self._ray.put(array)
        return kept[id(array)][1] if array is not None else None


_NONE = np.empty(0, dtype=np.int64)
_SAME_INSTALLATION = "the same installation of houseprices on each node"
_ACCEPTED = "HOST:PORT of a cluster that this machine is a node of, as `ray start` prints it"


def _train(sent: Sequence[_Sent], code: str, step: str) -> list[Trained]:
    """On a node: train each member by itself."""
    import ray

    get: Any = ray.get
    if (code_digest(), step_on(_CPU)) != (code, step):
        found = f"the node {socket.gethostname()} has other code of houseprices, or no numba"
        raise ResourceError(f"{found}; accepted: {_SAME_INSTALLATION}")
    trained = []
    with TrainingPool(1, _CPU) as pool:
        for bare, *references in sent:
            arrays: list[Any] = [None if reference is None else get(reference) for reference in references]
            matrix, targets, columns, rows, validation_rows, weights = arrays
            member = replace(bare, rows=_own(rows), validation_rows=_own(validation_rows), weights=_own(weights))
            # The choice of columns is a copy by itself.
            table = TrainingTable(_own(matrix) if columns is None else matrix, _own(targets))
            trained.append(pool.submit(table, [member], columns).wait())
    return trained


def _own(array: Any) -> Any:
    """A copy: what lies in the store of a node cannot be written to, and torch and numba ask for what can."""
    return None if array is None else np.array(array)


def _check_that_grpc_answers(address: str) -> None:
    """Ask as Ray will do: of a wrong address Ray itself speaks after a minute, with pages of warnings.

    Raises:
        ResourceError: nothing answers, or something that is no server of Ray's protocol, HTTP/2.
    """
    host, _, port = address.rpartition(":")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # no settings
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.sendall(preface)
            answer = b""
            while len(answer) < 9 and (more := connection.recv(9 - len(answer))):
                answer += more
    except (OSError, ValueError, OverflowError):
        answer = b""
    if answer[3:4] != b"\x04":  # a frame of settings opens every answer (RFC 9113, 3.4)
        raise ResourceError(f"no Ray cluster answers at {address}; accepted: {_ACCEPTED}")


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]
