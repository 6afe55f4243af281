"""Lesson: how long is a vector, and what does a penalty on its length do to it?"""

import math

import numpy as np
import pandas as pd
import torch

from houseprices.charts import INK, line_style, new_chart
from houseprices.engine.regularization import coupled_decay, l2_penalty
from houseprices.lessons.content import (
    Block,
    Chart,
    Exercise,
    Formula,
    Heading,
    Lesson,
    Named,
    Paragraph,
    Source,
    Table,
    require,
)
from houseprices.lessons.lp_norms import chebyshev, count_nonzero, euclidean, lp_norm, manhattan

_VECTOR = (3.0, -4.0, 0.0)
_LEARNING_RATE, _N_STEPS = 0.05, 80
_STARTS = (1.0, 0.3, 0.1)


def norms_lesson(p: float = 3.0, strength: float = 0.5) -> Lesson:
    """Lp norms, their unit balls, and the penalties L1 and L2.

    Args:
        p: of the norm that is shown beside 1, 2 and infinity.
        strength: of the penalties.

    Raises:
        SettingsError: p is below 1 or NaN; the strength is not positive, or so large that a step overshoots zero.
    """
    require(p >= 1, "p", "in [1, inf], since below 1 the triangle inequality fails", p)
    largest = 1 / _LEARNING_RATE
    require(0 < strength <= largest, "lambda", f"in (0, {largest:g}] (1 / learning rate)", strength)
    blocks: list[Block] = [
        Heading("How long is a vector?"),
        Paragraph(
            "A model's weights are a vector $w$: a list of numbers. To keep weights small, one needs a number that "
            "says how large all of them are together: a norm, written $‖w‖$. Three are in use; each has a name, a "
            "formula and three lines of code:"
        ),
        Named(
            "Euclidean, L2: as the crow flies",
            Formula(r"\|x\|_2 = \sqrt{\sum_i \; x_i^2}", "‖x‖₂ = √(Σ x_i²)"),
            Source(euclidean),
        ),
        Named(
            "Manhattan, L1: along the streets of a grid",
            Formula(r"\|x\|_1 = \sum_i \; |x_i|", "‖x‖₁ = Σ |x_i|"),
            Source(manhattan),
        ),
        Named(
            "Chebyshev, L∞: the largest alone, as a chess king moves",
            Formula(r"\|x\|_\infty = \max_i |x_i|", "‖x‖_∞ = max |x_i|"),
            Source(chebyshev),
        ),
        Paragraph(
            "All three are of one family, the Lp norms: add the p-th powers of the values' sizes, and take the p-th "
            "root of the sum. L1 and L2 are $p = 1$ and $p = 2$; the larger $p$, the more the largest value rules, and "
            "where $p$ grows without end it alone is left:"
        ),
        Formula(
            r"\|x\|_p = \left( \sum_i \; |x_i|^p \right)^{1/p} \quad (p \geq 1), \qquad "
            r"\lim_{p \to \infty} \|x\|_p = \max_i |x_i|",
            "‖x‖_p = (Σ |x_i|^p)^(1/p) for p >= 1, which tends to max |x_i|",
        ),
        Source(lp_norm),
        _table_of_norms(p),
        Heading("Why L0 is a count and no norm"),
        *_why_l0_is_no_norm(),
        Heading("Unit balls"),
        Paragraph(
            "Each line joins all points of length 1, the unit ball's edge. That of L1 has corners on the axes, where "
            "a coordinate is zero: a penalty on the L1 norm likes to stop there. That of L2 is round and prefers no "
            "direction. For $p = 1/2$ the line is dented: the middle of two of its points lies outside, so that the "
            "way over the middle would be longer than the sum of its halves."
        ),
        _unit_balls(p),
        Heading("Two penalties and their gradients"),
        Paragraph(
            "A penalty is a term that is added to the loss and grows with the weights: training now weighs fit "
            "against size. Weight decay, the next lesson's subject, adds half the squared L2 norm; another method, the "
            "lasso, adds the L1 norm; each times a strength $λ$ (lambda). Their gradients tell them apart: that of L2 "
            "is in proportion to the weight, that of L1 has the same size for every weight but zero, and its sign:"
        ),
        Formula(
            r"\nabla \dfrac{\lambda}{2} \|w\|_2^2 = \lambda w, \qquad \nabla \lambda \|w\|_1 = \lambda \, "
            r"\mathrm{sign}(w)",
            "grad λ/2 ‖w‖₂² = λ w;  grad λ ‖w‖₁ = λ sign(w)",
        ),
        Paragraph(
            "In this project's code many models at once lie in one tensor, a row each; such a row is called a member. "
            "Hence `dim=1` in the sum over a member's weights. The penalty, and the loss's gradient with the penalty's "
            "added to it (coupled; the next lesson knows another way):"
        ),
        Source(l2_penalty, folded=False),
        Source(coupled_decay, folded=False),
        _table_of_gradients(strength),
        Paragraph(
            "Left alone with its penalty, a weight under L2 loses the same share in each step of gradient descent "
            "and never arrives; under L1 it loses the same amount and arrives at zero, a small one soon. Against a "
            "loss that wants the value $a$, $½ (w − a)²$, the L2 penalty shrinks every $a$ by the factor $1/(1 + "
            "λ)$, and the L1 penalty takes $λ$ off and leaves exactly zero where $a$ is smaller: L2 keeps all "
            "weights small, L1 selects some."
        ),
        *_shrinkage(strength),
    ]
    return Lesson(
        "norms",
        "Norms",
        "How large is a list of weights, and what happens to each of them if training has to keep that size small?",
        "the corners of one figure, and at which step a weight becomes exactly zero.",
        blocks,
        _exercises(),
        following="weight-decay",
    )


def _exercises() -> list[Exercise]:
    x, large = torch.tensor(_VECTOR, dtype=torch.float64), 50
    # The steps that L1 takes to bring the middle start to zero.
    n_steps = {strength: math.ceil(_STARTS[1] / (_LEARNING_RATE * strength) - 1e-9) for strength in (0.5, 1.0)}
    corner = torch.eye(2, dtype=torch.float64)
    of_half = [float(v.abs().sqrt().sum() ** 2) for v in (corner[0], corner[1], corner.sum(dim=0))]
    return [
        Exercise(
            f"Which length do you expect of (3, −4, 0) at $p = {large}$?",
            f"lesson norms --p {large}",
            f"{float(lp_norm(x, large)):.4f}, as good as the largest value: the second power of 4/3 is "
            f"{(4 / 3) ** 2:.2f}, its {large}th {(4 / 3) ** large:,.0f}, beside which that of 3 is lost.",
        ),
        Exercise(
            f"Under L1 alone, at λ = 0.5 and learning rate {_LEARNING_RATE}, how many steps does a weight of "
            f"{_STARTS[1]} take to zero? How many at λ = 1? And under L2?",
            "lesson norms --lambda 1",
            f"{n_steps[0.5]}, and {n_steps[1.0]}: each step takes the learning rate times λ away. Under L2 never: each "
            "step takes a share of what is left.",
        ),
        Exercise(
            "Find two vectors that break the triangle inequality at $p = 1/2$.",
            "lesson norms --p 0.5",
            f"(1, 0) and (0, 1) have lengths {of_half[0]:g} and {of_half[1]:g}, their sum (1, 1) has {of_half[2]:g}. "
            "The lesson refuses this p and says why.",
        ),
    ]


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
            "rule": [
                "definiteness: only zero has length 0",
                "homogeneity: twice the vector, twice the length",
                "the triangle inequality",
            ],
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
            "A norm must keep three rules: be zero for the zero vector alone (definiteness), double where the vector "
            "is doubled (homogeneity), and never make a detour shorter: the length of a sum is at most the sum of the "
            "lengths (the triangle inequality). The number of values that are not zero, often called the L0 norm, "
            "does not double: twice the vector has as many. Some retellings say that it fails definiteness; it keeps "
            "it, and the triangle inequality too. What it fails is homogeneity:"
        ),
        Table("l0", "The three rules for (3, −4, 0) and (0, 4, 1).", checks),
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


def _table_of_gradients(strength: float) -> Table:
    weights = torch.tensor([[*_STARTS, -0.01]], dtype=torch.float64, requires_grad=True)
    (of_l1,) = torch.autograd.grad(strength * manhattan(weights[0]), weights)
    decay = torch.tensor([[strength]], dtype=torch.float64)
    of_l2 = coupled_decay(torch.zeros_like(weights), weights.detach(), decay)
    content = pd.DataFrame(
        {"weight": weights.detach()[0].numpy(), "gradient of L1": of_l1[0].numpy(), "gradient of L2": of_l2[0].numpy()}
    )
    return Table("gradients", f"Gradients of the penalties at λ = {strength:g}.", content)


def _shrinkage(strength: float) -> list[Block]:
    steps = np.arange(_N_STEPS + 1)
    figure, axes = new_chart("step", "weight")
    content = pd.DataFrame({"step": steps})
    for index, start in enumerate(_STARTS):
        # The step of L1 stops at zero, which it would otherwise jump over for ever.
        under_l1 = np.maximum(start - _LEARNING_RATE * strength * steps, 0)
        under_l2 = start * (1 - _LEARNING_RATE * strength) ** steps
        for column, (path, name) in enumerate(((under_l1, "L1"), (under_l2, "L2"))):
            axes.plot(steps, path, label=name if index == 0 else None, **line_style(column))
            content[f"{name} from {start:g}"] = path
    axes.legend()
    alone = Chart("shrinking", f"Weights under the penalty alone, λ = {strength:g}.", figure, content)

    figure, axes = new_chart("a, which the loss wants", "weight that minimises the sum")
    wanted = np.linspace(-2, 2, 401)
    minimisers = {
        "L1": np.sign(wanted) * np.maximum(np.abs(wanted) - strength, 0),
        "L2": wanted / (1 + strength),
    }
    axes.plot(wanted, wanted, color=INK, linewidth=0.8, label="no penalty")
    for index, (name, minimiser) in enumerate(minimisers.items()):
        axes.plot(wanted, minimiser, label=name, **line_style(index))
    axes.legend()
    content = pd.DataFrame({"a": wanted, **minimisers})
    return [
        alone,
        Chart("minimisers", f"The weight between loss ½ (w − a)² and penalty, λ = {strength:g}.", figure, content),
    ]


def _text(p: float) -> str:
    return "∞" if math.isinf(p) else f"{p:g}"
