"""The machine code of `compiled_step`: the training steps of a network, each in one piece.

A step's matrix products are the BLAS library's; everything else reads and writes each value once, in the cache. The
formulas are not written again here: numba compiles those of `regularization`, `activations`, `losses` and `optimizer`,
number by number. Nothing here holds Python's lock, so that several threads train at once. The machine code is kept
beside this file or in the user's cache folder, so that only the first run on a machine compiles.

Most columns of a table of houses are levels, and nearly always zero. The batch's inputs are kept in two parts: a matrix
of the *common* columns, filled in a good part of the rows, and a list of the *rare* columns' values other than
zero, row by row. A product with the rare part then is a sum over a few rows of the weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from houseprices.engine.activations import NONLINEARITIES, relu, relu_backward, tanh, tanh_backward
from houseprices.engine.losses import N_OUTPUTS, gaussian_derivative, huber_derivative, student_t_derivative
from houseprices.engine.numba_formulas import digest_of_sources
from houseprices.engine.optimizer import adam_step
from houseprices.engine.regularization import ONE, coupled_decay, decoupled_decay, dropout, noisy_input, undo_dropout

_Function = Callable[..., Any]
# A part of a compiled function goes into that function's machine code, and is kept with it.
_part: Callable[[_Function], _Function] = numba.njit(error_model="numpy")
_SOURCES = digest_of_sources(__file__)


def _compile(function: _Function) -> _Function:
    """Compile to machine code that is kept on disk.

    numba finds it by the function's name and the time of its file alone. With the sources' digest in the name, code
    made of other formulas, or by another version of these files, is never found.
    """
    function.__qualname__ += f"_{_SOURCES}"
    compiled: _Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


_TANH = list(NONLINEARITIES).index("tanh")
_GAUSSIAN, _STUDENT_T = (list(N_OUTPUTS).index(loss) for loss in ("gaussian", "student_t"))

Floats32 = NDArray[np.float32]
Integers = NDArray[np.int64]


class Net(NamedTuple):
    """The architecture, and the start of each layer's part in flat memory."""

    widths: Integers  # of the inputs, the hidden layers and the output
    activation: int  # position in `activations.NONLINEARITIES`
    linear_path: bool
    n_weights: int
    matrices: Integers  # in the parameters: hidden layers, output layer, linear path
    biases: Integers  # in the parameters
    units: Integers  # in the hidden units of a batch
    words: Integers  # in the random bits, four units a word: inputs, hidden layers


class Options(NamedTuple):
    """Hyperparameters of a network."""

    input_dropout: np.float32
    input_threshold: np.uint32  # of the random bits, see `random_streams.drop_threshold`
    input_noise: np.float32  # standard deviation
    dropout: np.float32
    threshold: np.uint32
    loss: int  # position in `losses.N_OUTPUTS`
    delta: np.float32  # of Huber's
    coupled_decay: np.float32  # one of the two is zero
    decoupled_decay: np.float32
    beta2: np.float32
    new_share: np.float32  # 1 - beta2
    row_weights: Floats32  # (n_rows,), or none


class Scratch(NamedTuple):
    """Buffers that every step fills anew."""

    gradient: Floats32  # (n_parameters,)
    row: Floats32  # (d_in,), one row of the batch's inputs
    common: Floats32  # (batch_size, n_common), the inputs in the common columns
    starts: Integers  # (batch_size + 1,): start of each row's entries of the rare columns in the next two
    columns: NDArray[np.int32]  # counted in the table's order
    values: Floats32
    units: Floats32  # all hidden layers' units, one layer after another
    deltas: Floats32  # derivatives of the loss by the units, laid out alike
    bits: NDArray[np.uint16]  # random, for each input and each unit
    words: NDArray[np.uint64]  # the same memory
    output: Floats32  # (batch_size, n_outputs), and then the derivatives of the loss by it
    direct: Floats32  # (batch_size, n_outputs), the linear path's addend of the output


class Table(NamedTuple):
    """Rows that all networks share."""

    inputs: Floats32  # (n_rows, d_in)
    targets: Floats32  # (n_rows,)
    order: Integers  # (d_in,): the columns of the inputs, the common ones first
    n_common: int
    starts: Integers  # (n_rows + 1,): start of each row's entries of the rare columns in `columns`
    columns: NDArray[np.int32]  # in that order


class Draws(NamedTuple):
    """Random numbers of a network for the next steps."""

    rows: Integers  # (n_steps, batch_size)
    input_state: NDArray[np.uint64]  # of the generators of random bits
    hidden_state: NDArray[np.uint64]
    noise: Floats32  # (n_steps, batch_size, d_in), or none


class State(NamedTuple):
    """Parameters and Adam's averages, (n_parameters,) each; weights of the inputs in the table's order of columns."""

    parameters: Floats32
    mean: Floats32
    square: Floats32


@_compile
def rare_entries(inputs: Any, order: Any, n_common: Any) -> Any:
    """Return the starts and columns of `Table`."""
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
def run_steps(net: Any, options: Any, table: Any, state: Any, scratch: Any, draws: Any, rates: Any, stop: Any) -> None:
    """Take the steps, or fewer once `stop` is set; see `TorchStep.run`.

    rates: (n_steps, 3), the learning rate of each step and `optimizer.bias_corrected` of it.
    """
    for step in range(len(draws.rows)):
        if stop[0]:
            return
        rows = draws.rows[step]
        _gather(net, options, table, scratch, draws, step)
        _forward(net, options, state.parameters, scratch, draws.hidden_state)
        _loss_derivative(scratch.output, table.targets, options, rows)
        _backward(net, options, state.parameters, scratch)
        _update(net, options, state, scratch.gradient, rates[step])


@_compile
def predict(net: Any, options: Any, table: Any, parameters: Any, scratch: Any, draws: Any) -> Any:
    """Compute the first output for `draws.rows`, of their shape, with the dropout of the options."""
    outputs = np.empty(draws.rows.shape, dtype=np.float32)
    for step in range(len(outputs)):
        _gather(net, options, table, scratch, draws, step)
        _forward(net, options, parameters, scratch, draws.hidden_state)
        outputs[step] = scratch.output[:, 0]
    return outputs


@_part
def _gather(net: Any, options: Any, table: Any, scratch: Any, draws: Any, step: Any) -> None:
    """Collect the inputs of the batch, with noise and dropout."""
    d_in, zero, threshold, rows = len(table.order), np.float32(0), options.input_threshold, draws.rows[step]
    if threshold:
        _draw(draws.input_state, scratch.words[: net.words[1]])
    n_kept = 0
    for position in range(len(rows)):
        row, common = scratch.row, scratch.common[position]
        row[:] = table.inputs[rows[position]]
        if len(draws.noise):
            noise = draws.noise[step, position]
            for index in range(d_in):
                row[index] = noisy_input(row[index], options.input_noise, noise[index])
        if threshold:
            _drop(row, options.input_dropout, scratch.bits[position * d_in :], threshold)
        for index in range(table.n_common):
            common[index] = row[table.order[index]]
        for entry in range(table.starts[rows[position]], table.starts[rows[position] + 1]):
            value = row[table.order[table.columns[entry]]]
            if value != zero:
                scratch.columns[n_kept] = table.columns[entry]
                scratch.values[n_kept] = value
                n_kept += 1
        scratch.starts[position + 1] = n_kept


@_part
def _times_inputs(scratch: Any, weights: Any, products: Any) -> None:
    """Multiply the batch's inputs by weights, (d_in, width): (batch_size, width)."""
    np.dot(scratch.common, weights[: scratch.common.shape[1]], products)
    for position in range(len(products)):
        product = products[position]
        for entry in range(scratch.starts[position], scratch.starts[position + 1]):
            value, column_weights = scratch.values[entry], weights[scratch.columns[entry]]
            for unit in range(len(product)):
                product[unit] += value * column_weights[unit]


@_part
def _input_gradient(scratch: Any, deltas: Any, gradient: Any) -> None:
    """Compute the gradient of such weights, (d_in, width), from the derivatives by the products."""
    n_common = scratch.common.shape[1]
    np.dot(scratch.common.T, deltas, gradient[:n_common])
    gradient[n_common:] = np.float32(0)
    for position in range(len(deltas)):
        delta = deltas[position]
        for entry in range(scratch.starts[position], scratch.starts[position + 1]):
            value, column_weights = scratch.values[entry], gradient[scratch.columns[entry]]
            for unit in range(len(delta)):
                column_weights[unit] += value * delta[unit]


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
def _drop(units: Any, rate: Any, bits: Any, threshold: Any) -> None:
    for unit in range(len(units)):
        units[unit] = dropout(units[unit], rate, bits[unit] >= threshold)


@_part
def _matrix(flat: Any, net: Any, layer: Any) -> Any:
    """Return the weights from a layer to the next one, 0 for the inputs, last the linear path: (fan_in, fan_out)."""
    is_path = layer == len(net.widths) - 1
    fan_in, fan_out = (net.widths[0], net.widths[-1]) if is_path else (net.widths[layer], net.widths[layer + 1])
    return flat[net.matrices[layer] : net.matrices[layer + 1]].reshape(fan_in, fan_out)


@_part
def _bias(flat: Any, net: Any, layer: Any) -> Any:
    """Return the biases of a hidden layer, from 1, or of the output: (width,)."""
    return flat[net.biases[layer - 1] : net.biases[layer]]


@_part
def _layer(flat: Any, net: Any, layer: Any) -> Any:
    """Return the units of a hidden layer, from 1: (batch_size, width)."""
    return flat[net.units[layer - 1] : net.units[layer]].reshape(-1, net.widths[layer])


@_part
def _forward(net: Any, options: Any, parameters: Any, scratch: Any, state: Any) -> None:
    """Compute hidden units and output, as `BatchedMLP.forward` does."""
    last = len(net.widths) - 2
    for layer in range(1, last + 2):
        products = _layer(scratch.units, net, layer) if layer <= last else scratch.output
        weights = _matrix(parameters, net, layer - 1)
        if layer == 1:
            _times_inputs(scratch, weights, products)
        else:
            np.dot(_layer(scratch.units, net, layer - 1), weights, products)
        if layer <= last:
            _activate(products, _bias(parameters, net, layer), net.activation)
            if options.threshold:
                _draw(state, scratch.words[net.words[layer] : net.words[layer + 1]])
                units = scratch.units[net.units[layer - 1] : net.units[layer]]
                _drop(units, options.dropout, scratch.bits[4 * net.words[layer] :], options.threshold)
    scratch.output[:] += _bias(parameters, net, last + 1)
    if net.linear_path:
        _times_inputs(scratch, _matrix(parameters, net, last + 1), scratch.direct)
        scratch.output[:] += scratch.direct


@_part
def _activate(units: Any, bias: Any, activation: Any) -> None:
    for row in range(units.shape[0]):
        row_values = units[row]
        if activation == _TANH:
            for unit in range(len(bias)):
                row_values[unit] = tanh(row_values[unit] + bias[unit])
        else:
            for unit in range(len(bias)):
                row_values[unit] = relu(row_values[unit] + bias[unit])


@_part
def _loss_derivative(output: Any, targets: Any, options: Any, rows: Any) -> None:
    n_rows: Any = np.float32(len(rows))
    weights = options.row_weights
    for position in range(len(rows)):
        row = rows[position]
        weight: Any = weights[row] if len(weights) else ONE
        row_values = output[position]
        if options.loss == _STUDENT_T:
            row_values[0], row_values[1] = student_t_derivative(
                row_values[0], row_values[1], targets[row], weight, n_rows
            )
        elif options.loss == _GAUSSIAN:
            row_values[0], row_values[1] = gaussian_derivative(
                row_values[0], row_values[1], targets[row], weight, n_rows
            )
        else:
            row_values[0] = huber_derivative(row_values[0], targets[row], options.delta, weight, n_rows)


@_part
def _backward(net: Any, options: Any, parameters: Any, scratch: Any) -> None:
    """Compute the gradient from the output down, as `mlp.backpropagate` does."""
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
        _bias(gradient, net, layer)[:] = deltas.sum(axis=0)


@_part
def _activate_backward(net: Any, options: Any, scratch: Any, layer: Any) -> None:
    """Turn the derivatives by a layer's units into those by its values before activation and dropout."""
    rate, threshold, start, end = options.dropout, options.threshold, net.units[layer - 1], net.units[layer]
    deltas, units, bits = scratch.deltas[start:end], scratch.units[start:end], scratch.bits[4 * net.words[layer] :]
    # Without dropout the threshold is 0, and whatever the bits are, each unit is kept.
    if net.activation == _TANH:
        for unit in range(len(deltas)):
            delta = dropout(deltas[unit], rate, bits[unit] >= threshold)
            deltas[unit] = tanh_backward(delta, undo_dropout(units[unit], rate))
    else:
        for unit in range(len(deltas)):
            delta = dropout(deltas[unit], rate, bits[unit] >= threshold)
            deltas[unit] = relu_backward(delta, undo_dropout(units[unit], rate))


@_part
def _update(net: Any, options: Any, state: Any, gradient: Any, rates: Any) -> None:
    """Decay and take a step of Adam over the weights and then the biases, as `BatchedAdam.step` does."""
    rate, step_size, correction = rates[0], rates[1], rates[2]
    for decayed in (True, False):
        start, end = (0, net.n_weights) if decayed else (net.n_weights, len(gradient))
        parameters, gradients = state.parameters[start:end], gradient[start:end]
        means, squares = state.mean[start:end], state.square[start:end]
        coupled: Any = options.coupled_decay if decayed else np.float32(0)
        decoupled: Any = options.decoupled_decay if decayed else np.float32(0)
        for index in range(len(parameters)):
            slope = coupled_decay(gradients[index], parameters[index], coupled)
            parameter = decoupled_decay(parameters[index], decoupled, rate)
            parameters[index], means[index], squares[index] = adam_step(
                parameter, slope, means[index], squares[index], step_size, correction, options.beta2, options.new_share
            )
