"""A batch of multilayer perceptrons of one shape: forward pass, backpropagation and prediction by batched products."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from houseprices.engine.activations import NONLINEARITIES, Activation
from houseprices.engine.regularization import dropout, undo_dropout

_NETWORKS_AT_ONCE = 8
_BLOCK_ROWS, _ROWS_AT_ONCE = 64, 1024


@dataclass(frozen=True)
class Architecture:
    """Shape of all networks of a batch.

    Attributes:
        d_in: number of input columns.
        hidden: units of each hidden layer, first to last; empty for a linear network.
        activation: nonlinearity of the hidden units.
        linear_path: connects the inputs directly to the output as well.
        n_outputs: the first output is the prediction; see `losses.N_OUTPUTS`.
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
        """Number of weights of one network, the part of its parameters that is decayed."""
        return sum(fan_in * fan_out for fan_in, fan_out in self.weight_shapes)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of one network; the linear path shares the bias of the output."""
        return self.n_weights + sum(self.hidden) + self.n_outputs


class BatchedMLP:
    """Networks in one flat tensor, a row each: first all weight matrices, then all biases.

    The flat layout lets the optimiser treat a network as one vector and decay exactly its first n_weights entries.

    Shape:
        parameters: (n_networks, n_parameters)

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
        """All weights, (n_networks, n_weights): a view."""
        return self.parameters[:, : self.architecture.n_weights]

    def matrices(self) -> list[Tensor]:
        """The weight matrices, each (n_networks, fan_in, fan_out): views."""
        shapes = self.architecture.weight_shapes
        flat = torch.split(self.weights, [fan_in * fan_out for fan_in, fan_out in shapes], dim=1)
        return [part.view(-1, *shape) for part, shape in zip(flat, shapes, strict=True)]

    def biases(self) -> list[Tensor]:
        """The biases of the hidden layers and of the output, each (n_networks, 1, width): views."""
        widths = [*self.architecture.hidden, self.architecture.n_outputs]
        flat = torch.split(self.parameters[:, self.architecture.n_weights :], widths, dim=1)
        return [part.unsqueeze(1) for part in flat]

    def hidden_units(
        self, inputs: Tensor, dropout_rate: Tensor | None = None, keep_masks: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """Compute the units of every hidden layer, with dropout if there are masks.

        Shape:
            inputs: (n_networks, n_rows, d_in)
            dropout_rate: (n_networks, 1, 1)
            keep_masks: per hidden layer (n_networks, n_rows, width), bool
            returns: per hidden layer (n_networks, n_rows, width)
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
        """Compute (n_networks, n_rows, n_outputs) from the inputs and the last hidden layer (or the inputs again)."""
        n_layers = len(self.architecture.hidden)
        matrices = self.matrices()
        output = torch.baddbmm(self.biases()[n_layers], last_hidden, matrices[n_layers])
        if len(matrices) > n_layers + 1:
            output = output + torch.bmm(inputs, matrices[n_layers + 1])
        return output

    def forward(
        self, inputs: Tensor, dropout_rate: Tensor | None = None, keep_masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Compute the outputs, (n_networks, n_rows, n_outputs); the arguments are those of `hidden_units`."""
        return self.output(inputs, [inputs, *self.hidden_units(inputs, dropout_rate, keep_masks)][-1])

    def predict(self, inputs: Tensor) -> Tensor:
        """Compute the predictions, (n_networks, n_rows): the first of the `outputs`."""
        return self.outputs(inputs)[:, :, 0]

    def outputs(self, inputs: Tensor) -> Tensor:
        """Compute the outputs of all networks for the same rows, without dropout and without gradients.

        The output of a row has the same bits whatever rows stand beside it: BLAS sums in another order for a handful
        of rows, so the rows are padded to full blocks.

        Shape:
            inputs: (n_rows, d_in)
            returns: (n_networks, n_rows, n_outputs)
        """
        padded_rows = nn.functional.pad(inputs, (0, 0, 0, -len(inputs) % _BLOCK_ROWS))
        with torch.no_grad():
            # A few networks at a time: all together would need a copy of the rows for each.
            blocks = [
                BatchedMLP(self.architecture, parameters=block)
                for block in torch.split(self.parameters, _NETWORKS_AT_ONCE)
            ]
            parts = [
                torch.cat([block.forward(rows.expand(len(block.parameters), -1, -1)) for block in blocks])
                for rows in torch.split(padded_rows, _ROWS_AT_ONCE)
            ]
            return torch.cat(parts, dim=1)[:, : len(inputs)]


def backpropagate(
    network: BatchedMLP,
    inputs: Tensor,
    loss_derivative: Callable[[Tensor], Tensor],
    dropout_rate: Tensor,
    keep_masks: Sequence[Tensor] | None,
) -> Tensor:
    """Compute the gradient of the sum of the networks' losses, laid out as the parameters.

    With h_0 the inputs, a_l = activate(h_{l-1} W_l + b_l) and h_l = m_l * a_l, where m_l is the scaled dropout mask,
    the outputs are h_L v + x w + c. From d, the derivative of the loss by the outputs, backward:

        grad v = h_L' d,   grad w = x' d,   grad c = sum d
        d_L = (d v') * m_L * activate'(a_L),   grad W_l = h_{l-1}' d_l,   grad b_l = sum d_l
        d_{l-1} = (d_l W_l') * m_{l-1} * activate'(a_{l-1})

    Shape:
        inputs: (n_networks, n_rows, d_in)
        loss_derivative: maps outputs, (n_networks, n_rows, n_outputs), to the derivative of the loss by them
        dropout_rate: (n_networks, 1, 1)
        keep_masks: per hidden layer (n_networks, n_rows, width), bool; None without dropout
        returns: (n_networks, n_parameters)
    """
    units = network.hidden_units(inputs, dropout_rate, keep_masks)
    layers, matrices, last = [inputs, *units], network.matrices(), len(units)
    delta = loss_derivative(network.output(inputs, layers[-1]))
    matrix_gradients = [torch.bmm(inputs.transpose(1, 2), delta)] if len(matrices) > last + 1 else []
    bias_gradients: list[Tensor] = []
    for layer in range(last, -1, -1):
        matrix_gradients.insert(0, torch.bmm(layers[layer].transpose(1, 2), delta))
        bias_gradients.insert(0, delta.sum(dim=1))
        if layer > 0:
            delta = torch.bmm(delta, matrices[layer].transpose(1, 2))
            unit = layers[layer]
            if keep_masks is not None:
                delta = dropout(delta, dropout_rate, keep_masks[layer - 1])
                unit = undo_dropout(unit, dropout_rate)
            delta = NONLINEARITIES[network.architecture.activation].backward(delta, unit)
    return torch.cat([gradient.flatten(1) for gradient in (*matrix_gradients, *bias_gradients)], dim=1)


def _initial_parameters(architecture: Architecture, seed: int) -> np.ndarray:
    """Draw the initial parameters of one network, float32: normal weights with standard deviation gain / sqrt(fan-in).

    Biases start at zero. So does the linear path, and with it the second output: at the start all rows are alike.
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
