"""Adam for a batch of members, with weight decay, and the learning rate's schedule."""

import math
from typing import Literal

import torch
from torch import Tensor

from houseprices.engine.elementwise import adam_step_

Schedule = Literal["constant", "cosine"]
DecayKind = Literal["decoupled", "coupled"]


class BatchedAdam:
    """Adam on one flat parameter tensor; each member, a row, has its own learning rate and weight decay.

    The mathematics stands in `elementwise.adam_step_`, and that of the decay in `regularization.py`.

    Args:
        parameters: (n_members, n_parameters), changed in place by `step`.
        weight_decay: (n_members,), >= 0; None for none.
        n_weights: how many parameters are decayed, the first ones.
        decay_kind: decoupled, as AdamW does, or coupled, as a penalty in the loss.
    """

    def __init__(
        self,
        parameters: Tensor,
        weight_decay: Tensor | None = None,
        n_weights: int = 0,
        decay_kind: DecayKind = "decoupled",
    ) -> None:
        self.parameters = parameters
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)
        self.n_steps = 0
        self._weight_decay = parameters.new_zeros(len(parameters)) if weight_decay is None else weight_decay
        self._n_weights = n_weights
        self._coupled = decay_kind == "coupled"

    def step(self, gradient: Tensor, learning_rate: Tensor) -> None:
        """Decay the weights and move the parameters one step.

        Shape:
            gradient: (n_members, n_parameters), left undefined
            learning_rate: (n_members,), of this step
        """
        self.n_steps += 1
        adam_step_(
            self.parameters,
            gradient,
            self.mean,
            self.square,
            learning_rate,
            self._weight_decay,
            n_weights=self._n_weights,
            n_steps=self.n_steps,
            coupled=self._coupled,
        )


def schedule_factor(schedule: Schedule, step: int, n_steps: int) -> float:
    """The share of the learning rate that step 0 .. n_steps - 1 uses; cosine falls from 1 to nearly 0.

    >>> schedule_factor("cosine", 50, 100)
    0.5
    """
    if schedule == "constant":
        return 1.0
    return round(0.5 * (1 + math.cos(math.pi * step / n_steps)), 12)
