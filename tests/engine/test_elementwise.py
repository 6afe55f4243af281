"""The passes against torch's automatic differentiation and its own Adam."""

import pytest
import torch

from houseprices.engine.elementwise import (
    activate_and_drop_,
    adam_step_,
    backpropagate_activation_,
    drop_,
    gather_rows_,
)

N_MEMBERS, N_ROWS, WIDTH = 3, 17, 13
RATE = torch.tensor([0.0, 0.15, 0.5])


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def keep_mask() -> torch.Tensor:
    return random(N_MEMBERS, N_ROWS, WIDTH, seed=1) > 3 * (RATE[:, None, None] - 0.5)


@pytest.mark.parametrize("with_noise", [True, False])
def test_a_batch_is_gathered_alike(with_noise):
    inputs, rows = random(20, WIDTH), torch.randint(20, (N_MEMBERS, N_ROWS))
    inputs[:, 1] = 0
    noise = list(random(N_MEMBERS, N_ROWS, WIDTH, seed=2)) if with_noise else None
    batch = torch.empty(N_MEMBERS, N_ROWS, WIDTH)
    gather_rows_(batch, inputs, rows, noise, RATE)
    expected = inputs[rows] + (RATE[:, None, None] * torch.stack(noise) if noise is not None else 0)
    expected[:, :, 1] = 0
    torch.testing.assert_close(batch, expected)


def test_dropout_keeps_the_scale():
    values = random(N_MEMBERS, N_ROWS, WIDTH)
    dropped = values.clone()
    drop_(dropped, RATE, keep_mask())
    torch.testing.assert_close(dropped, values * keep_mask() / (1 - RATE)[:, None, None])


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("with_dropout", [True, False])
def test_activation_and_dropout_forward_and_backward_are_those_of_automatic_differentiation(activation, with_dropout):
    values, delta = random(N_MEMBERS, N_ROWS, WIDTH), random(N_MEMBERS, N_ROWS, WIDTH, seed=3)
    values[0, 0, :4] = torch.tensor([0.0, 50.0, -50.0, 1e-6])  # the kink, and where tanh is flat or straight
    mask = keep_mask() if with_dropout else None
    start = values.double().requires_grad_(True)
    expected = torch.relu(start) if activation == "relu" else torch.tanh(start)
    if mask is not None:
        expected = expected * mask / (1 - RATE.double())[:, None, None]
    (slope,) = torch.autograd.grad(expected, start, delta.double())

    hidden, below = values.clone(), delta.clone()
    activate_and_drop_(hidden, activation, RATE, mask)
    backpropagate_activation_(below, hidden, activation, RATE, mask)
    torch.testing.assert_close(hidden.double(), expected.detach(), rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(below.double(), slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_member_that_drops_everything_is_zero_forward_and_backward(activation):
    hidden, delta = random(1, N_ROWS, WIDTH), random(1, N_ROWS, WIDTH)
    rate, mask = torch.ones(1), torch.zeros(1, N_ROWS, WIDTH, dtype=torch.bool)
    activate_and_drop_(hidden, activation, rate, mask)
    backpropagate_activation_(delta, hidden, activation, rate, mask)
    assert not hidden.any()
    assert not delta.any()


@pytest.mark.parametrize("coupled", [True, False])
def test_adams_steps_are_those_of_torch(coupled):
    n_weights = 9
    rates, decay = torch.tensor([0.1, 0.01, 0.0]), torch.tensor([0.0, 0.5, 2.0])
    ours, mean, square = random(N_MEMBERS, WIDTH), torch.zeros(N_MEMBERS, WIDTH), torch.zeros(N_MEMBERS, WIDTH)
    parts = [[one[:n_weights].clone(), one[n_weights:].clone()] for one in ours]
    kind = torch.optim.Adam if coupled else torch.optim.AdamW
    optimizers = [
        kind(
            [{"params": [weights], "weight_decay": float(strength)}, {"params": [biases], "weight_decay": 0.0}], lr=rate
        )
        for (weights, biases), strength, rate in zip(parts, decay, rates.tolist(), strict=True)
    ]
    for number in range(1, 30):
        gradient = random(N_MEMBERS, WIDTH, seed=number)
        for (weights, biases), slopes, optimizer in zip(parts, gradient.clone(), optimizers, strict=True):
            weights.grad, biases.grad = slopes[:n_weights], slopes[n_weights:]
            optimizer.step()
        adam_step_(ours, gradient, mean, square, rates, decay, n_weights=n_weights, n_steps=number, coupled=coupled)
    torch.testing.assert_close(ours, torch.stack([torch.cat(part) for part in parts]), rtol=1e-5, atol=1e-5)
