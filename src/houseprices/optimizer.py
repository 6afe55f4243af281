"""Adam for a batch of members, written out (Kingma and Ba 2015), and the learning rate's schedule."""

import math
from typing import Literal

import torch
from torch import Tensor

Schedule = Literal["constant", "cosine"]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class BatchedAdam:
    """Adam on one flat parameter tensor; each member, a row, has its own learning rate.

    Weight decay is not its business: `regularization.py` decays the weights or adds the penalty.

    Shape:
        parameters: (n_members, n_parameters), changed in place by `step`
    """

    def __init__(self, parameters: Tensor) -> None:
        self.parameters = parameters
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)
        self.n_steps = 0

    def step(self, gradient: Tensor, learning_rate: Tensor) -> None:
        """Move the parameters one step.

        Shape:
            gradient: (n_members, n_parameters)
            learning_rate: (n_members,), of this step
        """
        self.n_steps += 1
        self.mean.lerp_(gradient, 1 - BETA_1)
        self.square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
        # Both averages start at zero; these factors take that bias out.
        size = (self.square / (1 - BETA_2**self.n_steps)).sqrt_().add_(EPSILON)
        rate = learning_rate / (1 - BETA_1**self.n_steps)
        self.parameters.sub_((self.mean / size).mul_(rate.unsqueeze(1)))


def schedule_factor(schedule: Schedule, step: int, n_steps: int) -> float:
    """The share of the learning rate that step 0 .. n_steps - 1 uses; cosine falls from 1 to nearly 0.

    >>> schedule_factor("cosine", 50, 100)
    0.5
    """
    if schedule == "constant":
        return 1.0
    return round(0.5 * (1 + math.cos(math.pi * step / n_steps)), 12)
