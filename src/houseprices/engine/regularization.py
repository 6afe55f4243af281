"""Weight decay and dropout, written out: the two regularisers that every member of the engine carries.

Each formula stands here once. Plain torch calls it with tensors (`torch_step`), numba compiles it for single float32
numbers (`compiled_step`), and the lessons show and run it. Hence two rules: a formula uses torch's functions alone, and
a number in it is a float32, since numba would compute with a bare `1` in double precision.

Biases are never decayed: a bias moves a unit's threshold and adds no curvature, so that shrinking it costs fit and buys
nothing.
"""

from typing import cast

import numpy as np
import torch
from torch import Tensor


def constant(value: float) -> Tensor:
    """A float32 number for formulas, also beside float64 tensors.

    Typed as a tensor, since the types know no product of such a number and a tensor.
    """
    return cast(Tensor, np.float32(value))


ONE, ZERO = constant(1), constant(0)


def l2_penalty(weights: Tensor, weight_decay: Tensor) -> Tensor:
    """Half the squared L2 norm of each member's weights times its weight decay, to be added to its loss.

    For tensors alone, and for lessons: a training step needs its gradient only, which `coupled_decay` adds.

    Shape:
        weights: (n_members, n_weights)
        weight_decay: (n_members,), >= 0
        returns: (n_members,)

    >>> l2_penalty(torch.tensor([[3.0, 4.0]]), torch.tensor([0.1]))
    tensor([1.2500])
    """
    return 0.5 * weight_decay * weights.square().sum(dim=1)


def coupled_decay(gradient: Tensor, weight: Tensor, weight_decay: Tensor) -> Tensor:
    """The loss's gradient plus that of `l2_penalty`: weight decay as in Dive into Deep Learning, sec. 3.7.

    Under Adam this sum is divided by the gradients' running size, so that weights with large gradients are decayed
    less.

    Shape:
        gradient, weight: (n_members, n_weights), or numbers
        weight_decay: (n_members, 1), >= 0
        returns: like gradient

    >>> coupled_decay(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.5]]))
    tensor([[1.5000, 2.0000]])
    """
    return gradient + weight_decay * weight


def decoupled_decay(weight: Tensor, weight_decay: Tensor, learning_rate: Tensor) -> Tensor:
    """The weight, shrunk by a factor before the step: the decay of AdamW (Loshchilov and Hutter 2019).

    It bypasses Adam's division by the gradients' running size, so that all weights shrink at the same rate.

    Shape:
        weight: (n_members, n_weights), or a number
        weight_decay, learning_rate: (n_members, 1), >= 0; the learning rate of this step
        returns: like weight

    >>> decoupled_decay(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5]]), torch.tensor([[0.1]]))
    tensor([[ 0.9500, -1.9000]])
    """
    return weight * (ONE - learning_rate * weight_decay)


def dropout(unit: Tensor, rate: Tensor, keep: Tensor) -> Tensor:
    """Inverted dropout: zero the units that `keep` drops and scale the rest by 1 / (1 - rate).

    Scaling in training keeps each unit's expectation, so prediction needs no change (Srivastava et al. 2014, sec. 10,
    scale at prediction instead; the two agree in expectation). Backward, the derivative takes the same way: what was
    dropped passes nothing, the rest is scaled alike.

    Shape:
        unit: (n_members, n_rows, d_hidden), or a number
        rate: (n_members, 1, 1), in [0, 1]; a member at 1 keeps nothing
        keep: like unit, bool
        returns: like unit

    >>> dropout(torch.ones(1, 1, 2), torch.tensor([[[0.5]]]), torch.tensor([[[True, False]]]))
    tensor([[[2., 0.]]])
    """
    return unit * torch.where(keep, ONE / (ONE - rate), ZERO)


def undo_dropout(unit: Tensor, rate: Tensor) -> Tensor:
    """A kept unit as it was before `dropout` scaled it; the shapes are those there."""
    return unit * (ONE - rate)
