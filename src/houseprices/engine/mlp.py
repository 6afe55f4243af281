"""A batch of multilayer perceptrons of one shape, computed side by side by batched matrix products."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from houseprices.engine.activations import NONLINEARITIES, Activation
from houseprices.engine.regularization import dropout

_MEMBERS_PREDICTED = 8
_BLOCK_ROWS, _ROWS_AT_ONCE = 64, 1024


@dataclass(frozen=True)
class Architecture:
    """The shape that all members of a batch share.

    Attributes:
        d_in: number of input columns.
        hidden: units of each hidden layer, first to last; empty for a linear network.
        activation: the hidden units' nonlinearity.
        linear_path: whether the inputs also reach the output directly, beside the hidden layers.
        n_outputs: the first one is the prediction; see `losses.N_OUTPUTS`.
    """

    d_in: int
    hidden: tuple[int, ...]
    activation: Activation
    linear_path: bool
    n_outputs: int = 1

    @property
    def weight_shapes(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of every weight matrix: hidden layers, output layer, linear path."""
        widths = [self.d_in, *self.hidden, self.n_outputs]
        layers = list(itertools.pairwise(widths))
        return layers + ([(self.d_in, self.n_outputs)] if self.linear_path and self.hidden else [])

    @property
    def n_weights(self) -> int:
        """Number of weights of one member, the part of its parameters that is decayed."""
        return sum(fan_in * fan_out for fan_in, fan_out in self.weight_shapes)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of one member; one bias a unit, the linear path shares the output's."""
        return self.n_weights + sum(self.hidden) + self.n_outputs


class BatchedMLP:
    """n_members networks in one flat tensor, a row each: first all weight matrices, then all biases.

    The flat layout lets the optimiser treat a member as one vector, and decay exactly its first n_weights entries.

    Shape:
        parameters: (n_members, n_parameters)

    >>> network = BatchedMLP(Architecture(d_in=3, hidden=(4,), activation="relu", linear_path=True), seeds=[0, 1])
    >>> network.forward(torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5, 1])
    """

    def __init__(self, architecture: Architecture, seeds: list[int] | None = None, parameters: Tensor | None = None):
        self.architecture = architecture
        if parameters is None:
            drawn = np.stack([_initial_parameters(architecture, seed) for seed in seeds or []])
            parameters = torch.from_numpy(drawn)
        self.parameters = parameters

    @property
    def weights(self) -> Tensor:
        """All weights, (n_members, n_weights): a view."""
        return self.parameters[:, : self.architecture.n_weights]

    def matrices(self) -> list[Tensor]:
        """The weight matrices, each (n_members, fan_in, fan_out): views."""
        shapes = self.architecture.weight_shapes
        flat = torch.split(self.weights, [fan_in * fan_out for fan_in, fan_out in shapes], dim=1)
        return [part.view(-1, *shape) for part, shape in zip(flat, shapes, strict=True)]

    def biases(self) -> list[Tensor]:
        """The biases of the hidden layers and of the output, each (n_members, 1, width): views."""
        widths = [*self.architecture.hidden, self.architecture.n_outputs]
        flat = torch.split(self.parameters[:, self.architecture.n_weights :], widths, dim=1)
        return [part.unsqueeze(1) for part in flat]

    def hidden_units(
        self, inputs: Tensor, dropout_rate: Tensor | None = None, keep_masks: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """The units of every hidden layer; with masks, dropout acts on each.

        Shape:
            inputs: (n_members, n_rows, d_in)
            dropout_rate: (n_members, 1, 1)
            keep_masks: per hidden layer (n_members, n_rows, width), bool
            returns: per hidden layer (n_members, n_rows, width)
        """
        activate = NONLINEARITIES[self.architecture.activation].forward
        layers: list[Tensor] = []
        values = inputs
        for layer, (matrix, bias) in enumerate(zip(self.matrices(), self.biases()[:-1], strict=False)):
            values = activate(torch.baddbmm(bias, values, matrix))
            if dropout_rate is not None and keep_masks is not None:
                values = dropout(values, dropout_rate, keep_masks[layer])
            layers.append(values)
        return layers

    def output(self, inputs: Tensor, last_hidden: Tensor) -> Tensor:
        """(n_members, n_rows, n_outputs) from the inputs and the last hidden layer's units, without one the inputs."""
        n_layers = len(self.architecture.hidden)
        matrices = self.matrices()
        output = torch.baddbmm(self.biases()[n_layers], last_hidden, matrices[n_layers])
        if len(matrices) > n_layers + 1:
            output = output + torch.bmm(inputs, matrices[n_layers + 1])
        return output

    def forward(
        self, inputs: Tensor, dropout_rate: Tensor | None = None, keep_masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Outputs of all members, (n_members, n_rows, n_outputs); the arguments are those of `hidden_units`."""
        return self.output(inputs, [inputs, *self.hidden_units(inputs, dropout_rate, keep_masks)][-1])

    def predict(self, inputs: Tensor) -> Tensor:
        """The first outputs of `outputs`, the predictions, (n_members, n_rows)."""
        return self.outputs(inputs)[:, :, 0]

    def outputs(self, inputs: Tensor) -> Tensor:
        """Outputs of all members for the same rows, without dropout and without gradients.

        A row's output has the same bits whatever rows stand beside it: products sum in another order for a handful of
        rows, so that these are filled up to full blocks.

        Shape:
            inputs: (n_rows, d_in)
            returns: (n_members, n_rows, n_outputs)
        """
        blocks_of_rows = nn.functional.pad(inputs, (0, 0, 0, -len(inputs) % _BLOCK_ROWS))
        with torch.no_grad():
            # A few members at a time: all together would need a copy of the rows for each.
            blocks = [
                BatchedMLP(self.architecture, parameters=block)
                for block in torch.split(self.parameters, _MEMBERS_PREDICTED)
            ]
            parts = [
                torch.cat([block.forward(rows.expand(len(block.parameters), -1, -1)) for block in blocks])
                for rows in torch.split(blocks_of_rows, _ROWS_AT_ONCE)
            ]
            return torch.cat(parts, dim=1)[:, : len(inputs)]


def _initial_parameters(architecture: Architecture, seed: int) -> np.ndarray:
    """One member's start, float32: normal weights whose spread is the activation's gain / sqrt(fan-in), biases zero.

    The linear path starts at zero: the hidden layers and the path then grow only as far as the data ask. So does a
    second output: at the start all rows are alike.
    """
    generator = np.random.Generator(np.random.SFC64(seed))
    gain = NONLINEARITIES[architecture.activation].gain
    n_layers = len(architecture.hidden)
    parts = []
    for layer, (fan_in, fan_out) in enumerate(architecture.weight_shapes):
        weights = np.zeros((fan_in, fan_out), dtype=np.float32)
        if layer < n_layers:
            weights += gain / math.sqrt(fan_in) * generator.standard_normal(weights.shape, dtype=np.float32)
        elif layer == n_layers and n_layers:
            weights[:, 0] = generator.standard_normal(fan_in, dtype=np.float32) / math.sqrt(fan_in)
        parts.append(weights.ravel())
    parts.append(np.zeros(architecture.n_parameters - architecture.n_weights, dtype=np.float32))
    return np.concatenate(parts)
