"""The loss of a training row. Like those of `regularization`, the formula serves tensors and single numbers."""

import torch
from torch import Tensor

from houseprices.engine.regularization import constant

_TWO = constant(2)


def loss_derivative(output: Tensor, target: Tensor, delta: Tensor, row_weight: Tensor, n_rows: Tensor) -> Tensor:
    """The derivative of a member's mean loss by one of its outputs: 2 error / n_rows, where error = output - target.

    The loss is Huber's (1964), twice: error^2 up to |error| = delta, and 2 delta |error| - delta^2 beyond, so that the
    derivative grows no further. An infinite delta leaves the squared error.

    Shape:
        output, target, row_weight: (n_members, n_rows), or numbers; the weight multiplies the row's loss
        delta: (n_members, 1), > 0
        n_rows: a number, rows of the batch, as float32
        returns: like output

    >>> output, target, weight = torch.tensor([[3.0, 0.5]]), torch.zeros(1, 2), torch.ones(1, 2)
    >>> loss_derivative(output, target, torch.tensor([[1.0]]), weight, constant(2))
    tensor([[1.0000, 0.5000]])
    """
    error = torch.clamp(output - target, -delta, delta)
    return error * row_weight * (_TWO / n_rows)
