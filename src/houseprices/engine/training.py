"""Training of a batch of networks: epochs and learning curves, and the executors that train several batches at once."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.device import check_memory, choose_device, single_threads
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import NetworkSpec, Plan, TrainingData, plan_of
from houseprices.engine.torch_step import TorchStep
from houseprices.progress import Notify, silent

if TYPE_CHECKING:  # numba and Ray are optional
    from houseprices.engine.compiled_step import CompiledStep
    from houseprices.engine.ray_executor import PendingOnCluster, RayExecutor

CPU = torch.device("cpu")

StepName = Literal["compiled", "torch"]
Step: TypeAlias = "TorchStep | CompiledStep"
Executor: TypeAlias = "ThreadExecutor | RayExecutor"
Pending: TypeAlias = "Future[Trained] | PendingOnCluster"


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


def train(
    data: TrainingData,
    networks: Sequence[NetworkSpec],
    *,
    device: torch.device = CPU,
    step: StepName | None = None,
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
        cancel: (1,), read before each step; another thread may set it.

    Raises:
        Cancelled: `cancel` was set.
        ValueError: the networks differ in something that a batch shares.
    """
    start = time.thread_time()
    plan = plan_of(networks, data)
    network = BatchedMLP(plan.architecture, seeds=[spec.seed for spec in networks])
    network.parameters = network.parameters.to(device)
    training = make_step(network, data, networks, plan, step or step_on(device))
    cancel = np.zeros(1, dtype=np.bool_) if cancel is None else cancel
    n_watched = min(len(data.validation_rows), len(data.training_rows))
    watched_rows = [_watched_rows(data, spec, n_watched).to(device) for spec in networks]
    measurements: list[Tensor] = []  # they stay on the device until the end
    for epoch in range(plan.n_epochs):
        first = epoch * plan.steps_per_epoch
        training.run(first, first + plan.steps_per_epoch, cancel)
        for index, rows in enumerate(watched_rows):
            errors, norm = training.evaluate(index, rows)
            # Without rows the mean is NaN: the error is unknown.
            means = [part.square().mean().sqrt() for part in (errors[:n_watched], errors[n_watched:])]
            measurements.append(torch.stack([*means, norm]))
    measured = torch.stack(measurements).double().cpu().numpy().reshape(plan.n_epochs, len(networks), 3)
    curves = LearningCurves(*measured.transpose(2, 1, 0))
    return Trained(training.network(), curves, time.thread_time() - start)


def _watched_rows(data: TrainingData, spec: NetworkSpec, n_watched: int) -> Tensor:
    """Draw the training rows of the learning curves, and append the validation rows."""
    drawn = np.random.default_rng(spec.seed).choice(data.training_rows, n_watched, replace=False)
    return torch.from_numpy(np.concatenate([drawn, data.validation_rows]))


def make_step(
    network: BatchedMLP, data: TrainingData, networks: Sequence[NetworkSpec], plan: Plan, name: StepName
) -> Step:
    """Make a training step; the other arguments are those of `TorchStep`."""
    if name == "torch":
        return TorchStep(network, data, networks, plan)
    from houseprices.engine.compiled_step import CompiledStep

    return CompiledStep(network, data, networks, plan)


def step_on(device: torch.device) -> StepName:
    """Return the step for a device: compiled on a CPU where numba is installed and works, else plain torch."""
    if device.type != "cpu":
        return "torch"
    try:
        import houseprices.engine.compiled_step  # noqa: F401  # the import is the check
    except (ImportError, RuntimeError):  # RuntimeError: numba has no folder for its machine code
        return "torch"
    return "compiled"


def warm_up(device: torch.device = CPU) -> None:
    """Compile or load the machine code for a CPU; this takes seconds at the first time on a machine."""
    if step_on(device) == "compiled":
        from houseprices.engine.compiled_step import warm_up as compile_step

        compile_step()


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
        curves = map(np.concatenate, zip(*(astuple(task.curves) for task in trained), strict=True))
        network = BatchedMLP(trained[0].network.architecture, parameters=parameters)
        return Trained(network, LearningCurves(*curves), sum(task.cpu_seconds for task in trained))


def submit_networks(executor: Executor, data: TrainingData, networks: Sequence[NetworkSpec]) -> PendingNetworks:
    """Start any number of networks, in tasks of the executor's size; see `ThreadExecutor.submit`."""
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
    """Trains batches of networks in worker threads of this process.

    Each worker computes in one thread, which scales better than several threads in one small matrix product.

    Attributes:
        n_slots: number of tasks at the same time.
        networks_per_task: largest number of networks to submit at once; a CPU trains one network after another anyway,
            and single networks keep all workers busy to the end.
    """

    def __init__(self, n_workers: int, device: torch.device) -> None:
        on_gpu = device.type == "cuda"
        self.n_slots = 1 if on_gpu else n_workers or os.cpu_count() or 1
        self.networks_per_task = sys.maxsize if on_gpu else 1
        self._device, self._step = device, step_on(device)
        self._cancel = np.zeros(1, dtype=np.bool_)
        # torch's number of threads is a setting of each thread.
        self._threads = ThreadPoolExecutor(self.n_slots, initializer=torch.set_num_threads, initargs=(1,))

    def submit(self, data: TrainingData, networks: Sequence[NetworkSpec]) -> Pending:
        """Start a batch.

        Raises:
            ResourceError: the batch does not fit into the memory; on a cluster `result` raises it.
            ValueError: the networks differ in something that a batch shares.
        """
        check_memory(data, networks, self._device, self.n_slots)
        return self._threads.submit(train, data, networks, device=self._device, step=self._step, cancel=self._cancel)

    def close(self, *, cancel: bool) -> None:
        """Wait for all batches, or cancel them at their next step."""
        self._cancel[0] = cancel
        self._threads.shutdown(wait=True, cancel_futures=cancel)


def _train_on_node(data: TrainingData, networks: Sequence[NetworkSpec], step: StepName) -> Trained:
    """Train in one thread of a node of a cluster."""
    warm_up()
    with single_threads():
        check_memory(data, networks, CPU, 1)
        return train(data, networks, step=step)
