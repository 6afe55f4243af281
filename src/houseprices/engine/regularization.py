"""Weight decay and dropout, written out: the two regularisers that every member of the engine carries.

Both act on a batch of members at once; each member has its own strength. Biases are never decayed: a bias moves a
unit's threshold and adds no curvature, so that shrinking it costs fit and buys nothing.

A check makes a GPU wait for its result, so the engine checks its members once and turns it off in the steps.
"""

import torch
from torch import Tensor


def l2_penalty(weights: Tensor, weight_decay: Tensor) -> Tensor:
    """Half the squared L2 norm of each member's weights times its weight decay, to be added to its loss.

    Its gradient is weight_decay * weights: "coupled" decay, as in Dive into Deep Learning, sec. 3.7. Under Adam that
    gradient is divided by the gradients' running size, so that weights with large gradients are decayed less.

    Shape:
        weights: (n_members, n_weights)
        weight_decay: (n_members,), >= 0
        returns: (n_members,)

    >>> l2_penalty(torch.tensor([[3.0, 4.0]]), torch.tensor([0.1]))
    tensor([1.2500])
    """
    _require(bool((weight_decay >= 0).all()), "weight_decay", "in [0, inf)", weight_decay)
    return 0.5 * weight_decay * weights.square().sum(dim=1)


def add_l2_gradient_(gradient: Tensor, weights: Tensor, weight_decay: Tensor, *, check: bool = True) -> Tensor:
    """Add the gradient of `l2_penalty`, weight_decay * weights, to the gradient of the loss, in place.

    Shape:
        gradient: (n_members, n_weights), changed in place
        weights: (n_members, n_weights)
        weight_decay: (n_members,), >= 0; checked unless `check` is off
        returns: gradient

    >>> add_l2_gradient_(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([0.5]))
    tensor([[1.5000, 2.0000]])
    """
    if check:
        _require(bool((weight_decay >= 0).all()), "weight_decay", "in [0, inf)", weight_decay)
    return gradient.addcmul_(weights, weight_decay.unsqueeze(1))


def decay_weights_(weights: Tensor, weight_decay: Tensor, learning_rate: Tensor, *, check: bool = True) -> Tensor:
    """Shrink each member's weights in place by the factor 1 - learning_rate * weight_decay: "decoupled" decay.

    The decay of AdamW (Loshchilov and Hutter 2019): it bypasses Adam's division by the gradients' running size, so
    that all weights shrink at the same rate.

    Shape:
        weights: (n_members, n_weights), changed in place
        weight_decay: (n_members,), >= 0; checked unless `check` is off
        learning_rate: (n_members,), of this step
        returns: weights

    >>> decay_weights_(torch.tensor([[1.0, -2.0]]), torch.tensor([0.5]), torch.tensor([0.1]))
    tensor([[ 0.9500, -1.9000]])
    """
    if check:
        _require(bool((weight_decay >= 0).all()), "weight_decay", "in [0, inf)", weight_decay)
    return weights.mul_((1 - learning_rate * weight_decay).unsqueeze(1))


def dropout(hidden: Tensor, rate: Tensor, keep_mask: Tensor) -> Tensor:
    """Inverted dropout: zero the units that `keep_mask` drops and scale the rest by 1 / (1 - rate).

    Scaling in training keeps each unit's expectation, so prediction needs no change (Srivastava et al. 2014, sec. 10,
    scale at prediction instead; the two agree in expectation).

    Shape:
        hidden: (n_members, n_rows, d_hidden)
        rate: (n_members,), in [0, 1]; a member at 1 outputs zeros
        keep_mask: like hidden, bool
        returns: like hidden

    Raises:
        ValueError: a rate is outside [0, 1] or NaN.

    >>> dropout(torch.ones(1, 1, 2), torch.tensor([0.5]), torch.tensor([[[True, False]]]))
    tensor([[[2., 0.]]])
    """
    return hidden * inverted_mask(rate, keep_mask)


def inverted_mask(rate: Tensor, keep_mask: Tensor, *, check: bool = True) -> Tensor:
    """What `dropout` multiplies by, forward and backward: 0 for a dropped unit, else 1 / (1 - rate).

    Shape:
        rate: (n_members,), in [0, 1]; checked unless `check` is off
        keep_mask: (n_members, n_rows, d_hidden), bool
        returns: like keep_mask, of rate's dtype

    Raises:
        ValueError: a rate is outside [0, 1] or NaN.

    >>> inverted_mask(torch.tensor([0.2]), torch.tensor([[[True, False]]]))
    tensor([[[1.2500, 0.0000]]])
    """
    if check:
        _require(bool(((rate >= 0) & (rate <= 1)).all()), "dropout rate", "in [0, 1]", rate)
    # At rate 1 every unit is dropped, and any finite scale will do.
    scale = torch.where(rate < 1, 1 / (1 - rate), 0.0)
    return keep_mask * scale[:, None, None]


def _require(holds: bool, name: str, accepted: str, values: Tensor) -> None:
    if not holds:
        raise ValueError(f"{name} must be {accepted}, got {values.tolist()}")
