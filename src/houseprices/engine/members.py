"""What a training is asked for: the members of a batch, and the plan that they share."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from houseprices.engine.optimizer import DecayKind, Schedule

Rows = NDArray[np.int64]


class Stopped(Exception):  # noqa: N818  # an order that was followed, no error
    """Training was told to stop."""


@dataclass(frozen=True)
class Member:
    """What may differ between the members of a batch.

    Attributes:
        rows: the rows of the inputs that it trains on.
        seed: fixes its start, order of rows, dropout masks and noise.
        learning_rate: at the schedule's top.
        weight_decay: strength of the decay, >= 0.
        dropout: rate on every hidden layer, in [0, 1).
        input_noise: standard deviation of the normal noise added to every input that is not zero, >= 0.
        input_dropout: rate on the inputs, in [0, 1); hidden layers and linear path see the same ones.
        validation_rows: rows that its learning curve is watched on; they never touch the training.
        huber_delta: errors beyond it count linearly, > 0, in units of the targets; infinite for the squared error.
        weights: (n_rows of the inputs,) of the rows' losses, of mean 1 over `rows`; None for 1 each.
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
