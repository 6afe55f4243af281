"""Decay and dropout that fade out over the training, against constant ones."""

import math
from collections.abc import Sequence

import pandas as pd
import torch

from houseprices.charts import line_style, new_chart
from houseprices.lessons.content import Block, Chart, Heading, Paragraph, Source, Table
from houseprices.lessons.seed_intervals import MeanInterval, mean_interval
from houseprices.lessons.side_by_side import side_by_side
from houseprices.lessons.since.networks import Plan, Recipe, train
from houseprices.lessons.since.tables import Splits

PLAN = Plan(n_hidden=64, n_epochs=60, batch_size=100, learning_rate=0.01)
_DECAY, _DROPOUT = 0.5, 0.15


def flat_cosine(progress: float) -> float:
    """The whole strength for half of the training, then half a cosine down to none (RealMLP, arXiv 2407.04491).

    >>> [round(flat_cosine(progress), 3) for progress in (0.0, 0.5, 0.75, 1.0)]
    [1.0, 1.0, 0.5, 0.0]
    """
    return 0.5 * (1 + math.cos(math.pi * (max(1.0, 2 * progress) - 1)))


RECIPES = (
    Recipe("constant", _DECAY, _DROPOUT),
    Recipe("decay scheduled", _DECAY, _DROPOUT, decay_schedule=flat_cosine),
    Recipe("dropout scheduled", _DECAY, _DROPOUT, dropout_schedule=flat_cosine),
    Recipe("both scheduled", _DECAY, _DROPOUT, flat_cosine, flat_cosine),
)


def changes(splits: Splits) -> tuple[MeanInterval, list[MeanInterval]]:
    """The test RMSE of the constant recipe, and by how much each schedule changes it, as a share."""
    networks = train(splits.inputs, splits.targets, RECIPES, splits.seeds, PLAN)
    with torch.no_grad():
        errors = networks.outputs(splits.test_inputs)[..., 0] - splits.test_targets[:, None]
    rmse = errors.square().mean(dim=-1).sqrt()
    share = rmse / rmse[:, :1] - 1
    return mean_interval(rmse[:, 0]), [mean_interval(share[:, place]) for place in range(1, len(RECIPES))]


def schedules_section(tables: Sequence[Splits]) -> list[Block]:
    """The schedule, and what it changes on each table."""
    progress = [step / 100 for step in range(101)]
    curve = pd.DataFrame({"progress": progress, "share of the strength": [flat_cosine(one) for one in progress]})
    figure, axes = new_chart("progress of the training", "share of the strength", height=2.4)
    axes.plot(*curve.to_numpy().T, **line_style(0))
    found = [(splits, *changed) for splits, changed in zip(tables, side_by_side(changes, tables), strict=True)]
    rows = [
        (
            f"{splits.name}, {len(splits.seeds)} seeds",
            constant.text(3),
            *(f"{one.text(1, scale=100, sign=True)} %" for one in of_schedules),
        )
        for splits, constant, of_schedules in found
    ]
    columns = ["table", "test error, constant", *(recipe.name for recipe in RECIPES[1:])]
    of_all = [one for *_, of_schedules in found for one in of_schedules]
    n_lower = sum(one.excludes_zero and one.mean < 0 for one in of_all)
    n_higher = sum(one.excludes_zero and one.mean > 0 for one in of_all)
    return [
        Heading("Strengths that fade out"),
        Paragraph(
            "Why regularise in the last steps as in the first? RealMLP, a recipe for networks on tables, holds decay "
            "and dropout for half of the training and then lets them fade; its authors found 3% lower errors on their "
            "regression tables by each of the two (arXiv 2407.04491, table B)."
        ),
        Chart("flat-cosine", "The schedule.", figure, curve),
        Source(flat_cosine, folded=False),
        Paragraph(
            f"Here: a network of {PLAN.n_hidden} units with decoupled decay {_DECAY:g} and dropout {_DROPOUT:g}, "
            "random halves of each table, the same start, batches and masks for all four recipes. "
            "(friedman1 is a made-up table with known noise, diabetes a real one of patients; both come with "
            "scikit-learn. The houses are those of the last lesson, with the textbook's columns and the log price.) "
            "The strengths were not tuned anew for each schedule, which would cost a search and might favour it."
        ),
        Table(
            "schedules",
            "Test error (RMSE, the root of the mean squared error, in units of the target's spread, its standard "
            "deviation) with constant strengths, and its change by each "
            "schedule; mean over seeds ± half its 95% interval, below zero is better.",
            pd.DataFrame(rows, columns=columns),
        ),
        Paragraph(
            f"Of {len(of_all)} changes, {n_lower} are improvements beyond chance, {n_higher} are losses beyond chance, "
            f"and the others may be either; the largest improvement is {-100 * min(one.mean for one in of_all):.1f}%. "
            "On tables as small as these, such a schedule is worth a trial, not faith."
        ),
    ]
