"""Records of a training: hyperparameters of a network, networks of a batch and the data that they learn from."""

from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from houseprices.engine.activations import Activation
from houseprices.engine.losses import N_OUTPUTS, Loss
from houseprices.engine.mlp import Architecture
from houseprices.engine.optimizer import BETA_2, DecayKind, Schedule, schedule_factor

STRICT = ConfigDict(extra="forbid")

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, lt=1)]

Floats32 = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, config=STRICT)
class Hyperparameters:
    """Shape, regularisation and training of one network.

    Raises:
        pydantic.ValidationError: a value is out of range; it is a ValueError.
    """

    hidden: Annotated[
        tuple[Count, ...], Field(description="units of each hidden layer; an empty list for a linear network")
    ] = (256,)
    activation: Annotated[Activation, Field(description="activation function of the hidden units")] = "tanh"
    linear_path: Annotated[bool, Field(description="connect the inputs directly to the output as well")] = True
    dropout: Annotated[Rate, Field(description="share of hidden units dropped in training")] = 0.5
    input_dropout: Annotated[
        Rate, Field(description="share of inputs dropped in training, for hidden layers and linear path alike")
    ] = 0.15
    input_noise: Annotated[
        NotNegative,
        Field(description="standard deviation of the Gaussian noise on the scaled inputs in training; 0 for none"),
    ] = 0.0
    loss: Annotated[
        Loss,
        Field(description="huber, or a likelihood with a learnt scale: gaussian, or student_t with heavy tails"),
    ] = "huber"
    huber_delta: Annotated[
        float,
        Field(gt=0, description="errors beyond it, in units of the targets, count linearly; inf for the squared error"),
    ] = 1.0
    weight_decay: Annotated[NotNegative, Field(description="strength of the weight decay; biases are not decayed")] = (
        0.5
    )
    decay_kind: Annotated[DecayKind, Field(description="decoupled (AdamW), or coupled (an L2 penalty in the loss)")] = (
        "decoupled"
    )
    learning_rate: Annotated[Positive, Field(description="learning rate at the top of the schedule")] = 8e-3
    schedule: Annotated[Schedule, Field(description="learning rate over the epochs")] = "cosine"
    warmup_steps: Annotated[
        int, Field(ge=0, description="first steps, in which the learning rate grows linearly; 0 for none")
    ] = 0
    beta2: Annotated[Rate, Field(description="Adam's decay of the average of squared gradients")] = BETA_2
    epochs: Annotated[Count, Field(description="passes over the training rows")] = 80
    batch_size: Annotated[Count, Field(description="rows of a step; all rows where there are fewer")] = 128


@plain_dataclass(frozen=True)
class NetworkSpec:
    """One network to train; the seed fixes its initial weights, order of rows and dropout masks."""

    seed: int
    hyperparameters: Hyperparameters


@plain_dataclass(frozen=True, eq=False)
class TrainingData:
    """Rows that a batch of networks learns from, shared by all of them and copied by none.

    Attributes:
        inputs: (n_rows, d_in), contiguous.
        targets: (n_rows,), about standardised.
        training_rows: positions of the rows to train on.
        validation_rows: positions of the rows for the learning curves; they never touch the training.
        row_weights: (n_rows,) factors of the rows' losses, of mean 1 over the training rows; None for 1 each.
    """

    inputs: Floats32
    targets: Floats32
    training_rows: Rows
    validation_rows: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    row_weights: Floats32 | None = None


@plain_dataclass(frozen=True)
class Plan:
    """Steps of a training, alike for all networks of a batch.

    An epoch is the whole number of batches nearest to one pass over the rows; the rest of a pass opens the next epoch.
    """

    architecture: Architecture
    n_epochs: int
    steps_per_epoch: int
    batch_size: int
    schedule: Schedule
    warmup_steps: int
    beta2: float
    decay_kind: DecayKind
    loss: Loss
    with_noise: bool

    @property
    def n_steps(self) -> int:
        """Number of steps of the whole training."""
        return self.n_epochs * self.steps_per_epoch

    def rate_factor(self, step: int) -> float:
        """Return the share of the learning rate in a step."""
        return schedule_factor(self.schedule, step, self.n_steps, self.warmup_steps)


def architecture_of(hyperparameters: Hyperparameters, d_in: int) -> Architecture:
    """Return the shape of a network with d_in inputs."""
    return Architecture(
        d_in,
        hyperparameters.hidden,
        hyperparameters.activation,
        hyperparameters.linear_path,
        N_OUTPUTS[hyperparameters.loss],
    )


def plan_of(networks: Sequence[NetworkSpec], data: TrainingData) -> Plan:
    """Return the common plan of a batch of networks.

    Raises:
        ValueError: the networks differ in something that a batch shares.
    """
    plans = {_plan(network.hyperparameters, data) for network in networks}
    if len(plans) != 1:
        raise ValueError(f"networks of one batch must share architecture, steps and schedule, got {len(plans)} plans")
    return plans.pop()


def _plan(hyperparameters: Hyperparameters, data: TrainingData) -> Plan:
    n_rows = len(data.training_rows)
    batch_size = min(hyperparameters.batch_size, n_rows)
    return Plan(
        architecture=architecture_of(hyperparameters, data.inputs.shape[1]),
        n_epochs=hyperparameters.epochs,
        steps_per_epoch=max(1, round(n_rows / batch_size)),
        batch_size=batch_size,
        schedule=hyperparameters.schedule,
        warmup_steps=hyperparameters.warmup_steps,
        beta2=hyperparameters.beta2,
        decay_kind=hyperparameters.decay_kind,
        loss=hyperparameters.loss,
        with_noise=hyperparameters.input_noise > 0,
    )
