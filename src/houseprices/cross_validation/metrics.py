"""Out-of-fold predictions -> the figures of metrics.json."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from houseprices.cross_validation.cross_validate import CrossValidation


def log_rmse(prediction: NDArray[np.float64], log_price: NDArray[np.float64]) -> float:
    """Root mean squared error of log prices, the competition's score."""
    return float(np.sqrt(np.mean((prediction - log_price) ** 2)))


def metrics(result: "CrossValidation") -> dict[str, Any]:
    """The scores of a cross-validation; no row is left out of any of them.

    `pooled` scores every training row once, by the mean of the members that never saw it. `fold_mean` and `fold_std`
    are taken over folds (of all repeats). `members` are single networks: member i of every fold put together.
    """
    log_price, fold_of_row = result.log_price, result.fold_of_row
    by_fold = []
    for repeat, fold in np.ndindex(result.training_log_rmse.shape):
        rows = fold_of_row[repeat] == fold
        guess = np.mean([group[repeat][:, rows].mean(axis=0) for group in result.out_of_fold.values()], axis=0)
        by_fold.append(
            {
                "repeat": repeat,
                "fold": fold,
                "n_rows": int(rows.sum()),
                "log_rmse": log_rmse(guess, log_price[rows]),
                "train": float(result.training_log_rmse[repeat, fold]),
            }
        )
    of_folds = [fold["log_rmse"] for fold in by_fold]
    return {
        "log_rmse": {
            "pooled": log_rmse(result.prediction, log_price),
            "fold_mean": float(np.mean(of_folds)),
            "fold_std": float(np.std(of_folds)),
            "train": float(np.sqrt(np.mean(result.training_log_rmse**2))),
        },
        "by_fold": by_fold,
        "groups": {name: _group_metrics(group, log_price) for name, group in result.out_of_fold.items()},
        "baselines": {name: log_rmse(guess, log_price) for name, guess in result.baselines.items()},
        "n_members": sum(group.shape[0] * group.shape[1] for group in result.out_of_fold.values())
        * result.training_log_rmse.shape[1],
        "n_rows": len(log_price),
    }


def _group_metrics(predictions: NDArray[np.float64], log_price: NDArray[np.float64]) -> dict[str, float]:
    """Scores of one group, (n_repeats, n_members, n_rows): of its mean, and of its members as single networks."""
    singles = [log_rmse(member, log_price) for repeat in predictions for member in repeat]
    return {
        "pooled": log_rmse(predictions.mean(axis=(0, 1)), log_price),
        "member_mean": float(np.mean(singles)),
        "member_std": float(np.std(singles)),
    }
