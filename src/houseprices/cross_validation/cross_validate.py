"""The main job: folds x groups x members -> out-of-fold and test predictions of the log price.

Fold by fold, everything is fitted on that fold's training rows alone: fillers, scales and medians of the features,
mean and spread of the target, the networks, the baselines. The held-out rows and the test rows only pass through.
"""

import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from houseprices.cross_validation.baselines import Baseline, baseline_predictions
from houseprices.cross_validation.folds import assign_folds
from houseprices.cross_validation.metrics import log_rmse
from houseprices.cross_validation.stopwatch import Stopwatch
from houseprices.data.schema import NOMINALS, PRICE
from houseprices.engine.members import Member
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.pool import PendingMembers, TrainingPool
from houseprices.engine.training import LearningCurves, warm_up
from houseprices.errors import DataError
from houseprices.intervals.calibration import Calibration
from houseprices.intervals.error_scale import ErrorScale, error_signs, fit_error_scale, scale_of_rows
from houseprices.preprocessing.blocks import LINEAR_BLOCKS, Block, block_indices
from houseprices.preprocessing.house_array import CodedHouses, code_houses
from houseprices.preprocessing.house_features import HouseFeatures, UnseenLevelWarning
from houseprices.settings import Settings

Floats = NDArray[np.float64]

_BLOCK_ROWS = 64


@dataclass(frozen=True)
class FittedFold:
    """All that is fitted on the training rows of one fold.

    Attributes:
        repeat, fold: which one.
        features: the fitted transformer.
        log_price_mean, log_price_std: of the training rows.
        targets: (n_rows,) what the networks learn to predict, (log price - mean) / std.
        columns: per group, the columns of the features that its networks see: those of its blocks that are not zero
            in all training rows, since a weight that no row has moved would be noise.
        networks: the trained members by group.
        curves: their learning curves by group, errors in units of the log price.
    """

    repeat: int
    fold: int
    features: HouseFeatures
    log_price_mean: float
    log_price_std: float
    targets: NDArray[np.float32]
    columns: dict[str, NDArray[np.intp]] = field(default_factory=dict)
    networks: dict[str, BatchedMLP] = field(default_factory=dict)
    curves: dict[str, LearningCurves] = field(default_factory=dict)

    def predict(self, group: str, matrix: NDArray[np.float32]) -> Floats:
        """Log prices that the members of a group predict: (n_members, n_rows), from the features' (n_rows, d_in).

        A house's prediction has the same bits whatever rows stand beside it.
        """
        network = self.networks[group]
        # Matrix products sum in another order for a handful of rows; filled up to full blocks, they never do.
        inputs = np.zeros((-(-len(matrix) // _BLOCK_ROWS) * _BLOCK_ROWS, len(self.columns[group])), dtype=np.float32)
        inputs[: len(matrix)] = matrix[:, self.columns[group]]
        outputs = network.predict(torch.from_numpy(inputs).to(network.parameters.device))[:, : len(matrix)]
        return self.log_price_mean + self.log_price_std * outputs.cpu().numpy().astype(np.float64)


@dataclass(frozen=True)
class CrossValidation:
    """All that the main job computes; predictions are log prices.

    Attributes:
        ids: (n_rows,) and test_ids: (n_test_rows,), in the files' order.
        log_price: (n_rows,)
        fold_of_row: (n_repeats, n_rows)
        out_of_fold: {group: (n_repeats, n_members, n_rows)}, each row predicted by members that never saw it.
        training_log_rmse: (n_repeats, n_folds), each fold's ensemble on the rows that it was trained on.
        test: (n_test_rows,) mean over members, groups, folds and repeats.
        baselines: {name: (n_rows,)} out-of-fold, on the folds of the first repeat.
        folds: what was fitted, n_repeats x n_folds of them.
        error_scales: by fold, in the order of `folds`.
        scale_of_row: (n_rows,) how far off the row was expected to be, by folds that never saw it.
        seconds: by stage.
    """

    ids: NDArray[np.int64]
    test_ids: NDArray[np.int64]
    log_price: Floats
    fold_of_row: NDArray[np.int64]
    out_of_fold: dict[str, Floats]
    training_log_rmse: Floats
    test: Floats
    baselines: dict[Baseline, Floats]
    folds: list[FittedFold]
    error_scales: list[ErrorScale]
    scale_of_row: Floats
    seconds: dict[str, float]

    @property
    def prediction(self) -> Floats:
        """(n_rows,) out-of-fold: mean over the members of a group, then over groups, then over repeats."""
        return np.asarray(np.mean([group.mean(axis=(0, 1)) for group in self.out_of_fold.values()], axis=0))

    @property
    def spread(self) -> Floats:
        """(n_rows,) standard deviation of the repeats' out-of-fold predictions."""
        of_repeats = np.mean([group.mean(axis=1) for group in self.out_of_fold.values()], axis=0)
        return np.asarray(of_repeats.std(axis=0))

    @property
    def calibration(self) -> Calibration:
        """What intervals of new houses are made from."""
        return Calibration(
            self.fold_of_row,
            self.prediction,
            self.spread,
            self.log_price - self.prediction,
            self.scale_of_row,
            self.error_scales,
        )


def combine(by_group: dict[str, Floats]) -> Floats:
    """(n_rows,) from each group's (n_members, n_rows) log prices: the mean over its members, then over the groups."""
    return np.asarray(sum(predicted.mean(axis=0) / len(by_group) for predicted in by_group.values()))


def cross_validate(
    train_houses: pd.DataFrame,
    test_houses: pd.DataFrame,
    settings: Settings,
    device: torch.device,
    on_trained: Callable[[int], object] = lambda _n_members: None,
) -> CrossValidation:
    """Run the main job on typed tables, the first with SalePrice.

    Args:
        on_trained: called with the number of members that have just been trained.

    Raises:
        SettingsError: more folds than rows.
        DataError: a prediction is no price: training diverged.
        ResourceError: a network that does not fit into the memory.
    """
    houses = train_houses.drop(columns=PRICE)
    log_price = np.log(train_houses[PRICE].to_numpy())
    n_rows = len(houses)
    fold_of_row = assign_folds(n_rows, settings.folds.n_folds, settings.folds.n_repeats, settings.seed)
    n_repeats, n_folds = len(fold_of_row), settings.folds.n_folds
    _warn_of_levels_without_price(houses, test_houses)

    result = CrossValidation(
        ids=houses.index.to_numpy(),
        test_ids=test_houses.index.to_numpy(),
        log_price=log_price,
        fold_of_row=fold_of_row,
        out_of_fold={
            name: np.full((n_repeats, group.n_members, n_rows), np.nan) for name, group in settings.groups.items()
        },
        training_log_rmse=np.zeros((n_repeats, n_folds)),
        test=np.zeros(len(test_houses)),
        baselines={"median": np.full(n_rows, np.nan), "ridge": np.full(n_rows, np.nan)},
        folds=[],
        error_scales=[],
        scale_of_row=np.empty(n_rows),
        seconds={},
    )
    all_houses = code_houses(pd.concat([houses, test_houses]))
    stopwatch = Stopwatch()
    with stopwatch("compilation"):
        warm_up()
    with TrainingPool(settings.workers, device) as pool:
        in_training: deque[tuple[FittedFold, NDArray[np.float32], dict[str, PendingMembers]]] = deque()

        def finish_oldest() -> None:
            fitted, matrix, pending = in_training.popleft()
            with stopwatch("training"):
                for name, group in pending.items():
                    fitted.networks[name], curves = group.wait(on_trained)
                    fitted.curves[name] = curves.scaled(fitted.log_price_std)
            with stopwatch("prediction"):
                _predict(result, fitted, matrix)
            result.folds.append(fitted)

        # While one fold trains, the next one's features are made.
        for repeat, fold in np.ndindex(n_repeats, n_folds):
            training, held_out = _rows(fold_of_row, repeat, fold)
            with stopwatch("features"):
                fitted, matrix = fit_fold(repeat, fold, all_houses, log_price, training, settings)
            in_training.append((fitted, matrix, _submit(pool, fitted, matrix, training, held_out, settings)))
            if repeat == 0:
                with stopwatch("baselines"):
                    linear = matrix[:, live_columns(LINEAR_BLOCKS, matrix[training])]
                    guesses = baseline_predictions(linear[training], log_price[training], linear[held_out])
                for baseline, guess in guesses.items():
                    result.baselines[baseline][held_out] = guess
            if len(in_training) > 1:
                finish_oldest()
        while in_training:
            finish_oldest()
    with stopwatch("calibration"):
        _fit_error_scales(result, all_houses.rows(np.arange(n_rows)))
    result.seconds.update(stopwatch.seconds)
    return result


def fit_fold(
    repeat: int,
    fold: int,
    all_houses: CodedHouses,
    log_price: Floats,
    training: NDArray[np.int64],
    settings: Settings,
) -> tuple[FittedFold, NDArray[np.float32]]:
    """Fit features and target on the training rows; return them with the matrix of all houses."""
    options = settings.features
    features = HouseFeatures(options.clip, options.min_level_rows)
    features.fit(all_houses.rows(training))
    matrix = features.matrix(all_houses)
    spread = float(log_price[training].std())
    # All prices alike: the target is zero, and any spread will do.
    mean, spread = float(log_price[training].mean()), spread or 1.0
    return FittedFold(repeat, fold, features, mean, spread, ((log_price - mean) / spread).astype(np.float32)), matrix


def _submit(
    pool: TrainingPool,
    fitted: FittedFold,
    matrix: NDArray[np.float32],
    training: NDArray[np.int64],
    held_out: NDArray[np.int64],
    settings: Settings,
) -> dict[str, PendingMembers]:
    """Hand the members of all groups of one fold to the pool."""
    pending = {}
    # Only the training table has prices; the test rows follow it in the matrix.
    priced = matrix[: len(training) + len(held_out)]
    for index, (name, group) in enumerate(settings.groups.items()):
        fitted.columns[name] = live_columns(group.blocks, priced[training])
        seeds = [_seed(settings.seed, fitted.repeat, fitted.fold, index, member) for member in range(group.n_members)]
        members = [Member(training, seed, group, held_out) for seed in seeds]
        pending[name] = pool.submit(priced[:, fitted.columns[name]], fitted.targets, members)
    return pending


def live_columns(blocks: tuple[Block, ...], training_matrix: NDArray[np.float32]) -> NDArray[np.intp]:
    """The positions of the blocks' columns that some training row fills."""
    columns = block_indices(blocks)
    return columns[training_matrix[:, columns].any(axis=0)]


def _predict(result: CrossValidation, fitted: FittedFold, matrix: NDArray[np.float32]) -> None:
    """Enter what the fold's members say of the held-out rows and of the test rows."""
    n_rows = len(result.log_price)
    training, held_out = _rows(result.fold_of_row, fitted.repeat, fitted.fold)
    by_group = {name: fitted.predict(name, matrix) for name in fitted.networks}
    for name, predicted in by_group.items():
        result.out_of_fold[name][fitted.repeat][:, held_out] = predicted[:, held_out]
    ensemble = combine(by_group)
    result.training_log_rmse[fitted.repeat, fitted.fold] = log_rmse(ensemble[training], result.log_price[training])
    result.test[:] += ensemble[n_rows:] / result.training_log_rmse.size


def _fit_error_scales(result: CrossValidation, houses: CodedHouses) -> None:
    """Learn from the residuals of the rows outside each fold how far off its networks may be."""
    lost = ~np.isfinite(result.prediction)
    if lost.any():
        found = f"training: the predictions of {lost.sum()} of {len(lost)} houses are no numbers"
        accepted = "accepted: a finite price above 0 dollars (training diverged? lower the learning rate)"
        raise DataError([f"{found}; {accepted}"])
    signs, residuals = error_signs(result.prediction, result.spread, houses), result.log_price - result.prediction
    for fitted in result.folds:
        training, _ = _rows(result.fold_of_row, fitted.repeat, fitted.fold)
        result.error_scales.append(fit_error_scale(signs[training], residuals[training]))
    result.scale_of_row[:] = scale_of_rows(signs, result.fold_of_row, result.error_scales)


def _rows(fold_of_row: NDArray[np.int64], repeat: int, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The training rows and the held-out rows."""
    held_out = fold_of_row[repeat] == fold
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _seed(*place: int) -> int:
    """A member's seed from the job's seed and its place, so that no two share a stream."""
    return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _warn_of_levels_without_price(houses: pd.DataFrame, test_houses: pd.DataFrame) -> None:
    for name in NOMINALS:
        unseen = sorted(set(test_houses[name].dropna()) - set(houses[name].dropna()))
        if unseen:
            warnings.warn(
                f"{name}: {', '.join(map(repr, unseen))} stands in the test table only; read as none of the levels",
                UnseenLevelWarning,
                stacklevel=3,
            )
