"""The passes of a training step beside its matrix products, in plain torch."""

import torch
from torch import Tensor

from houseprices.engine.mlp import Activation
from houseprices.engine.regularization import add_l2_gradient_, decay_weights_, inverted_mask

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def gather_rows_(batch: Tensor, inputs: Tensor, rows: Tensor, noise: list[Tensor] | None, noise_std: Tensor) -> None:
    """Fill the batch with each member's rows of the inputs, plus its noise.

    An input of zero stays zero: mostly it is a level that the row has not. So a product may leave it out.

    Shape:
        batch: (n_members, n_batch, d_in), changed in place
        inputs: (n_rows, d_in)
        rows: (n_members, n_batch), int64
        noise: per member (n_batch, d_in), standard normal
        noise_std: (n_members,)
    """
    torch.index_select(inputs, 0, rows.view(-1), out=batch.view(-1, inputs.shape[1]))
    if noise is not None:
        batch.addcmul_(torch.stack(noise).mul_(batch != 0), noise_std[:, None, None])


def activate_and_drop_(values: Tensor, activation: Activation, rate: Tensor, keep_mask: Tensor | None) -> None:
    """Values before the activation -> hidden units after activation and dropout.

    Shape:
        values: (n_members, n_batch, width), changed in place
        rate: (n_members,)
        keep_mask: like values, bool; None without dropout
    """
    values.relu_() if activation == "relu" else values.tanh_()
    if keep_mask is not None:
        drop_(values, rate, keep_mask)


def drop_(values: Tensor, rate: Tensor, keep_mask: Tensor) -> None:
    """Dropout in place; the shapes are those of `activate_and_drop_`."""
    values.mul_(inverted_mask(rate, keep_mask, check=False))


def backpropagate_activation_(
    delta: Tensor, hidden: Tensor, activation: Activation, rate: Tensor, keep_mask: Tensor | None
) -> None:
    """The loss's derivative by the hidden units -> its derivative by the values before activation and dropout.

    Shape:
        delta: (n_members, n_batch, width), changed in place
        hidden: like delta, as `activate_and_drop_` left it
        rate, keep_mask: as there
    """
    if keep_mask is not None:
        delta.mul_(inverted_mask(rate, keep_mask, check=False))
    if activation == "relu":
        delta.mul_(hidden > 0)
    else:
        # tanh' = 1 - tanh^2; hidden is tanh / (1 - rate) where it is kept.
        tanh = hidden if keep_mask is None else hidden * (1 - rate)[:, None, None]
        delta.mul_(1 - tanh.square())


def adam_step_(
    parameters: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    learning_rate: Tensor,
    weight_decay: Tensor,
    *,
    n_weights: int,
    n_steps: int,
    coupled: bool,
) -> None:
    """Step number n_steps (from 1) of Adam (Kingma and Ba 2015), with weight decay on the first n_weights parameters.

    Shape:
        parameters, mean, square: (n_members, n_parameters), changed in place
        gradient: (n_members, n_parameters), left undefined
        learning_rate, weight_decay: (n_members,)
    """
    weights = parameters[:, :n_weights]
    if coupled:
        add_l2_gradient_(gradient[:, :n_weights], weights, weight_decay, check=False)
    else:
        decay_weights_(weights, weight_decay, learning_rate, check=False)
    mean.lerp_(gradient, 1 - BETA_1)
    square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
    # Both averages start at zero; these factors take that bias out.
    size = (square / (1 - BETA_2**n_steps)).sqrt_().add_(EPSILON)
    rate = learning_rate / (1 - BETA_1**n_steps)
    parameters.sub_((mean / size).mul_(rate.unsqueeze(1)))
