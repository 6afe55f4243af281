"""The gradient of a batch of members by hand; the tests hold it against automatic differentiation."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from houseprices.engine.activations import NONLINEARITIES
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.regularization import dropout, undo_dropout


def backpropagate(
    network: BatchedMLP,
    inputs: Tensor,
    loss_derivative: Callable[[Tensor], Tensor],
    dropout_rate: Tensor,
    keep_masks: Sequence[Tensor] | None,
) -> Tensor:
    """The gradient of the sum over members of each member's loss, laid out as the network's parameters.

    With h_0 the inputs, a_l = activate(h_{l-1} W_l + b_l) and h_l = m_l * a_l, where m_l is the scaled dropout mask,
    the outputs are h_L v + x w + c. From the loss's derivative d by them backward:

        grad v = h_L' d,   grad w = x' d,   grad c = sum d
        d_L = (d v') * m_L * activate'(a_L),   grad W_l = h_{l-1}' d_l,   grad b_l = sum d_l
        d_{l-1} = (d_l W_l') * m_{l-1} * activate'(a_{l-1})

    Shape:
        inputs: (n_members, n_rows, d_in)
        loss_derivative: of the outputs, (n_members, n_rows, n_outputs), to the losses' derivatives by them
        dropout_rate: (n_members, 1, 1)
        keep_masks: per hidden layer (n_members, n_rows, width), bool; None without dropout
        returns: (n_members, n_parameters)
    """
    units = network.hidden_units(inputs, dropout_rate, keep_masks)
    layers, matrices, last = [inputs, *units], network.matrices(), len(units)
    delta = loss_derivative(network.output(inputs, layers[-1]))
    of_matrices: list[Tensor] = [torch.bmm(inputs.transpose(1, 2), delta)] if len(matrices) > last + 1 else []
    of_biases: list[Tensor] = []
    for layer in range(last, -1, -1):
        of_matrices.insert(0, torch.bmm(layers[layer].transpose(1, 2), delta))
        of_biases.insert(0, delta.sum(dim=1))
        if layer > 0:
            delta = torch.bmm(delta, matrices[layer].transpose(1, 2))
            unit = layers[layer]
            if keep_masks is not None:
                delta = dropout(delta, dropout_rate, keep_masks[layer - 1])
                unit = undo_dropout(unit, dropout_rate)
            delta = NONLINEARITIES[network.architecture.activation].backward(delta, unit)
    return torch.cat([gradient.flatten(1) for gradient in (*of_matrices, *of_biases)], dim=1)
