"""Lesson: the textbook's own solution of House Prices, and step by step from it to this project's default."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.charts import BLUE, SKY, line_style, new_chart
from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.folds import assign_folds
from houseprices.cross_validation.metrics import log_rmse
from houseprices.cross_validation.result import CrossValidation
from houseprices.data.sample import NOISE_FLOOR
from houseprices.data.schema import PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE, DataKind, read_tables
from houseprices.engine.training import LearningCurves
from houseprices.lessons.chapter import CHAPTER, LOG_TARGET, N_FOLDS, Floats, Rows, read_chapter_table, train_on_folds
from houseprices.lessons.chapter_flaws import N_SEEDS, flaws_section, scores_by_seed
from houseprices.lessons.content import Block, Chart, Exercise, Formula, Heading, Lesson, Paragraph, Table, require
from houseprices.selection.acceptance import typical_rows
from houseprices.settings import FoldSettings, ModelSettings, Settings

HIDDEN = replace(LOG_TARGET, hidden=(128,), learning_rate=0.002)
WEIGHT_DECAY = replace(HIDDEN, weight_decay=5.0)
DROPOUT = replace(WEIGHT_DECAY, dropout=0.15)
COLUMNS = replace(DROPOUT, linear_path=True)
DEFAULT = Settings()
TANH = DEFAULT.models["tanh"]
TRAINING = replace(TANH, input_dropout=0)


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
    """From the chapter's linear net to this project's committee, each step scored on the same five folds.

    Raises:
        SettingsError: the seed is negative.
        DataError: a fault in the files.
    """
    require(seed >= 0, "seed", "0 or more", seed)
    source = read_tables(data)
    train_file, test_file = source.folder / TRAIN_FILE, source.folder / TEST_FILE
    train, test = source.train, source.test
    price = train[PRICE].to_numpy()
    whose = _WHOSE[source.kind].format(n_rows=len(price))
    fold_of_row = assign_folds(len(price), N_FOLDS, 1, seed)[0]
    table = read_chapter_table(train_file, test_file)
    matrix = table.matrix()[: len(price)]
    steps = [_on_chapter_columns("the chapter's own", matrix, price, fold_of_row, CHAPTER, seed, log_target=False)]
    for name, group in _ON_CHAPTER_COLUMNS.items():
        steps.append(_on_chapter_columns(name, matrix, price, fold_of_row, group, seed))
    for name, group in (("this project's columns", COLUMNS), ("longer, more dropout", TRAINING)):
        steps.append(_of_kind(name, "tanh", _cross_validated({"tanh": group}, 1, train, test, seed)))
    committee = _cross_validated(DEFAULT.models, DEFAULT.folds.n_repeats, train, test, seed)
    steps += [_of_kind("input dropout", "tanh", committee), *_of_committee(committee)]
    other_folds = assign_folds(len(price), N_FOLDS, 1, seed + 1)[0]
    elsewhere = [
        _on_chapter_columns(name, matrix, price, other_folds, group, seed + 1)
        for name, group in list(_ON_CHAPTER_COLUMNS.items())[1:]
    ]
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
        _exercises(steps, elsewhere, price, flaws, seed),
        following=None,
        notices=notices,
        given={"--data": data, "--seed": seed},
    )


_WHOSE: dict[DataKind, str] = {
    "kaggle": "Kaggle's {n_rows:,} training houses",
    "sample": "the {n_rows:,} houses of the synthetic sample",
    "other": "the {n_rows:,} houses given",
}


_ON_CHAPTER_COLUMNS = {
    "log target": LOG_TARGET,
    "hidden layer": HIDDEN,
    "weight decay": WEIGHT_DECAY,
    "dropout": DROPOUT,
}


def _on_chapter_columns(
    name: str,
    matrix: NDArray[np.float32],
    price: Floats,
    fold_of_row: Rows,
    group: ModelSettings,
    seed: int,
    *,
    log_target: bool = True,
) -> Step:
    prediction, curves = train_on_folds([matrix] * N_FOLDS, price, fold_of_row, group, log_target=log_target, seed=seed)
    return Step(name, prediction, _at_the_end(curves), curves) if log_target else Step(name, prediction)


def _at_the_end(curves: list[LearningCurves]) -> float:
    """Training log-RMSE after the last epoch, over all folds."""
    return float(np.sqrt(np.mean([np.square(one.training[:, -1]) for one in curves])))


def _cross_validated(
    groups: dict[str, ModelSettings], n_splits: int, train: pd.DataFrame, test: pd.DataFrame, seed: int
) -> CrossValidation:
    folds = FoldSettings(n_folds=N_FOLDS, n_repeats=n_splits)
    return cross_validate(train, test, Settings(seed=seed, device="cpu", folds=folds, models=groups))


def _of_kind(name: str, kind: str, found: CrossValidation) -> Step:
    """One kind of network alone, on the first split of the rows."""
    curves = [of_fold[kind] for of_fold in found.curves[:N_FOLDS]]
    return Step(name, found.out_of_fold[kind][0].mean(axis=0), _at_the_end(curves))


def _of_committee(found: CrossValidation) -> list[Step]:
    """The mean of all kinds on the first split of the rows, and on all splits."""
    first = np.mean([of_kind[0].mean(axis=0) for of_kind in found.out_of_fold.values()], axis=0)
    training = np.square(found.training_log_rmse)
    return [
        Step("four kinds", first, float(np.sqrt(training[0].mean()))),
        Step("more splits", found.prediction, float(np.sqrt(training.mean()))),
    ]


def _blocks(steps: list[Step], price: Floats, fold_of_row: Rows, d_in: int, whose: str) -> list[Block]:
    log_price = np.log(price)
    by_fold = np.array(
        [[log_rmse(step.prediction[rows], log_price[rows]) for rows in _rows_by_fold(fold_of_row)] for step in steps]
    )
    pooled = [log_rmse(step.prediction, log_price) for step in steps]
    bulk = typical_rows([step.prediction[None] for step in steps], log_price)
    content = pd.DataFrame(
        {
            "step": [step.name for step in steps],
            "log-RMSE out of fold": pooled,
            "gain": [np.nan, *-np.diff(pooled)],
            "but for 1%": [log_rmse(step.prediction[bulk], log_price[bulk]) for step in steps],
            "in training": [np.nan if step.training is None else step.training for step in steps],
            **{f"fold {fold + 1}": by_fold[:, fold] for fold in range(N_FOLDS)},
        }
    )
    shown = content.iloc[:, :5]
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
            "The chapter standardises the numbers (it subtracts the mean and divides by the standard deviation, the "
            "spread) over the rows of both files, and sets gaps to zero. Every column of words becomes one column for "
            "each word, a level of the feature: 1 in the rows that have it and 0 elsewhere, the empty cell, NA, "
            f"counting as a word. On these {d_in} columns it trains a linear regression for the price in dollars: "
            f"squared error, Adam at learning rate {CHAPTER.learning_rate:g}, no weight decay, batches of "
            f"{CHAPTER.batch_size}, {CHAPTER.epochs} epochs, {N_FOLDS} folds. On {whose} it scores {pooled[0]:.4f}, "
            "where smaller is better."
        ),
        Paragraph(
            "Two differences from the book: the folds are drawn at random, so that all steps below share them, and a "
            "score is that of the rows of all folds together."
        ),
        Heading("One step at a time"),
        _ladder(steps, content, by_fold, whose),
        Table(
            "steps",
            f"Log-RMSE on {whose}. Each step keeps the earlier ones; the gain is on the row above. The last columns: "
            f"out of fold without the {(~bulk).sum()} houses that all steps together miss most; on the rows trained "
            "on.",
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
    n_networks = DEFAULT.folds.n_folds * DEFAULT.folds.n_repeats * len(DEFAULT.models)
    texts = {
        "log target": (
            "the score compares logs, so the network learns the log price, standardised; the learning rate falls to "
            f"{LOG_TARGET.learning_rate:g}, as the target is now of size 1"
        ),
        "hidden layer": (
            f"{HIDDEN.hidden[0]} ReLU units, learning rate {HIDDEN.learning_rate:g}: enough to learn the training "
            "rows nearly by heart"
        ),
        "weight decay": f"decoupled, of strength {WEIGHT_DECAY.weight_decay:g}",
        "dropout": f"of the hidden units, at rate {DROPOUT.dropout:g}",
        "this project's columns": (
            "gaps filled from the neighbourhood, one rising number for levels that have an order (poor, fair, good), "
            "sizes in logs, scales that a giant lot does not stretch, numbers that may count differently in each "
            "neighbourhood; all of it fitted on each fold's training rows alone. And the inputs also reach the output "
            "directly, past the hidden layer"
        ),
        "longer, more dropout": (
            f"{TRAINING.hidden[0]} units that pass $tanh(z)$, a smooth step from −1 to 1, in place of ReLU; "
            f"{TRAINING.epochs} epochs at a learning rate that falls from {TRAINING.learning_rate:g} to zero along "
            f"half a cosine wave; weight decay {TRAINING.weight_decay:g}, dropout {TRAINING.dropout:g}"
        ),
        "input dropout": (
            f"in training every input is dropped with probability {TANH.input_dropout:g}: the network cannot lean on "
            "any one of the many columns"
        ),
        "four kinds": (
            f"the mean log price of this network and of three that differ in build and in what they see: two layers "
            f"of {' and '.join(map(str, DEFAULT.models['deep'].hidden))} ReLU units; the same, shown the rank of each "
            "number among the houses in place of its size; and none, a sum of one bent line a number. A committee's "
            "members help each other where they err in different directions"
        ),
        "more splits": (
            f"every kind again on folds drawn anew, {DEFAULT.folds.n_repeats} splits of the rows in all: networks that "
            "saw other rows differ more than networks that only began differently"
        ),
    }
    told: list[Block] = [
        Paragraph(f"{name[0].upper()}{name[1:]}: {text}. {scores[before[name]]:.4f} → {scores[name]:.4f}.")
        for name, text in texts.items()
    ]
    return [
        *told,
        Paragraph(
            "Weight decay and dropout work against the same fault, so that the second of them finds less left to do; a "
            "gain below zero is shown as it came out. All steps share one seed, and a few houses that every network "
            "misses by far move such a score more than most steps do: see the column without them, and the exercises. "
            "So the committee was not chosen on these folds but on ten random halvings of the houses."
        ),
        Paragraph(
            "The last step is this project's default but for one thing: the default holds out tenths in place of "
            f"fifths, so that each network learns from more houses, and trains {n_networks} networks. "
            "`houseprices cv` runs it; what it scores over five seeds of folds, how it was chosen and how far to "
            "believe it stands in the project's `docs/score.md`."
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


def _exercises(
    steps: list[Step], elsewhere: list[Step], price: Floats, flaws: pd.DataFrame, seed: int
) -> list[Exercise]:
    """Of the steps, and of hidden layer, weight decay and dropout on the folds of the next seed."""
    log_price = np.log(price)
    here = {step.name: log_rmse(step.prediction, log_price) for step in steps}
    there = {step.name: log_rmse(step.prediction, log_price) for step in elsewhere}
    by_decay, by_dropout = (
        [scores[before] - scores[after] for scores in (here, there)]
        for before, after in (("hidden layer", "weight decay"), ("weight decay", "dropout"))
    )
    errors = np.sort((steps[-1].prediction - log_price) ** 2)[::-1]
    n_odd = math.ceil(len(errors) / 100)
    return [
        Exercise(
            "By how much does the chapter's own score move if the folds are drawn anew?",
            f"lesson house-prices --seed {seed + 1}",
            f"It becomes {flaws['own'].iloc[1]:.4f}; over {len(flaws)} seeds it lies between {flaws['own'].min():.4f} "
            f"and {flaws['own'].max():.4f}. A step of the ladder that brings less than that needs the same folds on "
            "both sides, and more than one seed.",
        ),
        Exercise(
            "Weight decay, and then dropout on top of it: is what they bring on these folds more than chance?",
            f"lesson house-prices --seed {seed + 1}",
            f"Decay brought {by_decay[0]:+.4f} and on the other folds brings {by_decay[1]:+.4f}; dropout "
            f"{by_dropout[0]:+.4f} and {by_dropout[1]:+.4f}. {_of_signs(by_decay, 'Decay')} "
            f"{_of_signs(by_dropout, 'Dropout')} Two seeds are few: the section on the flaws has three, and intervals.",
        ),
        Exercise(
            "How much of the last step's squared error do the hundredth of all houses with the largest errors make?",
            "lesson house-prices",
            f"{errors[:n_odd].sum() / errors.sum():.0%}: {n_odd} of {len(errors)} houses. Guess it from the table, in "
            "which the last step without the worst houses has a much lower score. Such a score is the tale of a few "
            "odd sales, so compare two networks house by house, on the same folds.",
        ),
    ]


def _of_signs(gains: list[float], name: str) -> str:
    if min(gains) > 0:
        return f"{name} helps on both."
    return f"{name} does harm on both." if max(gains) < 0 else f"{name} helps on one and does harm on the other."
