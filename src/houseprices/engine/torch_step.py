"""The training steps in plain torch: all members side by side, on any device.

`compiled_steps.py` takes the same steps faster on a CPU; the tests hold it against this file.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.engine.backpropagation import Backpropagation
from houseprices.engine.elementwise import drop_, gather_rows_
from houseprices.engine.members import Member, Plan, Stopped
from houseprices.engine.mlp import Architecture, BatchedMLP
from houseprices.engine.optimizer import BatchedAdam, schedule_factor
from houseprices.engine.random_streams import MemberStream

_ROWS_COPIED = 8192
"""Rows that are copied out of the table at once, that a large one needs no second copy."""


class PlainSteps:
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
        device, architecture = inputs.device, network.architecture
        self._inputs, self._targets, self._plan = inputs, targets, plan
        self._network, self._d_in = network, architecture.d_in
        self._streams = [MemberStream(member.seed, member.rows, plan.batch_size) for member in members]
        names = ("learning_rate", "weight_decay", "dropout", "input_noise", "input_dropout", "huber_delta")
        settings = torch.tensor([[getattr(member, name) for member in members] for name in names]).to(device)
        self._top_rate, weight_decay, self._dropout, self._noise_std, self._input_dropout, huber_delta = settings
        self._with_noise = any(member.input_noise for member in members)
        self._with_dropout = any(member.dropout for member in members)
        self._with_input_dropout = any(member.input_dropout for member in members)
        self._huber_delta = None if all(member.huber_delta == math.inf for member in members) else huber_delta
        self._optimizer = BatchedAdam(network.parameters, weight_decay, architecture.n_weights, plan.decay_kind)
        self._backpropagate = Backpropagation(network, plan.batch_size)
        self._batch = torch.empty(len(members), plan.batch_size, architecture.d_in, device=device)
        self._masks = _Masks(self._streams, members, plan.batch_size, architecture, device)
        self._weights = None
        if any(member.weights is not None for member in members):
            even = np.ones(len(targets), dtype=np.float32)
            of_members = [even if member.weights is None else member.weights for member in members]
            self._weights = torch.from_numpy(np.stack(of_members)).to(device)

    def take(self, first: int, end: int, stop: NDArray[np.bool_]) -> None:
        """Take the steps first .. end - 1 of the plan.

        Raises:
            Stopped: `stop`, (1,), was set by another thread.
        """
        n_steps = self._plan.n_epochs * self._plan.steps_per_epoch
        for step in range(first, end):
            if stop[0]:
                raise Stopped
            self._step(schedule_factor(self._plan.schedule, step, n_steps))

    def look(self, member: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A member's errors on rows of the table, without noise and dropout, and the norm of its weights."""
        one = BatchedMLP(self._network.architecture, parameters=self._network.parameters[member : member + 1])
        some_at_once = torch.split(rows, _ROWS_COPIED)
        errors = [one.predict(self._inputs[some])[0] - self._targets[some] for some in some_at_once]
        return torch.cat(errors), one.weights.norm()

    def network(self) -> BatchedMLP:
        """All members as they are now."""
        return self._network

    def _step(self, factor: float) -> None:
        device = self._inputs.device
        rows = _on_device(np.stack([stream.next_rows() for stream in self._streams]), device)
        noise = None
        if self._with_noise:
            noise = [_on_device(stream.input_noise(self._d_in), device) for stream in self._streams]
        gather_rows_(self._batch, self._inputs, rows, noise, self._noise_std)
        if self._with_input_dropout:
            drop_(self._batch, self._input_dropout, self._masks.of_inputs())
        keep_masks = self._masks.of_hidden() if self._with_dropout else None
        weights = None if self._weights is None else self._weights.gather(1, rows)
        gradient = self._backpropagate(
            self._batch, self._targets[rows], self._dropout, keep_masks, weights, self._huber_delta
        )
        self._optimizer.step(gradient, self._top_rate * factor)


class _Masks:
    """Draws the dropout masks of a step, always into the same memory."""

    def __init__(
        self,
        streams: list[MemberStream],
        members: Sequence[Member],
        batch_size: int,
        architecture: Architecture,
        device: torch.device,
    ) -> None:
        self._streams, self._members, self._device = streams, members, device
        of_inputs, *of_hidden = (
            np.empty((len(members), batch_size, width), dtype=np.bool_)
            for width in (architecture.d_in, *architecture.hidden)
        )
        self._of_inputs, self._of_hidden = of_inputs, of_hidden

    def of_hidden(self) -> list[Tensor]:
        """Per hidden layer (n_members, batch_size, width), bool; the next call overwrites it."""
        for masks in self._of_hidden:
            for stream, member, mask in zip(self._streams, self._members, masks, strict=True):
                stream.keep_mask(mask.shape[1], member.dropout, out=mask)
        return [_on_device(masks, self._device) for masks in self._of_hidden]

    def of_inputs(self) -> Tensor:
        """(n_members, batch_size, d_in), bool; the next call overwrites it."""
        for stream, member, mask in zip(self._streams, self._members, self._of_inputs, strict=True):
            stream.input_keep_mask(mask.shape[1], member.input_dropout, out=mask)
        return _on_device(self._of_inputs, self._device)


def _on_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """The array as a tensor there; a GPU is not waited for. On a CPU it shares the array's memory."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
