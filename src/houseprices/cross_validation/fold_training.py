"""One fold on its way: its rows, what its training rows say of features and target, and its members in training."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from houseprices.cross_validation.fold_model import FoldModel
from houseprices.cross_validation.folds import split_rows
from houseprices.engine.specs import NetworkSpec, TrainingData
from houseprices.engine.training import Executor, LearningCurves, Trained, submit_networks
from houseprices.errors import DataError
from houseprices.preprocessing.columns import CUSTOM, LINEAR_BLOCKS, Block
from houseprices.preprocessing.custom_features import read_custom_file
from houseprices.preprocessing.features import HouseFeatures
from houseprices.preprocessing.houses import HouseArray
from houseprices.settings import FeatureSettings, ModelSettings, Settings

Floats = NDArray[np.float64]
Count = Callable[[int], object]
Finish = Callable[[Count], Trained]
"""Waits for networks; their learning curves are in units of the log price."""

FinishFold = Callable[[Count], tuple[FoldModel, dict[str, LearningCurves]]]
"""Waits for the members of all models: the finished fold, and the models' learning curves."""


@dataclass(frozen=True)
class FoldData:
    """A fold's rows and what its networks learn from, fitted on its training rows alone.

    Attributes:
        repeat, fold: which one.
        training, held_out: positions of its rows among the priced ones.
        features: the fitted transformer.
        matrix: (n_houses, d_in) all houses' features, those of the priced ones first.
        log_price_mean, log_price_std: of the training rows.
        targets: (n_rows,) what the networks learn to predict, (log price - mean) / std.
    """

    repeat: int
    fold: int
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]
    features: HouseFeatures
    matrix: NDArray[np.float32]
    log_price_mean: float
    log_price_std: float
    targets: NDArray[np.float32]

    def data(self, blocks: tuple[Block, ...], *, with_curves: bool = True) -> TrainingData:
        """Return the data of networks with these blocks, made once; without curves no row is a validation row."""
        if (blocks, with_curves) not in self._data:
            inputs = np.ascontiguousarray(self.matrix[: len(self.targets), self.live_columns(blocks)])
            validation_rows = self.held_out if with_curves else self.held_out[:0]
            self._data[blocks, with_curves] = TrainingData(inputs, self.targets, self.training, validation_rows)
        return self._data[blocks, with_curves]

    @cached_property
    def _data(self) -> dict[tuple[tuple[Block, ...], bool], TrainingData]:
        return {}

    def live_columns(self, blocks: tuple[Block, ...]) -> NDArray[np.intp]:
        """The positions of the blocks' columns that some training row fills: of others no row would move a weight."""
        if blocks not in self._live_columns:
            columns = self.features.block_columns(blocks)
            self._live_columns[blocks] = columns[self.matrix[self.training][:, columns].any(axis=0)]
        return self._live_columns[blocks]

    @cached_property
    def _live_columns(self) -> dict[tuple[Block, ...], NDArray[np.intp]]:
        """Those found already: the same array for each group and trial, which a cluster is sent once."""
        return {}


def blocks_of(models: Iterable[ModelSettings]) -> frozenset[Block]:
    """Return the blocks of a fold's matrix: those of all models and of the ridge regression."""
    return frozenset(LINEAR_BLOCKS).union(*(model.blocks for model in models))


def prepare_fold(
    repeat: int,
    fold: int,
    houses: HouseArray,
    log_price: Floats,
    fold_of_row: NDArray[np.int64],
    settings: FeatureSettings,
    blocks: Collection[Block],
) -> FoldData:
    """Fit the features of these blocks and the target on the fold's training rows.

    Shape:
        houses: n_houses of them, those with a price first
        log_price: (n_rows,)
        fold_of_row: (n_repeats, n_rows)

    Raises:
        ColumnsError: the file of custom features cannot be read, fails, or gives something else.
    """
    return fit_fold(repeat, fold, *split_rows(fold_of_row[repeat], fold), houses, log_price, settings, blocks)


def fit_fold(
    repeat: int,
    fold: int,
    training: NDArray[np.int64],
    held_out: NDArray[np.int64],
    houses: HouseArray,
    log_price: Floats,
    settings: FeatureSettings,
    blocks: Collection[Block],
) -> FoldData:
    """The same for any positions of training and held-out rows among the priced ones."""
    custom = read_custom_file(Path(settings.columns)) if CUSTOM in blocks else None
    features = HouseFeatures(blocks, settings.clip, settings.min_level_rows, custom)
    features.fit(houses.rows(training), log_price[training])
    mean, std = float(log_price[training].mean()), float(log_price[training].std())
    # All prices alike: the target is zero, and any spread will do.
    std = std or 1.0
    targets = ((log_price - mean) / std).astype(np.float32)
    return FoldData(repeat, fold, training, held_out, features, features.transform(houses), mean, std, targets)


def start_members(
    executor: Executor, data: FoldData, blocks: tuple[Block, ...], members: Sequence[tuple[ModelSettings, int]]
) -> Finish:
    """Start networks of one shape on the fold's training rows, each with its settings and seed."""
    networks = [NetworkSpec(seed, settings) for settings, seed in members]
    pending = submit_networks(executor, data.data(blocks), networks)

    def finish(count: Count) -> Trained:
        trained = pending.result(count)
        return Trained(trained.network, trained.curves.scaled(data.log_price_std))

    return finish


def start_training(executor: Executor, data: FoldData, settings: Settings) -> FinishFold:
    """Start the members of all models on the fold's training rows.

    Raises:
        DataError: the training rows fill no column of a group.
    """
    columns = {name: data.live_columns(group.blocks) for name, group in settings.models.items()}
    for name, live in columns.items():
        if not len(live):
            found = f"the {len(data.training)} training rows of fold {data.fold} fill none of its columns"
            raise DataError([f"models.{name}: {found}; accepted: more houses, or more blocks"])
    pending = {}
    for name, group in settings.models.items():
        seeds = [member_seed(settings.seed, data.repeat, data.fold, name, member) for member in range(group.n_members)]
        pending[name] = start_members(executor, data, group.blocks, [(group, seed) for seed in seeds])

    def finish(count: Count) -> tuple[FoldModel, dict[str, LearningCurves]]:
        trained = {name: wait(count) for name, wait in pending.items()}
        networks = {name: of_model.network for name, of_model in trained.items()}
        scale = (data.log_price_mean, data.log_price_std)
        model = FoldModel(data.repeat, data.fold, data.features, *scale, columns, networks)
        return model, {name: of_model.curves for name, of_model in trained.items()}

    return finish


def member_seed(seed: int, repeat: int, fold: int, group: str, member: int) -> int:
    """A member's seed from the job's seed and its place, so that no two share a stream.

    The group counts by its name: its networks are the same whatever models stand beside it.
    """
    place = (seed, repeat, fold, int.from_bytes(group.encode(), "little"), member)
    return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> np.uint64(1))
