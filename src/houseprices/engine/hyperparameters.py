"""How a network is shaped, regularised and trained: each setting of the engine, defined once."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from houseprices.engine.activations import Activation
from houseprices.engine.losses import Loss
from houseprices.engine.optimizer import DecayKind, Schedule

STRICT = ConfigDict(extra="forbid")

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=STRICT)
class Hyperparameters:
    """Of one network.

    Attributes:
        hidden: units of each hidden layer; empty for a linear network.
        activation: of the hidden units.
        linear_path: whether inputs also reach the output directly.
        dropout: share of hidden units dropped in training.
        input_dropout: share of inputs dropped in training; hidden layers and linear path miss the same ones.
        loss: huber, or a likelihood whose scale the network learns too: gaussian, or student_t with heavy tails.
        huber_delta: Huber's errors beyond it, in units of the targets, count linearly; inf for squares alone.
        weight_decay: strength of the decay of the weights.
        decay_kind: decoupled, as AdamW does, or coupled, as a penalty in the loss.
        learning_rate: at the schedule's top.
        schedule: of the learning rate over the epochs.
        epochs: passes over the training rows.
        batch_size: rows a step; all rows where there are fewer.

    Raises:
        pydantic.ValidationError: a value out of range; it is a ValueError.
    """

    hidden: tuple[Count, ...] = (256,)
    activation: Activation = "tanh"
    linear_path: bool = True
    dropout: Rate = 0.5
    input_dropout: Rate = 0.15
    loss: Loss = "huber"
    huber_delta: Annotated[float, Field(gt=0)] = 1.0
    weight_decay: NotNegative = 0.5
    decay_kind: DecayKind = "decoupled"
    learning_rate: Positive = 8e-3
    schedule: Schedule = "cosine"
    epochs: Count = 80
    batch_size: Count = 128
