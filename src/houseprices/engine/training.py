"""Training of a batch of networks: epochs and learning curves, and the executors that train several batches at once."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.device import check_memory, choose_device, single_threads
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import NetworkSpec, Plan, TrainingData, plan_of
from houseprices.engine.torch_step import TorchStep
from houseprices.progress import Notify, silent

CPU = torch.device("cpu")

StepKind = Literal["compiled", "torch"]


@dataclass(frozen=True)
class LearningCurves:
    """Root mean squared errors, in units of the targets, and weight norms after each epoch: (n_networks, n_epochs).

    `training` is measured on as many training rows as there are validation rows, drawn once.
    """

    training: NDArray[np.float64]
    validation: NDArray[np.float64]
    weight_norm: NDArray[np.float64]

    def scaled(self, factor: float) -> "LearningCurves":
        """Return the curves with errors multiplied by the factor, to change their unit."""
        return LearningCurves(self.training * factor, self.validation * factor, self.weight_norm)


@dataclass(frozen=True)
class Trained:
    """A trained batch of networks, its learning curves and the CPU seconds that the training took."""

    network: BatchedMLP
    curves: LearningCurves
    cpu_seconds: float


class Step(Protocol):
    """The training step of a batch: `TorchStep` or `CompiledStep`."""

    def run(self, first: int, end: int, cancel: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1."""

    def evaluate(self, index: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Compute a network's errors on rows of the table, without dropout, and the norm of its weights."""

    def network(self) -> BatchedMLP:
        """Return the networks as they are now."""


def train(
    data: TrainingData,
    networks: Sequence[NetworkSpec],
    *,
    device: torch.device = CPU,
    step: StepKind | None = None,
    cancel: NDArray[np.bool_] | None = None,
) -> Trained:
    """Train all networks of a batch by mini-batches on their mean losses.

    The sum of the networks' losses is minimised; since they share no parameter, that is the same as training each
    alone. A network's result depends on its own seed and settings, not on its neighbours in the batch.

    Args:
        data: rows shared by all networks.
        networks: alike in architecture, steps and schedule, see `specs.Plan`.
        device: the device to train on.
        step: the implementation of the step; None for `step_on` the device.
        cancel: (1,), looked at before each step; another thread may set it.

    Raises:
        Cancelled: `cancel` was set.
        ValueError: the networks differ in something that a batch shares.
    """
    start = time.thread_time()
    plan = plan_of(networks, data)
    network = BatchedMLP(plan.architecture, seeds=[spec.seed for spec in networks])
    network.parameters = network.parameters.to(device)
    training = make_step(network, data, networks, plan, step or step_on(device))
    watch = _Watch(data, networks, device)
    cancel = np.zeros(1, dtype=np.bool_) if cancel is None else cancel
    for epoch in range(plan.n_epochs):
        first = epoch * plan.steps_per_epoch
        training.run(first, first + plan.steps_per_epoch, cancel)
        watch.measure(training)
    return Trained(training.network(), watch.curves(), time.thread_time() - start)


def make_step(
    network: BatchedMLP, data: TrainingData, networks: Sequence[NetworkSpec], plan: Plan, kind: StepKind
) -> Step:
    """Make the training step of that kind; the arguments are those of `TorchStep`."""
    if kind == "torch":
        return TorchStep(network, data, networks, plan)
    from houseprices.engine.compiled_step import CompiledStep

    return CompiledStep(network, data, networks, plan)


def step_on(device: torch.device) -> StepKind:
    """Return the step for a device: compiled on a CPU where numba works, else plain torch."""
    return "compiled" if device.type == "cpu" and can_compile() else "torch"


_importing = threading.Lock()


def can_compile() -> bool:
    """Check that numba is installed and works."""
    try:
        # Python gives another thread the half-imported module while the first thread's import fails.
        with _importing:
            import houseprices.engine.compiled_step  # noqa: F401  # the import is the check
    except (ImportError, RuntimeError):  # RuntimeError: numba found no folder to keep its machine code in
        return False
    return True


def warm_up(device: torch.device = CPU) -> None:
    """Compile or load the machine code for a CPU; this takes seconds at the first time on a machine."""
    if step_on(device) == "compiled":
        from houseprices.engine.compiled_step import warm_up as compile_step

        compile_step()


class _Watch:
    """Measures the learning curves epoch by epoch; the measurements stay on the device until the end."""

    def __init__(self, data: TrainingData, networks: Sequence[NetworkSpec], device: torch.device) -> None:
        self._n_watched = min(len(data.validation_rows), len(data.training_rows))
        self._rows: list[Tensor] = []
        for spec in networks:
            drawn = np.random.default_rng(spec.seed).choice(data.training_rows, self._n_watched, replace=False)
            self._rows.append(torch.from_numpy(np.concatenate([drawn, data.validation_rows])).to(device))
        self._measured: list[Tensor] = []

    def measure(self, step: Step) -> None:
        """Measure each network's errors on watched training rows and on validation rows, and its weight norm."""
        for index, rows in enumerate(self._rows):
            errors, norm = step.evaluate(index, rows)
            # Without rows the mean is NaN: the error is unknown.
            means = [part.square().mean().sqrt() for part in (errors[: self._n_watched], errors[self._n_watched :])]
            self._measured.append(torch.stack([*means, norm]))

    def curves(self) -> LearningCurves:
        """Return all measurements."""
        measured = torch.stack(self._measured).double().cpu().numpy().reshape(-1, len(self._rows), 3)
        training, validation, norm = measured.transpose(2, 1, 0)
        return LearningCurves(training, validation, norm)


class Pending(Protocol):
    """A batch in training; a `concurrent.futures.Future` is one."""

    def result(self) -> Trained:
        """Wait for the batch."""


class Executor(Protocol):
    """Trains batches of networks at the same time, in this process or on a cluster.

    Attributes:
        n_slots: number of tasks at the same time.
        networks_per_task: largest number of networks to submit at once; a CPU trains one network after another anyway,
            and single networks keep all workers busy to the end.
    """

    n_slots: int
    networks_per_task: int

    def submit(self, data: TrainingData, networks: Sequence[NetworkSpec]) -> Pending:
        """Start a batch.

        Raises:
            ResourceError: the batch does not fit into the memory; on a cluster `result` raises it.
            ValueError: the networks differ in something that a batch shares.
        """

    def close(self, *, cancel: bool) -> None:
        """Wait for all batches, or cancel them."""


@dataclass(frozen=True)
class PendingNetworks:
    """Networks in training, in tasks of the executor's size."""

    tasks: list[Pending]

    def result(self, count: Callable[[int], object] = lambda _n_networks: None) -> Trained:
        """Wait for all networks and join them to one batch; `count` gets the number of networks of each task."""
        trained = []
        for task in self.tasks:
            trained.append(task.result())
            count(len(trained[-1].network.parameters))
        parameters = torch.cat([task.network.parameters for task in trained])
        curves = (np.concatenate([getattr(task.curves, name.name) for task in trained]) for name in _CURVES)
        network = BatchedMLP(trained[0].network.architecture, parameters=parameters)
        return Trained(network, LearningCurves(*curves), sum(task.cpu_seconds for task in trained))


_CURVES = fields(LearningCurves)


def submit_networks(executor: Executor, data: TrainingData, networks: Sequence[NetworkSpec]) -> PendingNetworks:
    """Start any number of networks, in tasks of the executor's size; see `Executor.submit`."""
    size = executor.networks_per_task
    return PendingNetworks(
        [executor.submit(data, networks[start : start + size]) for start in range(0, len(networks), size)]
    )


@contextmanager
def open_executor(workers: int, device: str, ray: str = "", notify: Notify = silent) -> Iterator[Executor]:
    """Open an executor for the block; leaving it by an exception, Ctrl-C included, cancels what is still training.

    Args:
        workers: threads that train at the same time; 0 for one a core.
        device: auto, cpu or cuda.
        ray: HOST:PORT of a Ray cluster to train on in place of this machine; empty for none.
        notify: callback for a notice that the cluster is busy.

    Raises:
        ResourceError: there is no such device, Ray is not installed, or no cluster answers at the address.
    """
    chosen = choose_device(device, ray)
    # numba loads the BLAS library of its products at their first use: before the limit, which must find it.
    warm_up(chosen)
    with single_threads():
        executor: Executor
        if ray:
            from houseprices.engine.ray_executor import RayExecutor

            executor = RayExecutor(ray, _train_on_node, step_on(chosen), notify)
        else:
            executor = ThreadExecutor(workers, chosen)
        try:
            yield executor
        except BaseException:
            executor.close(cancel=True)
            raise
        executor.close(cancel=False)


class ThreadExecutor:
    """An `Executor` with worker threads of this process.

    Each worker computes in one thread, which scales better than several threads in one small matrix product.
    """

    def __init__(self, n_workers: int, device: torch.device) -> None:
        on_gpu = device.type == "cuda"
        self.n_slots = 1 if on_gpu else n_workers or os.cpu_count() or 1
        self.networks_per_task = sys.maxsize if on_gpu else 1
        self._device = device
        self._cancel = np.zeros(1, dtype=np.bool_)
        self._threads = ThreadPoolExecutor(self.n_slots)

    def submit(self, data: TrainingData, networks: Sequence[NetworkSpec]) -> Pending:
        """Start a batch; see `Executor.submit`."""
        check_memory(data, networks, self._device, self.n_slots)
        return self._threads.submit(self._train, data, networks)

    def close(self, *, cancel: bool) -> None:
        """Wait for all batches, or cancel them at their next step."""
        self._cancel[0] = cancel
        self._threads.shutdown(wait=True, cancel_futures=cancel)

    def _train(self, data: TrainingData, networks: Sequence[NetworkSpec]) -> Trained:
        torch.set_num_threads(1)  # the setting of the main thread does not reach a worker
        return train(data, networks, device=self._device, cancel=self._cancel)


def _train_on_node(data: TrainingData, networks: Sequence[NetworkSpec], step: StepKind) -> Trained:
    """Train in one thread of a cluster's node."""
    warm_up()
    with single_threads():
        check_memory(data, networks, CPU, 1)
        return train(data, networks, step=step)
