"""Lesson: the textbook's own solution of House Prices, and step by step from it to this project's."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.charts import BLUE, SKY, line_style, new_chart
from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.folds import assign_folds
from houseprices.cross_validation.metrics import log_rmse
from houseprices.data.sample.write import NOISE_FLOOR
from houseprices.data.schema import PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE, DataKind, find_source
from houseprices.data.table import read_houses
from houseprices.engine.training import LearningCurves
from houseprices.lessons.chapter import CHAPTER, LOG_TARGET, N_FOLDS, Floats, Rows, read_chapter_table, train_on_folds
from houseprices.lessons.chapter_flaws import N_SEEDS, flaws_section, scores_by_seed
from houseprices.lessons.content import Block, Chart, Exercise, Formula, Heading, Lesson, Paragraph, Table, require
from houseprices.settings import FoldSettings, GroupSettings, Settings

HIDDEN = replace(LOG_TARGET, hidden=(128,), learning_rate=0.002)
WEIGHT_DECAY = replace(HIDDEN, weight_decay=5.0)
DROPOUT = replace(WEIGHT_DECAY, dropout=0.15)
COLUMNS = replace(DROPOUT, linear_path=True)
RECIPE = Settings().groups["tanh"]
TRAINING = replace(RECIPE, input_dropout=0)
N_SPLITS = 3


@dataclass(frozen=True)
class Step:
    """One step on the way.

    Attributes:
        name: what is new.
        prediction: (n_rows,) log prices out of fold.
        training: log-RMSE on the training rows at the end; None where it is not watched in logs.
        curves: of the networks of all folds, where the step is drawn; errors in units of the log price.
    """

    name: str
    prediction: Floats
    training: float | None = None
    curves: list[LearningCurves] | None = None


def house_prices_lesson(data: Path | None = None, seed: int = 0) -> Lesson:
    """From the chapter's linear net to this project's networks, each step scored on the same five folds.

    Raises:
        SettingsError: the seed is negative.
        DataError: a fault in the files.
    """
    require(seed >= 0, "seed", "0 or more", seed)
    source = find_source(data)
    train_file, test_file = source.folder / TRAIN_FILE, source.folder / TEST_FILE
    train, test = read_houses(train_file, priced=True), read_houses(test_file, priced=False)
    price = train[PRICE].to_numpy()
    whose = _WHOSE[source.kind].format(n_rows=len(price))
    fold_of_row = assign_folds(len(price), N_FOLDS, 1, seed)[0]
    table = read_chapter_table(train_file, test_file)
    matrix = table.matrix()[: len(price)]
    steps = [_on_chapter_columns("the chapter's own", matrix, price, fold_of_row, CHAPTER, log_target=False)]
    for name, group in (
        ("log target", LOG_TARGET),
        ("hidden layer", HIDDEN),
        ("weight decay", WEIGHT_DECAY),
        ("dropout", DROPOUT),
    ):
        steps.append(_on_chapter_columns(name, matrix, price, fold_of_row, group, log_target=True))
    for name, group in (("this project's columns", COLUMNS), ("longer, more dropout", TRAINING)):
        steps += _by_cross_validation([name], train, test, group, seed)
    steps += _by_cross_validation(["input dropout", "more splits"], train, test, RECIPE, seed)
    notices = []
    if source.kind == "sample":
        notices.append(
            f"{source.folder} is a synthetic sample: the scores of the lesson house-prices say nothing about Kaggle "
            f"(best possible log-RMSE {NOISE_FLOOR:.3f})."
        )
    flaws = pd.DataFrame([scores_by_seed(table, price, seed + place) for place in range(N_SEEDS)])
    blocks = [
        *_blocks(steps, price, fold_of_row, matrix.shape[1], whose),
        Heading("The chapter's flaws, each as a number"),
        *flaws_section(flaws, whose),
    ]
    return Lesson(
        "house-prices",
        "House prices",
        "What do weight decay and dropout bring on a real table, beside everything else that one can do?",
        "the gain of each step beside what chance alone moves, and the flaws that change the score without changing "
        "the network.",
        blocks,
        _exercises(steps, price, flaws),
        following=None,
        notices=notices,
    )


_WHOSE: dict[DataKind, str] = {
    "kaggle": "Kaggle's {n_rows:,} training houses",
    "sample": "the {n_rows:,} houses of the synthetic sample",
    "other": "the {n_rows:,} houses given",
}


def _on_chapter_columns(
    name: str,
    matrix: NDArray[np.float32],
    price: Floats,
    fold_of_row: Rows,
    group: GroupSettings,
    *,
    log_target: bool,
) -> Step:
    prediction, curves = train_on_folds([matrix] * N_FOLDS, price, fold_of_row, group, log_target=log_target)
    if not log_target:
        return Step(name, prediction)
    last = [float(one.training[0, -1]) for one in curves]
    return Step(name, prediction, float(np.sqrt(np.mean(np.square(last)))), curves)


def _by_cross_validation(
    names: list[str], train: pd.DataFrame, test: pd.DataFrame, group: GroupSettings, seed: int
) -> list[Step]:
    """The step of one split of the rows, and under a second name the mean of several splits."""
    folds = FoldSettings(n_folds=N_FOLDS, n_repeats=N_SPLITS if len(names) > 1 else 1)
    result = cross_validate(train, test, Settings(seed=seed, device="cpu", folds=folds, groups={names[0]: group}))
    of_splits, training = result.out_of_fold[names[0]], result.training_log_rmse**2
    steps = [Step(names[0], of_splits[0].mean(axis=0), float(np.sqrt(training[0].mean())))]
    return steps + [Step(name, result.prediction, float(np.sqrt(training.mean()))) for name in names[1:]]


def _blocks(steps: list[Step], price: Floats, fold_of_row: Rows, d_in: int, whose: str) -> list[Block]:
    log_price = np.log(price)
    by_fold = np.array(
        [[log_rmse(step.prediction[rows], log_price[rows]) for rows in _rows_by_fold(fold_of_row)] for step in steps]
    )
    pooled = [log_rmse(step.prediction, log_price) for step in steps]
    content = pd.DataFrame(
        {
            "step": [step.name for step in steps],
            "log-RMSE out of fold": pooled,
            "gain": [np.nan, *-np.diff(pooled)],
            "in training": [np.nan if step.training is None else step.training for step in steps],
            **{f"fold {fold + 1}": by_fold[:, fold] for fold in range(N_FOLDS)},
        }
    )
    shown = content.iloc[:, :4]
    drawn = next(step for step in steps if step.name == "hidden layer"), next(s for s in steps if s.name == "dropout")
    return [
        Heading("The chapter's own solution"),
        Paragraph(
            "The textbook's last chapter on multilayer perceptrons predicts what houses were sold for, from a table "
            "with 79 features of each: Kaggle's competition House Prices. The rows are cut into five parts, the folds; "
            "each fold in turn is held out while a network is trained on the other four, so that every house is "
            "priced by a network that never saw it (out of fold). The score compares logarithms, so that 10% too much "
            "counts alike for a cottage and a palace:"
        ),
        Formula(
            r"\sqrt{\,\dfrac{1}{n} \sum_{i=1}^{n} \left( \log \hat{y}_i - \log y_i \right)^2}",
            "log-RMSE = √(mean of (log ŷ − log y)²)",
        ),
        Paragraph(
            "The chapter standardises the numbers (mean 0, spread 1) over the rows of both files, sets gaps to zero, "
            "turns every other "
            f"column into one column a level with NA as a level ({d_in} columns), and trains a linear network on the "
            "price in dollars: squared error, Adam at learning rate 5, no weight decay, batches of 64, 100 epochs, 5 "
            f"folds. On {whose} it scores {pooled[0]:.4f}, where smaller is better."
        ),
        Paragraph(
            "Two differences from the book: the folds are drawn at random, so that all steps share this project's "
            "folds, and every score pools the rows of all folds. The main job has no configuration for this network: "
            "it always learns the standardised log price, and squared error in dollars is another loss, in which a "
            "palace counts more than a street of cottages."
        ),
        Heading("One step at a time"),
        _ladder(steps, content, by_fold, whose),
        Table(
            "steps",
            f"Log-RMSE on {whose}. Each step keeps the earlier ones; the gain is on the row above.",
            shown,
        ),
        *_explanations(content),
        Heading("What weight decay and dropout do here"),
        *_learning_curves(*drawn),
    ]


def _rows_by_fold(fold_of_row: Rows) -> list[Rows]:
    return [np.flatnonzero(fold_of_row == fold) for fold in range(N_FOLDS)]


def _explanations(content: pd.DataFrame) -> list[Block]:
    scores = dict(zip(content["step"], content["log-RMSE out of fold"], strict=True))
    names = list(scores)
    before = dict(zip(names[1:], names[:-1], strict=True))
    texts = {
        "log target": (
            "The score compares logs, so the network learns the log price, standardised; the learning rate falls to "
            f"{LOG_TARGET.learning_rate}, as the target is now of size 1."
        ),
        "hidden layer": (
            f"{HIDDEN.hidden[0]} {HIDDEN.activation} units, learning rate {HIDDEN.learning_rate}: enough to learn the "
            "training rows nearly by heart."
        ),
        "weight decay": f"Decoupled, {WEIGHT_DECAY.weight_decay:g}.",
        "dropout": f"At rate {DROPOUT.dropout:g} on the hidden layer.",
        "this project's columns": (
            "Gaps filled from the neighbourhood, ranks for levels that have an order (poor, fair, good), sizes "
            "in logs, scales that a giant lot does "
            "not stretch, crosses with the neighbourhood; all of it fitted on each fold's training rows alone; and the "
            "inputs also reach the output directly."
        ),
        "longer, more dropout": (
            f"{', '.join(map(str, TRAINING.hidden))} {TRAINING.activation} units, {TRAINING.epochs} epochs at learning "
            f"rate {TRAINING.learning_rate:g} on a {TRAINING.schedule} schedule (it falls to zero along half a "
            "wave), weight decay "
            f"{TRAINING.weight_decay:g}, dropout {TRAINING.dropout:g}."
        ),
        "input dropout": (
            f"In training every input is zero with probability {RECIPE.input_dropout:g}: the network cannot lean on "
            "any one of the many columns."
        ),
        "more splits": (
            f"The mean of {N_SPLITS} networks a house, each from another split of the rows. The main job does this "
            f"{FoldSettings().n_repeats} times on {FoldSettings().n_folds} folds."
        ),
    }
    told: list[Block] = [
        Paragraph(f"{name}: {text} {scores[before[name]]:.4f} → {scores[name]:.4f}.") for name, text in texts.items()
    ]
    return [
        *told,
        Paragraph(
            "Weight decay and dropout work against the same fault, so that the second of them finds less left to do; a "
            "gain below zero is shown as it came out. All steps share one seed; how far such scores move from seed to "
            "seed is the first exercise."
        ),
    ]


def _ladder(steps: list[Step], content: pd.DataFrame, by_fold: NDArray[np.float64], whose: str) -> Chart:
    figure, axes = new_chart("log-RMSE out of fold", "", width=8.2, height=3.9)
    places = np.arange(len(steps))[::-1]
    for fold in range(N_FOLDS):
        label = "single folds" if fold == 0 else None
        axes.plot(by_fold[:, fold], places, "o", color=SKY, markersize=4, label=label, zorder=2)
    pooled = content["log-RMSE out of fold"]
    axes.plot(pooled, places, "D", color=BLUE, markersize=7, label="all rows", zorder=3)
    for score, place in zip(pooled, places, strict=True):
        axes.annotate(
            f"{score:.4f}", (score, place), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=9
        )
    axes.set_yticks(places, [step.name for step in steps])
    axes.set_ylim(-0.6, len(steps) - 0.2)
    axes.legend(loc="lower right")
    return Chart("steps-chart", f"Scores of {whose} on the same five folds.", figure, content, wide=True)


def _learning_curves(plain: Step, regularised: Step) -> list[Block]:
    charts: list[Block] = []
    content = pd.DataFrame({"epoch": np.arange(1, HIDDEN.epochs + 1)})
    ends = []
    for step, title in ((plain, "no regulariser"), (regularised, "weight decay and dropout")):
        figure, axes = new_chart("epoch", "log-RMSE, mean of the folds")
        for index, part in enumerate(("training", "validation")):
            curve = np.mean([getattr(one, part)[0] for one in step.curves or []], axis=0)
            axes.plot(content["epoch"], curve, label=part, **line_style(index))
            content[f"{part}, {title}"] = curve
            ends.append(curve[-1])
        axes.set_ylim(0, 0.4)
        axes.legend()
        name = "curves-" + title.replace(" ", "-")
        charts.append(Chart(name, title.capitalize() + ".", figure, content if charts else None))
    return [
        Paragraph(
            "The chapter's columns and a hidden layer, on the chapter's epochs. Without a regulariser training and "
            f"validation end at {ends[0]:.3f} and {ends[1]:.3f}, with both at {ends[2]:.3f} and {ends[3]:.3f}."
        ),
        *charts,
    ]


def _exercises(steps: list[Step], price: Floats, flaws: pd.DataFrame) -> list[Exercise]:
    log_price = np.log(price)
    scores = {step.name: log_rmse(step.prediction, log_price) for step in steps}
    plain, both = (next(step for step in steps if step.name == name) for name in ("hidden layer", "dropout"))
    of_logs = scores[steps[0].name] - scores["log target"]
    errors = np.sort((steps[-1].prediction - log_price) ** 2)[::-1]
    n_odd = max(1, len(errors) // 100)
    return [
        Exercise(
            "By how much does the chapter's own score move if the folds are drawn anew?",
            "lesson house-prices --seed 1",
            f"Over {len(flaws)} seeds it lies between {flaws['own'].min():.4f} and {flaws['own'].max():.4f}. A step of "
            "the ladder that brings less than that needs the same folds on both sides, and more than one seed.",
        ),
        Exercise(
            "How much of the last step's squared error do the hundredth of all houses with the largest errors make?",
            "lesson house-prices",
            f"{errors[:n_odd].sum() / errors.sum():.0%}: {n_odd} of {len(errors)} houses. A score of such a table "
            "is the tale of a few odd sales, so compare two networks house by house, on the same folds.",
        ),
        Exercise(
            "What do decay and dropout act on here? Compare the scores in training and out of fold.",
            "lesson house-prices --data data/sample",
            f"The hidden layer without them scores {plain.training:.4f} in training and {scores[plain.name]:.4f} "
            "out of "
            f"fold, with both {both.training:.4f} and {scores[both.name]:.4f}: they hold back what is learnt by heart, "
            f"and a part of it was worth something. (The log target alone brings {of_logs:+.4f}.) The command takes "
            "synthetic houses, which `houseprices sample` draws and whose noise is known.",
        ),
    ]
