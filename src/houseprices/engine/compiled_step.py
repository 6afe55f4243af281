"""The training step of `torch_step` compiled by numba: member after member, to the same results but for rounding.

The machine code is that of `kernels`; this module lays out the memory that it works on.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.activations import NONLINEARITIES
from houseprices.engine.hyperparameters import Hyperparameters
from houseprices.engine.kernels import (
    Draws,
    Floats32,
    Integers,
    LearningRates,
    Net,
    Options,
    Scratch,
    Table,
    Trained,
    predict,
    rare_entries,
    run_steps,
)
from houseprices.engine.losses import N_OUTPUTS
from houseprices.engine.members import Member, Plan, Stopped, plan_of
from houseprices.engine.mlp import Architecture, BatchedMLP
from houseprices.engine.optimizer import bias_corrected, schedule_factor
from houseprices.engine.random_streams import RandomStreams, drop_threshold

_RARE = 0.25
"""A column filled in a smaller share of the rows is rare; cuts at 0.4 to 0.7 were equal to worse (LOG.md)."""

_ROWS_COUNTED = 1024
"""At most so many rows are looked at to tell which columns are rare."""


class _View(NamedTuple):
    """The table as members with the same training rows see it: which columns are rare is told by those rows alone."""

    table: Table
    scratch: Scratch
    places: Integers  # where in a member's parameters each of the kernels' stands


class CompiledStep:
    """As `torch_step.TorchStep`, but the network that it is given is only where the members start."""

    def __init__(
        self, network: BatchedMLP, inputs: Tensor, targets: Tensor, members: Sequence[Member], plan: Plan
    ) -> None:
        self._members, self._plan = members, plan
        self._net = _net(plan.architecture, plan.batch_size)
        self._options = [_options(member) for member in members]
        self._streams = [RandomStreams(member.seed, member.rows, plan.batch_size) for member in members]
        self._states = [(stream.input_state(), stream.hidden_state()) for stream in self._streams]
        keys = [member.rows.tobytes() for member in members]
        views = {
            key: self._view(inputs.contiguous().numpy(), targets.contiguous().numpy(), member.rows)
            for key, member in dict(zip(keys, members, strict=True)).items()
        }
        self._views = [views[key] for key in keys]
        self._trained = [
            Trained(parameters[view.places], np.zeros_like(parameters), np.zeros_like(parameters))
            for view, parameters in zip(self._views, network.parameters.numpy(), strict=True)
        ]

    def run(self, first: int, end: int, stop: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1 with every member; see `TorchStep.run`."""
        for index, member in enumerate(self._members):
            rates = self._learning_rates(np.float32(member.hyperparameters.learning_rate), range(first, end))
            rows = np.stack([self._streams[index].next_rows() for _ in range(first, end)])
            view, draws = self._views[index], Draws(rows, *self._states[index])
            run_steps(
                self._net, self._options[index], view.table, self._trained[index], view.scratch, draws, rates, stop
            )
            if stop[0]:
                raise Stopped

    def evaluate(self, member: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A member's errors on rows of the table, without dropout, and the norm of its weights."""
        watched, size, view = rows.numpy(), self._plan.batch_size, self._views[member]
        batches = np.resize(watched, (-(-len(watched) // size), size))  # what fills up the last one is left out again
        options = self._options[member]._replace(input_threshold=np.uint32(0), threshold=np.uint32(0))
        parameters, draws = self._trained[member].parameters, Draws(batches, *self._states[member])
        outputs = predict(self._net, options, view.table, parameters, view.scratch, draws)
        errors = outputs.ravel()[: len(watched)] - view.table.targets[watched]
        return torch.from_numpy(errors), torch.from_numpy(parameters[: self._net.n_weights]).norm()

    def network(self) -> BatchedMLP:
        """All members as they are now."""
        parameters = np.empty((len(self._trained), self._plan.architecture.n_parameters), dtype=np.float32)
        for of_member, view, trained in zip(parameters, self._views, self._trained, strict=True):
            of_member[view.places] = trained.parameters
        return BatchedMLP(self._plan.architecture, parameters=torch.from_numpy(parameters))

    def _learning_rates(self, top_rate: np.float32, steps: range) -> LearningRates:
        factors = [schedule_factor(self._plan.schedule, step, self._plan.n_steps) for step in steps]
        rates = top_rate * np.array(factors, dtype=np.float32)
        corrected = [bias_corrected(rate, step + 1) for rate, step in zip(rates, steps, strict=True)]
        step_sizes, corrections = np.array(corrected, dtype=np.float32).T.copy()
        return LearningRates(rates, step_sizes, corrections)

    def _view(self, inputs: Floats32, targets: Floats32, rows: Integers) -> _View:
        table = _table(inputs, targets, rows)
        scratch = _scratch(self._net, self._plan.batch_size, table.n_common)  # one member uses it after another
        return _View(table, scratch, _in_order(self._plan.architecture, table.order))


def warm_up() -> None:
    """Load or compile the steps now, that training need not: seconds at the first time on a machine."""
    smallest = Hyperparameters(hidden=(1,), epochs=1, batch_size=1)
    members = [Member(np.zeros(1, dtype=np.int64), 0, smallest)]
    plan = plan_of(members, 1)
    network = BatchedMLP(plan.architecture, seeds=[0])
    table = network.parameters.new_zeros(1, 1)
    step = CompiledStep(network, table, table[0], members, plan)
    step.run(0, 1, np.zeros(1, dtype=np.bool_))
    step.evaluate(0, torch.zeros(1, dtype=torch.int64))


def _table(inputs: Floats32, targets: Floats32, rows: Integers) -> Table:
    """Which columns are common is told by the rows that train: no held-out row moves a bit of what a member learns."""
    some = inputs[rows[:: -(-len(rows) // _ROWS_COUNTED)]]
    common = (some != 0).mean(axis=0) >= _RARE
    common[0] |= not common.any()  # BLAS multiplies no empty matrices
    order, n_common = np.argsort(~common, kind="stable"), int(common.sum())
    return Table(inputs, targets, order, n_common, *rare_entries(inputs, order, n_common))


def _in_order(architecture: Architecture, order: Integers) -> Integers:
    """Where in a member's parameters each of the kernels' stands: theirs of the inputs are in the table's order."""
    places = np.arange(architecture.n_parameters)
    shapes = architecture.weight_shapes
    flat = np.split(places, list(itertools.accumulate(fan_in * fan_out for fan_in, fan_out in shapes)))
    n_layers = len(architecture.hidden) + 1
    for layer in (0, *range(n_layers, len(shapes))):  # the first one and the linear path
        flat[layer][:] = flat[layer].reshape(shapes[layer])[order].ravel()
    return places


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


def _options(member: Member) -> Options:
    of = member.hyperparameters
    coupled = of.decay_kind == "coupled"
    return Options(
        input_dropout=np.float32(of.input_dropout),
        input_threshold=np.uint32(drop_threshold(of.input_dropout)),
        dropout=np.float32(of.dropout),
        threshold=np.uint32(drop_threshold(of.dropout)),
        loss=list(N_OUTPUTS).index(of.loss),
        delta=np.float32(of.huber_delta),
        coupled_decay=np.float32(of.weight_decay if coupled else 0),
        decoupled_decay=np.float32(0 if coupled else of.weight_decay),
        row_weights=np.empty(0, dtype=np.float32) if member.weights is None else member.weights,
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
