"""Trains networks on a Ray cluster: the same bits as in one process on an equal processor.

A task trains one network in one thread, so the node that it runs on does not matter; Ray runs the tasks of a lost node
again elsewhere. The data of a fold goes once to each node that needs it.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from houseprices.engine.specs import NetworkSpec, TrainingData
from houseprices.errors import HousePricesError, ResourceError
from houseprices.files import code_digest
from houseprices.progress import Notice, Notify

MAX_RETRIES = 20  # of a task, after the loss of its node
_FAIL_FAST = {"RAY_py_gcs_connect_timeout_s": "3", "RAY_gcs_rpc_server_connect_timeout_s": "1",
              "RAY_NUM_REDIS_GET_RETRIES": "1", "RAY_BACKEND_LOG_LEVEL": "error"}  # fmt: skip
"""Settings of Ray, read at its import: by default it tries a wrong address for two minutes."""

_ADDRESS = "HOST:PORT of a cluster that this machine is a node of, as `ray start` prints it"
_SAME_INSTALLATION = "the same installation of houseprices on each node"

TrainOnNode = Callable[[TrainingData, Sequence[NetworkSpec], Any], Any]


@dataclass(frozen=True)
class _PendingOnCluster:
    ray: Any
    address: str
    reference: Any

    def result(self) -> Any:
        """Wait for the task; raise a ResourceError that names the cluster, or the node's own error."""
        try:
            outcome = self.ray.get(self.reference)
        except self.ray.exceptions.RayError as error:
            cause = getattr(error, "cause", error)
            failure = f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"
            accepted = f"a cluster that keeps a node, and {_SAME_INSTALLATION}"
            raise ResourceError(f"ray {self.address}: {failure}; accepted: {accepted}") from error
        if isinstance(outcome, HousePricesError):
            raise outcome
        return outcome


class RayExecutor:
    """An `Executor` whose slots are the CPUs of a Ray cluster, see `training.open_executor`."""

    networks_per_task = 1

    def __init__(self, address: str, train: TrainOnNode, step: str, notify: Notify) -> None:
        self._address, self._train, self._step = address, train, step
        os.environ.update({name: os.environ.get(name, value) for name, value in _FAIL_FAST.items()})
        try:
            import ray
        except ImportError:
            accepted = "pip install 'houseprices[cluster]', or no --ray"
            raise ResourceError(f"ray is not installed; accepted: {accepted}") from None
        self._ray: Any = ray
        host, _, port = address.rpartition(":")
        handler = signal.getsignal(signal.SIGTERM)
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
            ray.init(address, log_to_driver=False, configure_logging=False)
        except (OSError, ValueError, OverflowError, RuntimeError) as error:
            raise ResourceError(f"no Ray cluster answers at {address}; accepted: {_ADDRESS}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray has put its own in place
        self.n_slots = int(self._ray.cluster_resources().get("CPU", 0))
        if self.n_slots == 0:
            ray.shutdown()
            raise ResourceError(f"ray {address}: the cluster has no CPUs; accepted: a node with --num-cpus 1 or more")
        if self._ray.available_resources().get("CPU", 0) < 1:
            notify(Notice(f"ray {address}: all {self.n_slots} CPUs of the cluster are busy; networks wait"))
        self._remote = self._ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_run_on_node)
        self._references: WeakKeyDictionary[TrainingData, Any] = WeakKeyDictionary()

    def submit(self, data: TrainingData, networks: Sequence[NetworkSpec]) -> _PendingOnCluster:
        """Start a batch; the data is sent at its first use."""
        if data not in self._references:
            self._references[data] = self._ray.put(data)
        task = self._remote.remote(self._references[data], list(networks), self._train, self._step, code_digest())
        return _PendingOnCluster(self._ray, self._address, task)

    def close(self, *, cancel: bool) -> None:  # noqa: ARG002  # without cancelling all results have been fetched
        """Disconnect; the cluster cancels what is still running."""
        self._ray.shutdown()


def _run_on_node(data: TrainingData, networks: Sequence[NetworkSpec], train: TrainOnNode, step: str, code: str) -> Any:
    """Train on a node; return an error of ours as a value, without Ray's traceback."""
    try:
        if code_digest() != code:
            raise ResourceError(f"node {socket.gethostname()} has other code; accepted: {_SAME_INSTALLATION}")
        # Arrays in the store of a node are read-only; torch and numba ask for writable ones.
        arrays: Any = {field.name: getattr(data, field.name) for field in fields(data)}
        own: Any = {name: None if array is None else np.array(array) for name, array in arrays.items()}
        return train(TrainingData(**own), networks, step)
    except HousePricesError as error:
        return error
