"""Lp norms, written out: the sizes of a vector that the penalties of `regularization.py` are made of."""

import math

import torch
from torch import Tensor


def manhattan(x: Tensor) -> Tensor:
    """L1: the way along the streets of a grid.

    Shape:
        x: (n_values,)
        returns: a number

    >>> manhattan(torch.tensor([3.0, -4.0]))
    tensor(7.)
    """
    sizes = x.abs()
    return sizes.sum()


def euclidean(x: Tensor) -> Tensor:
    """L2: the way as the crow flies; shapes as above.

    >>> euclidean(torch.tensor([3.0, -4.0]))
    tensor(5.)
    """
    squares = x * x
    return squares.sum().sqrt()


def chebyshev(x: Tensor) -> Tensor:
    """L-infinity: the moves of a chess king; shapes as above.

    >>> chebyshev(torch.tensor([3.0, -4.0]))
    tensor(4.)
    """
    sizes = x.abs()
    return sizes.max()


def lp_norm(values: Tensor, p: float) -> Tensor:
    """Length of each vector: (sum |x|^p)^(1/p) for p >= 1, the largest |x| for p = inf.

    Below 1 the triangle inequality fails, so that no such p gives a norm.

    Shape:
        values: (..., n_values)
        returns: (...)

    Raises:
        ValueError: p is below 1 or NaN.

    >>> lp_norm(torch.tensor([3.0, -4.0]), 1), lp_norm(torch.tensor([3.0, -4.0]), 2)
    (tensor(7.), tensor(5.))
    >>> lp_norm(torch.tensor([3.0, -4.0]), float("inf"))
    tensor(4.)
    """
    if not p >= 1:
        raise ValueError(f"p must be in [1, inf], got {p}")
    sizes = values.abs()
    largest = sizes.amax(dim=-1)
    if math.isinf(p):
        return largest
    # Measured in units of the largest value, powers neither overflow nor all vanish; a vector of zeros is its own unit.
    unit = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
    return unit * (sizes / unit.unsqueeze(-1)).pow(p).sum(dim=-1).pow(1 / p)


def count_nonzero(values: Tensor) -> Tensor:
    """Number of values that are not zero, often written as an L0 norm; it is none, since it ignores scale.

    Shape:
        values: (..., n_values)
        returns: (...), int64

    >>> count_nonzero(torch.tensor([3.0, 0.0])), count_nonzero(10 * torch.tensor([3.0, 0.0]))
    (tensor(1), tensor(1))
    """
    return (values != 0).sum(dim=-1)
