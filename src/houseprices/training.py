"""Trains a batch of members at once, each on its own rows with its own settings and random numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.backpropagation import Backpropagation
from houseprices.elementwise import passes_for
from houseprices.mlp import Architecture, BatchedMLP
from houseprices.optimizer import BatchedAdam, DecayKind, Schedule, schedule_factor
from houseprices.streams import MemberStream


class Stopped(Exception):  # noqa: N818  # an order that was followed, no error
    """Training was told to stop."""


_ROWS_WATCHED = 8192
"""Rows that are copied out of the table at once, that a large one needs no second copy."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Member:
    """What may differ between the members of a batch.

    Attributes:
        rows: the rows of the inputs that it trains on.
        seed: fixes its start, order of rows, dropout masks and noise.
        learning_rate: at the schedule's top.
        weight_decay: strength of the decay, >= 0.
        dropout: rate on every hidden layer, in [0, 1).
        input_noise: standard deviation of the normal noise added to every input, >= 0.
        input_dropout: rate on the inputs, in [0, 1); hidden layers and linear path see the same ones.
        validation_rows: rows that its learning curve is watched on; they never touch the training.
        huber_delta: errors beyond it count linearly, > 0, in units of the targets; infinite for the squared error.
        weights: (n_rows of the inputs,) of the rows' losses, of mean 1 over `rows`; None for 1 each. All
            members of a batch have weights, or none has.
    """

    rows: Rows
    seed: int
    learning_rate: float
    weight_decay: float
    dropout: float
    input_noise: float = 0.0
    input_dropout: float = 0.0
    huber_delta: float = math.inf
    validation_rows: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay", "input_noise"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be in [0, inf), got {value}")
        for name in ("dropout", "input_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")
        if not self.huber_delta > 0:
            raise ValueError(f"huber_delta must be above 0, got {self.huber_delta}")


@dataclass(frozen=True)
class Plan:
    """What all members of a batch share beside their architecture.

    An epoch is the whole number of batches nearest to one pass over the rows; what a pass leaves over opens the next.
    """

    n_epochs: int
    steps_per_epoch: int
    batch_size: int
    schedule: Schedule
    decay_kind: DecayKind

    @classmethod
    def of(cls, n_rows: int, *, epochs: int, batch_size: int, schedule: Schedule, decay_kind: DecayKind) -> "Plan":
        """The plan for members with about n_rows training rows each."""
        batch_size = min(batch_size, n_rows)
        return cls(epochs, max(1, round(n_rows / batch_size)), batch_size, schedule, decay_kind)


@dataclass(frozen=True)
class LearningCurves:
    """Root mean squared errors, in units of the targets, and weight norms after each epoch: (n_members, n_epochs).

    `training` is measured on as many training rows as there are validation rows, drawn once.
    """

    training: NDArray[np.float64]
    validation: NDArray[np.float64]
    weight_norm: NDArray[np.float64]


def train(
    inputs: Tensor,
    targets: Tensor,
    members: Sequence[Member],
    architecture: Architecture,
    plan: Plan,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[BatchedMLP, LearningCurves]:
    """Train all members by mini-batches on their mean losses.

    The sum over members of each member's own mean loss is minimised; since no parameter is shared, that is the same
    as training each alone. A member's result depends on its own settings, not on its neighbours in the batch.

    Shape:
        inputs: (n_rows, d_in) float32, shared by all members
        targets: (n_rows,) float32, about standardised

    Raises:
        Stopped: `stopped`, asked before each step, said so.
    """
    network = BatchedMLP(architecture, seeds=[member.seed for member in members])
    network.parameters = network.parameters.to(inputs.device)
    streams = [MemberStream(member.seed, member.rows, plan.batch_size) for member in members]
    names = ("learning_rate", "weight_decay", "dropout", "input_noise", "input_dropout", "huber_delta")
    settings = torch.tensor([[getattr(member, name) for member in members] for name in names]).to(inputs.device)
    top_rate, weight_decay, dropout_rate, noise_std, input_rate, huber_delta = settings
    with_noise = any(member.input_noise for member in members)
    with_dropout = any(member.dropout for member in members)
    with_input_dropout = any(member.input_dropout for member in members)
    optimizer = BatchedAdam(network.parameters, weight_decay, architecture.n_weights, plan.decay_kind)
    backpropagate = Backpropagation(network, plan.batch_size)
    passes = passes_for(network.parameters)
    batch = torch.empty(len(members), plan.batch_size, architecture.d_in, device=inputs.device)
    clipped = None if all(member.huber_delta == math.inf for member in members) else huber_delta
    draw_masks = _Masks(streams, members, plan.batch_size, architecture, inputs.device)
    weights = None
    if any(member.weights is not None for member in members):
        even = np.ones(len(targets), dtype=np.float32)
        of_members = [even if member.weights is None else member.weights for member in members]
        weights = torch.from_numpy(np.stack(of_members)).to(inputs.device)
    watch = _Watch(inputs, targets, members)
    n_steps = plan.n_epochs * plan.steps_per_epoch
    for step in range(n_steps):
        if stopped():
            raise Stopped
        rows = _on_device(np.stack([stream.next_rows() for stream in streams]), inputs.device)
        noise = None
        if with_noise:
            drawn = [stream.input_noise(architecture.d_in) for stream in streams]
            noise = [_on_device(one, inputs.device) for one in drawn]
        passes.gather_rows_(batch, inputs, rows, noise, noise_std)
        if with_input_dropout:
            passes.drop_(batch, input_rate, draw_masks.of_inputs())
        keep_masks = draw_masks.of_hidden() if with_dropout else None
        of_rows = None if weights is None else weights.gather(1, rows)
        gradient = backpropagate(batch, targets[rows], dropout_rate, keep_masks, of_rows, clipped)
        optimizer.step(gradient, top_rate * schedule_factor(plan.schedule, step, n_steps))
        if (step + 1) % plan.steps_per_epoch == 0:
            watch.look(network)
    return network, watch.curves()


class _Masks:
    """Draws the dropout masks of a step, always into the same memory."""

    def __init__(
        self,
        streams: list[MemberStream],
        members: Sequence[Member],
        batch_size: int,
        architecture: Architecture,
        device: torch.device,
    ) -> None:
        self._streams, self._members, self._device = streams, members, device
        of_inputs, *of_hidden = (
            np.empty((len(members), batch_size, width), dtype=np.bool_)
            for width in (architecture.d_in, *architecture.hidden)
        )
        self._of_inputs, self._of_hidden = of_inputs, of_hidden

    def of_hidden(self) -> list[Tensor]:
        """Per hidden layer (n_members, batch_size, width), bool; the next call overwrites it."""
        for masks in self._of_hidden:
            for stream, member, mask in zip(self._streams, self._members, masks, strict=True):
                stream.keep_mask(mask.shape[1], member.dropout, out=mask)
        return [_on_device(masks, self._device) for masks in self._of_hidden]

    def of_inputs(self) -> Tensor:
        """(n_members, batch_size, d_in), bool; the next call overwrites it."""
        for stream, member, mask in zip(self._streams, self._members, self._of_inputs, strict=True):
            stream.input_keep_mask(mask.shape[1], member.input_dropout, out=mask)
        return _on_device(self._of_inputs, self._device)


def _on_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """The array as a tensor there; a GPU is not waited for. On a CPU it shares the array's memory."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


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
