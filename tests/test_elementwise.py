"""The compiled passes against the plain ones, and the plain ones against torch's automatic differentiation."""

import sys

import pytest
import torch

from houseprices import elementwise
from houseprices.elementwise import passes_for, warm_up

compiled = pytest.importorskip("houseprices.compiled")

N_MEMBERS, N_ROWS, WIDTH = 3, 17, 13
RATE = torch.tensor([0.0, 0.15, 0.5])


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def keep_mask() -> torch.Tensor:
    return random(N_MEMBERS, N_ROWS, WIDTH, seed=1) > 3 * (RATE[:, None, None] - 0.5)


@pytest.mark.parametrize("with_noise", [True, False])
def test_a_batch_is_gathered_alike(with_noise):
    inputs, rows = random(20, WIDTH), torch.randint(20, (N_MEMBERS, N_ROWS))
    noise = list(random(N_MEMBERS, N_ROWS, WIDTH, seed=2)) if with_noise else None
    plain, fast = torch.empty(2, N_MEMBERS, N_ROWS, WIDTH)
    elementwise.gather_rows_(plain, inputs, rows, noise, RATE)
    compiled.gather_rows_(fast, inputs, rows, noise, RATE)
    expected = inputs[rows] + (RATE[:, None, None] * torch.stack(noise) if noise is not None else 0)
    torch.testing.assert_close(plain, expected)
    torch.testing.assert_close(fast, expected)


@pytest.mark.parametrize("passes", [elementwise, compiled], ids=["plain", "compiled"])
def test_dropout_keeps_the_scale(passes):
    values = random(N_MEMBERS, N_ROWS, WIDTH)
    dropped = values.clone()
    passes.drop_(dropped, RATE, keep_mask())
    torch.testing.assert_close(dropped, values * keep_mask() / (1 - RATE)[:, None, None])


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("with_dropout", [True, False])
@pytest.mark.parametrize("passes", [elementwise, compiled], ids=["plain", "compiled"])
def test_activation_and_dropout_forward_and_backward_are_those_of_automatic_differentiation(
    passes, activation, with_dropout
):
    values, delta = random(N_MEMBERS, N_ROWS, WIDTH), random(N_MEMBERS, N_ROWS, WIDTH, seed=3)
    values[0, 0, :4] = torch.tensor([0.0, 50.0, -50.0, 1e-6])  # the kink, and where tanh is flat or straight
    mask = keep_mask() if with_dropout else None
    start = values.double().requires_grad_(True)
    expected = torch.relu(start) if activation == "relu" else torch.tanh(start)
    if mask is not None:
        expected = expected * mask / (1 - RATE.double())[:, None, None]
    (slope,) = torch.autograd.grad(expected, start, delta.double())

    hidden, below = values.clone(), delta.clone()
    passes.activate_and_drop_(hidden, activation, RATE, mask)
    passes.backpropagate_activation_(below, hidden, activation, RATE, mask)
    torch.testing.assert_close(hidden.double(), expected.detach(), rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(below.double(), slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("passes", [elementwise, compiled], ids=["plain", "compiled"])
def test_a_member_that_drops_everything_is_zero_forward_and_backward(passes, activation):
    hidden, delta = random(1, N_ROWS, WIDTH), random(1, N_ROWS, WIDTH)
    rate, mask = torch.ones(1), torch.zeros(1, N_ROWS, WIDTH, dtype=torch.bool)
    passes.activate_and_drop_(hidden, activation, rate, mask)
    passes.backpropagate_activation_(delta, hidden, activation, rate, mask)
    assert not hidden.any()
    assert not delta.any()


@pytest.mark.parametrize("coupled", [True, False])
def test_adams_steps_agree(coupled):
    n_weights = 9
    sides = []
    for passes in (elementwise, compiled):
        parameters, mean, square = (
            random(N_MEMBERS, WIDTH),
            torch.zeros(N_MEMBERS, WIDTH),
            torch.zeros(N_MEMBERS, WIDTH),
        )
        rates, decay = torch.tensor([0.1, 0.01, 0.0]), torch.tensor([0.0, 0.5, 2.0])
        for number in range(1, 30):
            gradient = random(N_MEMBERS, WIDTH, seed=number)
            options = {"n_weights": n_weights, "n_steps": number, "coupled": coupled}
            passes.adam_step_(parameters, gradient, mean, square, rates, decay, **options)
        sides.append((parameters, mean, square))
    for plain, fast in zip(*sides, strict=True):
        torch.testing.assert_close(fast, plain, rtol=2e-6, atol=2e-6)


def test_a_diverged_value_stays_visible():
    values = torch.full((1, 2, 3), torch.nan)
    compiled.activate_and_drop_(values, "tanh", torch.zeros(1), None)
    assert values.isnan().all()


def test_without_numba_the_plain_passes_do_the_work(monkeypatch):
    assert passes_for(torch.zeros(1)) is compiled
    assert passes_for(torch.zeros(1, dtype=torch.float64)) is elementwise
    monkeypatch.setitem(sys.modules, "houseprices.compiled", None)
    monkeypatch.delattr("houseprices.compiled")
    assert passes_for(torch.zeros(1)) is elementwise
    warm_up()
