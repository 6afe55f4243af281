"""The machine code of `compiled_steps.py`: a member's training steps, each in one piece.

A step's matrix products are the BLAS library's; everything else reads and writes each value once, in the cache. Nothing
here holds Python's lock, so that several threads train at once. The machine code is kept beside this file or in the
user's cache folder, so that only the first run on a machine compiles.

Most columns of a table of houses are levels, and nearly always zero. The batch's inputs are kept in two parts: a matrix
of the *common* columns, filled in a good part of the rows, and a list of the *rare* columns' values other than
zero, row by row. A product with the rare part then is a sum over a few rows of the weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from houseprices.engine.elementwise import BETA_1, BETA_2, EPSILON

_Function = Callable[..., Any]
_compile: Callable[[_Function], _Function] = numba.njit(cache=True, nogil=True, error_model="numpy")
# A part of a compiled function goes into that function's machine code, and is kept with it.
_part: Callable[[_Function], _Function] = numba.njit(error_model="numpy")

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class Net(NamedTuple):
    """The architecture, and where in flat memory each layer's part begins."""

    widths: Integers  # of the inputs, the hidden layers and the output
    tanh: bool
    linear_path: bool
    n_weights: int
    matrices: Integers  # in the parameters: hidden layers, output layer, linear path
    biases: Integers  # in the parameters
    units: Integers  # in the hidden units of a batch
    words: Integers  # in the random bits, four units a word: inputs, hidden layers


class Options(NamedTuple):
    """A member's settings."""

    noise_std: np.float32
    input_threshold: np.uint32
    input_scale: np.float32
    threshold: np.uint32
    scale: np.float32
    huber_delta: np.float32
    weight_decay: np.float32
    coupled: bool
    row_weights: Floats  # (n_rows,), or none


class Scratch(NamedTuple):
    """What every step fills anew."""

    gradient: Floats  # (n_parameters,)
    row: Floats  # (d_in,), one row of the batch's inputs
    common: Floats  # (batch_size, n_common), the inputs in the common columns
    starts: Integers  # (batch_size + 1,): where in the next two a row's entries in the rare columns begin
    columns: NDArray[np.int32]  # counted in the table's order
    values: Floats
    units: Floats  # all hidden layers' units, one layer after another
    deltas: Floats  # the loss's derivatives by them, in the same places
    bits: NDArray[np.uint16]  # random, for each input and each unit
    words: NDArray[np.uint64]  # the same memory
    output: Floats  # (batch_size, 1), and then the loss's derivatives by it
    direct: Floats  # (batch_size, 1), what the linear path adds to it


class Table(NamedTuple):
    """What all members share."""

    inputs: Floats  # (n_rows, d_in)
    targets: Floats  # (n_rows,)
    order: Integers  # (d_in,): the columns of the inputs, the common ones first
    n_common: int
    starts: Integers  # (n_rows + 1,): where in the next one a row's entries in the rare columns begin
    columns: NDArray[np.int32]  # in that order


class Chance(NamedTuple):
    """What chance gives to a member's next steps."""

    rows: Integers  # (n_steps, batch_size)
    noise: Floats  # normal numbers
    noise_starts: Integers  # (n_steps,): where in them a step's begin; or none
    input_state: NDArray[np.uint64]  # of the generators of random bits
    hidden_state: NDArray[np.uint64]


class Trained(NamedTuple):
    """What a step leaves to the next, (n_parameters,) each; those of the inputs in the table's order of columns."""

    parameters: Floats
    mean: Floats
    square: Floats


@_compile
def rare_entries(inputs: Any, order: Any, n_common: Any) -> Any:
    """The starts and columns of `Table`."""
    zero, starts = np.float32(0), np.zeros(len(inputs) + 1, dtype=np.int64)
    for row in range(len(inputs)):
        n_entries = 0
        for index in range(n_common, len(order)):
            n_entries += inputs[row, order[index]] != zero
        starts[row + 1] = starts[row] + n_entries
    columns = np.empty(starts[-1], dtype=np.int32)
    for row in range(len(inputs)):
        entry = starts[row]
        for index in range(n_common, len(order)):
            if inputs[row, order[index]] != zero:
                columns[entry] = index
                entry += 1
    return starts, columns


@_compile
def take_steps(
    net: Any, options: Any, table: Any, trained: Any, scratch: Any, chance: Any, rates: Any, n_done: Any, stop: Any
) -> None:
    """Take a step for each learning rate, or fewer once `stop` is set; see `PlainSteps.take`."""
    for step in range(len(rates)):
        if stop[0]:
            return
        _gather(net, options, table, scratch, chance, step)
        _forward(net, options, trained.parameters, scratch, chance.hidden_state)
        _loss_derivative(scratch.output[:, 0], table.targets, options, chance.rows[step])
        _backward(net, options, trained.parameters, scratch)
        _adam_step(net, options, trained, scratch.gradient, rates[step], n_done + step + 1)


@_compile
def predict(net: Any, options: Any, table: Any, parameters: Any, scratch: Any, chance: Any) -> Any:
    """The outputs for `chance.rows`, of their shape; noise and dropout act as the options and `chance` say."""
    outputs = np.empty(chance.rows.shape, dtype=np.float32)
    for step in range(len(outputs)):
        _gather(net, options, table, scratch, chance, step)
        _forward(net, options, parameters, scratch, chance.hidden_state)
        outputs[step] = scratch.output[:, 0]
    return outputs


@_part
def _gather(net: Any, options: Any, table: Any, scratch: Any, chance: Any, step: Any) -> None:
    """`elementwise.gather_rows_` and dropout on the inputs."""
    rows, d_in, zero = chance.rows[step], len(table.order), np.float32(0)
    if options.input_threshold:
        _draw(chance.input_state, scratch.words[: net.words[1]])
    n_kept = 0
    for place in range(len(rows)):
        source, row, common = table.inputs[rows[place]], scratch.row, scratch.common[place]
        if len(chance.noise_starts):
            start = chance.noise_starts[step] + place * d_in
            noise = chance.noise[start : start + d_in]
            for column in range(d_in):
                value = source[column]
                row[column] = value if value == zero else value + options.noise_std * noise[column]
        else:
            row[:] = source
        if options.input_threshold:
            _drop(row, scratch.bits[place * d_in :], options.input_threshold, options.input_scale)
        for index in range(table.n_common):
            common[index] = row[table.order[index]]
        for entry in range(table.starts[rows[place]], table.starts[rows[place] + 1]):
            value = row[table.order[table.columns[entry]]]
            if value != zero:
                scratch.columns[n_kept] = table.columns[entry]
                scratch.values[n_kept] = value
                n_kept += 1
        scratch.starts[place + 1] = n_kept


@_part
def _times_inputs(scratch: Any, weights: Any, products: Any) -> None:
    """The batch's inputs times weights, (d_in, width): (batch_size, width)."""
    np.dot(scratch.common, weights[: scratch.common.shape[1]], products)
    for place in range(len(products)):
        product = products[place]
        for entry in range(scratch.starts[place], scratch.starts[place + 1]):
            value, of_column = scratch.values[entry], weights[scratch.columns[entry]]
            for unit in range(len(product)):
                product[unit] += value * of_column[unit]


@_part
def _input_gradient(scratch: Any, deltas: Any, gradient: Any) -> None:
    """The gradient of such weights, (d_in, width), from the derivatives by the products, (batch_size, width)."""
    n_common = scratch.common.shape[1]
    np.dot(scratch.common.T, deltas, gradient[:n_common])
    gradient[n_common:] = np.float32(0)
    for place in range(len(deltas)):
        delta = deltas[place]
        for entry in range(scratch.starts[place], scratch.starts[place + 1]):
            value, of_column = scratch.values[entry], gradient[scratch.columns[entry]]
            for unit in range(len(delta)):
                of_column[unit] += value * delta[unit]


@_part
def _draw(state: Any, bits: Any) -> None:
    """Fill with random bits: SFC64 (Doty-Humphrey 2018), the same as numpy's."""
    a, b, c, counter = state[0], state[1], state[2], state[3]
    three, eleven, up, down, one = np.uint64(3), np.uint64(11), np.uint64(24), np.uint64(40), np.uint64(1)
    for index in range(len(bits)):
        drawn = a + b + counter
        counter += one
        a = b ^ (b >> eleven)
        b = c + (c << three)
        c = ((c << up) | (c >> down)) + drawn
        bits[index] = drawn
    state[0], state[1], state[2], state[3] = a, b, c, counter


@_part
def _drop(units: Any, bits: Any, threshold: Any, scale: Any) -> None:
    for unit in range(len(units)):
        units[unit] = units[unit] * scale if bits[unit] >= threshold else np.float32(0)


@_part
def _matrix(flat: Any, net: Any, layer: Any) -> Any:
    """The weights from a layer to the next one, 0 for the inputs, and then the linear path: (fan_in, fan_out)."""
    fan_in, fan_out = (net.widths[0], 1) if layer == len(net.widths) - 1 else (net.widths[layer], net.widths[layer + 1])
    return flat[net.matrices[layer] : net.matrices[layer + 1]].reshape(fan_in, fan_out)


@_part
def _bias(flat: Any, net: Any, layer: Any) -> Any:
    """The biases of a hidden layer, from 1, or of the output: (width,)."""
    return flat[net.biases[layer - 1] : net.biases[layer]]


@_part
def _layer(flat: Any, net: Any, layer: Any) -> Any:
    """The units of a hidden layer, from 1: (batch_size, width)."""
    return flat[net.units[layer - 1] : net.units[layer]].reshape(-1, net.widths[layer])


@_part
def _forward(net: Any, options: Any, parameters: Any, scratch: Any, state: Any) -> None:
    """`BatchedMLP.forward`: hidden units and output."""
    last = len(net.widths) - 2
    for layer in range(1, last + 2):
        products = _layer(scratch.units, net, layer) if layer <= last else scratch.output
        weights = _matrix(parameters, net, layer - 1)
        if layer == 1:
            _times_inputs(scratch, weights, products)
        else:
            np.dot(_layer(scratch.units, net, layer - 1), weights, products)
        if layer <= last:
            _activate(products, _bias(parameters, net, layer), net.tanh)
            if options.threshold:
                _draw(state, scratch.words[net.words[layer] : net.words[layer + 1]])
                units = scratch.units[net.units[layer - 1] : net.units[layer]]
                _drop(units, scratch.bits[4 * net.words[layer] :], options.threshold, options.scale)
    scratch.output[:] += parameters[net.biases[last]]
    if net.linear_path:
        _times_inputs(scratch, _matrix(parameters, net, last + 1), scratch.direct)
        scratch.output[:] += scratch.direct


@_part
def _activate(units: Any, bias: Any, tanh: Any) -> None:
    zero = np.float32(0)
    for row in range(units.shape[0]):
        of_row = units[row]
        if tanh:
            for unit in range(len(bias)):
                of_row[unit] = _tanh(of_row[unit] + bias[unit])
        else:
            for unit in range(len(bias)):
                value = of_row[unit] + bias[unit]
                of_row[unit] = zero if value < zero else value


@_part
def _tanh(value: Any) -> Any:
    """A quotient of two polynomials, within 4e-7 of tanh: the one that Eigen and XLA compute float32 tanh with."""
    bound = np.float32(7.90531110763549805)
    a1, a3, a5 = np.float32(4.89352455891786e-03), np.float32(6.37261928875436e-04), np.float32(1.48572235717979e-05)
    a7, a9, a11 = np.float32(5.12229709037114e-08), np.float32(-8.60467152213735e-11), np.float32(2.00018790482477e-13)
    a13 = np.float32(-2.76076847742355e-16)
    b0, b2 = np.float32(4.89352518554385e-03), np.float32(2.26843463243900e-03)
    b4, b6 = np.float32(1.18534705686654e-04), np.float32(1.19825839466702e-06)
    x = min(max(value, -bound), bound)
    s = x * x
    above = x * (a1 + s * (a3 + s * (a5 + s * (a7 + s * (a9 + s * (a11 + s * a13))))))
    return above / (b0 + s * (b2 + s * (b4 + s * b6)))


@_part
def _loss_derivative(output: Any, targets: Any, options: Any, rows: Any) -> None:
    """`backpropagation.loss_derivative_`, times the rows' weights."""
    huber_delta, weights = options.huber_delta, options.row_weights
    factor = np.float32(2) / np.float32(len(rows))
    for place in range(len(rows)):
        error = output[place] - targets[rows[place]]
        if error > huber_delta:
            error = huber_delta
        elif error < -huber_delta:
            error = -huber_delta
        if len(weights):
            error *= weights[rows[place]]
        output[place] = error * factor


@_part
def _backward(net: Any, options: Any, parameters: Any, scratch: Any) -> None:
    """`Backpropagation`: the gradient, from the output down."""
    last, gradient = len(net.widths) - 2, scratch.gradient
    if net.linear_path:
        _input_gradient(scratch, scratch.output, _matrix(gradient, net, last + 1))
    for layer in range(last + 1, 0, -1):
        if layer == last + 1:
            deltas = scratch.output
        else:
            deltas = _layer(scratch.deltas, net, layer)
            above = scratch.output if layer == last else _layer(scratch.deltas, net, layer + 1)
            np.dot(above, _matrix(parameters, net, layer).T, deltas)
            _activate_backward(net, options, scratch, layer)
        if layer == 1:
            _input_gradient(scratch, deltas, _matrix(gradient, net, 0))
        else:
            np.dot(_layer(scratch.units, net, layer - 1).T, deltas, _matrix(gradient, net, layer - 1))
        _sum_rows(deltas, _bias(gradient, net, layer))


@_part
def _sum_rows(values: Any, sums: Any) -> None:
    for unit in range(len(sums)):
        sums[unit] = values[0, unit]
    for row in range(1, len(values)):
        for unit in range(len(sums)):
            sums[unit] += values[row, unit]


@_part
def _activate_backward(net: Any, options: Any, scratch: Any, layer: Any) -> None:
    """`elementwise.backpropagate_activation_`."""
    zero, one, scale, threshold = np.float32(0), np.float32(1), options.scale, options.threshold
    start, end = net.units[layer - 1], net.units[layer]
    deltas, units, bits = scratch.deltas[start:end], scratch.units[start:end], scratch.bits[4 * net.words[layer] :]
    kept_share = one / scale
    if not net.tanh:
        for unit in range(len(deltas)):
            deltas[unit] = deltas[unit] * scale if units[unit] > zero else zero
    elif threshold:
        for unit in range(len(deltas)):
            tanh = units[unit] * kept_share
            deltas[unit] = deltas[unit] * scale * (one - tanh * tanh) if bits[unit] >= threshold else zero
    else:
        for unit in range(len(deltas)):
            deltas[unit] *= one - units[unit] * units[unit]


@_part
def _adam_step(net: Any, options: Any, trained: Any, gradient: Any, rate: Any, n_steps: Any) -> None:
    """`elementwise.adam_step_`."""
    one, decay = np.float32(1), options.weight_decay
    unbiased = rate / np.float32(1 - BETA_1**n_steps)
    correction = np.float32(1 / (1 - BETA_2**n_steps))
    # Rounded to float32 here, since arithmetic with a Python float would be done in float64.
    new_1, new_2 = np.float32(1 - BETA_1), np.float32(1 - BETA_2)
    old_2, epsilon = np.float32(BETA_2), np.float32(EPSILON)
    for decayed in (True, False):
        start, end = (0, net.n_weights) if decayed else (net.n_weights, len(gradient))
        parameters, slopes = trained.parameters[start:end], gradient[start:end]
        mean, square = trained.mean[start:end], trained.square[start:end]
        # Coupled decay adds to the gradient, decoupled decay shrinks the parameter by a factor.
        penalty = decay if decayed and options.coupled else np.float32(0)
        shrink = one - rate * decay if decayed and not options.coupled else one
        for index in range(len(parameters)):
            parameter = parameters[index]
            slope = slopes[index] + penalty * parameter
            average = mean[index] + new_1 * (slope - mean[index])
            spread = old_2 * square[index] + new_2 * slope * slope
            mean[index] = average
            square[index] = spread
            parameters[index] = parameter * shrink - unbiased * average / (np.sqrt(spread * correction) + epsilon)
