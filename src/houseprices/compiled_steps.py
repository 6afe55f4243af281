"""The training steps of `plain_steps.py` compiled by numba: member after member, each step in one piece.

A step's matrix products are the BLAS library's; everything else reads and writes each value once, in the cache. Nothing
here holds Python's lock, so that several threads train at once. Equal to the plain steps to float32 rounding. The
machine code is kept beside this file or in the user's cache folder, so that only the first run on a machine compiles.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from houseprices.elementwise import BETA_1, BETA_2, EPSILON
from houseprices.members import Member, Plan, Stopped
from houseprices.mlp import Architecture, BatchedMLP
from houseprices.optimizer import schedule_factor
from houseprices.streams import MemberStream, drop_threshold

_Function = Callable[..., Any]
_compile: Callable[[_Function], _Function] = numba.njit(cache=True, nogil=True, error_model="numpy")
# A part of a compiled function goes into that function's machine code, and is kept with it.
_part: Callable[[_Function], _Function] = numba.njit(error_model="numpy")

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class _Net(NamedTuple):
    """The architecture, and where in flat memory each layer's part begins."""

    widths: Integers  # of the inputs, the hidden layers and the output
    tanh: bool
    linear_path: bool
    n_weights: int
    matrices: Integers  # in the parameters: hidden layers, output layer, linear path
    biases: Integers  # in the parameters
    units: Integers  # in the units of a batch: inputs, hidden layers
    words: Integers  # in the random bits, four units a word


class _Options(NamedTuple):
    """A member's settings."""

    noise_std: np.float32
    input_threshold: np.uint32
    input_scale: np.float32
    threshold: np.uint32
    scale: np.float32
    huber_delta: np.float32
    weight_decay: np.float32
    coupled: bool


class _Memory(NamedTuple):
    """What a step leaves to the next, (n_parameters,) each, and what every step fills anew."""

    parameters: Floats
    mean: Floats
    square: Floats
    gradient: Floats
    units: Floats  # of the batch: its inputs and all hidden layers' units, one layer after another
    deltas: Floats  # the loss's derivatives by the hidden units, in the same places
    bits: NDArray[np.uint16]  # random, for each unit
    words: NDArray[np.uint64]  # the same memory
    output: Floats  # (batch_size,), and then the loss's derivatives by it
    direct: Floats  # (batch_size,), what the linear path adds to it


class _Data(NamedTuple):
    """The table that all members share, and what chance gives to one."""

    inputs: Floats  # (n_rows, d_in)
    targets: Floats  # (n_rows,)
    weights: Floats  # (n_rows,), or none
    rows: Integers  # (n_steps, batch_size)
    noise: Floats  # normal numbers
    noise_starts: Integers  # (n_steps,): where in them a step's begin; or none
    input_state: NDArray[np.uint64]  # of the generators of random bits
    hidden_state: NDArray[np.uint64]


class CompiledSteps:
    """See `plain_steps.PlainSteps`."""

    def __init__(
        self, network: BatchedMLP, inputs: Tensor, targets: Tensor, members: Sequence[Member], plan: Plan
    ) -> None:
        self._members, self._plan = members, plan
        self._inputs, self._targets = inputs.contiguous().numpy(), targets.contiguous().numpy()
        self._streams = [MemberStream(member.seed, member.rows, plan.batch_size) for member in members]
        self._states = [(stream.input_state(), stream.hidden_state()) for stream in self._streams]
        self._net = _net(network.architecture, plan.batch_size)
        self._parameters = network.parameters.numpy()
        self._mean, self._square = np.zeros_like(self._parameters), np.zeros_like(self._parameters)
        self._scratch = _scratch(self._net, plan.batch_size)  # one member uses it after another

    def take(self, first: int, end: int, stop: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1 with every member."""
        n_steps = self._plan.n_epochs * self._plan.steps_per_epoch
        factors = [schedule_factor(self._plan.schedule, step, n_steps) for step in range(first, end)]
        none = np.empty(0, dtype=np.float32)
        for index, (member, stream) in enumerate(zip(self._members, self._streams, strict=True)):
            noise, starts = none, np.empty(0, dtype=np.int64)
            if member.input_noise:
                noise = stream.noise_pool(self._inputs.shape[1])
                starts = np.array([stream.noise_start() for _ in factors])
            rows = np.stack([stream.next_rows() for _ in factors])
            weights = none if member.weights is None else member.weights
            data = _Data(self._inputs, self._targets, weights, rows, noise, starts, *self._states[index])
            memory = _Memory(self._parameters[index], self._mean[index], self._square[index], *self._scratch)
            options = _options(member, coupled=self._plan.decay_kind == "coupled")
            rates = np.float32(member.learning_rate) * np.array(factors, dtype=np.float32)
            _take_steps(self._net, options, memory, data, rates, first, stop)
            if stop[0]:
                raise Stopped


def warm_up() -> None:
    """Load or compile the steps now, that training need not: seconds at the first time on a machine."""
    member = Member(np.zeros(1, dtype=np.int64), 0, learning_rate=0.0, weight_decay=0.0, dropout=0.0)
    network = BatchedMLP(Architecture(1, (1,), "relu", True), seeds=[0])
    table = network.parameters.new_zeros(1, 1)
    plan = Plan(1, 1, 1, "constant", "decoupled")
    CompiledSteps(network, table, table[0], [member], plan).take(0, 1, np.zeros(1, dtype=np.bool_))


def _net(architecture: Architecture, batch_size: int) -> _Net:
    def starts(lengths: Sequence[int]) -> Integers:
        return np.array([0, *itertools.accumulate(lengths)])

    hidden, shapes, widths = architecture.hidden, architecture.weight_shapes, [architecture.d_in, *architecture.hidden]
    return _Net(
        widths=np.array([*widths, 1]),
        tanh=architecture.activation == "tanh",
        linear_path=len(shapes) > len(hidden) + 1,
        n_weights=architecture.n_weights,
        matrices=starts([fan_in * fan_out for fan_in, fan_out in shapes]),
        biases=architecture.n_weights + starts(hidden),
        units=batch_size * starts(widths),
        words=starts([-(-batch_size * width // 4) for width in widths]),
    )


def _options(member: Member, *, coupled: bool) -> _Options:
    return _Options(
        noise_std=np.float32(member.input_noise),
        input_threshold=np.uint32(drop_threshold(member.input_dropout)),
        input_scale=np.float32(1 / (1 - member.input_dropout)),
        threshold=np.uint32(drop_threshold(member.dropout)),
        scale=np.float32(1 / (1 - member.dropout)),
        huber_delta=np.float32(member.huber_delta),
        weight_decay=np.float32(member.weight_decay),
        coupled=coupled,
    )


def _scratch(net: _Net, batch_size: int) -> tuple[Any, ...]:
    """The memory that every step fills anew, in the order of `_Memory`."""
    words = np.empty(net.words[-1], dtype=np.uint64)
    units = np.empty(net.units[-1], dtype=np.float32)
    gradient = np.zeros(net.biases[-1] + 1, dtype=np.float32)
    output, direct = np.empty((2, batch_size), dtype=np.float32)
    return gradient, units, np.empty_like(units), words.view(np.uint16), words, output, direct


@_compile
def _take_steps(net: Any, options: Any, memory: Any, data: Any, rates: Any, n_done: Any, stop: Any) -> None:
    for step in range(len(rates)):
        if stop[0]:
            return
        _gather(memory.units, data, step, options.noise_std)
        if options.input_threshold:
            _drop(net, memory, 0, data.input_state, options.input_threshold, options.input_scale)
        _forward(net, options, memory, data.hidden_state)
        _loss_derivative(memory.output, data, data.rows[step], options.huber_delta)
        _backward(net, options, memory)
        _adam_step(net, options, memory, rates[step], n_done + step + 1)


@_part
def _gather(batch: Any, data: Any, step: Any, noise_std: Any) -> None:
    rows, d_in = data.rows[step], data.inputs.shape[1]
    for place in range(len(rows)):
        source, target = data.inputs[rows[place]], batch[place * d_in : (place + 1) * d_in]
        if len(data.noise_starts):
            start = data.noise_starts[step] + place * d_in
            noise = data.noise[start : start + d_in]
            for column in range(d_in):
                target[column] = source[column] + noise_std * noise[column]
        else:
            for column in range(d_in):
                target[column] = source[column]


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
def _drop(net: Any, memory: Any, layer: Any, state: Any, threshold: Any, scale: Any) -> None:
    """Dropout on the units of a layer, 0 for the inputs."""
    _draw(state, memory.words[net.words[layer] : net.words[layer + 1]])
    units, bits = memory.units[net.units[layer] : net.units[layer + 1]], memory.bits[4 * net.words[layer] :]
    for unit in range(len(units)):
        units[unit] = units[unit] * scale if bits[unit] >= threshold else np.float32(0)


@_part
def _matrix(flat: Any, net: Any, layer: Any) -> Any:
    """The weights from a layer to the next one, 0 for the inputs: (fan_in, fan_out)."""
    start, end = net.matrices[layer], net.matrices[layer + 1]
    return flat[start:end].reshape(net.widths[layer], net.widths[layer + 1])


@_part
def _layer(flat: Any, net: Any, layer: Any) -> Any:
    """The units of a layer, 0 for the inputs: (n_rows, width)."""
    return flat[net.units[layer] : net.units[layer + 1]].reshape(-1, net.widths[layer])


@_part
def _forward(net: Any, options: Any, memory: Any, state: Any) -> None:
    """`BatchedMLP.forward`: hidden units and output."""
    output, last = memory.output, len(net.widths) - 2
    for layer in range(1, last + 1):
        units = _layer(memory.units, net, layer)
        np.dot(_layer(memory.units, net, layer - 1), _matrix(memory.parameters, net, layer - 1), units)
        _activate(units, memory.parameters[net.biases[layer - 1] : net.biases[layer]], net.tanh)
        if options.threshold:
            _drop(net, memory, layer, state, options.threshold, options.scale)
    weights = memory.parameters[net.matrices[last] : net.matrices[last + 1]]
    np.dot(_layer(memory.units, net, last), weights, output)
    bias = memory.parameters[net.biases[last]]
    for row in range(len(output)):
        output[row] += bias
    if net.linear_path:
        direct = memory.direct
        np.dot(_layer(memory.units, net, 0), memory.parameters[net.matrices[last + 1] : net.n_weights], direct)
        for row in range(len(output)):
            output[row] += direct[row]


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
def _loss_derivative(output: Any, data: Any, rows: Any, huber_delta: Any) -> None:
    """`backpropagation.loss_derivative_`, times the rows' weights."""
    factor = np.float32(2) / np.float32(len(rows))
    for place in range(len(rows)):
        error = output[place] - data.targets[rows[place]]
        if error > huber_delta:
            error = huber_delta
        elif error < -huber_delta:
            error = -huber_delta
        if len(data.weights):
            error *= data.weights[rows[place]]
        output[place] = error * factor


@_part
def _backward(net: Any, options: Any, memory: Any) -> None:
    """`Backpropagation`: the gradient, from the output down."""
    derivative, gradient, last = memory.output, memory.gradient, len(net.widths) - 2
    np.dot(_layer(memory.units, net, last).T, derivative, gradient[net.matrices[last] : net.matrices[last + 1]])
    of_bias = np.float32(0)
    for row in range(len(derivative)):
        of_bias += derivative[row]
    gradient[net.biases[last]] = of_bias
    if net.linear_path:
        np.dot(_layer(memory.units, net, 0).T, derivative, gradient[net.matrices[last + 1] : net.n_weights])
    for layer in range(last, 0, -1):
        deltas = _layer(memory.deltas, net, layer)
        if layer == last:
            weights = memory.parameters[net.matrices[last] : net.matrices[last + 1]]
            for row in range(len(derivative)):
                for unit in range(len(weights)):
                    deltas[row, unit] = derivative[row] * weights[unit]
        else:
            np.dot(_layer(memory.deltas, net, layer + 1), _matrix(memory.parameters, net, layer).T, deltas)
        _activate_backward(net, options, memory, layer)
        np.dot(_layer(memory.units, net, layer - 1).T, deltas, _matrix(gradient, net, layer - 1))
        _sum_rows(deltas, gradient[net.biases[layer - 1] : net.biases[layer]])


@_part
def _sum_rows(values: Any, sums: Any) -> None:
    for unit in range(len(sums)):
        sums[unit] = values[0, unit]
    for row in range(1, len(values)):
        for unit in range(len(sums)):
            sums[unit] += values[row, unit]


@_part
def _activate_backward(net: Any, options: Any, memory: Any, layer: Any) -> None:
    """`elementwise.backpropagate_activation_`."""
    zero, one, scale, threshold = np.float32(0), np.float32(1), options.scale, options.threshold
    start, end = net.units[layer], net.units[layer + 1]
    deltas, units, bits = memory.deltas[start:end], memory.units[start:end], memory.bits[4 * net.words[layer] :]
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
def _adam_step(net: Any, options: Any, memory: Any, rate: Any, n_steps: Any) -> None:
    """`elementwise.adam_step_`."""
    one, decay = np.float32(1), options.weight_decay
    unbiased = rate / np.float32(1 - BETA_1**n_steps)
    correction = np.float32(1 / (1 - BETA_2**n_steps))
    # Rounded to float32 here, since arithmetic with a Python float would be done in float64.
    new_1, new_2 = np.float32(1 - BETA_1), np.float32(1 - BETA_2)
    old_2, epsilon = np.float32(BETA_2), np.float32(EPSILON)
    for decayed in (True, False):
        start, end = (0, net.n_weights) if decayed else (net.n_weights, len(memory.parameters))
        parameters, gradient = memory.parameters[start:end], memory.gradient[start:end]
        mean, square = memory.mean[start:end], memory.square[start:end]
        # Coupled decay adds to the gradient, decoupled decay shrinks the parameter by a factor.
        penalty = decay if decayed and options.coupled else np.float32(0)
        shrink = one - rate * decay if decayed and not options.coupled else one
        for index in range(len(parameters)):
            parameter = parameters[index]
            slope = gradient[index] + penalty * parameter
            average = mean[index] + new_1 * (slope - mean[index])
            spread = old_2 * square[index] + new_2 * slope * slope
            mean[index] = average
            square[index] = spread
            parameters[index] = parameter * shrink - unbiased * average / (np.sqrt(spread * correction) + epsilon)
