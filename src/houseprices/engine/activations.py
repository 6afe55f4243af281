"""Activation functions of the hidden units, forward and backward.

The formulas serve tensors and, compiled by numba, single float32 numbers; see `regularization`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from houseprices.engine.regularization import ONE, ZERO, Value

Activation = Literal["relu", "tanh"]


def relu(value: Value) -> Value:
    """Compute max(value, 0)."""
    return torch.relu(value)


def relu_backward(delta: Value, unit: Value) -> Value:
    """Turn the derivative of the loss by a unit into that by the value before ReLU, for any shape.

    Args:
        delta: derivative by the unit.
        unit: value after ReLU, before or after dropout.
    """
    return torch.where(unit > ZERO, delta, ZERO)


def tanh(value: Value) -> Value:
    """Compute the hyperbolic tangent."""
    return torch.tanh(value)


def tanh_backward(delta: Value, unit: Value) -> Value:
    """Do the same for tanh, whose derivative is 1 - tanh^2; the unit as it is before dropout."""
    return delta * (ONE - unit * unit)


@dataclass(frozen=True)
class Nonlinearity:
    """An activation function with its derivative and initial weights.

    Attributes:
        forward, backward: the formulas above.
        gain: scale of the initial weights that keeps the scale of the units from layer to layer: He's for ReLU (He et
            al. 2015), LeCun's for tanh.
    """

    forward: Callable[[Value], Value]
    backward: Callable[[Value, Value], Value]
    gain: float


NONLINEARITIES: dict[Activation, Nonlinearity] = {
    "relu": Nonlinearity(relu, relu_backward, math.sqrt(2)),
    "tanh": Nonlinearity(tanh, tanh_backward, 1.0),
}
"""A new one is a formula each way here, and a branch in the two loops of `kernels` that activate."""
