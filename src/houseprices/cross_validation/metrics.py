"""Out-of-fold predictions -> scores."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # what reads scores from a file does not wait for torch
    from houseprices.cross_validation.result import CrossValidation


@dataclass(frozen=True)
class LogRmse:
    """Of the ensemble; no row is left out of any of them.

    Attributes:
        pooled: over every training row, each priced once, by the mean of the members that never saw it.
        fold_mean, fold_std: over the folds of all repeats.
        train: of each fold's ensemble on the rows that it was trained on, over folds.
    """

    pooled: float
    fold_mean: float
    fold_std: float
    train: float


@dataclass(frozen=True)
class FoldScore:
    """Log-RMSE of one fold's ensemble: on its n_rows held-out rows, and on those that it was trained on."""

    repeat: int
    fold: int
    n_rows: int
    log_rmse: float
    train: float


@dataclass(frozen=True)
class ModelScore:
    """Log-RMSE of a group's mean, and mean and spread of single members: member i of every fold put together."""

    pooled: float
    member_mean: float
    member_std: float


@dataclass(frozen=True)
class Scores:
    """The scores of a cross-validation: of the ensemble, its folds, its models and the baselines."""

    log_rmse: LogRmse
    by_fold: list[FoldScore]
    models: dict[str, ModelScore]
    baselines: dict[str, float]
    n_members: int
    n_rows: int


def log_rmse(prediction: NDArray[np.float64], log_price: NDArray[np.float64]) -> float:
    """Root mean squared error of log prices, the competition's score."""
    return float(np.sqrt(np.mean((prediction - log_price) ** 2)))


def scores_of(result: "CrossValidation") -> Scores:
    """The scores of a cross-validation."""
    log_price = result.log_price
    by_fold = []
    for (repeat, fold), train in np.ndenumerate(result.training_log_rmse):
        rows = result.fold_of_row[repeat] == fold
        guess = np.mean([group[repeat][:, rows].mean(axis=0) for group in result.out_of_fold.values()], axis=0)
        by_fold.append(FoldScore(repeat, fold, int(rows.sum()), log_rmse(guess, log_price[rows]), float(train)))
    of_folds = [fold.log_rmse for fold in by_fold]
    return Scores(
        log_rmse=LogRmse(
            pooled=log_rmse(result.prediction, log_price),
            fold_mean=float(np.mean(of_folds)),
            fold_std=float(np.std(of_folds)),
            train=float(np.sqrt(np.mean(result.training_log_rmse**2))),
        ),
        by_fold=by_fold,
        models={name: _group_score(group, log_price) for name, group in result.out_of_fold.items()},
        baselines={name: log_rmse(guess, log_price) for name, guess in result.baselines.items()},
        n_members=result.training_log_rmse.shape[1]
        * sum(group.shape[0] * group.shape[1] for group in result.out_of_fold.values()),
        n_rows=len(log_price),
    )


def _group_score(predictions: NDArray[np.float64], log_price: NDArray[np.float64]) -> ModelScore:
    """Of one group's (n_repeats, n_members, n_rows)."""
    singles = [log_rmse(member, log_price) for repeat in predictions for member in repeat]
    pooled = log_rmse(predictions.mean(axis=(0, 1)), log_price)
    return ModelScore(pooled, float(np.mean(singles)), float(np.std(singles)))
