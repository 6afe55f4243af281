import pytest
import torch

from houseprices.engine.optimizer import BatchedAdam


@pytest.mark.parametrize("decay_kind", ["coupled", "decoupled"])
def test_each_network_decays_its_weights_and_no_biases_as_under_torchs_adam_and_adamw(decay_kind):
    n_weights, generator = 9, torch.Generator().manual_seed(0)
    rates, decay = torch.tensor([0.1, 0.01, 0.0]), torch.tensor([0.0, 0.5, 2.0])
    parameters = 3 * torch.randn(3, 13, generator=generator)
    parts = [[row[:n_weights].clone(), row[n_weights:].clone()] for row in parameters]
    optimizer_class = torch.optim.Adam if decay_kind == "coupled" else torch.optim.AdamW
    theirs = [
        optimizer_class(
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
