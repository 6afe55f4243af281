"""Linear regression with ten times more inputs than rows: the data, and its training by hand and by torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from houseprices.lessons.lp_norms import lp_norm

N_TRAINING, N_TEST, D_IN = 20, 100, 200
TRUE_WEIGHT, TRUE_BIAS, NOISE = 0.01, 0.05, 0.01
BATCH_SIZE, N_EPOCHS, LEARNING_RATE = 5, 100, 0.003
EVALUATE_EVERY = 5


@dataclass(frozen=True)
class Problem:
    """Rows drawn from a linear law with noise, and the order in which every training sees them.

    Shape:
        inputs: (N_TRAINING, D_IN), targets: (N_TRAINING,); test_inputs: (N_TEST, D_IN), test_targets: (N_TEST,)
        start: (D_IN,) weights to begin with; the bias begins at zero
        batches: (n_steps, BATCH_SIZE) rows of each step
        seed: of the order
    """

    inputs: Tensor
    targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    start: Tensor
    batches: Tensor
    seed: int

    def started_at_zero(self) -> "Problem":
        """The same from weights of zero."""
        return replace(self, start=torch.zeros_like(self.start))


def draw_problem(seed: int) -> Problem:
    """The textbook's: true weights 0.01, bias 0.05, noise 0.01; the start is standard normal."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = normal(N_TRAINING + N_TEST, D_IN)
    targets = TRUE_WEIGHT * inputs.sum(dim=1) + TRUE_BIAS + NOISE * normal(N_TRAINING + N_TEST)
    start = normal(D_IN)
    (rows,) = zip(*read_batches([torch.arange(N_TRAINING)], seed), strict=True)
    cut = N_TRAINING
    return Problem(inputs[:cut], targets[:cut], inputs[cut:], targets[cut:], start, torch.stack(rows), seed)


def read_batches(tensors: Sequence[Tensor], seed: int) -> Iterator[Sequence[Tensor]]:
    """The batches of all epochs, as the textbook reads them: rows shuffled anew in each epoch, then cut."""
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(TensorDataset(*tensors), BATCH_SIZE, shuffle=True, generator=generator)
    for _ in range(N_EPOCHS):
        yield from loader


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Shape:
        weights: (n_members, D_IN), biases: (n_members,)
        curves: (n_evaluations, n_members, 2) training and test loss, half the mean squared error, every
            EVALUATE_EVERY epochs
    """

    weights: Tensor
    biases: Tensor
    curves: Tensor

    @property
    def norms(self) -> Tensor:
        """(n_members,) L2 norms of the weights."""
        return lp_norm(self.weights, 2)


def train_from_scratch(problem: Problem, strength: float, learning_rate: float = LEARNING_RATE) -> Trained:
    """Hand-written SGD with the penalty in the loss."""
    w = problem.start.clone().requires_grad_(True)
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    curves = []
    for step, rows in enumerate(problem.batches, start=1):
        errors = problem.inputs[rows] @ w + b - problem.targets[rows]
        penalty = strength / 2 * w.square().sum()
        loss = errors.square().mean() / 2 + penalty
        gradients = torch.autograd.grad(loss, (w, b))
        with torch.no_grad():
            w -= learning_rate * gradients[0]
            b -= learning_rate * gradients[1]
        if is_evaluated(step):
            curves.append(losses(problem, w[None], b))
    return Trained(w.detach()[None], b.detach(), torch.stack(curves))


def train_concisely(
    problem: Problem,
    strength: float,
    learning_rate: float = LEARNING_RATE,
    *,
    half: bool = True,
    decay_bias: bool = False,
) -> Trained:
    """The same by torch: the optimiser decays the weights; the bias stands in a group of its own and is not decayed.

    Args:
        problem: the rows.
        strength: of the decay.
        learning_rate: of SGD.
        half: halve torch's mean squared error, as the from-scratch loss does.
        decay_bias: decay the bias too, as happens without groups.
    """
    layer = nn.Linear(D_IN, 1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(problem.start)
        layer.bias.zero_()
    groups: list[dict[str, Any]] = [
        {"params": [layer.weight], "weight_decay": strength},
        {"params": [layer.bias], "weight_decay": strength if decay_bias else 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=learning_rate)
    squared_error = nn.MSELoss()
    curves = []
    for step, (x, y) in enumerate(read_batches([problem.inputs, problem.targets], problem.seed), start=1):
        optimizer.zero_grad()
        loss = squared_error(layer(x).squeeze(1), y)
        (loss / 2 if half else loss).backward()
        optimizer.step()
        if is_evaluated(step):
            curves.append(losses(problem, layer.weight.detach(), layer.bias.detach()))
    return Trained(layer.weight.detach(), layer.bias.detach(), torch.stack(curves))


def is_evaluated(step: int) -> bool:
    """Whether the losses are measured after step 1, 2 ..."""
    return step % (EVALUATE_EVERY * N_TRAINING // BATCH_SIZE) == 0


def losses(problem: Problem, weights: Tensor, biases: Tensor) -> Tensor:
    """(n_members, 2): half the mean squared error in training and in the test."""
    parts = ((problem.inputs, problem.targets), (problem.test_inputs, problem.test_targets))
    with torch.no_grad():
        return torch.stack([0.5 * (weights @ x.T + biases[:, None] - y).square().mean(dim=1) for x, y in parts], dim=1)
