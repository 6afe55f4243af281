"""Losses of a training row, by their derivatives; formulas for tensors and single numbers, see `regularization`."""

from typing import Literal

import torch

from houseprices.engine.regularization import ONE, Value, constant

Loss = Literal["huber", "gaussian", "student_t"]

N_OUTPUTS: dict[Loss, int] = {"huber": 1, "gaussian": 2, "student_t": 2}
"""Number of outputs: the prediction, and for a likelihood the logarithm of the scale of its error."""

_TWO: Value = constant(2)
_LEAST_LOG_SPREAD: Value = constant(-7)
_GREATEST_LOG_SPREAD: Value = constant(7)
"""Bounds of the logarithm: its exponential must not overflow."""

_DEGREES_OF_FREEDOM: Value = constant(4)
_MOST_SPREADS: Value = constant(4)
"""Bound of an error in spreads: one target missed with certainty could throw a network off for good (measured)."""


def huber_derivative(output: Value, target: Value, delta: Value, row_weight: Value, n_rows: Value) -> Value:
    """Compute the derivative of the mean loss by an output: 2 error / n_rows, where error = output - target.

    The loss is twice Huber's (1964): error^2 up to |error| = delta, and 2 delta |error| - delta^2 beyond, where the
    derivative grows no further. An infinite delta leaves the squared error.

    Shape:
        output, target, row_weight: (n_networks, n_rows), or numbers; the weight multiplies the row's loss
        delta: (n_networks, 1), > 0
        n_rows: a number, rows of the batch, as float32
        returns: like output

    >>> output, target, weight = torch.tensor([[3.0, 0.5]]), torch.zeros(1, 2), torch.ones(1, 2)
    >>> huber_derivative(output, target, torch.tensor([[1.0]]), weight, constant(2))
    tensor([[1.0000, 0.5000]])
    """
    error = torch.clamp(output - target, -delta, delta)
    return error * row_weight * (_TWO / n_rows)


def gaussian_derivative(
    mean: Value, log_spread: Value, target: Value, row_weight: Value, n_rows: Value
) -> tuple[Value, Value]:
    """Compute the derivatives of the mean loss by both outputs, for a Gaussian with a learnt spread s.

    With the negative log-likelihood log s + error^2 / (2 s^2) a network can call hard rows noisy and stop learning
    them. So the loss of a row is weighted with its own s, held constant (beta-NLL with beta = 0.5; Seitzer et al.
    2022, eq. 5): the derivatives are error / s by the mean and s - error^2 / s by log s. Rows with large errors pull
    less, reliable rows pull more. A target further away than four spreads counts as four spreads away.

    Shape:
        mean, log_spread, target, row_weight: (n_networks, n_rows), or numbers; the weight multiplies the row's loss
        n_rows: a number, rows of the batch, as float32
        returns: two like mean

    >>> one = torch.ones(1, 1)
    >>> gaussian_derivative(3 * one, 0 * one, one, one, constant(1))
    (tensor([[2.]]), tensor([[-3.]]))
    """
    spread = spread_of(log_spread)
    in_spreads = torch.clamp((mean - target) / spread, -_MOST_SPREADS, _MOST_SPREADS)
    share = row_weight / n_rows
    return in_spreads * share, spread * (ONE - in_spreads * in_spreads) * share


def student_t_derivative(
    mean: Value, log_spread: Value, target: Value, row_weight: Value, n_rows: Value
) -> tuple[Value, Value]:
    """Do the same for Student's t with 4 degrees of freedom and a learnt scale s, weighted with s as well.

    Its tails are heavy (Lange, Little and Taylor 1989): a row many scales away counts as an outlier and pulls less
    than a row two scales away. With z = error / s the negative log-likelihood is log s + 5/2 log(1 + z^2 / 4), and its
    derivatives, times s, are 5 z / (4 + z^2) by the mean and s (1 - 5 z^2 / (4 + z^2)) by log s.

    >>> one = torch.ones(1, 1)
    >>> student_t_derivative(3 * one, 0 * one, one, one, constant(1))
    (tensor([[1.2500]]), tensor([[-1.5000]]))
    """
    spread = spread_of(log_spread)
    in_spreads, share = (mean - target) / spread, row_weight / n_rows
    pull = (_DEGREES_OF_FREEDOM + ONE) * in_spreads / (_DEGREES_OF_FREEDOM + in_spreads * in_spreads)
    return pull * share, spread * (ONE - pull * in_spreads) * share


def spread_of(log_spread: Value) -> Value:
    """Compute the scale of the error, in units of the targets, from the second output."""
    return torch.exp(torch.clamp(log_spread, _LEAST_LOG_SPREAD, _GREATEST_LOG_SPREAD))


LIKELIHOODS = {"gaussian": gaussian_derivative, "student_t": student_t_derivative}
