"""The training step in plain torch, made to be read: all networks of a batch side by side, on any device.

`compiled_step` takes the same step faster on a CPU, by the same formulas; the tests hold it against this file.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.losses import LIKELIHOODS, huber_derivative
from houseprices.engine.mlp import BatchedMLP, backpropagate
from houseprices.engine.optimizer import BatchedAdam
from houseprices.engine.random_streams import RandomStreams
from houseprices.engine.regularization import constant, dropout, noisy_input
from houseprices.engine.specs import NetworkSpec, Plan, TrainingData

_ROWS_AT_ONCE = 8192
"""Rows that are evaluated at once: a large table needs no second copy."""


class Cancelled(Exception):  # noqa: N818  # an order that was followed, no error
    """Training was cancelled."""


class TorchStep:
    """Trains a batch of networks step by step, in place.

    Args:
        network: the initial parameters, on the device to train on.
        data: rows shared by all networks.
        specs: seeds and hyperparameters, one a network.
        plan: common to all networks.
    """

    def __init__(self, network: BatchedMLP, data: TrainingData, specs: Sequence[NetworkSpec], plan: Plan) -> None:
        self._network, self._specs, self._plan = network, specs, plan
        self._device = network.parameters.device
        self._inputs, self._targets = (
            torch.from_numpy(array).to(self._device) for array in (data.inputs, data.targets)
        )
        weights = np.ones_like(data.targets) if data.row_weights is None else data.row_weights
        self._row_weights = torch.from_numpy(weights).to(self._device)
        self._streams = [RandomStreams(spec.seed, data.training_rows, plan.batch_size) for spec in specs]
        learning_rate, weight_decay, dropout_rate, input_dropout, input_noise, huber_delta = (
            torch.tensor(self._values(name)).to(self._device)
            for name in ("learning_rate", "weight_decay", "dropout", "input_dropout", "input_noise", "huber_delta")
        )
        self._learning_rate = learning_rate
        self._dropout, self._input_dropout = dropout_rate[:, None, None], input_dropout[:, None, None]
        self._input_noise, self._huber_delta = input_noise[:, None, None], huber_delta[:, None]
        self._n_rows = constant(plan.batch_size)
        self._optimizer = BatchedAdam(
            network.parameters, weight_decay, plan.architecture.n_weights, plan.decay_kind, plan.beta2
        )

    def run(self, first: int, end: int, cancel: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1 of the plan.

        Raises:
            Cancelled: `cancel`, (1,), was set by another thread.
        """
        for step in range(first, end):
            if cancel[0]:
                raise Cancelled
            self._step(self._plan.rate_factor(step))

    def evaluate(self, index: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Compute a network's errors on rows of the table, without dropout, and the norm of its weights."""
        network = BatchedMLP(self._plan.architecture, parameters=self._network.parameters[index : index + 1])
        errors = [
            network.predict(self._inputs[block])[0] - self._targets[block] for block in torch.split(rows, _ROWS_AT_ONCE)
        ]
        return torch.cat(errors), network.weights.norm()

    def network(self) -> BatchedMLP:
        """Return the networks as they are now."""
        return self._network

    def _step(self, factor: float) -> None:
        rows = self._stacked([stream.next_rows() for stream in self._streams])
        batch = self._inputs[rows]
        if self._plan.with_noise:
            noise = [stream.input_noise(self._plan.architecture.d_in) for stream in self._streams]
            batch = noisy_input(batch, self._input_noise, self._stacked(noise))
        if any(self._values("input_dropout")):
            batch = dropout(batch, self._input_dropout, self._input_masks())
        keep_masks = self._masks() if any(self._values("dropout")) else None
        targets, weights = self._targets[rows], self._row_weights[rows]

        def derivative(output: Tensor) -> Tensor:
            if self._plan.loss in LIKELIHOODS:
                mean, log_spread = output.unbind(dim=2)
                likelihood = LIKELIHOODS[self._plan.loss]
                return torch.stack(likelihood(mean, log_spread, targets, weights, self._n_rows), dim=2)
            slope = huber_derivative(output[:, :, 0], targets, self._huber_delta, weights, self._n_rows)
            return torch.stack([slope], dim=2)

        gradient = backpropagate(self._network, batch, derivative, self._dropout, keep_masks)
        self._optimizer.step(gradient, self._learning_rate * factor)

    def _input_masks(self) -> Tensor:
        """Draw masks, (n_networks, batch_size, d_in), bool."""
        rates, d_in = self._values("input_dropout"), self._plan.architecture.d_in
        streams = zip(self._streams, rates, strict=True)
        return self._stacked([stream.input_keep_mask(d_in, rate) for stream, rate in streams])

    def _masks(self) -> list[Tensor]:
        """Draw masks, per hidden layer (n_networks, batch_size, width), bool."""
        streams = list(zip(self._streams, self._values("dropout"), strict=True))
        widths = self._plan.architecture.hidden
        return [self._stacked([stream.keep_mask(width, rate) for stream, rate in streams]) for width in widths]

    def _values(self, name: str) -> list[float]:
        """Return a hyperparameter of each network."""
        return [getattr(spec.hyperparameters, name) for spec in self._specs]

    def _stacked(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        """Stack the networks' arrays to one tensor on the device, without waiting for a GPU."""
        tensor = torch.from_numpy(np.stack(arrays))
        return tensor.pin_memory().to(self._device, non_blocking=True) if self._device.type == "cuda" else tensor
