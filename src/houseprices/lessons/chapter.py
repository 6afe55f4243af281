"""The textbook's own solution of House Prices: its columns, its linear network, its folds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from houseprices.data.schema import ID, PRICE
from houseprices.engine.specs import NetworkSpec, TrainingData
from houseprices.engine.training import LearningCurves, open_executor, submit_networks
from houseprices.settings import ModelSettings

N_FOLDS = 5

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

# Its weight decay is zero too.
CHAPTER = ModelSettings(
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


@dataclass(frozen=True)
class ChapterTable:
    """The chapter's columns before they are scaled, of the training rows and then the test rows.

    Attributes:
        numbers: with gaps.
        levels: a column a level of every other feature, NA being one.
    """

    numbers: pd.DataFrame
    levels: pd.DataFrame

    def matrix(self, fitted_on: Rows | None = None) -> NDArray[np.float32]:
        """(n_rows, d_in): numbers scaled to mean 0 and spread 1 over the rows, all being the chapter's way; gaps 0."""
        known = self.numbers if fitted_on is None else self.numbers.iloc[fitted_on]
        spread = known.std()
        scaled = ((self.numbers - known.mean()) / spread.mask(spread == 0, 1)).fillna(0)
        return np.hstack([scaled.to_numpy(np.float32), self.levels.to_numpy(np.float32)])


def read_chapter_table(train_file: Path, test_file: Path) -> ChapterTable:
    """The table of both files' houses."""
    train, test = pd.read_csv(train_file), pd.read_csv(test_file)
    houses = pd.concat([train.drop(columns=[ID, PRICE]), test.drop(columns=ID)], ignore_index=True)
    numbers = houses.select_dtypes("number")
    return ChapterTable(numbers, pd.get_dummies(houses.drop(columns=numbers.columns), dummy_na=True))


def train_on_folds(
    matrices: Sequence[NDArray[np.float32]],
    price: Floats,
    fold_of_row: Rows,
    group: ModelSettings,
    *,
    log_target: bool,
    seed: int = 0,
) -> tuple[Floats, list[LearningCurves]]:
    """Out-of-fold log prices of one network a fold.

    Args:
        matrices: (n_rows, d_in) a fold.
        price: (n_rows,) in dollars.
        fold_of_row: (n_rows,), which fold holds each row out.
        group: the network.
        log_target: learn the log price, standardised on the fold's training rows; else the price in dollars.
        seed: of the networks, one after another.
    """
    log_price = np.log(price)
    prediction = np.full(len(price), np.nan)
    curves = []
    with open_executor(0, "cpu") as executor:
        pending = []
        for fold, matrix in enumerate(matrices):
            held_out, training = np.flatnonzero(fold_of_row == fold), np.flatnonzero(fold_of_row != fold)
            mean, spread = (log_price[training].mean(), log_price[training].std() or 1.0) if log_target else (0.0, 1.0)
            targets = (((log_price if log_target else price) - mean) / spread).astype(np.float32)
            data = TrainingData(matrix, targets, training, held_out)
            spec = NetworkSpec(seed * len(matrices) + fold, group)
            pending.append((held_out, mean, spread, matrix, submit_networks(executor, data, [spec])))
        for held_out, mean, spread, matrix, network_of_fold in pending:
            trained = network_of_fold.result()
            output = trained.network.predict(torch.from_numpy(matrix[held_out]))[0].double().numpy()
            # As in the chapter, a prediction below a dollar counts as a dollar: it has a logarithm.
            prediction[held_out] = mean + spread * output if log_target else np.log(np.maximum(output, 1))
            curves.append(trained.curves.scaled(spread))
    return prediction, curves
