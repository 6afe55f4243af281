"""The regression from scratch is torch's, and decay does what the lesson says."""

import pytest
import torch

from houseprices.lessons.adam_decay import train_by_adam, walk_at_random
from houseprices.lessons.regression import (
    BATCH_SIZE,
    LEARNING_RATE,
    N_EPOCHS,
    N_TRAINING,
    draw_problem,
    read_batches,
    train_concisely,
    train_from_scratch,
)


@pytest.mark.parametrize("coupled", [True, False])
def test_both_decays_under_adam_are_those_of_torchs_adam_and_adamw(coupled: bool):
    problem = draw_problem(0)
    ours = train_by_adam(problem, torch.tensor([0.5]), coupled=coupled)
    weights, bias = problem.start.float().requires_grad_(True), torch.zeros(1, requires_grad=True)
    kind = torch.optim.Adam if coupled else torch.optim.AdamW
    optimizer = kind([{"params": [weights], "weight_decay": 0.5}, {"params": [bias], "weight_decay": 0.0}], lr=0.01)
    for rows in problem.batches:
        optimizer.zero_grad()
        errors = problem.inputs[rows].float() @ weights + bias - problem.targets[rows].float()
        (0.5 * errors.square().mean()).backward()
        optimizer.step()
    torch.testing.assert_close(ours.weights[0], weights.detach(), rtol=0, atol=1e-4)
    torch.testing.assert_close(ours.biases, bias.detach(), rtol=0, atol=1e-4)


def test_decoupled_decay_shrinks_all_weights_alike_and_coupled_those_with_small_gradients():
    _, walks = walk_at_random(n_steps=500, strength=1.0, learning_rate=0.002)
    last = walks.iloc[-1]
    for size in (1, 100):
        assert last[f"decoupled, noise {size}"] == pytest.approx((1 - 0.002) ** 500, abs=0.02)
    assert last["coupled, noise 1"] < 0.6
    assert last["coupled, noise 100"] > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_weight_decay_prevents_overfitting_and_from_scratch_equals_torch(seed: int):
    problem = draw_problem(seed)
    without, decayed = train_from_scratch(problem, 0.0), train_from_scratch(problem, 3.0)
    assert without.curves[-1, 0, 1] > 10 * decayed.curves[-1, 0, 1]
    assert without.norms > 10 * decayed.norms
    concise = train_concisely(problem, 3.0)
    torch.testing.assert_close(decayed.weights, concise.weights, rtol=0, atol=1e-6)
    torch.testing.assert_close(decayed.biases, concise.biases, rtol=0, atol=1e-6)
    torch.testing.assert_close(decayed.curves, concise.curves, rtol=1e-6, atol=0)


def test_without_the_half_the_same_strength_counts_half():
    problem = draw_problem(0)
    doubled = train_concisely(problem, 3.0, 0.003, half=False)
    same = train_from_scratch(problem, 1.5, 0.006)
    torch.testing.assert_close(same.weights, doubled.weights, rtol=0, atol=1e-6)


def test_a_decayed_bias_is_that_of_one_group_for_all_parameters():
    problem = draw_problem(0)
    ours = train_concisely(problem, 3.0, decay_bias=True)
    layer = torch.nn.Linear(200, 1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(problem.start)
        layer.bias.zero_()
    optimizer = torch.optim.SGD(layer.parameters(), LEARNING_RATE, weight_decay=3.0)
    for rows in problem.batches:
        optimizer.zero_grad()
        (0.5 * (layer(problem.inputs[rows])[:, 0] - problem.targets[rows]).square().mean()).backward()
        optimizer.step()
    torch.testing.assert_close(ours.biases, layer.bias.detach(), rtol=0, atol=1e-9)


def test_an_epoch_reads_every_row_once_in_an_order_of_its_own():
    batches = torch.stack([rows for (rows,) in read_batches([torch.arange(N_TRAINING)], seed=0)])
    epochs = batches.view(N_EPOCHS, -1)
    assert batches.shape == (N_EPOCHS * N_TRAINING // BATCH_SIZE, BATCH_SIZE)
    assert bool((epochs.sort(dim=1).values == torch.arange(N_TRAINING)).all())
    assert len(epochs.unique(dim=0)) == N_EPOCHS
