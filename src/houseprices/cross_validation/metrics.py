"""Scores of out-of-fold predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # code that reads scores from a file does not wait for torch
    from houseprices.cross_validation.ensemble import OutOfFold

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LogRmse:
    """Log-RMSE of the ensemble; no row is left out.

    Attributes:
        pooled: over all training rows, each predicted by the mean of the networks that never saw it.
        fold_mean, fold_std: over the folds of all repeats.
        train: each fold's ensemble on the rows that it was trained on, over folds.
    """

    pooled: float
    fold_mean: float
    fold_std: float
    train: float


@dataclass(frozen=True)
class FoldScore:
    """Log-RMSE of a fold's ensemble: on its n_rows held-out rows, and on the rows that it was trained on."""

    repeat: int
    fold: int
    n_rows: int
    log_rmse: float
    train: float


@dataclass(frozen=True)
class ModelScore:
    """Log-RMSE of a model's mean, and mean and spread of single networks: network i of every fold taken together."""

    pooled: float
    member_mean: float
    member_std: float


@dataclass(frozen=True)
class Scores:
    """Scores of a cross-validation: ensemble, folds, models and baselines."""

    log_rmse: LogRmse
    by_fold: list[FoldScore]
    models: dict[str, ModelScore]
    baselines: dict[str, float]
    n_members: int
    n_rows: int


def log_rmse(prediction: Floats, log_price: Floats) -> float:
    """Compute the root mean squared error of log prices, the competition's score."""
    return float(np.sqrt(np.mean((prediction - log_price) ** 2)))


def scores_of(
    out_of_fold: "OutOfFold", by_model: Mapping[str, Floats], training_log_rmse: Floats, baselines: Mapping[str, Floats]
) -> Scores:
    """Score a cross-validation; the arguments are attributes of `CrossValidation`."""
    from houseprices.cross_validation.ensemble import ensemble_mean

    log_price = out_of_fold.log_price
    by_repeat = ensemble_mean(by_model)
    by_fold = []
    for (repeat, fold), train in np.ndenumerate(training_log_rmse):
        rows = out_of_fold.fold_of_row[repeat] == fold
        score = log_rmse(by_repeat[repeat, rows], log_price[rows])
        by_fold.append(FoldScore(repeat, fold, int(rows.sum()), score, float(train)))
    fold_scores = [fold.log_rmse for fold in by_fold]
    models = {}
    for name, predictions in by_model.items():
        single = [log_rmse(network, log_price) for repeat in predictions for network in repeat]
        pooled = log_rmse(ensemble_mean({name: predictions}).mean(axis=0), log_price)
        models[name] = ModelScore(pooled, float(np.mean(single)), float(np.std(single)))
    return Scores(
        log_rmse=LogRmse(
            pooled=log_rmse(out_of_fold.prediction, log_price),
            fold_mean=float(np.mean(fold_scores)),
            fold_std=float(np.std(fold_scores)),
            train=float(np.sqrt(np.mean(training_log_rmse**2))),
        ),
        by_fold=by_fold,
        models=models,
        baselines={name: log_rmse(prediction, log_price) for name, prediction in baselines.items()},
        n_members=training_log_rmse.size * sum(predictions.shape[1] for predictions in by_model.values()),
        n_rows=len(log_price),
    )
