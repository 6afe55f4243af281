import math

import pytest
import torch

from houseprices.engine.regularization import add_l2_gradient_, decay_weights_, dropout, inverted_mask, l2_penalty


def test_the_penalty_is_half_the_decay_times_the_squared_norm_of_each_member():
    weights, decay = torch.randn(3, 7, dtype=torch.float64), torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    expected = torch.stack([d / 2 * torch.linalg.vector_norm(w) ** 2 for w, d in zip(weights, decay, strict=True)])
    torch.testing.assert_close(l2_penalty(weights, decay), expected)


def test_the_gradient_added_is_the_penaltys_own():
    weights = torch.randn(3, 7, dtype=torch.float64, requires_grad=True)
    decay = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    (expected,) = torch.autograd.grad(l2_penalty(weights, decay).sum(), weights)
    start = torch.randn(3, 7, dtype=torch.float64)
    torch.testing.assert_close(add_l2_gradient_(start.clone(), weights.detach(), decay), start + expected)


def test_the_coupled_decay_is_the_weight_decay_of_torchs_sgd():
    weights, loss_gradient = torch.randn(1, 5), torch.randn(1, 5)
    theirs = weights.clone().requires_grad_(True)
    optimizer = torch.optim.SGD([theirs], lr=0.1, weight_decay=0.3)
    theirs.grad = loss_gradient.clone()
    optimizer.step()
    ours = weights - 0.1 * add_l2_gradient_(loss_gradient.clone(), weights, torch.tensor([0.3]))
    torch.testing.assert_close(ours, theirs.detach())


def test_the_decoupled_decay_is_that_of_torchs_adamw():
    weights = torch.randn(1, 5)
    theirs = weights.clone().requires_grad_(True)
    optimizer = torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.3)
    theirs.grad = torch.zeros(1, 5)  # without a gradient only the decay acts
    optimizer.step()
    torch.testing.assert_close(decay_weights_(weights, torch.tensor([0.3]), torch.tensor([0.1])), theirs.detach())


def test_members_decay_each_at_their_own_rate():
    decayed = decay_weights_(torch.ones(2, 3), torch.tensor([0.0, 0.5]), torch.tensor([0.1, 0.2]))
    torch.testing.assert_close(decayed, torch.tensor([[1.0] * 3, [0.9] * 3]))


def test_dropout_equals_torchs_where_torch_kept_the_same_units():
    hidden = torch.rand(2, 50, 40) + 0.1
    theirs = torch.nn.functional.dropout(hidden, 0.3, training=True)
    torch.testing.assert_close(dropout(hidden, torch.tensor([0.3, 0.3]), theirs != 0), theirs)


def test_dropout_keeps_the_expectation():
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand(1, 200_000, 1, generator=generator) >= 0.4
    mean = dropout(torch.ones(1, 200_000, 1), torch.tensor([0.4]), keep).mean()
    standard_error = math.sqrt(0.4 / 0.6 / 200_000)
    assert abs(float(mean) - 1) < 4 * standard_error


def test_rate_0_is_the_identity_and_rate_1_all_zeros():
    hidden = torch.randn(2, 4, 3)
    kept = torch.tensor([True, False])[:, None, None].expand(2, 4, 3)
    dropped = dropout(hidden, torch.tensor([0.0, 1.0]), kept)
    torch.testing.assert_close(dropped[0], hidden[0])
    assert (dropped[1] == 0).all()


@pytest.mark.parametrize("rate", [-0.1, 1.5, math.nan])
def test_a_rate_outside_0_to_1_is_refused(rate: float):
    with pytest.raises(ValueError, match=r"dropout rate must be in \[0, 1\], got"):
        inverted_mask(torch.tensor([rate]), torch.ones(1, 2, 2, dtype=torch.bool))


@pytest.mark.parametrize("decay", [-1.0, math.nan])
def test_a_negative_decay_is_refused_everywhere(decay: float):
    weights, bad = torch.ones(1, 2), torch.tensor([decay])
    for call in (
        lambda: l2_penalty(weights, bad),
        lambda: add_l2_gradient_(weights, weights, bad),
        lambda: decay_weights_(weights, bad, torch.tensor([0.1])),
    ):
        with pytest.raises(ValueError, match=r"weight_decay must be in \[0, inf\), got"):
            call()
