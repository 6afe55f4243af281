"""Lesson: the textbook's own solution of House Prices, and step by step from it to this project's."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from houseprices.charts import BLUE, SKY, line_style, new_chart
from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.folds import assign_folds
from houseprices.cross_validation.metrics import log_rmse
from houseprices.data.sample.write import NOISE_FLOOR
from houseprices.data.schema import ID, PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE, find_source
from houseprices.data.table import read_houses
from houseprices.engine.members import Member
from houseprices.engine.pool import TrainingPool
from houseprices.engine.training import LearningCurves
from houseprices.lessons.content import Block, Chart, Formula, Heading, Lesson, Paragraph, Table, require
from houseprices.settings import FoldSettings, GroupSettings, Settings

N_FOLDS = 5

Floats = NDArray[np.float64]

# The chapter's network; its weight decay is zero too.
CHAPTER = GroupSettings(
    n_members=1,
    hidden=(),
    activation="relu",
    linear_path=False,
    dropout=0,
    input_dropout=0,
    huber_delta=math.inf,
    weight_decay=0,
    learning_rate=5.0,
    schedule="constant",
    epochs=100,
    batch_size=64,
)
LOG_TARGET = replace(CHAPTER, learning_rate=0.001)
HIDDEN = replace(LOG_TARGET, hidden=(128,), learning_rate=0.002)
WEIGHT_DECAY = replace(HIDDEN, weight_decay=5.0)
DROPOUT = replace(WEIGHT_DECAY, dropout=0.15)
COLUMNS = replace(DROPOUT, linear_path=True)
RECIPE = Settings().groups["tanh"]
TRAINING = replace(RECIPE, input_dropout=0)
N_SPLITS = FoldSettings().n_repeats


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


def chapter_columns(train_file: Path, test_file: Path) -> NDArray[np.float32]:
    """The chapter's matrix: numbers standardised over all rows of both files, gaps zero, one-hot with NA as a level.

    Shape:
        returns: (n_rows + n_test_rows, d_in), the training rows first
    """
    train, test = pd.read_csv(train_file), pd.read_csv(test_file)
    houses = pd.concat([train.drop(columns=[ID, PRICE]), test.drop(columns=ID)], ignore_index=True)
    numbers = houses.select_dtypes("number")
    spread = numbers.std()
    scaled = ((numbers - numbers.mean()) / spread.mask(spread == 0, 1)).fillna(0)
    levels = pd.get_dummies(houses.drop(columns=numbers.columns), dummy_na=True)
    return np.hstack([scaled.to_numpy(np.float32), levels.to_numpy(np.float32)])


def train_on_folds(
    matrix: NDArray[np.float32],
    price: Floats,
    fold_of_row: NDArray[np.int64],
    group: GroupSettings,
    *,
    log_target: bool,
) -> tuple[Floats, list[LearningCurves]]:
    """Out-of-fold log prices of one network a fold, on columns that are the same in all folds.

    Args:
        log_target: learn the log price, standardised on the fold's training rows; else the price in dollars.
    """
    log_price = np.log(price)
    prediction = np.full(len(price), np.nan)
    curves = []
    with TrainingPool(0, torch.device("cpu")) as pool:
        pending = []
        for fold in range(fold_of_row.max() + 1):
            held_out, training = np.flatnonzero(fold_of_row == fold), np.flatnonzero(fold_of_row != fold)
            mean, spread = (log_price[training].mean(), log_price[training].std() or 1.0) if log_target else (0.0, 1.0)
            targets = (((log_price if log_target else price) - mean) / spread).astype(np.float32)
            members = [Member(training, fold, group, held_out)]
            pending.append((held_out, mean, spread, pool.submit(matrix, targets, members)))
        for held_out, mean, spread, network_of_fold in pending:
            network, of_fold = network_of_fold.wait()
            output = network.predict(torch.from_numpy(matrix[held_out]))[0].double().numpy()
            # As in the chapter, a prediction below a dollar counts as a dollar: it has a logarithm.
            prediction[held_out] = mean + spread * output if log_target else np.log(np.maximum(output, 1))
            curves.append(of_fold.scaled(spread))
    return prediction, curves


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
    fold_of_row = assign_folds(len(price), N_FOLDS, 1, seed)[0]
    matrix = chapter_columns(train_file, test_file)[: len(price)]
    steps = [_on_chapter_columns("the chapter's own", matrix, price, fold_of_row, CHAPTER, log_target=False)]
    for name, group in (
        ("log target", LOG_TARGET),
        ("hidden layer", HIDDEN),
        ("weight decay", WEIGHT_DECAY),
        ("dropout", DROPOUT),
    ):
        steps.append(_on_chapter_columns(name, matrix, price, fold_of_row, group, log_target=True))
    for name, group, n_splits in (
        ("this project's columns", COLUMNS, 1),
        ("longer, more dropout", TRAINING, 1),
        ("input dropout", RECIPE, 1),
        ("more splits", RECIPE, N_SPLITS),
    ):
        steps.append(_by_cross_validation(name, train, test, group, n_splits, seed))
    notices = []
    if source.kind == "sample":
        notices.append(
            f"{source.folder} is a synthetic sample: the scores of the lesson house-prices say nothing about Kaggle "
            f"(best possible log-RMSE {NOISE_FLOOR:.3f})."
        )
    return Lesson("house-prices", "House prices", _blocks(steps, price, fold_of_row, matrix.shape[1]), notices)


def _on_chapter_columns(
    name: str,
    matrix: NDArray[np.float32],
    price: Floats,
    fold_of_row: NDArray[np.int64],
    group: GroupSettings,
    *,
    log_target: bool,
) -> Step:
    prediction, curves = train_on_folds(matrix, price, fold_of_row, group, log_target=log_target)
    if not log_target:
        return Step(name, prediction)
    last = [float(one.training[0, -1]) for one in curves]
    return Step(name, prediction, float(np.sqrt(np.mean(np.square(last)))), curves)


def _by_cross_validation(
    name: str, train: pd.DataFrame, test: pd.DataFrame, group: GroupSettings, n_splits: int, seed: int
) -> Step:
    folds = FoldSettings(n_folds=N_FOLDS, n_repeats=n_splits)
    result = cross_validate(train, test, Settings(seed=seed, device="cpu", folds=folds, groups={name: group}))
    return Step(name, result.prediction, float(np.sqrt(np.mean(result.training_log_rmse**2))))


def _blocks(steps: list[Step], price: Floats, fold_of_row: NDArray[np.int64], d_in: int) -> list[Block]:
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
    shown = content.iloc[:, :4].astype({"gain": object, "in training": object})
    shown.loc[0, "gain"] = shown.loc[0, "in training"] = "–"
    drawn = next(step for step in steps if step.name == "hidden layer"), next(s for s in steps if s.name == "dropout")
    return [
        Heading("The chapter's own solution"),
        Paragraph(
            "The chapter standardises the numbers over the rows of both files, sets gaps to zero, turns every other "
            f"column into one column a level with NA as a level ({d_in} columns), and trains a linear network on the "
            "price in dollars: squared error, Adam at learning rate 5, no weight decay, batches of 64, 100 epochs, 5 "
            f"folds. Here it scores {pooled[0]:.4f}."
        ),
        Formula(
            r"\sqrt{\frac{1}{n} \sum_{i=1}^{n} \left( \log \hat{y}_i - \log y_i \right)^2}",
            "log-RMSE = √(mean of (log ŷ − log y)²)",
        ),
        Paragraph(
            "Two differences from the book: the folds are drawn at random, so that all steps share this project's "
            "folds, and every score pools the rows of all folds. The main job has no configuration for this network: "
            "it always learns the standardised log price, and squared error in dollars is another loss, in which a "
            "palace counts more than a street of cottages."
        ),
        Heading("One step at a time"),
        _ladder(steps, content, by_fold),
        Table(
            "steps",
            "Each step keeps the earlier ones; the gain is on the row above.",
            shown,
        ),
        *_explanations(content),
        Heading("What weight decay and dropout do here"),
        *_learning_curves(*drawn),
    ]


def _rows_by_fold(fold_of_row: NDArray[np.int64]) -> list[NDArray[np.int64]]:
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
            "Gaps filled from the neighbourhood, ranks for ordinal levels, sizes in logs, scales that a giant lot does "
            "not stretch, crosses with the neighbourhood; all of it fitted on each fold's training rows alone; and the "
            "inputs also reach the output directly."
        ),
        "longer, more dropout": (
            f"{', '.join(map(str, TRAINING.hidden))} {TRAINING.activation} units, {TRAINING.epochs} epochs at learning "
            f"rate {TRAINING.learning_rate:g} on a {TRAINING.schedule} schedule, weight decay "
            f"{TRAINING.weight_decay:g}, dropout {TRAINING.dropout:g}."
        ),
        "input dropout": (
            f"In training every input is zero with probability {RECIPE.input_dropout:g}: the network cannot lean on "
            "any one of the many columns."
        ),
        "more splits": (
            f"The mean of {N_SPLITS} networks a house, each from another split of the rows. The main job does this "
            f"on {FoldSettings().n_folds} folds instead of {N_FOLDS}."
        ),
    }
    told: list[Block] = [
        Paragraph(f"{name}: {text} {scores[before[name]]:.4f} → {scores[name]:.4f}.") for name, text in texts.items()
    ]
    return [
        *told,
        Paragraph(
            "Weight decay and dropout work against the same fault, so that the second of them finds less left to do; a "
            "gain below zero is shown as it came out."
        ),
        Paragraph(
            "Two such scores differ by chance by some 0.001 from seed to seed, and all of them together by 0.006 from "
            "one set of houses to another: read the first digits."
        ),
    ]


def _ladder(steps: list[Step], content: pd.DataFrame, by_fold: NDArray[np.float64]) -> Chart:
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
    return Chart("steps-chart", "Scores on the same five folds.", figure, content, wide=True)


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
