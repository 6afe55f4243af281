"""Trains a batch of members at once, each on its own rows with its own settings and random numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.members import Member, Plan
from houseprices.engine.mlp import Architecture, BatchedMLP
from houseprices.engine.torch_step import PlainSteps


@dataclass(frozen=True)
class LearningCurves:
    """Root mean squared errors, in units of the targets, and weight norms after each epoch: (n_members, n_epochs).

    `training` is measured on as many training rows as there are validation rows, drawn once.
    """

    training: NDArray[np.float64]
    validation: NDArray[np.float64]
    weight_norm: NDArray[np.float64]


class _Steps(Protocol):
    """The training steps of a network: `PlainSteps` or `CompiledSteps`."""

    def take(self, first: int, end: int, stop: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1."""

    def look(self, member: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A member's errors on rows of the table, without noise and dropout, and the norm of its weights."""

    def network(self) -> BatchedMLP:
        """All members as they are now."""


def train(
    inputs: Tensor,
    targets: Tensor,
    members: Sequence[Member],
    architecture: Architecture,
    plan: Plan,
    stop: NDArray[np.bool_] | None = None,
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
    """
    network = BatchedMLP(architecture, seeds=[member.seed for member in members])
    network.parameters = network.parameters.to(inputs.device)
    steps = _steps(network, inputs, targets, members, plan)
    watch = _Watch(members, inputs.device)
    for epoch in range(plan.n_epochs):
        first = epoch * plan.steps_per_epoch
        steps.take(first, first + plan.steps_per_epoch, np.zeros(1, dtype=np.bool_) if stop is None else stop)
        watch.look(steps)
    return steps.network(), watch.curves()


def warm_up() -> None:
    """Load or compile what training on a CPU needs: seconds at the first time on a machine."""
    compiled = _compiled_steps()
    if compiled is not None:
        compiled.warm_up()


def _steps(network: BatchedMLP, inputs: Tensor, targets: Tensor, members: Sequence[Member], plan: Plan) -> _Steps:
    compiled = _compiled_steps() if inputs.device.type == "cpu" else None
    make: Callable[..., _Steps] = PlainSteps if compiled is None else compiled.CompiledSteps
    return make(network, inputs, targets, members, plan)


def _compiled_steps() -> ModuleType | None:
    """The module of the compiled steps where numba works, else None."""
    try:
        import houseprices.engine.compiled_step as compiled
    # RuntimeError: numba found no folder that it may keep its machine code in.
    except (ImportError, RuntimeError):
        return None
    return compiled


class _Watch:
    """Measures the learning curves, epoch by epoch; what it measures stays on the device until the end."""

    def __init__(self, members: Sequence[Member], device: torch.device) -> None:
        self._rows: list[tuple[int, Tensor]] = []
        for member in members:
            n_watched = min(len(member.validation_rows), len(member.rows))
            drawn = np.random.default_rng(member.seed).choice(member.rows, n_watched, replace=False)
            self._rows.append((n_watched, torch.from_numpy(np.concatenate([drawn, member.validation_rows])).to(device)))
        self._seen: list[Tensor] = []

    def look(self, steps: _Steps) -> None:
        """Note each member's errors on its watched training rows and on its validation rows, and its weight norm."""
        for member, (n_watched, rows) in enumerate(self._rows):
            errors, norm = steps.look(member, rows)
            # The mean of no rows is NaN: an error that is not known.
            means = [part.square().mean().sqrt() for part in (errors[:n_watched], errors[n_watched:])]
            self._seen.append(torch.stack([*means, norm]))

    def curves(self) -> LearningCurves:
        """All that was seen."""
        seen = torch.stack(self._seen).double().cpu().numpy().reshape(-1, len(self._rows), 3)
        training, validation, norm = seen.transpose(2, 1, 0)
        return LearningCurves(training, validation, norm)
