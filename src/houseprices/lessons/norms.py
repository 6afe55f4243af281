"""Lesson: how long is a vector, and what does a penalty on its length do to it?"""

import math

import numpy as np
import pandas as pd
import torch

from houseprices.charts import INK, line_style, new_chart
from houseprices.engine.regularization import coupled_decay, l2_penalty
from houseprices.lessons.content import Block, Chart, Formula, Heading, Lesson, Paragraph, Source, Table, require
from houseprices.lessons.lp_norms import count_nonzero, lp_norm

_VECTOR = (3.0, -4.0, 0.0)
_STRENGTH, _LEARNING_RATE, _N_STEPS = 0.5, 0.05, 80
_STARTS = (1.0, 0.3, 0.1)


def norms_lesson(p: float = 3.0) -> Lesson:
    """Lp norms, their unit balls, and the penalties L1 and L2.

    Args:
        p: of the norm that is shown beside 1, 2 and infinity.

    Raises:
        SettingsError: p is below 1 or NaN.
    """
    require(p >= 1, "p", "in [1, inf], since below 1 the triangle inequality fails", p)
    blocks: list[Block] = [
        Heading("How long is a vector?"),
        Paragraph("The Lp norm adds the p-th powers of the values' sizes and takes the p-th root of the sum:"),
        Formula(
            r"\|x\|_p = \left( \sum_i |x_i|^p \right)^{1/p} \quad (p \ge 1), \qquad \|x\|_\infty = \max_i |x_i|",
            "‖x‖_p = (Σ |x_i|^p)^(1/p) for p >= 1;  ‖x‖_∞ = max |x_i|",
        ),
        Source(lp_norm),
        _table_of_norms(p),
        Paragraph("The larger $p$, the more the largest value rules and the smaller the norm."),
        Heading("Why L0 is a count and no norm"),
        *_why_l0_is_no_norm(),
        Heading("Unit balls"),
        Paragraph(
            "All points of length 1. The ball of L1 has corners on the axes, where coordinates are zero: a penalty "
            "on the L1 norm likes to stop there. The ball of L2 is round and prefers no direction. For $p = 1/2$ the "
            "set is dented: the middle of two of its points lies outside, which no norm allows."
        ),
        _unit_balls(p),
        Heading("Two penalties and their gradients"),
        Paragraph(
            "Weight decay adds half the squared L2 norm to the loss, the lasso adds the L1 norm, each times a strength "
            "$λ$. The gradients tell them apart: that of L2 is in proportion to the weight, that of L1 has the same "
            "size for every weight but zero."
        ),
        Formula(
            r"\nabla \frac{\lambda}{2} \|w\|_2^2 = \lambda w, \qquad \nabla \lambda \|w\|_1 = \lambda \, "
            r"\mathrm{sign}(w)",
            "grad λ/2 ‖w‖₂² = λ w;  grad λ ‖w‖₁ = λ sign(w)",
        ),
        Source(l2_penalty),
        Source(coupled_decay),
        _table_of_gradients(),
        Paragraph(
            "Left alone with its penalty, a weight under L2 loses the same share in each step and never arrives; under "
            "L1 it loses the same amount and arrives at zero, a small one soon. Against a loss that wants the value "
            "$a$, the L2 penalty shrinks every $a$ by the factor $1/(1 + λ)$, and the L1 penalty takes $λ$ off and "
            "leaves exactly zero where $a$ is smaller: L2 keeps all weights small, L1 selects some."
        ),
        *_shrinkage(),
    ]
    return Lesson("norms", "Norms", blocks)


def _table_of_norms(p: float) -> Table:
    x = torch.tensor(_VECTOR, dtype=torch.float64)
    orders = sorted({1.0, 1.5, 2.0, p, 10.0, math.inf})
    rows = [(_text(order), float(lp_norm(x, order))) for order in orders]
    return Table("norms", "Norms of the vector (3, −4, 0).", pd.DataFrame(rows, columns=["p", "norm"]))


def _why_l0_is_no_norm() -> list[Block]:
    x = torch.tensor(_VECTOR, dtype=torch.float64)
    y = torch.tensor([0.0, 4.0, 1.0], dtype=torch.float64)
    checks = pd.DataFrame(
        {
            "property": ["only zero has length 0", "twice the vector, twice the length", "the triangle inequality"],
            "L2": [
                f"{lp_norm(0 * x, 2):g} and {lp_norm(x, 2):g}: holds",
                f"{lp_norm(2 * x, 2):g} = 2 × {lp_norm(x, 2):g}: holds",
                f"{lp_norm(x + y, 2):.3g} ≤ {lp_norm(x, 2):.3g} + {lp_norm(y, 2):.3g}: holds",
            ],
            "L0": [
                f"{count_nonzero(0 * x)} and {count_nonzero(x)}: holds",
                f"{count_nonzero(2 * x)} ≠ 2 × {count_nonzero(x)}: fails",
                f"{count_nonzero(x + y)} ≤ {count_nonzero(x)} + {count_nonzero(y)}: holds",
            ],
        }
    )
    return [
        Paragraph(
            "A norm must do three things: be zero for the zero vector alone, scale with the vector, and satisfy the "
            "triangle inequality. The number of values that are not zero, often called L0, does not scale: twice the "
            "vector has as many."
        ),
        Table("l0", "The three properties for (3, −4, 0) and (0, 4, 1).", checks),
    ]


def _unit_balls(p: float) -> Chart:
    figure, axes = new_chart("first coordinate", "second coordinate", width=4.7, height=4.3)
    angle = np.linspace(0, 2 * np.pi, 1001)
    directions = torch.tensor(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    parts = []
    for index, order in enumerate(sorted({1.0, 2.0, p, math.inf})):
        ball = (directions / lp_norm(directions, order).unsqueeze(1)).numpy()
        axes.plot(*ball.T, label=f"p = {_text(order)}", **line_style(index))
        parts.append(pd.DataFrame({"p": order, "first": ball[:, 0], "second": ball[:, 1]}))
    # No norm, hence not by lp_norm.
    dented = directions.numpy() / (np.abs(directions.numpy()) ** 0.5).sum(axis=1, keepdims=True) ** 2
    axes.plot(*dented.T, label="p = 1/2, no norm", **line_style(4), linewidth=1.2)
    parts.append(pd.DataFrame({"p": 0.5, "first": dented[:, 0], "second": dented[:, 1]}))
    axes.set_aspect("equal")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
    return Chart("unit-balls", "Points of length 1 in the plane.", figure, pd.concat(parts, ignore_index=True))


def _table_of_gradients() -> Table:
    weights = torch.tensor([[*_STARTS, -0.01]], dtype=torch.float64, requires_grad=True)
    strength = torch.tensor([_STRENGTH], dtype=torch.float64)
    (of_l1,) = torch.autograd.grad((strength * lp_norm(weights, 1)).sum(), weights)
    of_l2 = coupled_decay(torch.zeros_like(weights), weights.detach(), strength[:, None])
    content = pd.DataFrame(
        {"weight": weights.detach()[0].numpy(), "gradient of L1": of_l1[0].numpy(), "gradient of L2": of_l2[0].numpy()}
    )
    return Table("gradients", f"Gradients of the penalties at λ = {_STRENGTH:g}.", content)


def _shrinkage() -> list[Block]:
    steps = np.arange(_N_STEPS + 1)
    figure, axes = new_chart("step", "weight")
    content = pd.DataFrame({"step": steps})
    for index, start in enumerate(_STARTS):
        # The step of L1 stops at zero, which it would otherwise jump over for ever.
        under_l1 = np.maximum(start - _LEARNING_RATE * _STRENGTH * steps, 0)
        under_l2 = start * (1 - _LEARNING_RATE * _STRENGTH) ** steps
        for column, (path, name) in enumerate(((under_l1, "L1"), (under_l2, "L2"))):
            axes.plot(steps, path, label=name if index == 0 else None, **line_style(column))
            content[f"{name} from {start:g}"] = path
    axes.legend()
    alone = Chart("shrinking", f"Weights under the penalty alone, λ = {_STRENGTH:g}.", figure, content)

    figure, axes = new_chart("a, which the loss wants", "weight that minimises the sum")
    wanted = np.linspace(-2, 2, 401)
    minimisers = {
        "L1": np.sign(wanted) * np.maximum(np.abs(wanted) - _STRENGTH, 0),
        "L2": wanted / (1 + _STRENGTH),
    }
    axes.plot(wanted, wanted, color=INK, linewidth=0.8, label="no penalty")
    for index, (name, minimiser) in enumerate(minimisers.items()):
        axes.plot(wanted, minimiser, label=name, **line_style(index))
    axes.legend()
    content = pd.DataFrame({"a": wanted, **minimisers})
    return [
        alone,
        Chart("minimisers", f"The weight between loss ½ (w − a)² and penalty, λ = {_STRENGTH:g}.", figure, content),
    ]


def _text(p: float) -> str:
    return "∞" if math.isinf(p) else f"{p:g}"
