import pytest
import torch

from houseprices.engine.optimizer import BatchedAdam, schedule_factor


def test_each_member_moves_as_under_torchs_adam_with_its_own_learning_rate():
    torch.manual_seed(0)
    start, rates = torch.randn(2, 6, dtype=torch.float64), torch.tensor([0.1, 0.01], dtype=torch.float64)
    ours = BatchedAdam(start.clone())
    theirs = [row.clone().requires_grad_(True) for row in start]
    optimizers = [torch.optim.Adam([row], lr=float(rate)) for row, rate in zip(theirs, rates, strict=True)]
    for _ in range(20):
        gradient = torch.randn(2, 6, dtype=torch.float64)
        ours.step(gradient, rates)
        for row, optimizer, slope in zip(theirs, optimizers, gradient, strict=True):
            row.grad = slope.clone()
            optimizer.step()
    torch.testing.assert_close(ours.parameters, torch.stack([row.detach() for row in theirs]))


def test_the_cosine_falls_from_1_through_a_half_towards_0():
    factors = [schedule_factor("cosine", step, 100) for step in range(100)]
    assert factors[0] == 1
    assert factors[50] == pytest.approx(0.5)
    assert factors[99] < 0.001
    assert factors == sorted(factors, reverse=True)


def test_constant_stays_at_1():
    assert {schedule_factor("constant", step, 10) for step in range(10)} == {1.0}
