"""Trains a batch of members at once, each on its own rows with its own settings and random numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.backpropagation import Backpropagation
from houseprices.mlp import Architecture, BatchedMLP
from houseprices.optimizer import BatchedAdam, Schedule, schedule_factor
from houseprices.regularization import add_l2_gradient_, decay_weights_, inverted_mask
from houseprices.streams import MemberStream


class Stopped(Exception):  # noqa: N818  # an order that was followed, no error
    """Training was told to stop."""


DecayKind = Literal["decoupled", "coupled"]
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
        validation_rows: rows that its learning curve is watched on; they never touch the training.
        weights: (n_rows of the inputs,) of the rows' squared errors, of mean 1 over `rows`; None for 1 each. All
            members of a batch have weights, or none has.
    """

    rows: Rows
    seed: int
    learning_rate: float
    weight_decay: float
    dropout: float
    input_noise: float = 0.0
    validation_rows: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    weights: NDArray[np.float32] | None = None


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
    """Train all members by mini-batches on their mean squared errors.

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
    optimizer = BatchedAdam(network.parameters)
    streams = [MemberStream(member.seed, member.rows, plan.batch_size) for member in members]
    settings = [[m.learning_rate, m.weight_decay, m.dropout, m.input_noise] for m in members]
    top_rate, weight_decay, dropout_rate, noise = torch.tensor(settings, device=inputs.device).unbind(1)
    backpropagate = Backpropagation(network, plan.batch_size)
    of_members = [member.weights for member in members if member.weights is not None]
    weights = torch.from_numpy(np.stack(of_members)).to(inputs.device) if of_members else None
    watch = _Watch(inputs, targets, members)
    n_steps = plan.n_epochs * plan.steps_per_epoch
    for step in range(n_steps):
        if stopped():
            raise Stopped
        learning_rate = top_rate * schedule_factor(plan.schedule, step, n_steps)
        rows = torch.from_numpy(np.stack([stream.next_rows() for stream in streams])).to(inputs.device)
        batch = inputs[rows]
        if any(member.input_noise for member in members):
            drawn = np.stack([stream.input_noise(architecture.d_in) for stream in streams])
            batch.addcmul_(noise[:, None, None], torch.from_numpy(drawn).to(inputs.device))
        masks = None
        if any(member.dropout for member in members):
            masks = [inverted_mask(dropout_rate, keep) for keep in _keep_masks(streams, members, architecture, inputs)]
        gradient = backpropagate(batch, targets[rows], masks, None if weights is None else weights.gather(1, rows))
        if plan.decay_kind == "coupled":
            add_l2_gradient_(gradient[:, : architecture.n_weights], network.weights, weight_decay)
        else:
            decay_weights_(network.weights, weight_decay, learning_rate)
        optimizer.step(gradient, learning_rate)
        if (step + 1) % plan.steps_per_epoch == 0:
            watch.look(network)
    return network, watch.curves()


def _keep_masks(
    streams: list[MemberStream], members: Sequence[Member], architecture: Architecture, inputs: Tensor
) -> list[Tensor]:
    masks = []
    for width in architecture.hidden:
        drawn = [stream.keep_mask(width, member.dropout) for stream, member in zip(streams, members, strict=True)]
        masks.append(torch.from_numpy(np.stack(drawn)).to(inputs.device))
    return masks


class _Watch:
    """Measures the learning curves, epoch by epoch."""

    def __init__(self, inputs: Tensor, targets: Tensor, members: Sequence[Member]) -> None:
        self._inputs, self._targets = inputs, targets
        self._rows = []
        for member in members:
            n_watched = min(len(member.validation_rows), len(member.rows))
            drawn = np.random.default_rng(member.seed).choice(member.rows, n_watched, replace=False)
            self._rows.append((torch.from_numpy(drawn), torch.from_numpy(member.validation_rows)))
        self._seen: list[list[tuple[float, float, float]]] = [[] for _ in members]

    def look(self, network: BatchedMLP) -> None:
        for index, (training, validation) in enumerate(self._rows):
            member = BatchedMLP(network.architecture, parameters=network.parameters[index : index + 1])
            norm = float(member.weights.norm())
            self._seen[index].append((self._error(member, training), self._error(member, validation), norm))

    def _error(self, member: BatchedMLP, rows: Tensor) -> float:
        if len(rows) == 0:
            return math.nan
        errors = member.predict(self._inputs[rows])[0] - self._targets[rows]
        return float(errors.square().mean().sqrt())

    def curves(self) -> LearningCurves:
        training, validation, norm = np.array(self._seen, dtype=np.float64).transpose(2, 0, 1)
        return LearningCurves(training, validation, norm)
