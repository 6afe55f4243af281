"""Test error over a model's width: it peaks where the width equals the rows, and decay removes the peak."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from houseprices.charts import INK, line_style, log_ticks, new_chart
from houseprices.lessons.content import Block, Chart, Formula, Heading, Paragraph, Source, Table
from houseprices.lessons.regression import N_TRAINING, Problem, draw_problem
from houseprices.lessons.seed_intervals import mean_interval

WIDTHS = (1, 2, 4, 8, 12, 15, 17, 18, 19, 20, 21, 22, 23, 25, 28, 34, 42, 60, 100, 200)
STRENGTHS = (0.0, 0.1, 1.0)
_SHOWN = (8, 20, 200)


def fit(inputs: Tensor, targets: Tensor, strength: float) -> Tensor:
    """The weights that minimise mean squared error / 2 + strength / 2 * their squared norm, at once.

    At strength 0 it is the fit of smallest norm, where gradient descent from zero ends.

    Shape:
        inputs: (n_rows, d_in), targets: (n_rows,)
        returns: (d_in,)
    """
    n_rows, d_in = inputs.shape
    weights: Tensor
    if strength == 0:
        weights = torch.linalg.pinv(inputs) @ targets
    else:
        decay = n_rows * strength * torch.eye(d_in, dtype=inputs.dtype)
        weights = torch.linalg.solve(inputs.T @ inputs + decay, inputs.T @ targets)
    return weights


def loss_at_width(problem: Problem, width: int, strength: float) -> float:
    """Half the mean squared error on the test rows of a model that is given the first `width` inputs alone."""
    mean = problem.targets.mean()
    weights = fit(problem.inputs[:, :width], problem.targets - mean, strength)
    errors = problem.test_inputs[:, :width] @ weights + mean - problem.test_targets
    return float(errors.square().mean() / 2)


def double_descent_section(seeds: Sequence[int]) -> list[Block]:
    """Curves over the width at three strengths, and a table of three widths."""
    problems = [draw_problem(seed) for seed in seeds]
    logs = {
        (strength, width): np.log10([loss_at_width(problem, width, strength) for problem in problems])
        for strength in STRENGTHS
        for width in WIDTHS
    }
    typical = {key: 10 ** values.mean() for key, values in logs.items()}
    content = pd.DataFrame({"width": WIDTHS})
    figure, axes = new_chart("width: inputs that the model is given", f"test loss, {len(seeds)} seeds")
    for place, strength in enumerate(STRENGTHS):
        content[f"lambda {strength:g}"] = [typical[strength, width] for width in WIDTHS]
        axes.loglog(WIDTHS, content[f"lambda {strength:g}"], label=f"λ = {strength:g}", **line_style(place))
    axes.axvline(N_TRAINING, color=INK, linewidth=0.8, linestyle=":")
    log_ticks(axes.xaxis, (1, 2, 5))
    log_ticks(axes.yaxis)
    axes.legend()
    rows = [
        (f"λ = {strength:g}", *(mean_interval(logs[strength, width]).text(2) for width in _SHOWN))
        for strength in STRENGTHS
    ]
    peak = max(WIDTHS, key=lambda width: typical[0.0, width])
    without, decayed = typical[0.0, peak], typical[1.0, peak]
    best = min(WIDTHS, key=lambda width: typical[1.0, width])
    return [
        Heading("Double descent, and how decay removes the peak"),
        Paragraph(
            f"The regression with {N_TRAINING} rows again, but the model is given only the first of the 200 inputs; "
            "their number is its width. The old rule says that a wider model fits better until it fits too well. "
            "Instead, the test loss rises towards the width at which the model can just fit all rows, and falls again "
            "beyond: with more weights than it needs, the smallest that fit are small (Belkin et al. 2019, Nakkiran "
            "et al. 2020). The weights are computed at once, without steps; at λ = 0 the smallest ones that fit:"
        ),
        Formula(
            r"w = \left( X^\mathsf{T} X + n \lambda I \right)^{-1} X^\mathsf{T} y",
            "w = (XᵀX + nλI)⁻¹ Xᵀy",
        ),
        Source(fit, folded=False),
        Chart(
            "double-descent",
            f"Test loss over the width, geometric mean; the dotted line is at {N_TRAINING}, the rows.",
            figure,
            content,
        ),
        Table(
            "double-descent-table",
            f"Logarithm to base 10 of the test loss at widths {', '.join(map(str, _SHOWN))}; mean over {len(seeds)} "
            "seeds ± half its 95% interval.",
            pd.DataFrame(rows, columns=["", *(f"width {width}" for width in _SHOWN)]),
        ),
        Paragraph(
            f"Without decay the loss peaks at width {peak}, at {without:.3g}; with λ = 1 it is {decayed:.3g} there, "
            f"{without / decayed:,.0f} times less, and is lowest at width {best}. At the peak there is one way to fit "
            "all rows, noise included, and it takes huge weights: just what a penalty on the weights forbids (Nakkiran "
            "et al. 2021). Whoever decays enough need not fear a width."
        ),
    ]
