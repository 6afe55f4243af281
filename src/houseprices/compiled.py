"""The passes of `elementwise.py` compiled by numba: each value is read and written once, in the cache.

Equal to float32 rounding. The machine code is kept beside this file or in the user's cache folder, so that only the
first run on a machine compiles. Other threads run meanwhile: nothing here holds Python's lock.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from torch import Tensor

from houseprices.elementwise import BETA_1, BETA_2, EPSILON
from houseprices.mlp import Activation

_Function = Callable[..., Any]
_compile: Callable[[_Function], _Function] = numba.njit(cache=True, nogil=True, error_model="numpy")


def gather_rows_(batch: Tensor, inputs: Tensor, rows: Tensor, noise: list[Tensor] | None, noise_std: Tensor) -> None:
    """See `elementwise.gather_rows_`."""
    arrays = batch.numpy(), inputs.numpy(), rows.numpy()
    if noise is None:
        _gather(*arrays)
        return
    for member, std in enumerate(noise_std.numpy()):
        _gather_with_noise(arrays[0][member], arrays[1], arrays[2][member], noise[member].numpy(), std)


def activate_and_drop_(values: Tensor, activation: Activation, rate: Tensor, keep_mask: Tensor | None) -> None:
    """See `elementwise.activate_and_drop_`."""
    if activation == "tanh":
        _tanh(values.numpy())
    if keep_mask is None:
        if activation == "relu":
            values.relu_()
        return
    drop = _relu_and_drop if activation == "relu" else _drop
    drop(values.numpy(), rate.numpy(), keep_mask.numpy())


def drop_(values: Tensor, rate: Tensor, keep_mask: Tensor) -> None:
    """See `elementwise.drop_`."""
    _drop(values.numpy(), rate.numpy(), keep_mask.numpy())


def backpropagate_activation_(
    delta: Tensor, hidden: Tensor, activation: Activation, rate: Tensor, keep_mask: Tensor | None
) -> None:
    """See `elementwise.backpropagate_activation_`."""
    if activation == "relu":
        _relu_backward(delta.numpy(), hidden.numpy(), np.zeros_like(rate) if keep_mask is None else rate.numpy())
    elif keep_mask is None:
        _tanh_backward(delta.numpy(), hidden.numpy())
    else:
        _tanh_and_drop_backward(delta.numpy(), hidden.numpy(), rate.numpy(), keep_mask.numpy())


def adam_step_(
    parameters: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    learning_rate: Tensor,
    weight_decay: Tensor,
    *,
    n_weights: int,
    n_steps: int,
    coupled: bool,
) -> None:
    """See `elementwise.adam_step_`."""
    rates = learning_rate.numpy() / np.float32(1 - BETA_1**n_steps)
    correction = np.float32(1 / (1 - BETA_2**n_steps))
    decay, zero, one = weight_decay.numpy(), np.float32(0), np.float32(1)
    # Coupled decay adds to the gradient, decoupled decay shrinks the parameter by a factor.
    penalty, shrink = (
        (decay, np.ones_like(decay)) if coupled else (np.zeros_like(decay), one - learning_rate.numpy() * decay)
    )
    arrays = [array.numpy() for array in (parameters, gradient, mean, square)]
    for member, rate in enumerate(rates):
        rows = [array[member] for array in arrays]
        _adam(*(row[:n_weights] for row in rows), rate, shrink[member], penalty[member], correction)
        _adam(*(row[n_weights:] for row in rows), rate, one, zero, correction)


@_compile
def _scale(rate: Any) -> Any:
    # At rate 1 every unit is dropped, and any finite scale will do.
    return np.float32(1) / (np.float32(1) - rate) if rate < 1 else np.float32(1)


@_compile
def _gather(batch: Any, inputs: Any, rows: Any) -> None:
    for member in range(rows.shape[0]):
        for place in range(rows.shape[1]):
            row = rows[member, place]
            for column in range(inputs.shape[1]):
                batch[member, place, column] = inputs[row, column]


@_compile
def _gather_with_noise(batch: Any, inputs: Any, rows: Any, noise: Any, std: Any) -> None:
    for place in range(rows.shape[0]):
        row = rows[place]
        for column in range(inputs.shape[1]):
            batch[place, column] = inputs[row, column] + std * noise[place, column]


@_compile
def _tanh(values: Any) -> None:
    """A quotient of two polynomials, within 4e-7 of tanh: the one that Eigen and XLA compute float32 tanh with."""
    bound = np.float32(7.90531110763549805)
    a1, a3, a5 = np.float32(4.89352455891786e-03), np.float32(6.37261928875436e-04), np.float32(1.48572235717979e-05)
    a7, a9, a11 = np.float32(5.12229709037114e-08), np.float32(-8.60467152213735e-11), np.float32(2.00018790482477e-13)
    a13 = np.float32(-2.76076847742355e-16)
    b0, b2 = np.float32(4.89352518554385e-03), np.float32(2.26843463243900e-03)
    b4, b6 = np.float32(1.18534705686654e-04), np.float32(1.19825839466702e-06)
    for member in range(values.shape[0]):
        for row in range(values.shape[1]):
            for unit in range(values.shape[2]):
                x = min(max(values[member, row, unit], -bound), bound)
                s = x * x
                above = x * (a1 + s * (a3 + s * (a5 + s * (a7 + s * (a9 + s * (a11 + s * a13))))))
                values[member, row, unit] = above / (b0 + s * (b2 + s * (b4 + s * b6)))


@_compile
def _relu_and_drop(values: Any, rate: Any, keep: Any) -> None:
    zero = np.float32(0)
    for member in range(values.shape[0]):
        factor = _scale(rate[member])
        for row in range(values.shape[1]):
            for unit in range(values.shape[2]):
                value = values[member, row, unit] * factor
                values[member, row, unit] = value if keep[member, row, unit] and value > zero else zero


@_compile
def _drop(values: Any, rate: Any, keep: Any) -> None:
    zero = np.float32(0)
    for member in range(values.shape[0]):
        factor = _scale(rate[member])
        for row in range(values.shape[1]):
            for unit in range(values.shape[2]):
                value = values[member, row, unit] * factor
                values[member, row, unit] = value if keep[member, row, unit] else zero


@_compile
def _relu_backward(delta: Any, hidden: Any, rate: Any) -> None:
    zero = np.float32(0)
    for member in range(delta.shape[0]):
        factor = _scale(rate[member])
        for row in range(delta.shape[1]):
            for unit in range(delta.shape[2]):
                value = delta[member, row, unit] * factor
                delta[member, row, unit] = value if hidden[member, row, unit] > zero else zero


@_compile
def _tanh_backward(delta: Any, hidden: Any) -> None:
    one = np.float32(1)
    for member in range(delta.shape[0]):
        for row in range(delta.shape[1]):
            for unit in range(delta.shape[2]):
                tanh = hidden[member, row, unit]
                delta[member, row, unit] *= one - tanh * tanh


@_compile
def _tanh_and_drop_backward(delta: Any, hidden: Any, rate: Any, keep: Any) -> None:
    zero, one = np.float32(0), np.float32(1)
    for member in range(delta.shape[0]):
        factor = _scale(rate[member])
        kept_share = one / factor
        for row in range(delta.shape[1]):
            for unit in range(delta.shape[2]):
                tanh = hidden[member, row, unit] * kept_share
                value = delta[member, row, unit] * factor * (one - tanh * tanh)
                delta[member, row, unit] = value if keep[member, row, unit] else zero


@_compile
def _adam(
    parameters: Any, gradient: Any, mean: Any, square: Any, rate: Any, shrink: Any, penalty: Any, correction: Any
) -> None:
    # Rounded to float32 here, since arithmetic with a Python float would be done in float64.
    new_1, new_2 = np.float32(1 - BETA_1), np.float32(1 - BETA_2)
    old_2, epsilon = np.float32(BETA_2), np.float32(EPSILON)
    for index in range(len(parameters)):
        parameter = parameters[index]
        slope = gradient[index] + penalty * parameter
        average = mean[index] + new_1 * (slope - mean[index])
        spread = old_2 * square[index] + new_2 * slope * slope
        mean[index] = average
        square[index] = spread
        parameters[index] = parameter * shrink - rate * average / (np.sqrt(spread * correction) + epsilon)
