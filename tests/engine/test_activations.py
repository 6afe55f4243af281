import pytest
import torch

from houseprices.engine.activations import relu, relu_backward, tanh, tanh_backward
from houseprices.engine.regularization import dropout, undo_dropout

N_MEMBERS, N_ROWS, WIDTH = 3, 17, 13
RATE = torch.tensor([0.0, 0.15, 0.5])[:, None, None]
FORWARD = {"relu": relu, "tanh": tanh}
BACKWARD = {"relu": relu_backward, "tanh": tanh_backward}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("activation", FORWARD)
@pytest.mark.parametrize("with_dropout", [True, False])
def test_activation_and_dropout_backward_are_those_of_automatic_differentiation(activation, with_dropout):
    values, delta = random(N_MEMBERS, N_ROWS, WIDTH), random(N_MEMBERS, N_ROWS, WIDTH, seed=3)
    values[0, 0, :4] = torch.tensor([0.0, 50.0, -50.0, 1e-6])  # the kink, and where tanh is flat or straight
    keep = random(N_MEMBERS, N_ROWS, WIDTH, seed=1) > 3 * (RATE - 0.5) if with_dropout else torch.ones_like(values) > 0
    rate = RATE if with_dropout else torch.zeros_like(RATE)
    start = values.double().requires_grad_(True)
    expected = getattr(torch, activation)(start) * keep / (1 - rate.double())
    (slope,) = torch.autograd.grad(expected, start, delta.double())

    unit = dropout(FORWARD[activation](values), rate, keep)
    below = BACKWARD[activation](dropout(delta, rate, keep), undo_dropout(unit, rate))
    torch.testing.assert_close(unit.double(), expected.detach(), rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(below.double(), slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", FORWARD)
def test_a_member_that_drops_everything_is_zero_forward_and_backward(activation):
    rate, keep = torch.ones(1, 1, 1), torch.zeros(1, N_ROWS, WIDTH, dtype=torch.bool)
    unit = dropout(FORWARD[activation](random(1, N_ROWS, WIDTH)), rate, keep)
    delta = BACKWARD[activation](dropout(random(1, N_ROWS, WIDTH, seed=1), rate, keep), undo_dropout(unit, rate))
    assert not unit.any()
    assert not delta.any()
