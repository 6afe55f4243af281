"""The training steps of `plain_steps.py` compiled by numba: member after member, to the same results but for rounding.

The machine code is that of `compiled_kernels.py`; this module lays out the memory that it works on.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.kernels import (
    Chance,
    Floats,
    Integers,
    Net,
    Options,
    Scratch,
    Table,
    Trained,
    predict,
    rare_entries,
    take_steps,
)
from houseprices.engine.members import Member, Plan, Stopped
from houseprices.engine.mlp import Architecture, BatchedMLP
from houseprices.engine.optimizer import schedule_factor
from houseprices.engine.random_streams import MemberStream, drop_threshold

_RARE = 0.25
"""A column filled in a smaller share of the rows is rare; cuts at 0.4 to 0.7 were equal to worse (LOG.md)."""

_ROWS_COUNTED = 1024
"""At most so many rows are looked at to tell which columns are rare."""


class CompiledSteps:
    """As `plain_steps.PlainSteps`, but the network that it is given is only where the members start."""

    def __init__(
        self, network: BatchedMLP, inputs: Tensor, targets: Tensor, members: Sequence[Member], plan: Plan
    ) -> None:
        self._architecture, self._members, self._plan = network.architecture, members, plan
        self._table = _table(inputs.contiguous().numpy(), targets.contiguous().numpy(), members[0].rows)
        self._net = _net(network.architecture, plan.batch_size)
        self._scratch = _scratch(self._net, plan.batch_size, self._table.n_common)  # one member uses it after another
        self._options = [_options(member, coupled=plan.decay_kind == "coupled") for member in members]
        self._streams = [MemberStream(member.seed, member.rows, plan.batch_size) for member in members]
        self._states = [(stream.input_state(), stream.hidden_state()) for stream in self._streams]
        self._places = _in_order(network.architecture, self._table.order)
        self._trained = [
            Trained(parameters[self._places], np.zeros_like(parameters), np.zeros_like(parameters))
            for parameters in network.parameters.numpy()
        ]

    def take(self, first: int, end: int, stop: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1 with every member."""
        n_steps = self._plan.n_epochs * self._plan.steps_per_epoch
        factors = [schedule_factor(self._plan.schedule, step, n_steps) for step in range(first, end)]
        for index, (member, trained) in enumerate(zip(self._members, self._trained, strict=True)):
            rates = np.float32(member.learning_rate) * np.array(factors, dtype=np.float32)
            shared = self._net, self._options[index], self._table
            take_steps(*shared, trained, self._scratch, self._chance(index, len(factors)), rates, first, stop)
            if stop[0]:
                raise Stopped

    def look(self, member: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A member's errors on rows of the table, without noise and dropout, and the norm of its weights."""
        watched, size = rows.numpy(), self._plan.batch_size
        batches = np.resize(watched, (-(-len(watched) // size), size))  # what fills up the last one is left out again
        chance = Chance(batches, np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64), *self._states[member])
        options = self._options[member]._replace(input_threshold=np.uint32(0), threshold=np.uint32(0))
        parameters = self._trained[member].parameters
        outputs = predict(self._net, options, self._table, parameters, self._scratch, chance)
        errors = outputs.ravel()[: len(watched)] - self._table.targets[watched]
        return torch.from_numpy(errors), torch.from_numpy(parameters[: self._architecture.n_weights]).norm()

    def network(self) -> BatchedMLP:
        """All members as they are now."""
        parameters = np.empty((len(self._trained), len(self._places)), dtype=np.float32)
        for of_member, trained in zip(parameters, self._trained, strict=True):
            of_member[self._places] = trained.parameters
        return BatchedMLP(self._architecture, parameters=torch.from_numpy(parameters))

    def _chance(self, index: int, n_steps: int) -> Chance:
        stream = self._streams[index]
        noise, starts = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
        if self._members[index].input_noise:
            noise = stream.noise_pool(self._architecture.d_in)
            starts = np.array([stream.noise_start() for _ in range(n_steps)])
        rows = np.stack([stream.next_rows() for _ in range(n_steps)])
        return Chance(rows, noise, starts, *self._states[index])


def warm_up() -> None:
    """Load or compile the steps now, that training need not: seconds at the first time on a machine."""
    member = Member(np.zeros(1, dtype=np.int64), 0, learning_rate=0.0, weight_decay=0.0, dropout=0.0)
    network = BatchedMLP(Architecture(1, (1,), "relu", True), seeds=[0])
    table = network.parameters.new_zeros(1, 1)
    plan = Plan(1, 1, 1, "constant", "decoupled")
    steps = CompiledSteps(network, table, table[0], [member], plan)
    steps.take(0, 1, np.zeros(1, dtype=np.bool_))
    steps.look(0, torch.zeros(1, dtype=torch.int64))


def _table(inputs: Floats, targets: Floats, rows: Integers) -> Table:
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
        widths=np.array([*widths, 1]),
        tanh=architecture.activation == "tanh",
        linear_path=len(shapes) > len(hidden) + 1,
        n_weights=architecture.n_weights,
        matrices=starts([fan_in * fan_out for fan_in, fan_out in shapes]),
        biases=architecture.n_weights + starts([*hidden, 1]),
        units=batch_size * starts(hidden),
        words=starts([-(-batch_size * width // 4) for width in widths]),
    )


def _options(member: Member, *, coupled: bool) -> Options:
    return Options(
        noise_std=np.float32(member.input_noise),
        input_threshold=np.uint32(drop_threshold(member.input_dropout)),
        input_scale=_scale(member.input_dropout),
        threshold=np.uint32(drop_threshold(member.dropout)),
        scale=_scale(member.dropout),
        huber_delta=np.float32(member.huber_delta),
        weight_decay=np.float32(member.weight_decay),
        coupled=coupled,
        row_weights=np.empty(0, dtype=np.float32) if member.weights is None else member.weights,
    )


def _scale(rate: float) -> np.float32:
    """By which kept units grow; a rate too small for 16 random bits drops none, so nothing grows."""
    return np.float32(1 / (1 - rate) if drop_threshold(rate) else 1)


def _scratch(net: Net, batch_size: int, n_common: int) -> Scratch:
    d_in = net.widths[0]
    n_rare = batch_size * (d_in - n_common)
    words = np.empty(net.words[-1], dtype=np.uint64)

    def floats(*shape: int) -> Floats:
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
        output=floats(batch_size, 1),
        direct=floats(batch_size, 1),
    )
