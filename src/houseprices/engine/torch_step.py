"""The training step in plain torch, to be read: all members side by side, on any device.

`compiled_step` takes the same step faster on a CPU, by the same formulas; the tests hold it against this file.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.backpropagation import backpropagate
from houseprices.engine.losses import LIKELIHOODS, huber_derivative
from houseprices.engine.members import Member, Plan, Stopped
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.optimizer import BatchedAdam, schedule_factor
from houseprices.engine.random_streams import RandomStreams
from houseprices.engine.regularization import constant, dropout

_ROWS_AT_ONCE = 8192
"""Rows that are copied out of the table at once, that a large one needs no second copy."""


class TorchStep:
    """Trains a network step by step, in place.

    Args:
        network: one member a row, on the device of the inputs.
        inputs: (n_rows, d_in) float32, shared by all members.
        targets: (n_rows,) float32.
        members: what may differ between them.
        plan: what they share.
    """

    def __init__(
        self, network: BatchedMLP, inputs: Tensor, targets: Tensor, members: Sequence[Member], plan: Plan
    ) -> None:
        self._network, self._inputs, self._targets, self._plan = network, inputs, targets, plan
        self._device, self._members = inputs.device, members
        self._streams = [RandomStreams(member.seed, member.rows, plan.batch_size) for member in members]
        self._learning_rate, weight_decay, dropout_rate, input_dropout, huber_delta = (
            torch.tensor([getattr(member.hyperparameters, name) for member in members]).to(self._device)
            for name in ("learning_rate", "weight_decay", "dropout", "input_dropout", "huber_delta")
        )
        self._dropout, self._input_dropout = dropout_rate[:, None, None], input_dropout[:, None, None]
        self._huber_delta = huber_delta[:, None]
        self._n_rows = constant(plan.batch_size)
        self._optimizer = BatchedAdam(network.parameters, weight_decay, plan.architecture.n_weights, plan.decay_kind)
        self._row_weights = None
        if any(member.weights is not None for member in members):
            even = np.ones(len(targets), dtype=np.float32)
            of_members = [even if member.weights is None else member.weights for member in members]
            self._row_weights = torch.from_numpy(np.stack(of_members)).to(self._device)

    def run(self, first: int, end: int, stop: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1 of the plan.

        Raises:
            Stopped: `stop`, (1,), was set by another thread.
        """
        for step in range(first, end):
            if stop[0]:
                raise Stopped
            self._step(schedule_factor(self._plan.schedule, step, self._plan.n_steps))

    def evaluate(self, member: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A member's errors on rows of the table, without dropout, and the norm of its weights."""
        one = BatchedMLP(self._plan.architecture, parameters=self._network.parameters[member : member + 1])
        some_at_once = torch.split(rows, _ROWS_AT_ONCE)
        errors = [one.predict(self._inputs[some])[0] - self._targets[some] for some in some_at_once]
        return torch.cat(errors), one.weights.norm()

    def network(self) -> BatchedMLP:
        """All members as they are now."""
        return self._network

    def _step(self, factor: float) -> None:
        rows = self._stacked([stream.next_rows() for stream in self._streams])
        batch = self._inputs[rows]
        if any(member.hyperparameters.input_dropout for member in self._members):
            batch = dropout(batch, self._input_dropout, self._input_masks())
        keep_masks = self._masks() if any(member.hyperparameters.dropout for member in self._members) else None
        targets = self._targets[rows]
        weights = torch.ones_like(targets) if self._row_weights is None else self._row_weights.gather(1, rows)

        def derivative(output: Tensor) -> Tensor:
            if self._plan.loss in LIKELIHOODS:
                mean, log_spread = output.unbind(dim=2)
                by_outputs = LIKELIHOODS[self._plan.loss](mean, log_spread, targets, weights, self._n_rows)
                return torch.stack(by_outputs, dim=2)
            return huber_derivative(output[:, :, 0], targets, self._huber_delta, weights, self._n_rows)[:, :, None]

        gradient = backpropagate(self._network, batch, derivative, self._dropout, keep_masks)
        self._optimizer.step(gradient, self._learning_rate * factor)

    def _input_masks(self) -> Tensor:
        """(n_members, batch_size, d_in), bool."""
        rates = [member.hyperparameters.input_dropout for member in self._members]
        width = self._plan.architecture.d_in
        return self._stacked([of.input_keep_mask(width, rate) for of, rate in zip(self._streams, rates, strict=True)])

    def _masks(self) -> list[Tensor]:
        """Per hidden layer (n_members, batch_size, width), bool."""
        rates = [member.hyperparameters.dropout for member in self._members]
        return [
            self._stacked([of.keep_mask(width, rate) for of, rate in zip(self._streams, rates, strict=True)])
            for width in self._plan.architecture.hidden
        ]

    def _stacked(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        """The members' arrays as one tensor on the device; a GPU is not waited for."""
        tensor = torch.from_numpy(np.stack(arrays))
        return tensor.pin_memory().to(self._device, non_blocking=True) if self._device.type == "cuda" else tensor
