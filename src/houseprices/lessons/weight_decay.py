"""Lesson: linear regression with ten times more inputs than rows, with and without weight decay."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from houseprices.charts import INK, line_style, log_ticks, new_chart
from houseprices.engine.optimizer import BatchedAdam, DecayKind
from houseprices.engine.regularization import coupled_decay, decoupled_decay, l2_penalty
from houseprices.lessons.content import Block, Chart, Formula, Heading, Lesson, Paragraph, Source, Table, require
from houseprices.lessons.lp_norms import lp_norm

N_TRAINING, N_TEST, D_IN = 20, 100, 200
TRUE_WEIGHT, TRUE_BIAS, NOISE = 0.01, 0.05, 0.01
BATCH_SIZE, N_EPOCHS, LEARNING_RATE = 5, 100, 0.003
EVALUATE_EVERY = 5

_SWEEP = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_ADAM_SWEEP = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_ADAM_RATE = 0.01


@dataclass(frozen=True)
class Problem:
    """Rows drawn from a linear law with noise, and the order in which both trainings see them.

    Shape:
        inputs: (N_TRAINING, D_IN), targets: (N_TRAINING,); test_inputs: (N_TEST, D_IN), test_targets: (N_TEST,)
        start: (D_IN,) weights to begin with; the bias begins at zero
        batches: (n_steps, BATCH_SIZE) rows of each step
    """

    inputs: Tensor
    targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    start: Tensor
    batches: Tensor


def draw_problem(seed: int) -> Problem:
    """The textbook's: true weights 0.01, bias 0.05, noise 0.01; the start is standard normal."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = normal(N_TRAINING + N_TEST, D_IN)
    targets = TRUE_WEIGHT * inputs.sum(dim=1) + TRUE_BIAS + NOISE * normal(N_TRAINING + N_TEST)
    start = normal(D_IN)
    order = [torch.randperm(N_TRAINING, generator=generator).view(-1, BATCH_SIZE) for _ in range(N_EPOCHS)]
    cut = N_TRAINING
    return Problem(inputs[:cut], targets[:cut], inputs[cut:], targets[cut:], start, torch.cat(order))


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


def train_from_scratch(problem: Problem, strengths: Tensor, learning_rate: float = LEARNING_RATE) -> Trained:
    """Hand-written SGD with the penalty in the loss, a member a strength, all from the same start.

    Shape:
        strengths: (n_members,), >= 0
    """
    n_members = len(strengths)
    weights = problem.start.repeat(n_members, 1).requires_grad_(True)
    biases = torch.zeros(n_members, dtype=torch.float64, requires_grad=True)
    curves = []
    for step, rows in enumerate(problem.batches, start=1):
        errors = weights @ problem.inputs[rows].T + biases[:, None] - problem.targets[rows]
        loss = 0.5 * errors.square().mean(dim=1) + l2_penalty(weights, strengths)
        # A member's loss depends on its own weights alone, so that the sum has each member's gradient.
        gradients = torch.autograd.grad(loss.sum(), (weights, biases))
        with torch.no_grad():
            for parameter, gradient in zip((weights, biases), gradients, strict=True):
                parameter -= learning_rate * gradient
            if step % (EVALUATE_EVERY * N_TRAINING // BATCH_SIZE) == 0:
                curves.append(_losses(problem, weights, biases))
    return Trained(weights.detach(), biases.detach(), torch.stack(curves))


def train_concisely(
    problem: Problem, strength: float, learning_rate: float = LEARNING_RATE, *, half: bool = True
) -> Trained:
    """The same by torch: the optimiser decays the weights; the bias stands in a group of its own and is not decayed.

    Args:
        half: halve torch's mean squared error, as the from-scratch loss does.
    """
    layer = nn.Linear(D_IN, 1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(problem.start)
        layer.bias.zero_()
    groups: list[dict[str, Any]] = [{"params": [layer.weight], "weight_decay": strength}, {"params": [layer.bias]}]
    optimizer = torch.optim.SGD(groups, lr=learning_rate)
    squared_error = nn.MSELoss()
    curves = []
    for step, rows in enumerate(problem.batches, start=1):
        optimizer.zero_grad()
        loss = squared_error(layer(problem.inputs[rows]).squeeze(1), problem.targets[rows])
        (0.5 * loss if half else loss).backward()
        optimizer.step()
        if step % (EVALUATE_EVERY * N_TRAINING // BATCH_SIZE) == 0:
            curves.append(_losses(problem, layer.weight.detach(), layer.bias.detach()))
    return Trained(layer.weight.detach(), layer.bias.detach(), torch.stack(curves))


def train_by_adam(problem: Problem, strengths: Tensor, *, coupled: bool) -> Trained:
    """The engine's Adam, with the decay as a gradient or past Adam; a member a strength, in float32 as the engine.

    Shape:
        strengths: (n_members,), >= 0
    """
    n_members = len(strengths)
    decay, rate = strengths.float(), torch.full((n_members,), _ADAM_RATE)
    inputs, targets = problem.inputs.float(), problem.targets.float()
    parameters = torch.cat([problem.start.float().repeat(n_members, 1), torch.zeros(n_members, 1)], dim=1)
    optimizer = BatchedAdam(parameters, decay, D_IN, "coupled" if coupled else "decoupled")
    weights, biases = parameters[:, :D_IN], parameters[:, D_IN]
    curves = []
    for step, rows in enumerate(problem.batches, start=1):
        errors = weights @ inputs[rows].T + biases[:, None] - targets[rows]
        gradient = torch.cat([errors @ inputs[rows], errors.sum(dim=1, keepdim=True)], dim=1) / BATCH_SIZE
        optimizer.step(gradient, rate)
        if step % (EVALUATE_EVERY * N_TRAINING // BATCH_SIZE) == 0:
            curves.append(_losses(problem, weights.double(), biases.double()))
    return Trained(weights.clone(), biases.clone(), torch.stack(curves))


def _losses(problem: Problem, weights: Tensor, biases: Tensor) -> Tensor:
    """(n_members, 2): half the mean squared error in training and in the test."""
    parts = ((problem.inputs, problem.targets), (problem.test_inputs, problem.test_targets))
    with torch.no_grad():
        return torch.stack([0.5 * (weights @ x.T + biases[:, None] - y).square().mean(dim=1) for x, y in parts], dim=1)


def weight_decay_lesson(strength: float = 3.0, seed: int = 0) -> Lesson:
    """Overfitting at strength 0 and none at `strength`; the sweep; coupled against decoupled decay.

    Raises:
        SettingsError: the strength is negative, not finite, or too large for the learning rate.
    """
    largest = 1 / LEARNING_RATE
    require(0 <= strength <= largest, "lambda", f"in [0, {largest:.0f}] (1 / learning rate)", strength)
    require(seed >= 0, "seed", "0 or more", seed)
    problem = draw_problem(seed)
    both = torch.tensor([0.0, strength], dtype=torch.float64)
    scratch = train_from_scratch(problem, both)
    blocks: list[Block] = [
        Heading("The problem"),
        Paragraph(
            f"{N_TRAINING} training rows with {D_IN} inputs each: a linear model can fit them in endlessly many ways, "
            f"and nothing in the data says which is right. The truth is $y = {TRUE_BIAS} + Σ {TRUE_WEIGHT} x + ε$ with "
            f"noise of {NOISE}, the true weights' norm {TRUE_WEIGHT * D_IN**0.5:.2f}. SGD in batches of {BATCH_SIZE}, "
            f"{N_EPOCHS} epochs, learning rate {LEARNING_RATE}; loss on {N_TEST} test rows."
        ),
        Formula(
            r"L(w, b) = \frac{1}{n} \sum_{i=1}^{n} \frac{1}{2} \left( w^\top x_i + b - y_i \right)^2 + "
            r"\frac{\lambda}{2} \|w\|_2^2",
            "L(w, b) = mean of ½ (wᵀx + b − y)² + λ/2 ‖w‖²",
        ),
        Paragraph("A step of SGD at learning rate $η$, with the gradient $g$ of the mean, shrinks the weights first:"),
        Formula(r"w \leftarrow (1 - \eta \lambda) \, w - \eta \, g", "w ← (1 − ηλ) w − η g"),
        Source(l2_penalty),
        Heading("Without and with weight decay"),
        *_curves(scratch, strength),
        Heading("From scratch equals concise"),
        *_comparison(problem, scratch, strength),
        Heading("How much is enough?"),
        *_sweep(problem),
        Heading("Coupled and decoupled decay under Adam"),
        *_adam(problem),
    ]
    return Lesson("weight-decay", "Weight decay", blocks)


def _curves(trained: Trained, strength: float) -> list[Block]:
    epochs = np.arange(EVALUATE_EVERY, N_EPOCHS + 1, EVALUATE_EVERY)
    charts: list[Block] = []
    content = pd.DataFrame({"epoch": epochs})
    low, high = float(trained.curves.min()), float(trained.curves.max())
    for member, decay in enumerate((0.0, strength)):
        figure, axes = new_chart("epoch", "loss")
        for index, part in enumerate(("training", "test")):
            loss = trained.curves[:, member, index].numpy()
            axes.semilogy(epochs, loss, label=part, **line_style(index), marker=".")
            content[f"{part} loss, lambda {decay:g}"] = loss
        axes.set_ylim(max(low, 1e-16) / 2, high * 2)
        log_ticks(axes.yaxis)
        axes.legend()
        name = "without" if member == 0 else "with"
        charts.append(Chart(f"{name}-decay", f"λ = {decay:g}.", figure, content if member else None))
    last = trained.curves[-1].numpy()
    norms = trained.norms.numpy()
    rows = [(f"{decay:g}", *last[member], norms[member]) for member, decay in enumerate((0.0, strength))]
    table = pd.DataFrame(rows, columns=["λ", "training loss", "test loss", "norm of the weights"])
    lower = "lower" if last[1, 1] < last[0, 1] else "higher"
    ratio = max(last[0, 1], last[1, 1]) / min(last[0, 1], last[1, 1])
    return [
        Paragraph(
            f"At λ = 0 the training loss falls to {last[0, 0]:.1g} while the test loss stays at {last[0, 1]:.3g}: the "
            f"rows are learnt by heart. At λ = {strength:g} the test loss ends at {last[1, 1]:.3g}, {ratio:.0f} times "
            f"{lower}, and the weights' norm at {norms[1]:.3g} in place of {norms[0]:.3g}."
        ),
        *charts,
        Table("losses", f"After {N_EPOCHS} epochs.", table, digits=3),
    ]


def _comparison(problem: Problem, scratch: Trained, strength: float) -> list[Block]:
    rows = []
    for member, decay in enumerate((0.0, strength)):
        concise = train_concisely(problem, decay)
        rows.append((f"half the squared error, λ = {decay:g}", _distance(scratch, member, concise)))
    doubled = train_concisely(problem, strength, half=False)
    rows.append((f"torch's MSELoss as it is, λ = {strength:g}", _distance(scratch, 1, doubled)))
    same = train_concisely(problem, strength / 2, 2 * LEARNING_RATE)
    gap = max(float((doubled.weights - same.weights).abs().max()), float((doubled.biases - same.biases).abs().max()))
    rows.append(("MSELoss as it is, against half at twice the rate and λ/2", gap))
    return [
        Paragraph(
            "Concise means torch's own: `nn.Linear`, `nn.MSELoss` and `torch.optim.SGD`, whose `weight_decay` acts on "
            "the weights' group only; the bias has a group of its own. Both begin with the same weights and see the "
            "same batches. The textbook has two squared losses: from scratch $½ (ŷ − y)²$, in `nn.MSELoss` without the "
            "half. Without it the data's gradient is twice as large, so that the same λ counts half: it equals the "
            "half loss at twice the learning rate and λ/2."
        ),
        Table(
            "from-scratch-and-concise",
            "Largest difference of any weight or bias after the whole training.",
            pd.DataFrame(rows, columns=["concise training", "largest difference"]),
            digits=2,
        ),
    ]


def _distance(scratch: Trained, member: int, concise: Trained) -> float:
    weights = (scratch.weights[member] - concise.weights[0]).abs().max()
    return max(float(weights), float((scratch.biases[member] - concise.biases[0]).abs()))


def _sweep(problem: Problem) -> list[Block]:
    trained = train_from_scratch(problem, torch.tensor(_SWEEP, dtype=torch.float64))
    training, test = trained.curves[-1].numpy().T
    content = pd.DataFrame(
        {"lambda": _SWEEP, "training loss": training, "test loss": test, "norm": trained.norms.numpy()}
    )
    losses, axes = new_chart("λ", "loss")
    _plot_sweep(axes, _SWEEP, {"training": training, "test": test})
    norms, axes = new_chart("λ", "norm of the weights")
    _plot_sweep(axes, _SWEEP, {"learnt": content["norm"].to_numpy()})
    axes.axhline(TRUE_WEIGHT * D_IN**0.5, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate("true", (1, TRUE_WEIGHT * D_IN**0.5), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    best = int(test.argmin())
    return [
        Paragraph(
            f"The same start, batches and rows for {len(_SWEEP)} strengths at once: they are members of one batch, as "
            f"in the engine. The test loss is lowest at λ = {_SWEEP[best]:g} ({test[best]:.3g}). Beyond it the "
            "weights are held near zero, below the truth: the model underfits."
        ),
        Chart("sweep-loss", "Loss after the training.", losses, content),
        Chart("sweep-norm", "Norm of the learnt weights.", norms),
    ]


def _plot_sweep(axes: Axes, strengths: tuple[float, ...], lines: dict[str, np.ndarray]) -> None:
    for index, (name, values) in enumerate(lines.items()):
        axes.plot(strengths, values, label=name, **line_style(index), marker="o", markersize=4)
    least = min(strength for strength in strengths if strength > 0)
    axes.set_xscale("symlog", linthresh=least, linscale=0.6)
    powers = range(math.ceil(math.log10(least)), math.floor(math.log10(max(strengths))) + 1)
    axes.set_xticks([0, *(10.0**power for power in powers)], ["0", *(f"{10.0**power:g}" for power in powers)])
    axes.set_xlim(left=-least / 2)
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    axes.legend()


def _adam(problem: Problem) -> list[Block]:
    strengths = torch.tensor(_ADAM_SWEEP, dtype=torch.float64)
    coupled, decoupled = (train_by_adam(problem, strengths, coupled=kind) for kind in (True, False))
    content = pd.DataFrame(
        {
            "lambda": _ADAM_SWEEP,
            "test loss, coupled": coupled.curves[-1, :, 1].numpy(),
            "test loss, decoupled": decoupled.curves[-1, :, 1].numpy(),
            "norm, coupled": coupled.norms.numpy(),
            "norm, decoupled": decoupled.norms.numpy(),
        }
    )
    losses, axes = new_chart("λ", "test loss")
    _plot_sweep(
        axes, _ADAM_SWEEP, {kind: content[f"test loss, {kind}"].to_numpy() for kind in ("coupled", "decoupled")}
    )
    walk, shown = _two_weights()
    best = {kind: int(content[f"test loss, {kind}"].argmin()) for kind in ("coupled", "decoupled")}
    told = "; ".join(
        f"{kind} {content[f'test loss, {kind}'][row]:.3g} at λ = {_ADAM_SWEEP[row]:g}" for kind, row in best.items()
    )
    return [
        Paragraph(
            "Adam divides each gradient by its running size. A penalty in the loss is part of the gradient and is "
            "divided too (coupled): weights whose gradients are large are decayed less. AdamW shrinks the weights "
            "past Adam (decoupled), all by the same factor."
        ),
        Source(coupled_decay),
        Source(decoupled_decay),
        Paragraph(
            f"Two weights begin at 1; their gradients are pure noise, of size 1 and 100. With coupled decay they end "
            f"at {shown['coupled, noise 1'].iloc[-1]:.2f} and {shown['coupled, noise 100'].iloc[-1]:.2f}, decoupled at "
            f"{shown['decoupled, noise 1'].iloc[-1]:.2f} and {shown['decoupled, noise 100'].iloc[-1]:.2f}."
        ),
        walk,
        Paragraph(f"On the lesson's regression, Adam at learning rate {_ADAM_RATE}, lowest test loss: {told}."),
        Chart("adam-sweep", f"Test loss after {N_EPOCHS} epochs of Adam.", losses, content),
    ]


def _two_weights(
    n_steps: int = 1000, strength: float = 1.0, learning_rate: float = 0.002
) -> tuple[Chart, pd.DataFrame]:
    """Two weights without a signal, under both decays; averaged over walks, else noise would hide the decay."""
    n_walks = 200
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([1.0, 100.0])
    content = pd.DataFrame({"step": np.arange(n_steps + 1)})
    figure, axes = new_chart("step", "weight, mean of 200 walks")
    decay, rate = torch.full((n_walks,), strength), torch.full((n_walks,), learning_rate)
    kinds: tuple[DecayKind, ...] = ("coupled", "decoupled")
    for kind in kinds:
        weights = torch.ones(n_walks, 2)
        optimizer = BatchedAdam(weights, decay, 2, kind)
        path = [weights.mean(dim=0)]
        for _ in range(n_steps):
            gradient = sizes * torch.randn(n_walks, 2, generator=generator)
            optimizer.step(gradient, rate)
            path.append(weights.mean(dim=0))
        for size, line in zip((1, 100), torch.stack(path).numpy().T, strict=True):
            content[f"{kind}, noise {size}"] = line
    for index, name in enumerate(content.columns[1:]):
        axes.plot(content["step"], content[name], label=name, **line_style(index))
    axes.set_ylim(0, 1.05)
    axes.legend()
    return Chart(
        "two-weights", f"Decay under Adam, λ = {strength:g}, learning rate {learning_rate}.", figure, content
    ), content
