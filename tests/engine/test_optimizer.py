import pytest
import torch

from houseprices.engine.optimizer import BatchedAdam, schedule_factor


@pytest.mark.parametrize("decay_kind", ["coupled", "decoupled"])
def test_each_member_decays_its_weights_and_no_biases_as_under_torchs_adam_and_adamw(decay_kind):
    n_weights, generator = 9, torch.Generator().manual_seed(0)
    rates, decay = torch.tensor([0.1, 0.01, 0.0]), torch.tensor([0.0, 0.5, 2.0])
    parameters = 3 * torch.randn(3, 13, generator=generator)
    parts = [[one[:n_weights].clone(), one[n_weights:].clone()] for one in parameters]
    kind = torch.optim.Adam if decay_kind == "coupled" else torch.optim.AdamW
    theirs = [
        kind(
            [{"params": [weights], "weight_decay": float(strength)}, {"params": [biases], "weight_decay": 0.0}], lr=rate
        )
        for (weights, biases), strength, rate in zip(parts, decay, rates.tolist(), strict=True)
    ]
    ours = BatchedAdam(parameters, decay, n_weights, decay_kind)
    for _ in range(30):
        gradient = 3 * torch.randn(3, 13, generator=generator)
        for (weights, biases), slopes, optimizer in zip(parts, gradient.clone(), theirs, strict=True):
            weights.grad, biases.grad = slopes[:n_weights], slopes[n_weights:]
            optimizer.step()
        ours.step(gradient, rates)
    torch.testing.assert_close(parameters, torch.stack([torch.cat(part) for part in parts]), rtol=1e-5, atol=1e-5)


def test_the_cosine_falls_from_1_through_a_half_towards_0():
    factors = [schedule_factor("cosine", step, 100) for step in range(100)]
    assert factors[0] == 1
    assert factors[50] == pytest.approx(0.5)
    assert factors[99] < 0.001
    assert factors == sorted(factors, reverse=True)
