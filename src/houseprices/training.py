"""Trains a batch of members at once, each on its own rows with its own settings and random numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.members import Member, Plan
from houseprices.mlp import Architecture, BatchedMLP
from houseprices.plain_steps import PlainSteps

_ROWS_WATCHED = 8192
"""Rows that are copied out of the table at once, that a large one needs no second copy."""


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
    watch = _Watch(inputs, targets, members)
    for epoch in range(plan.n_epochs):
        first = epoch * plan.steps_per_epoch
        steps.take(first, first + plan.steps_per_epoch, np.zeros(1, dtype=np.bool_) if stop is None else stop)
        watch.look(network)
    return network, watch.curves()


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
        import houseprices.compiled_steps as compiled
    # RuntimeError: numba found no folder that it may keep its machine code in.
    except (ImportError, RuntimeError):
        return None
    return compiled


class _Watch:
    """Measures the learning curves, epoch by epoch; what it measures stays on the device until the end."""

    def __init__(self, inputs: Tensor, targets: Tensor, members: Sequence[Member]) -> None:
        self._inputs, self._targets = inputs, targets
        self._rows: list[tuple[int, Tensor]] = []
        for member in members:
            n_watched = min(len(member.validation_rows), len(member.rows))
            drawn = np.random.default_rng(member.seed).choice(member.rows, n_watched, replace=False)
            rows = torch.from_numpy(np.concatenate([drawn, member.validation_rows])).to(inputs.device)
            self._rows.append((n_watched, rows))
        self._seen: list[Tensor] = []

    def look(self, network: BatchedMLP) -> None:
        """Note each member's errors on its watched training rows and on its validation rows, and its weight norm."""
        for index, (n_watched, rows) in enumerate(self._rows):
            member = BatchedMLP(network.architecture, parameters=network.parameters[index : index + 1])
            some_at_once = torch.split(rows, _ROWS_WATCHED)
            errors = torch.cat([member.predict(self._inputs[some])[0] - self._targets[some] for some in some_at_once])
            # The mean of no rows is NaN: an error that is not known.
            means = [part.square().mean().sqrt() for part in (errors[:n_watched], errors[n_watched:])]
            self._seen.append(torch.stack([*means, member.weights.norm()]))

    def curves(self) -> LearningCurves:
        """All that was seen."""
        seen = torch.stack(self._seen).double().cpu().numpy().reshape(-1, len(self._rows), 3)
        training, validation, norm = seen.transpose(2, 1, 0)
        return LearningCurves(training, validation, norm)
