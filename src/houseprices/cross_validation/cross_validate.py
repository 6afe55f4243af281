"""Cross-validation: folds x models x networks -> out-of-fold and test predictions of the log price.

Everything is fitted on the training rows of a fold alone: fillers, scales and medians of the features, mean and
standard deviation of the target, the networks, the baselines. Held-out rows and test rows only pass through.
"""

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.baselines import Baseline, baseline_predictions
from houseprices.cross_validation.ensemble import Ensemble, OutOfFold, ensemble_mean, mean_over_folds
from houseprices.cross_validation.fold import (
    FittedFold,
    Fold,
    assign_folds,
    blocks_of,
    fit_fold,
    network_seed,
    split_rows,
)
from houseprices.cross_validation.metrics import Scores, log_rmse, scores_of
from houseprices.data.schema import NOMINALS, PRICE
from houseprices.engine.device import choose_device
from houseprices.engine.specs import NetworkSpec
from houseprices.engine.training import (
    Executor,
    LearningCurves,
    PendingNetworks,
    Trained,
    open_executor,
    step_on,
    submit_networks,
    warm_up,
)
from houseprices.errors import DataError
from houseprices.preprocessing.columns import LINEAR_BLOCKS
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.progress import Notice, Notify, counting, silent
from houseprices.settings import Settings

Floats = NDArray[np.float64]

_N_COPIES_SHOWN = 10


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Result of a cross-validation; predictions are log prices.

    Attributes:
        ensemble: the fitted folds and the out-of-fold predictions.
        by_model: {model: (n_repeats, n_networks, n_rows)} out-of-fold predictions of single networks.
        test_ids: (n_test_rows,) in the file's order.
        test: (n_test_rows,) mean over networks, models, folds and repeats.
        training_log_rmse: (n_repeats, n_folds), each fold's ensemble on the rows that it was trained on.
        baselines: {name: (n_rows,)} out-of-fold, on the folds of the first repeat.
        curves: by fold, {model: learning curves}, errors in units of the log price.
        seconds: wall seconds of each stage; `training` is what the training adds to the other stages, beside which
            networks train already.
        training_cpu_seconds: CPU seconds of the training of all networks.
    """

    ensemble: Ensemble
    by_model: Mapping[str, Floats]
    test_ids: NDArray[np.int64]
    test: Floats
    training_log_rmse: Floats
    baselines: Mapping[Baseline, Floats]
    curves: list[dict[str, LearningCurves]]
    seconds: Mapping[str, float]
    training_cpu_seconds: float

    @property
    def prediction(self) -> Floats:
        """Return the out-of-fold predictions of the ensemble, (n_rows,)."""
        return self.ensemble.out_of_fold.prediction

    @property
    def scores(self) -> Scores:
        """Compute the scores of ensemble, folds, models and baselines."""
        baselines = {str(name): prediction for name, prediction in self.baselines.items()}
        return scores_of(self.ensemble.out_of_fold, self.by_model, self.training_log_rmse, baselines)


class _Stopwatch:
    """Wall seconds of each stage; a lap ends where the next one begins, so that the stages add up to the whole."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Count the time since the last lap for the stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._start
        self._start = now


def cross_validate(
    train_houses: pd.DataFrame, test_houses: pd.DataFrame, settings: Settings, notify: Notify = silent
) -> CrossValidation:
    """Cross-validate on typed tables, the first with SalePrice, and predict the second.

    Args:
        train_houses, test_houses: tables from `data.table.read_houses`; the second may have no rows.
        settings: the settings of the run.
        notify: callback for the number of trained networks, and for notices about the houses and the machine.

    Raises:
        DataError: more folds than rows, or a prediction is not finite: training diverged.
        ResourceError: a network does not fit into the memory, or there is no CUDA device where one is asked for.
    """
    stopwatch = _Stopwatch()
    houses = train_houses.drop(columns=PRICE)
    log_price = np.log(train_houses[PRICE].to_numpy())
    n_rows, folds = len(houses), settings.folds
    fold_of_row = assign_folds(n_rows, folds.n_folds, folds.n_repeats, settings.seed)
    _warn_of_levels_without_price(houses, test_houses, notify)
    _warn_of_copies(houses, notify)
    array = house_array(pd.concat([houses, test_houses]))
    device = choose_device(settings.device, settings.ray)
    if device.type == "cpu" and step_on(device) == "torch":
        reason = "numba is missing or finds no folder for its machine code (NUMBA_CACHE_DIR)"
        notify(Notice(f"{reason}: networks train by the torch step, three to four times slower"))
    stopwatch.lap("features")
    warm_up(device)
    stopwatch.lap("compilation")
    by_model = {name: np.empty((folds.n_repeats, model.n_members, n_rows)) for name, model in settings.models.items()}
    error_scale = np.empty((folds.n_repeats, n_rows))
    training_log_rmse = np.empty((folds.n_repeats, folds.n_folds))
    baselines: dict[Baseline, Floats] = {}
    fitted_folds: list[FittedFold] = []
    curves: list[dict[str, LearningCurves]] = []
    test: list[Floats] = []
    cpu_seconds = 0.0
    for fold, trained in _train(array, log_price, fold_of_row, settings, baselines, stopwatch, notify):
        fitted = fold.fitted(settings.models, {name: model.network for name, model in trained.items()})
        predictions, scale = fitted.predict_models(fold.matrix)
        held_out, training = fold.held_out_rows, fold.training_rows
        for name, prediction in predictions.items():
            by_model[name][fold.repeat][:, held_out] = prediction[:, held_out]
        error_scale[fold.repeat, held_out] = scale[held_out]
        mean = ensemble_mean(predictions)
        training_log_rmse[fold.repeat, fold.fold] = log_rmse(mean[training], log_price[training])
        test.append(mean[n_rows:])  # the test rows follow the training rows in the matrix
        fitted_folds.append(fitted)
        curves.append({name: model.curves.scaled(fold.log_price_std) for name, model in trained.items()})
        cpu_seconds += sum(model.cpu_seconds for model in trained.values())
        stopwatch.lap("prediction")
    prediction = ensemble_mean(by_model).mean(axis=0)
    check_finite(prediction)
    out_of_fold = OutOfFold(houses.index.to_numpy(), log_price, fold_of_row, prediction, error_scale.mean(axis=0))
    return CrossValidation(
        ensemble=Ensemble(fitted_folds, out_of_fold),
        by_model=by_model,
        test_ids=test_houses.index.to_numpy(),
        test=mean_over_folds(np.stack(test)),
        training_log_rmse=training_log_rmse,
        baselines=baselines,
        curves=curves,
        seconds=stopwatch.seconds,
        training_cpu_seconds=cpu_seconds,
    )


def _train(
    houses: HouseArray,
    log_price: Floats,
    fold_of_row: NDArray[np.int64],
    settings: Settings,
    baselines: dict[Baseline, Floats],
    stopwatch: _Stopwatch,
    notify: Notify,
) -> Iterator[tuple[Fold, dict[str, Trained]]]:
    """Yield each fold of each repeat with its trained networks; while one trains, features of the next are made."""
    n_networks = sum(model.n_members for model in settings.models.values())
    count = counting(notify, "training networks", fold_of_row.shape[0] * settings.folds.n_folds * n_networks)
    blocks = blocks_of(settings.models.values())
    with open_executor(settings.workers, settings.device, settings.ray, notify) as executor:
        # Enough folds at once to keep every slot busy, and one more; not all, for each has a matrix of its own.
        n_at_once = 1 + math.ceil(executor.n_slots / n_networks)
        waiting: deque[tuple[Fold, dict[str, PendingNetworks]]] = deque()

        def finish() -> tuple[Fold, dict[str, Trained]]:
            fold, pending = waiting.popleft()
            trained = {name: model.result(count) for name, model in pending.items()}
            stopwatch.lap("training")
            return fold, trained

        for repeat, index in np.ndindex(len(fold_of_row), settings.folds.n_folds):
            rows = split_rows(fold_of_row[repeat], index)
            fold = fit_fold(repeat, index, rows, houses, log_price, settings.features, blocks)
            waiting.append((fold, submit_fold(executor, fold, settings)))
            stopwatch.lap("features")
            if repeat == 0:
                linear, training = fold.matrix[:, fold.columns(LINEAR_BLOCKS)], fold.training_rows
                by_name = baseline_predictions(linear[training], log_price[training], linear[fold.held_out_rows])
                for name, prediction in by_name.items():
                    baselines.setdefault(name, np.empty(len(log_price)))[fold.held_out_rows] = prediction
                stopwatch.lap("baselines")
            if len(waiting) >= n_at_once:
                yield finish()
        while waiting:
            yield finish()


def submit_fold(executor: Executor, fold: Fold, settings: Settings) -> dict[str, PendingNetworks]:
    """Start the networks of all models on the fold's training rows.

    Raises:
        DataError: the training rows fill no column of a model.
    """
    pending = {}
    for name, model in settings.models.items():
        if not len(fold.columns(model.blocks)):
            fault = f"the {len(fold.training_rows)} training rows of fold {fold.fold} fill none of its columns"
            raise DataError([f"models.{name}: {fault}; accepted: more houses, or more blocks"])
        seeds = [network_seed(settings.seed, fold.repeat, fold.fold, name, i) for i in range(model.n_members)]
        networks = [NetworkSpec(seed, model) for seed in seeds]
        pending[name] = submit_networks(executor, fold.data(model.blocks), networks)
    return pending


def check_finite(prediction: Floats) -> None:
    """Raise a DataError unless all predictions, (.., n_rows), are finite: training diverged."""
    n_lost = np.count_nonzero(~np.isfinite(prediction))
    if n_lost:
        fault = f"training: the predictions of {n_lost} of {prediction.size} houses are no numbers"
        accepted = "accepted: a finite price above 0 dollars (training diverged? lower the learning rate)"
        raise DataError([f"{fault}; {accepted}"])


def _warn_of_copies(houses: pd.DataFrame, notify: Notify) -> None:
    copies = houses.index[houses.duplicated(keep=False)]
    if len(copies):
        ids = ", ".join(map(str, copies[:_N_COPIES_SHOWN])) + (", ..." if len(copies) > _N_COPIES_SHOWN else "")
        fault = f"{len(copies)} priced houses are copies of each other but for Id and price (Id {ids})"
        notify(Notice(f"warning: {fault}; copies in different folds make every score optimistic"))


def _warn_of_levels_without_price(houses: pd.DataFrame, test_houses: pd.DataFrame, notify: Notify) -> None:
    for name in NOMINALS:
        unseen = sorted(set(test_houses[name].dropna()) - set(houses[name].dropna()))
        if unseen:
            levels = ", ".join(map(repr, unseen))
            notify(Notice(f"{name}: {levels} only in the test table; read as none of the levels"))
