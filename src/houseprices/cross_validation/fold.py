"""Folds: the rows that each fold holds out, its features and targets, and the networks trained on its training rows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from houseprices.engine.losses import spread_of
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import TrainingData
from houseprices.errors import DataError
from houseprices.preprocessing.columns import CUSTOM, LINEAR_BLOCKS, Block
from houseprices.preprocessing.custom_features import read_custom_file
from houseprices.preprocessing.features import HouseFeatures
from houseprices.preprocessing.houses import HouseArray
from houseprices.settings import FeatureSettings, ModelSettings

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FittedFold:
    """Features and trained networks of a fold: from houses to log prices.

    Attributes:
        repeat, fold: its position in the cross-validation.
        features: fitted on the training rows.
        log_price_mean, log_price_std: of the training rows; the networks predict (log price - mean) / std.
        columns: {model: positions of the columns that its networks see}
        networks: {model: its trained networks}
    """

    repeat: int
    fold: int
    features: HouseFeatures
    log_price_mean: float
    log_price_std: float
    columns: Mapping[str, NDArray[np.intp]]
    networks: Mapping[str, BatchedMLP]

    def predict(self, model: str, matrix: NDArray[np.float32]) -> Floats:
        """Predict log prices by each network of a model: (n_networks, n_rows) from the features, (n_rows, d_in).

        The prediction of a house has the same bits whatever rows stand beside it.
        """
        return self._predict(model, matrix)[0]

    def predict_models(self, matrix: NDArray[np.float32]) -> tuple[dict[str, Floats], Floats]:
        """Predict by all models, and the scale of the error, (n_rows,): the mean over networks with a likelihood.

        Without such networks the scale is 1 for every house.
        """
        predictions = {model: self._predict(model, matrix) for model in self.networks}
        scales = [scale for _, scale in predictions.values() if scale is not None]
        error_scale = np.mean(scales, axis=0) if scales else np.ones(len(matrix))
        return {model: log_price for model, (log_price, _) in predictions.items()}, error_scale

    def _predict(self, model: str, matrix: NDArray[np.float32]) -> tuple[Floats, Floats | None]:
        network = self.networks[model]
        inputs = torch.from_numpy(np.ascontiguousarray(matrix[:, self.columns[model]]))
        outputs = network.outputs(inputs.to(network.parameters.device)).cpu()
        log_price = self.log_price_mean + self.log_price_std * outputs[:, :, 0].numpy().astype(np.float64)
        if network.architecture.n_outputs == 1:
            return log_price, None
        return log_price, self.log_price_std * spread_of(outputs[:, :, 1]).numpy().mean(axis=0, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows, features and targets of a fold, fitted on its training rows alone.

    Attributes:
        repeat, fold: its position in the cross-validation.
        training_rows, held_out_rows: positions among the houses with a price.
        features: the fitted transformer.
        matrix: (n_houses, d_in) features of all houses, those with a price first.
        log_price_mean, log_price_std: of the training rows.
        targets: (n_rows,) what the networks learn: (log price - mean) / std.
    """

    repeat: int
    fold: int
    training_rows: Rows
    held_out_rows: Rows
    features: HouseFeatures
    matrix: NDArray[np.float32]
    log_price_mean: float
    log_price_std: float
    targets: NDArray[np.float32]

    def columns(self, blocks: tuple[Block, ...]) -> NDArray[np.intp]:
        """Return the positions of the blocks' columns that are nonzero in a training row; no other trains a weight."""
        columns = self.features.block_columns(blocks)
        return columns[self._nonzero[columns]]

    def data(self, blocks: tuple[Block, ...], *, with_curves: bool = True) -> TrainingData:
        """Return the data for networks with these blocks, copied once and shared by all; without curves faster."""
        if (blocks, with_curves) not in self._data:
            inputs = np.ascontiguousarray(self.matrix[: len(self.targets), self.columns(blocks)])
            validation_rows = self.held_out_rows if with_curves else self.held_out_rows[:0]
            self._data[blocks, with_curves] = TrainingData(inputs, self.targets, self.training_rows, validation_rows)
        return self._data[blocks, with_curves]

    def fitted(self, models: Mapping[str, ModelSettings], networks: Mapping[str, BatchedMLP]) -> FittedFold:
        """Return the fold with its trained networks."""
        columns = {name: self.columns(models[name].blocks) for name in networks}
        scale = (self.log_price_mean, self.log_price_std)
        return FittedFold(self.repeat, self.fold, self.features, *scale, columns, networks)

    @cached_property
    def _nonzero(self) -> NDArray[np.bool_]:
        return np.asarray(self.matrix[self.training_rows].any(axis=0))

    @cached_property
    def _data(self) -> dict[tuple[tuple[Block, ...], bool], TrainingData]:
        return {}


def assign_folds(n_rows: int, n_folds: int, n_repeats: int, seed: int) -> Rows:
    """Split the rows at random into folds whose sizes differ by at most one, anew for each repeat.

    Shape:
        returns: fold_of_row, (n_repeats, n_rows), values 0 .. n_folds - 1

    Raises:
        DataError: fewer than two folds, or more folds than rows.

    >>> assign_folds(n_rows=4, n_folds=2, n_repeats=1, seed=0).sum()
    np.int64(2)
    """
    if not 2 <= n_folds <= n_rows:
        raise DataError([f"folds.n_folds must be in [2, n_rows={n_rows}], got {n_folds}"])
    fold_of_rank = np.arange(n_rows) % n_folds
    generators = [np.random.default_rng([seed, repeat]) for repeat in range(n_repeats)]
    return np.stack([generator.permutation(fold_of_rank) for generator in generators])


def split_rows(fold_of_row: Rows, fold: int) -> tuple[Rows, Rows]:
    """Return the positions of the fold's training rows and of its held-out rows, from one repeat's (n_rows,).

    >>> split_rows(np.array([0, 1, 0]), fold=1)
    (array([0, 2]), array([1]))
    """
    held_out = fold_of_row == fold
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def blocks_of(models: Iterable[ModelSettings]) -> frozenset[Block]:
    """Return the blocks of a fold's matrix: those of all models and of the ridge regression."""
    return frozenset(LINEAR_BLOCKS).union(*(model.blocks for model in models))


def fit_fold(
    repeat: int,
    fold: int,
    rows: tuple[Rows, Rows],
    houses: HouseArray,
    log_price: Floats,
    settings: FeatureSettings,
    blocks: Collection[Block],
) -> Fold:
    """Fit the features of these blocks and the target on a fold's training rows.

    Args:
        repeat, fold: the position in the cross-validation, part of the networks' seeds.
        rows: positions of the training rows and of the held-out rows.
        houses: all houses, those with a price first.
        log_price: (n_rows,) of the houses with a price.
        settings: the settings of the features.
        blocks: the blocks of the matrix.

    Raises:
        ColumnsError: the file of custom features cannot be read, fails, or gives something else.
    """
    training_rows, held_out_rows = rows
    custom = read_custom_file(Path(settings.columns)) if CUSTOM in blocks else None
    features = HouseFeatures(blocks, settings.clip, settings.min_level_rows, custom)
    features.fit(houses.rows(training_rows), log_price[training_rows])
    mean, std = float(log_price[training_rows].mean()), float(log_price[training_rows].std())
    std = std or 1.0  # all prices alike: the target is zero in any unit
    targets = ((log_price - mean) / std).astype(np.float32)
    matrix = features.transform(houses)
    return Fold(repeat, fold, training_rows, held_out_rows, features, matrix, mean, std, targets)


def network_seed(seed: int, repeat: int, fold: int, model: str, index: int) -> int:
    """Derive the seed of a network from the run's seed and the network's position; no two share a stream.

    The model counts by its name: its networks are the same whatever models stand beside it.
    """
    entropy = (seed, repeat, fold, int.from_bytes(model.encode(), "little"), index)
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))
