"""Lesson: what has been learnt of weight decay and dropout since the textbook's chapter, each measured."""

from pathlib import Path

import numpy as np

from houseprices.data.schema import PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE, read_tables
from houseprices.lessons.chapter import read_chapter_table
from houseprices.lessons.content import Block, Exercise, Lesson, require
from houseprices.lessons.images import load_digit_images
from houseprices.lessons.seed_intervals import mean_interval
from houseprices.lessons.side_by_side import side_by_side
from houseprices.lessons.since.double_descent import double_descent_section
from houseprices.lessons.since.early_stopping import early_stopping_section
from houseprices.lessons.since.label_noise import NoisyTraining, label_noise_section, train_on_noisy_labels
from houseprices.lessons.since.schedules import flat_cosine, schedules_section
from houseprices.lessons.since.tables import Splits, diabetes, friedman, split
from houseprices.lessons.since.thinned_networks import thinned_networks_section

_A_THIRD = 0.33
N_SEEDS, N_SEEDS_OF_IMAGES, N_SEEDS_OF_HOUSES, N_SEEDS_OF_DRAWS = 8, 4, 4, 20


def since_lesson(flipped: float = 0.12, data: Path | None = None, seed: int = 0) -> Lesson:
    """Schedules, noise in the labels, early stopping, thinned networks, double descent.

    Args:
        flipped: share of the labels set to another class.
        data: the houses, see `read_tables` for None.
        seed: the first of those that each experiment uses.

    Raises:
        SettingsError: the share is outside (0, 0.9], or the seed negative.
        DataError: a fault in the files.
    """
    require(0 < flipped <= 0.9, "flipped", "in (0, 0.9], the share of wrong labels at chance", flipped)
    require(seed >= 0, "seed", "0 or more", seed)
    seeds, seeds_of_images = range(seed, seed + N_SEEDS), range(seed, seed + N_SEEDS_OF_IMAGES)
    houses = _houses(data, range(seed, seed + N_SEEDS_OF_HOUSES))
    images = load_digit_images()
    clean, noisy, third = side_by_side(
        lambda share: train_on_noisy_labels(images, share, seeds_of_images), (0.0, flipped, _A_THIRD)
    )
    tables = [friedman(seeds), diabetes(seeds)]
    blocks: list[Block] = [
        *label_noise_section(clean, noisy, flipped, N_SEEDS_OF_IMAGES),
        *early_stopping_section(noisy, flipped, seeds_of_images),
        *schedules_section([*tables, houses]),
        *thinned_networks_section(tables, noisy, images),
        *double_descent_section(range(seed, seed + N_SEEDS_OF_DRAWS)),
    ]
    return Lesson(
        "since",
        "What has been learnt since",
        "Which later advice on decay and dropout holds on tables that one can check in a minute?",
        "the intervals: which differences are more than chance, and which advice brings nothing here.",
        blocks,
        _exercises(clean, third),
        following="house-prices",
        given={"--data": data, "--seed": seed},
    )


def _houses(data: Path | None, seeds: range) -> Splits:
    """The textbook's columns and the log price."""
    tables = read_tables(data)
    folder, price = tables.folder, tables.train[PRICE].to_numpy()
    matrix = read_chapter_table(folder / TRAIN_FILE, folder / TEST_FILE).matrix()[: len(price)]
    return split("houses", matrix, np.log(price), seeds)


def _exercises(clean: NoisyTraining, third: NoisyTraining) -> list[Exercise]:
    peak = third.test[:, :, 0].mean(dim=1)
    lost = mean_interval(clean.at_the_end(0) - third.at_the_end(0))
    saved = [mean_interval(third.at_the_end(place) - third.at_the_end(0)) for place in (1, 2)]
    return [
        Exercise(
            "With a third of the labels flipped, do decay and dropout still repair what is lost?",
            f"lesson since --flipped {_A_THIRD}",
            f"The network without either ends {lost.text(1, scale=100)} points below its accuracy with clean labels; "
            f"decay saves {saved[0].text(1, scale=100)} of them, dropout {saved[1].text(1, scale=100)}.",
        ),
        Exercise(
            "At which epoch would you have stopped that network without regularisers, by its test accuracy?",
            f"lesson since --flipped {_A_THIRD}",
            f"After epoch {int(peak.argmax()) + 1}, at {float(peak.max()):.3f} on average; at the end it has "
            f"{float(peak[-1]):.3f}. (But one may not look: the section on stopping early uses validation rows.)",
        ),
        Exercise(
            "A scheduled strength spends less in all. Which constant strength has the same mean over the training?",
            "lesson since",
            f"{np.mean([flat_cosine(step / 100) for step in range(101)]):.2f} of it, the mean of the second column of "
            "`flat-cosine.csv`, which the command writes: whole for one half, on average half for the other. Before "
            "you praise a schedule, try that constant.",
        ),
    ]
