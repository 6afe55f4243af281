"""The hidden units' nonlinearities, and the way back through them.

The formulas serve tensors and, compiled by numba, single float32 numbers; see `regularization`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from houseprices.engine.regularization import ONE, ZERO

Activation = Literal["relu", "tanh"]


def relu(value: Tensor) -> Tensor:
    """max(value, 0)."""
    return torch.relu(value)


def relu_backward(delta: Tensor, unit: Tensor) -> Tensor:
    """The loss's derivative by a unit -> its derivative by the value before ReLU, for any shape.

    Args:
        delta: derivative by the unit.
        unit: after ReLU, before or after dropout.
    """
    return torch.where(unit > ZERO, delta, ZERO)


def tanh(value: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return torch.tanh(value)


def tanh_backward(delta: Tensor, unit: Tensor) -> Tensor:
    """The same as `relu_backward` for tanh, whose derivative is 1 - tanh^2; the unit as it is before dropout."""
    return delta * (ONE - unit * unit)


@dataclass(frozen=True)
class Nonlinearity:
    """What a network needs to know of an activation.

    Attributes:
        forward, backward: the formulas above.
        gain: of the initial weights, so that the units' scale stays the same from layer to layer: He's for ReLU (He et
            al. 2015), LeCun's for tanh.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    gain: float


NONLINEARITIES: dict[Activation, Nonlinearity] = {
    "relu": Nonlinearity(relu, relu_backward, math.sqrt(2)),
    "tanh": Nonlinearity(tanh, tanh_backward, 1.0),
}
"""A new one is a formula each way here, and a branch in the two loops of `kernels` that activate."""
