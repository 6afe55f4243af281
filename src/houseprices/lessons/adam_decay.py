"""A section of the lesson on weight decay: under Adam, a penalty in the loss and a shrinking step are not the same."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from houseprices.charts import line_style, new_chart
from houseprices.engine.optimizer import BatchedAdam, DecayKind
from houseprices.engine.regularization import coupled_decay, decoupled_decay
from houseprices.lessons.content import Block, Chart, Paragraph, Source
from houseprices.lessons.regression import BATCH_SIZE, D_IN, N_EPOCHS, Problem, Trained, is_evaluated, losses
from houseprices.lessons.sweep_chart import plot_sweep

_SWEEP = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_RATE = 0.01
N_WALKS = 200


def train_by_adam(problem: Problem, strengths: Tensor, *, coupled: bool) -> Trained:
    """The engine's Adam, with the decay as a gradient or past Adam; a member a strength, in float32 as the engine.

    Shape:
        strengths: (n_members,), >= 0
    """
    n_members = len(strengths)
    decay, rate = strengths.float(), torch.full((n_members,), _RATE)
    inputs, targets = problem.inputs.float(), problem.targets.float()
    parameters = torch.cat([problem.start.float().repeat(n_members, 1), torch.zeros(n_members, 1)], dim=1)
    optimizer = BatchedAdam(parameters, decay, D_IN, "coupled" if coupled else "decoupled")
    weights, biases = parameters[:, :D_IN], parameters[:, D_IN]
    curves = []
    for step, rows in enumerate(problem.batches, start=1):
        errors = weights @ inputs[rows].T + biases[:, None] - targets[rows]
        gradient = torch.cat([errors @ inputs[rows], errors.sum(dim=1, keepdim=True)], dim=1) / BATCH_SIZE
        optimizer.step(gradient, rate)
        if is_evaluated(step):
            curves.append(losses(problem, weights.double(), biases.double()))
    return Trained(weights.clone(), biases.clone(), torch.stack(curves))


def adam_section(problem: Problem) -> list[Block]:
    """Two weights without a signal, and the lesson's regression, under both decays."""
    strengths = torch.tensor(_SWEEP, dtype=torch.float64)
    coupled, decoupled = (train_by_adam(problem, strengths, coupled=kind) for kind in (True, False))
    content = pd.DataFrame(
        {
            "lambda": _SWEEP,
            "test loss, coupled": coupled.curves[-1, :, 1].numpy(),
            "test loss, decoupled": decoupled.curves[-1, :, 1].numpy(),
            "norm, coupled": coupled.norms.numpy(),
            "norm, decoupled": decoupled.norms.numpy(),
        }
    )
    chart, axes = new_chart("λ", "test loss")
    plot_sweep(axes, _SWEEP, {kind: content[f"test loss, {kind}"].to_numpy() for kind in ("coupled", "decoupled")})
    walk, shown = walk_at_random()
    best = {kind: int(content[f"test loss, {kind}"].argmin()) for kind in ("coupled", "decoupled")}
    told = "; ".join(
        f"{kind} {content[f'test loss, {kind}'][row]:.3g} at λ = {_SWEEP[row]:g}" for kind, row in best.items()
    )
    return [
        Paragraph(
            "Adam is the optimiser that most networks are trained by: it keeps a running mean of each weight's "
            "gradient and divides it by the gradient's running size, so that all weights take steps of a like size. "
            "A penalty in the loss is part of the gradient and is divided too (coupled): weights whose gradients are "
            "large are decayed less. AdamW shrinks the weights past Adam (decoupled), all by the same factor."
        ),
        Source(coupled_decay),
        Source(decoupled_decay),
        Paragraph(
            f"Two weights begin at 1; their gradients are pure noise, of size 1 and 100, so that they walk at "
            f"random; the mean of {N_WALKS} walks shows the decay. With coupled decay they end at "
            f"{shown['coupled, noise 1'].iloc[-1]:.2f} and {shown['coupled, noise 100'].iloc[-1]:.2f}, decoupled at "
            f"{shown['decoupled, noise 1'].iloc[-1]:.2f} and {shown['decoupled, noise 100'].iloc[-1]:.2f}."
        ),
        walk,
        Paragraph(f"On the lesson's regression, Adam at learning rate {_RATE}, lowest test loss: {told}."),
        Chart("adam-sweep", f"Test loss after {N_EPOCHS} epochs of Adam.", chart, content),
    ]


def walk_at_random(
    n_steps: int = 1000, strength: float = 1.0, learning_rate: float = 0.002
) -> tuple[Chart, pd.DataFrame]:
    """Two weights without a signal, under both decays; averaged over walks, else noise would hide the decay."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([1.0, 100.0])
    content = pd.DataFrame({"step": np.arange(n_steps + 1)})
    figure, axes = new_chart("step", f"weight, mean of {N_WALKS} walks")
    decay, rate = torch.full((N_WALKS,), strength), torch.full((N_WALKS,), learning_rate)
    kinds: tuple[DecayKind, ...] = ("coupled", "decoupled")
    for kind in kinds:
        weights = torch.ones(N_WALKS, 2)
        optimizer = BatchedAdam(weights, decay, 2, kind)
        path = [weights.mean(dim=0)]
        for _ in range(n_steps):
            gradient = sizes * torch.randn(N_WALKS, 2, generator=generator)
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
