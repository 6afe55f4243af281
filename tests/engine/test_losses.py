import pytest
import torch
from reference_losses import OF_LOSS

from houseprices.engine.losses import LIKELIHOODS, huber_derivative

N_ROWS = 40
ROW_WEIGHTS = torch.linspace(0.5, 1.5, N_ROWS)[None]


@pytest.mark.parametrize("delta", [0.5, 1.0, float("inf")])
def test_it_is_the_derivative_of_the_mean_of_twice_torchs_huber_loss(delta):
    generator = torch.Generator().manual_seed(0)
    output, target = (2 * torch.randn(1, N_ROWS, generator=generator, dtype=torch.float64) for _ in range(2))
    output.requires_grad_(True)
    each = (
        (output - target).square()
        if delta == float("inf")
        else 2 * torch.nn.functional.huber_loss(output, target, "none", delta)
    )
    (expected,) = torch.autograd.grad((each * ROW_WEIGHTS).mean(), output)
    derivatives = huber_derivative(
        output.detach(), target, torch.tensor([[delta]]), ROW_WEIGHTS, torch.tensor(float(N_ROWS))
    )
    torch.testing.assert_close(derivatives, expected)
    assert ((output - target).abs() > 1).any()


@pytest.mark.parametrize("loss", LIKELIHOODS)
def test_a_likelihoods_are_the_derivatives_of_the_mean_of_torchs_weighted_with_its_spread(loss):
    generator = torch.Generator().manual_seed(0)
    mean, log_spread, target = (torch.randn(1, N_ROWS, generator=generator, dtype=torch.float64) for _ in range(3))
    outputs = [mean.requires_grad_(True), log_spread.requires_grad_(True)]
    expected = torch.autograd.grad((OF_LOSS[loss](mean, log_spread, target) * ROW_WEIGHTS).mean(), outputs)
    n_rows = torch.tensor(float(N_ROWS))
    derivatives = LIKELIHOODS[loss](mean.detach(), log_spread.detach(), target, ROW_WEIGHTS, n_rows)
    torch.testing.assert_close(derivatives, expected)
    assert 0 < ((mean - target).abs() > 4 * log_spread.exp()).sum() < N_ROWS


@pytest.mark.parametrize("loss", LIKELIHOODS)
@pytest.mark.parametrize("log_spread", [-1e30, 1e30])
def test_no_spread_overflows(loss, log_spread):
    one = torch.ones(1, 1)
    derivatives = LIKELIHOODS[loss](one, log_spread * one, 0 * one, one, torch.tensor(1.0))
    assert torch.isfinite(torch.cat(derivatives)).all()
