"""Forward and backward through a batch of members by hand, into memory that every step uses again.

The same mathematics as `BatchedMLP.forward` under automatic differentiation, which the tests hold it against; it is
faster because nothing is allocated, recorded or computed twice.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from houseprices.engine.elementwise import activate_and_drop_, backpropagate_activation_
from houseprices.engine.mlp import BatchedMLP


def loss_derivative_(output: Tensor, targets: Tensor, huber_delta: Tensor | None = None) -> Tensor:
    """The derivative of each member's mean loss by its outputs, 2 (output - target) / n_rows, in place.

    With a delta the loss is Huber's (1964), twice: e^2 for an error |e| <= delta, 2 delta |e| - delta^2 beyond, so
    that the derivative grows no further.

    Shape:
        output: (n_members, n_rows, 1)
        targets: (n_members, n_rows)
        huber_delta: (n_members,), > 0; None for the squared error
        returns: output
    """
    error = output.sub_(targets.unsqueeze(2))
    if huber_delta is not None:
        torch.clamp(error, -huber_delta[:, None, None], huber_delta[:, None, None], out=error)
    return error.mul_(2 / targets.shape[1])


class Backpropagation:
    """Gradients of the sum over members of each member's mean loss.

    With h_0 the inputs, a_l = activate(h_{l-1} W_l + b_l) and h_l = m_l * a_l, where m_l is the scaled dropout mask,
    the prediction is h_L v + x w + c. From the loss's derivative d by the prediction backward:

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
        self._activation = network.architecture.activation
        self._matrices, self._biases = network.matrices(), network.biases()
        self._n_layers = len(network.architecture.hidden)
        self.gradient = torch.zeros_like(network.parameters)
        gradients = BatchedMLP(network.architecture, parameters=self.gradient)
        self._matrix_gradients, self._bias_gradients = gradients.matrices(), gradients.biases()

        def layers() -> list[Tensor]:
            widths = network.architecture.hidden
            return [torch.empty(n_members, n_rows, width, device=device) for width in widths]

        self._hidden, self._deltas = layers(), layers()
        self._output = torch.empty(n_members, n_rows, 1, device=device)

    def __call__(
        self,
        inputs: Tensor,
        targets: Tensor,
        rate: Tensor,
        keep_masks: list[Tensor] | None,
        weights: Tensor | None = None,
        huber_delta: Tensor | None = None,
    ) -> Tensor:
        """Compute and return `gradient`, laid out as the network's parameters; the next call overwrites it.

        Shape:
            inputs: (n_members, n_rows, d_in)
            targets: (n_members, n_rows)
            rate: (n_members,), of dropout
            keep_masks: per hidden layer (n_members, n_rows, width), bool; None without dropout
            weights: of the rows' losses, (n_members, n_rows); None for 1 each
            huber_delta: see `loss_derivative_`
            returns: (n_members, n_parameters)
        """
        last = self._n_layers
        masks: Sequence[Tensor | None] = keep_masks or [None] * last
        hidden = [inputs, *self._hidden]
        for layer in range(last):
            torch.baddbmm(self._biases[layer], hidden[layer], self._matrices[layer], out=hidden[layer + 1])
            activate_and_drop_(hidden[layer + 1], self._activation, rate, masks[layer])
        self._predict(inputs, hidden[last])
        delta = loss_derivative_(self._output, targets, huber_delta)
        if weights is not None:
            delta.mul_(weights.unsqueeze(2))
        if len(self._matrices) > last + 1:
            torch.bmm(inputs.transpose(1, 2), delta, out=self._matrix_gradients[last + 1])
        for layer in range(last, -1, -1):
            torch.bmm(hidden[layer].transpose(1, 2), delta, out=self._matrix_gradients[layer])
            torch.sum(delta, dim=1, keepdim=True, out=self._bias_gradients[layer])
            if layer > 0:
                below = self._deltas[layer - 1]
                above = self._matrices[layer].transpose(1, 2)
                # With one column the product is an outer one, for which bmm takes eight times as long.
                torch.mul(delta, above, out=below) if delta.shape[2] == 1 else torch.bmm(delta, above, out=below)
                backpropagate_activation_(below, hidden[layer], self._activation, rate, masks[layer - 1])
                delta = below
        return self.gradient

    def _predict(self, inputs: Tensor, hidden: Tensor) -> None:
        """The output layer and the linear path, member by member: bmm takes four times as long over single columns."""
        last = self._n_layers
        for member, output in enumerate(self._output):
            torch.addmm(self._biases[last][member], hidden[member], self._matrices[last][member], out=output)
            if len(self._matrices) > last + 1:
                output.addmm_(inputs[member], self._matrices[last + 1][member])
