"""Adam with weight decay for a batch of networks, and the schedule of the learning rate.

The formula of a step serves tensors and, compiled by numba, single float32 numbers; see `regularization`.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from houseprices.engine.regularization import Value, constant, coupled_decay, decoupled_decay

Schedule = Literal["constant", "cosine"]
DecayKind = Literal["decoupled", "coupled"]

BETA_2 = 0.999
_BETA_1 = 0.9
_NEW_MEAN: Value = constant(1 - _BETA_1)
_EPSILON: Value = constant(1e-8)


def adam_step(
    parameter: Value,
    gradient: Value,
    mean: Value,
    square: Value,
    step_size: Value,
    correction: Value,
    beta2: Value,
    new_share: Value,
) -> tuple[Value, Value, Value]:
    """Take one step of Adam (Kingma and Ba 2015) without weight decay.

    Shape:
        parameter, gradient, mean, square: (n_networks, n_parameters), or numbers; running averages of the gradient and
            of its square
        step_size, correction: of `bias_corrected`, (n_networks, 1) and a number
        beta2, new_share: numbers, the share of the old average of squares and 1 - beta2
        returns: the new parameter, mean and square
    """
    mean = mean + _NEW_MEAN * (gradient - mean)
    square = beta2 * square + new_share * gradient * gradient
    return parameter - step_size * mean / (torch.sqrt(square * correction) + _EPSILON), mean, square


def bias_corrected(learning_rate: Value, step: int, beta2: float = BETA_2) -> tuple[Value, Value]:
    """Compute the step size and the factor of the squares at step 1, 2 ..: both averages start at zero.

    Shape:
        learning_rate: a tensor or a number, float32
        returns: step_size, like learning_rate; correction, a number
    """
    return learning_rate / constant(1 - _BETA_1**step), constant(1 / (1 - beta2**step))


class BatchedAdam:
    """Adam on one flat parameter tensor; each network, a row, has its own learning rate and weight decay.

    Args:
        parameters: (n_networks, n_parameters), changed in place by `step`.
        weight_decay: (n_networks,), >= 0; None for none.
        n_weights: number of leading parameters that are decayed.
        decay_kind: decoupled, as AdamW does, or coupled, as a penalty in the loss.
        beta2: decay of the average of squared gradients.
    """

    def __init__(
        self,
        parameters: Tensor,
        weight_decay: Tensor | None = None,
        n_weights: int = 0,
        decay_kind: DecayKind = "decoupled",
        beta2: float = BETA_2,
    ) -> None:
        self.parameters = parameters
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)
        self.n_steps = 0
        decay = parameters.new_zeros(len(parameters)) if weight_decay is None else weight_decay
        self._weight_decay = decay[:, None]
        self._n_weights = n_weights
        self._coupled = decay_kind == "coupled"
        self._beta2 = beta2

    def step(self, gradient: Tensor, learning_rate: Tensor) -> None:
        """Decay the weights and move the parameters one step.

        Shape:
            gradient: (n_networks, n_parameters), changed in place where the decay is coupled
            learning_rate: (n_networks,), of this step
        """
        self.n_steps += 1
        rate = learning_rate[:, None]
        weights, of_weights = self.parameters[:, : self._n_weights], gradient[:, : self._n_weights]
        if self._coupled:
            of_weights.copy_(coupled_decay(of_weights, weights, self._weight_decay))
        else:
            weights.copy_(decoupled_decay(weights, self._weight_decay, rate))
        corrected = bias_corrected(rate, self.n_steps, self._beta2)
        shares = constant(self._beta2), constant(1 - self._beta2)
        stepped = adam_step(self.parameters, gradient, self.mean, self.square, *corrected, *shares)
        for state, new in zip((self.parameters, self.mean, self.square), stepped, strict=True):
            state.copy_(new)


def schedule_factor(schedule: Schedule, step: int, n_steps: int, warmup_steps: int = 0) -> float:
    """Compute the share of the learning rate for step 0 .. n_steps - 1.

    Cosine falls from 1 to nearly 0; in the first `warmup_steps` the share is reduced and grows linearly.

    >>> schedule_factor("cosine", 50, 100)
    0.5
    >>> [schedule_factor("constant", step, 100, warmup_steps=4) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    warm_up = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    if schedule == "constant":
        return warm_up
    return round(warm_up * 0.5 * (1 + math.cos(math.pi * step / n_steps)), 12)
