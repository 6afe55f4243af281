"""Forward and backward through a batch of members by hand, into memory that every step uses again.

The same mathematics as `BatchedMLP.forward` under automatic differentiation, which the tests hold it against; it is
faster because nothing is allocated, recorded or computed twice.
"""

import torch
from torch import Tensor

from houseprices.mlp import BatchedMLP


class Backpropagation:
    """Gradients of the sum over members of each member's mean squared error.

    With h_0 the inputs, a_l = activate(h_{l-1} W_l + b_l) and h_l = m_l * a_l, where m_l is the scaled dropout mask,
    the prediction is h_L v + x w + c. From the error's derivative d = 2 (prediction - target) / n_rows backward:

        grad v = h_L' d,   grad w = x' d,   grad c = sum d
        d_L = (d v') * m_L * activate'(a_L),   grad W_l = h_{l-1}' d_l,   grad b_l = sum d_l
        d_{l-1} = (d_l W_l') * m_{l-1} * activate'(a_{l-1})

    Args:
        network: its parameters are read at each call; they may change in place.
        n_rows: rows of a batch.
    """

    def __init__(self, network: BatchedMLP, n_rows: int) -> None:
        n_members = len(network.parameters)
        device = network.parameters.device
        self._is_relu = network.architecture.activation == "relu"
        self._matrices, self._biases = network.matrices(), network.biases()
        self._n_layers = len(network.architecture.hidden)
        self.gradient = torch.zeros_like(network.parameters)
        gradients = BatchedMLP(network.architecture, parameters=self.gradient)
        self._matrix_gradients, self._bias_gradients = gradients.matrices(), gradients.biases()

        def layers() -> list[Tensor]:
            widths = network.architecture.hidden
            return [torch.empty(n_members, n_rows, width, device=device) for width in widths]

        self._activations, self._deltas, self._dropped = layers(), layers(), layers()
        self._output = torch.empty(n_members, n_rows, 1, device=device)

    def __call__(
        self, inputs: Tensor, targets: Tensor, masks: list[Tensor] | None, weights: Tensor | None = None
    ) -> Tensor:
        """Compute and return `gradient`, laid out as the network's parameters; the next call overwrites it.

        Shape:
            inputs: (n_members, n_rows, d_in)
            targets: (n_members, n_rows)
            masks: per hidden layer (n_members, n_rows, width): 0 for a dropped unit, else 1 / (1 - rate); or None
            weights: of the rows' squared errors, (n_members, n_rows); None for 1 each
            returns: (n_members, n_parameters)
        """
        last = self._n_layers
        hidden = [inputs]
        for layer, activation in enumerate(self._activations):
            torch.baddbmm(self._biases[layer], hidden[-1], self._matrices[layer], out=activation)
            activation.relu_() if self._is_relu else activation.tanh_()
            if masks is None:
                hidden.append(activation)
            else:
                hidden.append(torch.mul(activation, masks[layer], out=self._dropped[layer]))
        torch.baddbmm(self._biases[last], hidden[-1], self._matrices[last], out=self._output)
        if len(self._matrices) > last + 1:
            self._output.baddbmm_(inputs, self._matrices[last + 1])

        delta = self._output.sub_(targets.unsqueeze(2)).mul_(2 / targets.shape[1])
        if weights is not None:
            delta.mul_(weights.unsqueeze(2))
        if len(self._matrices) > last + 1:
            torch.bmm(inputs.transpose(1, 2), delta, out=self._matrix_gradients[last + 1])
        for layer in range(last, -1, -1):
            torch.bmm(hidden[layer].transpose(1, 2), delta, out=self._matrix_gradients[layer])
            torch.sum(delta, dim=1, keepdim=True, out=self._bias_gradients[layer])
            if layer > 0:
                below, activation = self._deltas[layer - 1], self._activations[layer - 1]
                torch.bmm(delta, self._matrices[layer].transpose(1, 2), out=below)
                if masks is not None:
                    below.mul_(masks[layer - 1])
                if self._is_relu:
                    torch.ops.aten.threshold_backward.grad_input(below, activation, 0, grad_input=below)
                else:
                    torch.ops.aten.tanh_backward.grad_input(below, activation, grad_input=below)
                delta = below
        return self.gradient
