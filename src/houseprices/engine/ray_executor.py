"""Trains networks on a Ray cluster: the same bits as in one process on an equal processor.

A task trains one network in one thread, so the node that it runs on does not matter; Ray runs the tasks of a lost node
again elsewhere. The data of a fold goes once to each node that needs it.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from houseprices.engine.specs import NetworkSpec, TrainingData
from houseprices.errors import HousePricesError, ResourceError
from houseprices.files import code_digest
from houseprices.progress import Notice, Notify

_FAIL_FAST = {"RAY_py_gcs_connect_timeout_s": "3", "RAY_gcs_rpc_server_connect_timeout_s": "1",
              "RAY_NUM_REDIS_GET_RETRIES": "1", "RAY_BACKEND_LOG_LEVEL": "error"}  # fmt: skip
"""Settings of Ray, read at its import: by default it tries a wrong address for two minutes."""

_SAME_INSTALLATION = "the same installation of houseprices on each node"


@dataclass(frozen=True)
class PendingOnCluster:
    """A batch in training on the cluster."""

    executor: "RayExecutor"
    reference: Any

    def result(self) -> Any:
        """Wait for the task; raise a ResourceError that names the cluster, or the node's own error."""
        try:
            outcome = self.executor.ray.get(self.reference)
        except self.executor.ray.exceptions.RayError as error:
            cause = getattr(error, "cause", error)
            failure = f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"
            accepted = f"a cluster that keeps a node, and {_SAME_INSTALLATION}"
            raise ResourceError(f"ray {self.executor.address}: {failure}; accepted: {accepted}") from error
        if isinstance(outcome, HousePricesError):
            raise outcome
        return outcome


class RayExecutor:
    """Trains networks on the CPUs of a Ray cluster, its slots; used like `training.ThreadExecutor`."""

    networks_per_task = 1

    def __init__(self, address: str, train: Callable[..., Any], step: str, notify: Notify) -> None:
        self.address, self._train, self._step = address, train, step
        os.environ.update({name: os.environ.get(name, value) for name, value in _FAIL_FAST.items()})
        try:
            import ray
        except ImportError:
            raise ResourceError("ray is not installed; accepted: pip install 'houseprices[cluster]'") from None
        self.ray: Any = ray
        host, _, port = address.rpartition(":")
        handler = signal.getsignal(signal.SIGTERM)
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
            ray.init(address, log_to_driver=False, configure_logging=False)
        except (OSError, ValueError, OverflowError, RuntimeError) as error:
            accepted = "HOST:PORT of a cluster that this machine is a node of, as `ray start` prints it"
            raise ResourceError(f"no Ray cluster answers at {address}; accepted: {accepted}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray has installed its own
        self.n_slots = int(self.ray.cluster_resources().get("CPU", 0))
        if self.n_slots == 0:
            ray.shutdown()
            raise ResourceError(f"ray {address}: the cluster has no CPUs; accepted: a node with --num-cpus 1 or more")
        if self.ray.available_resources().get("CPU", 0) < 1:
            notify(Notice(f"ray {address}: all {self.n_slots} CPUs of the cluster are busy; networks wait"))
        self._remote = self.ray.remote(num_cpus=1, max_retries=20)(_run_on_node)
        self._references: WeakKeyDictionary[TrainingData, Any] = WeakKeyDictionary()

    def submit(self, data: TrainingData, networks: Sequence[NetworkSpec]) -> PendingOnCluster:
        """Start a batch; the data is sent at its first use."""
        if data not in self._references:
            self._references[data] = self.ray.put(data)
        task = self._remote.remote(self._references[data], list(networks), self._train, self._step, code_digest())
        return PendingOnCluster(self, task)

    def close(self, *, cancel: bool) -> None:  # noqa: ARG002  # without cancelling all results have been fetched
        """Disconnect; the cluster cancels what still runs."""
        self.ray.shutdown()


def _run_on_node(data: TrainingData, networks: Any, train: Callable[..., Any], step: str, code: str) -> Any:
    """Train on a node; return an error of ours as a value, without Ray's traceback."""
    try:
        if code_digest() != code:
            raise ResourceError(f"node {socket.gethostname()} has other code; accepted: {_SAME_INSTALLATION}")
        # Arrays in the store of a node are read-only; torch and numba ask for writable ones.
        own: Any = [None if array is None else np.array(array) for array in vars(data).values()]
        return train(TrainingData(*own), networks, step)
    except HousePricesError as error:
        return error
