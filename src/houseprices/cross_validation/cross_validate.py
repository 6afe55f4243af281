"""Cross-validation: folds x models x members -> out-of-fold and test predictions of the log price.

Fold by fold, everything is fitted on that fold's training rows alone: fillers, scales and medians of the features,
mean and spread of the target, the networks, the baselines. The held-out rows and the test rows only pass through.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.baselines import Baseline, baseline_predictions
from houseprices.cross_validation.fold_model import FoldModel, combine, mean_over_folds
from houseprices.cross_validation.fold_training import FinishFold, FoldData, blocks_of, prepare_fold, start_training
from houseprices.cross_validation.folds import assign_folds
from houseprices.cross_validation.metrics import log_rmse
from houseprices.cross_validation.result import CrossValidation, mean_prediction
from houseprices.cross_validation.stopwatch import Stopwatch
from houseprices.cross_validation.workers import device_of, open_executor
from houseprices.data.schema import NOMINALS, PRICE
from houseprices.engine.training import LearningCurves, step_on, warm_up
from houseprices.errors import DataError
from houseprices.preprocessing.columns import LINEAR_BLOCKS
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.progress import Notice, Notify, counting, silent
from houseprices.settings import Settings

Floats = NDArray[np.float64]

_N_COPIES_SHOWN = 10


def cross_validate(
    train_houses: pd.DataFrame, test_houses: pd.DataFrame, settings: Settings, notify: Notify = silent
) -> CrossValidation:
    """Cross-validate on typed tables, the first with SalePrice, and predict the second.

    Args:
        train_houses, test_houses: as `data.table.read_houses` reads them; the second may have no rows.
        settings: of the job.
        notify: hears how many networks are trained, that no step can be compiled, which levels have no price to learn
            from, and which houses stand more than once.

    Raises:
        DataError: more folds than rows, or a prediction is no price: training diverged.
        ResourceError: a network does not fit into the memory, or there is no CUDA device where one is asked for.
    """
    houses = train_houses.drop(columns=PRICE)
    log_price = np.log(train_houses[PRICE].to_numpy())
    n_rows = len(houses)
    fold_of_row = assign_folds(n_rows, settings.folds.n_folds, settings.folds.n_repeats, settings.seed)
    _warn_of_levels_without_price(houses, test_houses, notify)
    _warn_of_copies(houses, notify)
    all_houses = house_array(pd.concat([houses, test_houses]))
    stopwatch = Stopwatch()
    device = device_of(settings)
    if device.type == "cpu" and step_on(device) == "torch":
        reason = "numba is missing or finds no folder for its machine code (NUMBA_CACHE_DIR)"
        notify(Notice(f"{reason}: networks train by the torch step, some times slower"))
    with stopwatch("compilation"):
        warm_up(device)
    folds = list(_train_and_predict(all_houses, log_price, fold_of_row, settings, stopwatch, notify))
    out_of_fold = {
        name: np.stack([_by_row([fold.out_of_fold[name] for fold in of], of) for of in _repeats(folds)])
        for name in settings.models
    }
    first = next(_repeats(folds))
    check_finite(mean_prediction(out_of_fold))
    error_scale = np.mean([_by_row([fold.error_scale for fold in of], of) for of in _repeats(folds)], axis=0)
    return CrossValidation(
        ids=houses.index.to_numpy(),
        test_ids=test_houses.index.to_numpy(),
        log_price=log_price,
        fold_of_row=fold_of_row,
        out_of_fold=out_of_fold,
        training_log_rmse=np.array([fold.training_log_rmse for fold in folds]).reshape(len(fold_of_row), -1),
        test=mean_over_folds(np.stack([fold.test for fold in folds])),
        baselines={name: _by_row([fold.baselines[name] for fold in first], first) for name in first[0].baselines},
        folds=[fold.model for fold in folds],
        curves=[fold.curves for fold in folds],
        error_scale=error_scale,
        seconds=stopwatch.seconds,
    )


@dataclass(frozen=True)
class _TrainedFold:
    """A finished fold and what it says; predictions are log prices.

    Attributes:
        model, curves: the fold, and the learning curves of its models.
        held_out: (n_held_out,) positions of its rows.
        out_of_fold: {group: (n_members, n_held_out)}
        error_scale: (n_held_out,) how far off the networks expect to be.
        training_log_rmse: of the ensemble on the training rows.
        test: (n_test_rows,) of the ensemble.
        baselines: {name: (n_held_out,)}, in the first repeat.
    """

    model: FoldModel
    curves: dict[str, LearningCurves]
    held_out: NDArray[np.int64]
    out_of_fold: dict[str, Floats]
    error_scale: Floats
    training_log_rmse: float
    test: Floats
    baselines: dict[Baseline, Floats]


def _train_and_predict(
    houses: HouseArray,
    log_price: Floats,
    fold_of_row: NDArray[np.int64],
    settings: Settings,
    stopwatch: Stopwatch,
    notify: Notify,
) -> Iterator[_TrainedFold]:
    """Yield each fold of each repeat in turn; while one trains, the next one's features are made."""
    n_repeats, n_folds = len(fold_of_row), settings.folds.n_folds
    n_members = n_repeats * n_folds * sum(group.n_members for group in settings.models.values())
    count = counting(notify, "training networks", n_members)
    blocks = blocks_of(settings.models.values())

    def finish(data: FoldData, wait: FinishFold, baselines: dict[Baseline, Floats]) -> _TrainedFold:
        with stopwatch("training"):
            model, curves = wait(count)
        with stopwatch("prediction"):
            return _predict(data, model, curves, log_price, baselines)

    with open_executor(settings, notify) as executor:
        # Enough folds at once to keep every slot busy, and one more; not all, for each has a matrix of its own.
        n_at_once = 1 + math.ceil(executor.n_slots / sum(group.n_members for group in settings.models.values()))
        in_training: deque[tuple[FoldData, FinishFold, dict[Baseline, Floats]]] = deque()
        for repeat, fold in np.ndindex(n_repeats, n_folds):
            with stopwatch("features"):
                data = prepare_fold(repeat, fold, houses, log_price, fold_of_row, settings.features, blocks)
            wait = start_training(executor, data, settings)
            with stopwatch("baselines"):
                in_training.append((data, wait, fold_baselines(data, log_price) if repeat == 0 else {}))
            if len(in_training) >= n_at_once:
                yield finish(*in_training.popleft())
        while in_training:
            yield finish(*in_training.popleft())


def fold_baselines(data: FoldData, log_price: Floats) -> dict[Baseline, Floats]:
    """Log prices (n_held_out,) that each baseline, fitted on the fold's training rows, predicts for the others."""
    linear = data.matrix[:, data.live_columns(LINEAR_BLOCKS)]
    return baseline_predictions(linear[data.training], log_price[data.training], linear[data.held_out])


def _predict(
    data: FoldData,
    model: FoldModel,
    curves: dict[str, LearningCurves],
    log_price: Floats,
    baselines: dict[Baseline, Floats],
) -> _TrainedFold:
    by_model, error_scale = model.predict_models(data.matrix)
    ensemble = combine(by_model)
    return _TrainedFold(
        model,
        curves,
        data.held_out,
        {name: predicted[:, data.held_out] for name, predicted in by_model.items()},
        error_scale[data.held_out],
        log_rmse(ensemble[data.training], log_price[data.training]),
        # Only the training table has prices; the test rows follow it in the matrix.
        ensemble[len(log_price) :],
        baselines,
    )


def _repeats(folds: list[_TrainedFold]) -> Iterator[list[_TrainedFold]]:
    n_folds = len(folds) // (folds[-1].model.repeat + 1)
    return (folds[start : start + n_folds] for start in range(0, len(folds), n_folds))


def _by_row(parts: list[Floats], folds: list[_TrainedFold]) -> Floats:
    """Values of each fold's held-out rows, (.., n_held_out), put together: (.., n_rows)."""
    order = np.argsort(np.concatenate([fold.held_out for fold in folds]))
    return np.concatenate(parts, axis=-1)[..., order]


def check_finite(prediction: Floats) -> None:
    """Refuse (.., n_rows) predictions that are no prices.

    Raises:
        DataError: some are no numbers: training diverged.
    """
    lost = ~np.isfinite(prediction)
    if lost.any():
        found = f"training: the predictions of {lost.sum()} of {lost.size} houses are no numbers"
        accepted = "accepted: a finite price above 0 dollars (training diverged? lower the learning rate)"
        raise DataError([f"{found}; {accepted}"])


def _warn_of_copies(houses: pd.DataFrame, notify: Notify) -> None:
    copies = houses.index[houses.duplicated(keep=False)]
    if len(copies):
        ids = ", ".join(map(str, copies[:_N_COPIES_SHOWN])) + (", ..." if len(copies) > _N_COPIES_SHOWN else "")
        what = f"{len(copies)} priced houses are copies of each other but for Id and price (Id {ids})"
        notify(Notice(f"warning: {what}; copies that fall into different folds flatter every score"))


def _warn_of_levels_without_price(houses: pd.DataFrame, test_houses: pd.DataFrame, notify: Notify) -> None:
    for name in NOMINALS:
        unseen = sorted(set(test_houses[name].dropna()) - set(houses[name].dropna()))
        if unseen:
            levels = ", ".join(map(repr, unseen))
            notify(Notice(f"{name}: {levels} only in the test table; read as none of the levels"))
