"""What a training is asked for: the members of a batch, and the plan that they share."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from houseprices.engine.hyperparameters import Hyperparameters
from houseprices.engine.losses import N_OUTPUTS, Loss
from houseprices.engine.mlp import Architecture
from houseprices.engine.optimizer import DecayKind, Schedule

Rows = NDArray[np.int64]


class Stopped(Exception):  # noqa: N818  # an order that was followed, no error
    """Training was told to stop."""


@dataclass(frozen=True)
class Member:
    """One network of a batch.

    Attributes:
        rows: the rows of the inputs that it trains on.
        seed: fixes its start, order of rows and dropout masks.
        hyperparameters: how it is shaped, regularised and trained.
        validation_rows: rows that its learning curve is watched on; they never touch the training.
        weights: (n_rows of the inputs,) of the rows' losses, of mean 1 over `rows`; None for 1 each.
    """

    rows: Rows
    seed: int
    hyperparameters: Hyperparameters
    validation_rows: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    weights: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Plan:
    """What all members of a batch must share to be trained side by side.

    An epoch is the whole number of batches nearest to one pass over the rows; what a pass leaves over opens the next.
    """

    architecture: Architecture
    n_epochs: int
    steps_per_epoch: int
    batch_size: int
    schedule: Schedule
    decay_kind: DecayKind
    loss: Loss

    @property
    def n_steps(self) -> int:
        """Of the whole training."""
        return self.n_epochs * self.steps_per_epoch


def architecture_of(hyperparameters: Hyperparameters, d_in: int) -> Architecture:
    """The shape of such a network on inputs of d_in columns."""
    of = hyperparameters
    return Architecture(d_in, of.hidden, of.activation, of.linear_path, N_OUTPUTS[of.loss])


def plan_of(members: Sequence[Member], d_in: int) -> Plan:
    """The plan of a batch of members on inputs of d_in columns.

    Raises:
        ValueError: the members differ in something that a batch shares.
    """
    plans = {_plan(member, d_in) for member in members}
    if len(plans) != 1:
        raise ValueError(f"members of one batch must share architecture, steps and schedule, got {len(plans)} plans")
    return plans.pop()


def _plan(member: Member, d_in: int) -> Plan:
    of, n_rows = member.hyperparameters, len(member.rows)
    batch_size = min(of.batch_size, n_rows)
    steps_per_epoch = max(1, round(n_rows / batch_size))
    shape = architecture_of(of, d_in)
    return Plan(shape, of.epochs, steps_per_epoch, batch_size, of.schedule, of.decay_kind, of.loss)
