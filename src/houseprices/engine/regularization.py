"""Weight decay, dropout and input noise, written out: the regularisers of every network.

Each formula stands here once. Plain torch calls it with tensors (`torch_step`), numba compiles it for single float32
numbers (`compiled_step`), and the lessons show and run it. Hence two rules: a formula uses torch's functions alone, and
a number in it is a float32, since numba would compute with a bare `1` in double precision.

Biases are never decayed: a bias moves a unit's threshold and adds no curvature, so shrinking it costs fit and gains
nothing.
"""

from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

Value: TypeAlias = Any
"""A tensor in torch, one float32 number in compiled code; no type of Python has the arithmetic of both."""


def constant(value: float) -> np.float32:
    """Make a float32 number for formulas; beside a float64 tensor it keeps the tensor's precision."""
    return np.float32(value)


ONE: Value = constant(1)
ZERO: Value = constant(0)


def l2_penalty(weights: Tensor, weight_decay: Tensor) -> Tensor:
    """Compute half the squared L2 norm of each network's weights times its weight decay, a term of the loss.

    For tensors alone, and for lessons: a training step needs only its gradient, which `coupled_decay` adds.

    Shape:
        weights: (n_networks, n_weights)
        weight_decay: (n_networks,), >= 0
        returns: (n_networks,)

    >>> l2_penalty(torch.tensor([[3.0, 4.0]]), torch.tensor([0.1]))
    tensor([1.2500])
    """
    return 0.5 * weight_decay * weights.square().sum(dim=1)


def coupled_decay(gradient: Value, weight: Value, weight_decay: Value) -> Value:
    """Add the gradient of `l2_penalty` to that of the loss: weight decay as in Dive into Deep Learning, sec. 3.7.

    Adam divides this sum by the running size of the gradients, so weights with large gradients are decayed less.

    Shape:
        gradient, weight: (n_networks, n_weights), or numbers
        weight_decay: (n_networks, 1), >= 0
        returns: like gradient

    >>> coupled_decay(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.5]]))
    tensor([[1.5000, 2.0000]])
    """
    return gradient + weight_decay * weight


def decoupled_decay(weight: Value, weight_decay: Value, learning_rate: Value) -> Value:
    """Shrink the weight by a factor before the step: the decay of AdamW (Loshchilov and Hutter 2019).

    It bypasses Adam's division by the running size of the gradients, so all weights shrink at the same rate.

    Shape:
        weight: (n_networks, n_weights), or a number
        weight_decay, learning_rate: (n_networks, 1), >= 0; the learning rate of this step
        returns: like weight

    >>> decoupled_decay(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5]]), torch.tensor([[0.1]]))
    tensor([[ 0.9500, -1.9000]])
    """
    return weight * (ONE - learning_rate * weight_decay)


def dropout(unit: Value, rate: Value, keep: Value) -> Value:
    """Apply inverted dropout: zero the units that `keep` drops and scale the rest by 1 / (1 - rate).

    Scaling in training keeps each unit's expectation, so prediction needs no change (Srivastava et al. 2014, sec. 10,
    scale at prediction instead; the two agree in expectation). The derivative goes back the same way: a dropped unit
    passes nothing, the rest is scaled alike.

    Shape:
        unit: (n_networks, n_rows, d_hidden), or a number
        rate: (n_networks, 1, 1), in [0, 1]; a network at 1 outputs zeros
        keep: like unit, bool
        returns: like unit

    >>> dropout(torch.ones(1, 1, 2), torch.tensor([[[0.5]]]), torch.tensor([[[True, False]]]))
    tensor([[[2., 0.]]])
    """
    return unit * torch.where(keep, ONE / (ONE - rate), ZERO)


def noisy_input(value: Value, noise_std: Value, noise: Value) -> Value:
    """Add Gaussian noise to an input in training.

    To second order in noise_std, that adds noise_std^2 times the squared slope of the output to the squared error:
    Tikhonov regularisation (Bishop 1995). For a linear network the term is exact, and a weight decay.

    Shape:
        value: (n_networks, n_rows, d_in), or a number
        noise_std: (n_networks, 1, 1), >= 0, in units of the inputs
        noise: like value, standard normal
        returns: like value

    >>> noisy_input(torch.ones(1, 1, 2), torch.tensor([[[0.5]]]), torch.tensor([[[1.0, -2.0]]]))
    tensor([[[1.5000, 0.0000]]])
    """
    return value + noise_std * noise


def undo_dropout(unit: Value, rate: Value) -> Value:
    """Return a kept unit as it was before `dropout` scaled it; shapes as there."""
    return unit * (ONE - rate)
