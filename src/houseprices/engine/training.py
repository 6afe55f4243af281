"""Trains a batch of members at once, each on its own rows with its own settings and random numbers."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.members import Member, Plan, plan_of
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.torch_step import TorchStep


@dataclass(frozen=True)
class LearningCurves:
    """Root mean squared errors, in units of the targets, and weight norms after each epoch: (n_members, n_epochs).

    `training` is measured on as many training rows as there are validation rows, drawn once.
    """

    training: NDArray[np.float64]
    validation: NDArray[np.float64]
    weight_norm: NDArray[np.float64]

    def scaled(self, by: float) -> "LearningCurves":
        """The same with errors in other units: by so many of them is one unit of the targets."""
        return LearningCurves(self.training * by, self.validation * by, self.weight_norm)


StepKind = Literal["auto", "compiled", "torch"]
"""Which training step is taken: auto compiles it on a CPU where numba works."""


class Step(Protocol):
    """The training step of a network: `TorchStep` or `CompiledStep`."""

    def run(self, first: int, end: int, stop: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1."""

    def evaluate(self, member: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A member's errors on rows of the table, without dropout, and the norm of its weights."""

    def network(self) -> BatchedMLP:
        """All members as they are now."""


def train(
    inputs: Tensor,
    targets: Tensor,
    members: Sequence[Member],
    stop: NDArray[np.bool_] | None = None,
    *,
    step: StepKind = "auto",
) -> tuple[BatchedMLP, LearningCurves]:
    """Train all members by mini-batches on their mean losses.

    The sum over members of each member's own mean loss is minimised; since no parameter is shared, that is the same
    as training each alone. A member's result depends on its own settings, not on its neighbours in the batch.

    Shape:
        inputs: (n_rows, d_in) float32, shared by all members
        targets: (n_rows,) float32, about standardised
        stop: (1,), looked at before each step; another thread may set it

    Raises:
        Stopped: `stop` was set.
        ValueError: the members differ in something that a batch shares, see `members.Plan`.
    """
    plan = plan_of(members, inputs.shape[1])
    network = BatchedMLP(plan.architecture, seeds=[member.seed for member in members])
    network.parameters = network.parameters.to(inputs.device)
    training = make_step(network, inputs, targets, members, plan, step)
    watch = _Watch(members, inputs.device)
    for epoch in range(plan.n_epochs):
        first = epoch * plan.steps_per_epoch
        training.run(first, first + plan.steps_per_epoch, np.zeros(1, dtype=np.bool_) if stop is None else stop)
        watch.measure(training)
    return training.network(), watch.curves()


def make_step(
    network: BatchedMLP,
    inputs: Tensor,
    targets: Tensor,
    members: Sequence[Member],
    plan: Plan,
    kind: StepKind = "auto",
) -> Step:
    """The training step of that kind, about to begin; the arguments are those of `TorchStep`."""
    if (step_on(inputs.device) if kind == "auto" else kind) == "torch":
        return TorchStep(network, inputs, targets, members, plan)
    from houseprices.engine.compiled_step import CompiledStep

    return CompiledStep(network, inputs, targets, members, plan)


def step_on(device: torch.device) -> Literal["compiled", "torch"]:
    """Which training step a device takes by itself."""
    return "compiled" if device.type == "cpu" and can_compile() else "torch"


_importing = threading.Lock()


def can_compile() -> bool:
    """Whether numba is there and works."""
    try:
        # To a thread that comes while another's import fails, Python gives the half-made module for a good one.
        with _importing:
            import houseprices.engine.compiled_step  # noqa: F401  # whether it can be is the question
    # RuntimeError: numba found no folder that it may keep its machine code in.
    except (ImportError, RuntimeError):
        return False
    return True


def warm_up(device: torch.device | None = None) -> None:
    """Load or compile what training on a CPU needs, None being one: seconds at the first time on a machine."""
    if (device is None or device.type == "cpu") and can_compile():
        from houseprices.engine.compiled_step import warm_up as compile_step

        compile_step()


class _Watch:
    """Measures the learning curves, epoch by epoch; what it measures stays on the device until the end."""

    def __init__(self, members: Sequence[Member], device: torch.device) -> None:
        self._rows: list[tuple[int, Tensor]] = []
        for member in members:
            n_watched = min(len(member.validation_rows), len(member.rows))
            drawn = np.random.default_rng(member.seed).choice(member.rows, n_watched, replace=False)
            self._rows.append((n_watched, torch.from_numpy(np.concatenate([drawn, member.validation_rows])).to(device)))
        self._measured: list[Tensor] = []

    def measure(self, step: Step) -> None:
        """Note each member's errors on its watched training rows and on its validation rows, and its weight norm."""
        for member, (n_watched, rows) in enumerate(self._rows):
            errors, norm = step.evaluate(member, rows)
            # The mean of no rows is NaN: an error that is not known.
            means = [part.square().mean().sqrt() for part in (errors[:n_watched], errors[n_watched:])]
            self._measured.append(torch.stack([*means, norm]))

    def curves(self) -> LearningCurves:
        """All that was measured."""
        measured = torch.stack(self._measured).double().cpu().numpy().reshape(-1, len(self._rows), 3)
        training, validation, norm = measured.transpose(2, 1, 0)
        return LearningCurves(training, validation, norm)
