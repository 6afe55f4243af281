"""The training step of `torch_step` compiled by numba: one network after another, the same results but for rounding.

`kernels` holds the machine code; this module lays out the memory that it works on.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.activations import NONLINEARITIES
from houseprices.engine.kernels import (
    Draws,
    Integers,
    Net,
    Options,
    Scratch,
    State,
    Table,
    predict,
    rare_entries,
    run_steps,
)
from houseprices.engine.losses import N_OUTPUTS
from houseprices.engine.mlp import Architecture, BatchedMLP
from houseprices.engine.optimizer import bias_corrected
from houseprices.engine.random_streams import RandomStreams, drop_threshold
from houseprices.engine.specs import Floats32, Hyperparameters, NetworkSpec, Plan, TrainingData, plan_of
from houseprices.engine.torch_step import Cancelled

_RARE = 0.25
"""Share of nonzero rows below which a column is rare; 0.4 to 0.7 were as fast or slower (measured)."""

_ROWS_COUNTED = 1024
"""Largest number of training rows that are counted to find the rare columns."""

_NOISE_AT_ONCE = 2**21
"""Random numbers that are drawn at once for input noise: 8 MiB."""


class CompiledStep:
    """Trains like `torch_step.TorchStep`; the given network holds the initial parameters and is not changed."""

    def __init__(self, network: BatchedMLP, data: TrainingData, specs: Sequence[NetworkSpec], plan: Plan) -> None:
        self._specs, self._plan = specs, plan
        self._net = _net(plan.architecture, plan.batch_size)
        self._options = [_options(spec.hyperparameters, data.row_weights) for spec in specs]
        self._streams = [RandomStreams(spec.seed, data.training_rows, plan.batch_size) for spec in specs]
        self._generators = [stream.dropout_states() for stream in self._streams]
        self._table = _table(data, with_noise=plan.with_noise)
        self._scratch = _scratch(self._net, plan.batch_size, self._table.n_common)  # reused by network after network
        self._positions = _positions(plan.architecture, self._table.order)
        self._states = [
            State(parameters[self._positions], np.zeros_like(parameters), np.zeros_like(parameters))
            for parameters in network.parameters.numpy()
        ]

    def run(self, first: int, end: int, cancel: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1 with every network; see `TorchStep.run`."""
        for spec, options, stream, generators, state in zip(
            self._specs, self._options, self._streams, self._generators, self._states, strict=True
        ):
            for steps in self._pieces(first, end):
                rates = self._learning_rates(np.float32(spec.hyperparameters.learning_rate), steps)
                rows = np.stack([stream.next_rows() for _ in steps])
                draws = Draws(rows, *generators, self._noise(stream, len(steps)))
                run_steps(self._net, options, self._table, state, self._scratch, draws, rates, cancel)
                if cancel[0]:
                    raise Cancelled

    def evaluate(self, index: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Compute a network's errors on rows of the table, without dropout, and the norm of its weights."""
        n_rows, size = len(rows), self._plan.batch_size
        # The rows that fill the last batch are cut off again.
        batches = np.resize(rows.numpy(), (-(-n_rows // size), size))
        options = self._options[index]._replace(input_threshold=np.uint32(0), threshold=np.uint32(0))
        parameters = self._states[index].parameters
        draws = Draws(batches, *self._generators[index], self._noise(self._streams[index], 0))
        outputs = predict(self._net, options, self._table, parameters, self._scratch, draws)
        errors = outputs.ravel()[:n_rows] - self._table.targets[rows.numpy()]
        return torch.from_numpy(errors), torch.from_numpy(parameters[: self._net.n_weights]).norm()

    def network(self) -> BatchedMLP:
        """Return the networks as they are now."""
        parameters = np.empty((len(self._states), self._plan.architecture.n_parameters), dtype=np.float32)
        for row, state in zip(parameters, self._states, strict=True):
            row[self._positions] = state.parameters
        return BatchedMLP(self._plan.architecture, parameters=torch.from_numpy(parameters))

    def _pieces(self, first: int, end: int) -> list[range]:
        """Split the steps so that the noise of a piece fits into the memory."""
        n_numbers = self._plan.batch_size * self._plan.architecture.d_in
        size = max(1, _NOISE_AT_ONCE // n_numbers) if self._plan.with_noise else end - first
        return [range(start, min(start + size, end)) for start in range(first, end, size)]

    def _noise(self, stream: RandomStreams, n_steps: int) -> Floats32:
        """Draw (n_steps, batch_size, d_in) standard normal numbers; without noise an empty array."""
        if not (self._plan.with_noise and n_steps):
            return np.empty((0, 0, 0), dtype=np.float32)
        return np.stack([stream.input_noise(self._plan.architecture.d_in) for _ in range(n_steps)])

    def _learning_rates(self, top_rate: np.float32, steps: range) -> Floats32:
        """Compute learning rate, step size and correction of each step, see `bias_corrected`: (n_steps, 3)."""
        rates = top_rate * np.array([self._plan.rate_factor(step) for step in steps], dtype=np.float32)
        by_step = zip(rates, steps, strict=True)
        corrected = [(rate, *bias_corrected(rate, step + 1, self._plan.beta2)) for rate, step in by_step]
        return np.array(corrected, dtype=np.float32)


def warm_up() -> None:
    """Compile the steps, or load their machine code; this takes seconds at the first time on a machine."""
    row = np.zeros(1, dtype=np.int64)
    data = TrainingData(np.zeros((1, 1), dtype=np.float32), np.zeros(1, dtype=np.float32), row)
    specs = [NetworkSpec(0, Hyperparameters(hidden=(1,), epochs=1, batch_size=1))]
    plan = plan_of(specs, data)
    step = CompiledStep(BatchedMLP(plan.architecture, seeds=[0]), data, specs, plan)
    step.run(0, 1, np.zeros(1, dtype=np.bool_))
    step.evaluate(0, torch.from_numpy(row))


def _table(data: TrainingData, *, with_noise: bool) -> Table:
    """Find the common columns by the training rows alone: no held-out row moves a bit of what a network learns.

    With noise on the inputs no value is zero, and all columns are common.
    """
    rows = data.training_rows
    counted = data.inputs[rows[:: -(-len(rows) // _ROWS_COUNTED)]]
    common = ((counted != 0).mean(axis=0) >= _RARE) | with_noise
    common[0] |= not common.any()  # BLAS multiplies no empty matrices
    order, n_common = np.argsort(~common, kind="stable"), int(common.sum())
    return Table(data.inputs, data.targets, order, n_common, *rare_entries(data.inputs, order, n_common))


def _positions(architecture: Architecture, order: Integers) -> Integers:
    """Map each parameter of the kernels, whose inputs are in the table's order, to its position in the network."""
    positions = np.arange(architecture.n_parameters)
    shapes = architecture.weight_shapes
    flat = np.split(positions, list(itertools.accumulate(fan_in * fan_out for fan_in, fan_out in shapes)))
    n_layers = len(architecture.hidden) + 1
    for layer in (0, *range(n_layers, len(shapes))):  # the first layer and the linear path
        flat[layer][:] = flat[layer].reshape(shapes[layer])[order].ravel()
    return positions


def _net(architecture: Architecture, batch_size: int) -> Net:
    def starts(lengths: Sequence[int]) -> Integers:
        return np.array([0, *itertools.accumulate(lengths)])

    hidden, shapes, widths = architecture.hidden, architecture.weight_shapes, [architecture.d_in, *architecture.hidden]
    return Net(
        widths=np.array([*widths, architecture.n_outputs]),
        activation=list(NONLINEARITIES).index(architecture.activation),
        linear_path=len(shapes) > len(hidden) + 1,
        n_weights=architecture.n_weights,
        matrices=starts([fan_in * fan_out for fan_in, fan_out in shapes]),
        biases=architecture.n_weights + starts([*hidden, architecture.n_outputs]),
        units=batch_size * starts(hidden),
        words=starts([-(-batch_size * width // 4) for width in widths]),
    )


def _options(hyperparameters: Hyperparameters, row_weights: Floats32 | None) -> Options:
    coupled = hyperparameters.decay_kind == "coupled"
    weight_decay = hyperparameters.weight_decay
    return Options(
        input_dropout=np.float32(hyperparameters.input_dropout),
        input_threshold=np.uint32(drop_threshold(hyperparameters.input_dropout)),
        input_noise=np.float32(hyperparameters.input_noise),
        dropout=np.float32(hyperparameters.dropout),
        threshold=np.uint32(drop_threshold(hyperparameters.dropout)),
        loss=list(N_OUTPUTS).index(hyperparameters.loss),
        delta=np.float32(hyperparameters.huber_delta),
        coupled_decay=np.float32(weight_decay if coupled else 0),
        decoupled_decay=np.float32(0 if coupled else weight_decay),
        beta2=np.float32(hyperparameters.beta2),
        new_share=np.float32(1 - hyperparameters.beta2),
        row_weights=np.empty(0, dtype=np.float32) if row_weights is None else row_weights,
    )


def _scratch(net: Net, batch_size: int, n_common: int) -> Scratch:
    d_in = net.widths[0]
    n_rare = batch_size * (d_in - n_common)
    words = np.empty(net.words[-1], dtype=np.uint64)

    def floats(*shape: int) -> Floats32:
        return np.empty(shape, dtype=np.float32)

    return Scratch(
        gradient=floats(net.biases[-1]),
        row=floats(d_in),
        common=floats(batch_size, n_common),
        starts=np.zeros(batch_size + 1, dtype=np.int64),
        columns=np.empty(n_rare, dtype=np.int32),
        values=floats(n_rare),
        units=floats(net.units[-1]),
        deltas=floats(net.units[-1]),
        bits=words.view(np.uint16),
        words=words,
        output=floats(batch_size, net.widths[-1]),
        direct=floats(batch_size, net.widths[-1]),
    )
