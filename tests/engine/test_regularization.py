import math

import torch

from houseprices.engine.regularization import (
    coupled_decay,
    dropout,
    l2_penalty,
    noisy_input,
    undo_dropout,
)


def test_the_gradient_added_is_the_penaltys_own():
    weights = torch.randn(3, 7, dtype=torch.float64, requires_grad=True)
    decay = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    (expected,) = torch.autograd.grad(l2_penalty(weights, decay).sum(), weights)
    start = torch.randn(3, 7, dtype=torch.float64)
    torch.testing.assert_close(coupled_decay(start, weights.detach(), decay[:, None]), start + expected)


def test_dropout_equals_torchs_where_torch_kept_the_same_units():
    hidden = torch.rand(2, 50, 40) + 0.1
    theirs = torch.nn.functional.dropout(hidden, 0.3, training=True)
    torch.testing.assert_close(dropout(hidden, torch.tensor(0.3), theirs != 0), theirs)


def test_dropout_keeps_the_expectation():
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand(1, 200_000, 1, generator=generator) >= 0.4
    mean = dropout(torch.ones(1, 200_000, 1), torch.tensor(0.4), keep).mean()
    standard_error = math.sqrt(0.4 / 0.6 / 200_000)
    assert abs(float(mean) - 1) < 4 * standard_error


def test_rate_0_is_the_identity_and_rate_1_all_zeros():
    hidden = torch.randn(2, 4, 3)
    kept = torch.tensor([True, False])[:, None, None].expand(2, 4, 3)
    dropped = dropout(hidden, torch.tensor([0.0, 1.0])[:, None, None], kept)
    torch.testing.assert_close(dropped[0], hidden[0])
    assert (dropped[1] == 0).all()


def test_a_kept_unit_comes_back_as_it_was():
    hidden = torch.randn(2, 4, 3)
    rate = torch.tensor([0.0, 0.3])[:, None, None]
    torch.testing.assert_close(undo_dropout(dropout(hidden, rate, torch.ones_like(hidden) > 0), rate), hidden)


def test_input_noise_is_a_weight_decay_of_a_linear_network():
    """Bishop 1995: the expected squared error grows by the variance of the noise times the squared norm."""
    generator = torch.Generator().manual_seed(0)
    inputs, weights = torch.randn(1, 40, 5, generator=generator), torch.randn(1, 5, 1, generator=generator)
    noise_std = torch.tensor([[[0.3]]])
    targets = torch.randn(1, 40, 1, generator=generator)
    noise = torch.randn(4_000, 40, 5, generator=generator)
    noisy_losses = (noisy_input(inputs, noise_std, noise) @ weights - targets).square().mean(dim=(1, 2))
    penalty = noisy_losses.mean() - (inputs @ weights - targets).square().mean()
    standard_error = float(noisy_losses.std()) / math.sqrt(len(noise))
    assert abs(float(penalty - 0.3**2 * weights.square().sum())) < 4 * standard_error
