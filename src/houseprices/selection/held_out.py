"""Predictions of held-out houses, for any choice of rows; a network is trained once, however often it is asked for.

What a batch of networks says depends on its inputs, targets, seeds and hyperparameters, and on the code that trains
it. All of that is in the name under which its predictions are kept: none can be stale, whatever else has changed.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from houseprices.cross_validation import fold_model
from houseprices.cross_validation.fold_model import FoldModel
from houseprices.cross_validation.fold_training import FoldData, blocks_of, fit_fold, member_seed
from houseprices.cross_validation.workers import open_executor
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import Hyperparameters, NetworkSpec
from houseprices.engine.training import Executor, PendingNetworks, submit_networks
from houseprices.files import code_digest, replacing
from houseprices.preprocessing.columns import CUSTOM, Block
from houseprices.preprocessing.houses import HouseArray
from houseprices.progress import Notify, counting, silent
from houseprices.settings import FeatureSettings, ModelSettings, Settings

Floats = NDArray[np.float64]

MIN_MEMBERS = 4
"""Networks of a group for a held-out set, where the main job averages fewer for a house."""


@dataclass(frozen=True)
class HeldOutSet:
    """Positions of the rows that are trained on, and of those that are predicted."""

    training: NDArray[np.int64]
    held_out: NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """The networks of one group for one held-out set.

    Attributes:
        data: the fold, fitted on the set's training rows.
        name, group: which group.
        seeds: of its networks.
    """

    data: FoldData
    name: str
    group: ModelSettings
    seeds: tuple[int, ...]

    @cached_property
    def columns(self) -> NDArray[np.intp]:
        """Those of the fold's matrix that the networks see."""
        return self.data.live_columns(self.group.blocks)

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the predictions depend on; held-out prices are not among it."""
        data, digest = self.data, hashlib.sha256(code_digest("engine", fold_model.__file__).encode())
        hyperparameters = {field.name: getattr(self.group, field.name) for field in fields(Hyperparameters)}
        scale = (data.log_price_mean, data.log_price_std)
        shape = (len(data.training), len(data.held_out), len(self.columns))
        digest.update(json.dumps([hyperparameters, self.seeds, scale, shape]).encode())
        for rows in (data.training, data.held_out):
            digest.update(data.matrix[np.ix_(rows, self.columns)].tobytes())
        digest.update(data.targets[data.training].tobytes())
        return digest.hexdigest()

    def start(self, executor: Executor) -> PendingNetworks:
        """Begin to train, on nothing but the training rows."""
        data = self.data.data(self.group.blocks, with_curves=False)
        return submit_networks(executor, data, [NetworkSpec(seed, self.group) for seed in self.seeds])

    def predict(self, network: BatchedMLP) -> NDArray[np.float32]:
        """Log prices (n_members, n_held_out) that the trained networks say."""
        data = self.data
        scale = (data.log_price_mean, data.log_price_std)
        place = (data.repeat, data.fold, data.features)
        model = FoldModel(*place, *scale, {self.name: self.columns}, {self.name: network})
        return model.predict(self.name, data.matrix[data.held_out]).astype(np.float32)


Batches = Mapping[str, Sequence[Batch]]
"""What a recipe has to train: {group: a batch for each held-out set}."""


def fit_sets(
    features: FeatureSettings,
    blocks: Collection[Block],
    houses: HouseArray,
    log_price: Floats,
    sets: Sequence[HeldOutSet],
) -> list[FoldData]:
    """Fit the features of these blocks and the targets on each set's training rows."""
    return [
        fit_fold(place, 0, one.training, one.held_out, houses, log_price, features, blocks)
        for place, one in enumerate(sets)
    ]


def batches_of(
    recipes: Sequence[Settings], houses: HouseArray, log_price: Floats, sets: Sequence[HeldOutSet]
) -> list[Batches]:
    """What each recipe has to train; their own folds play no part.

    A group has as many networks a set as the main job averages for a house, and no fewer than `MIN_MEMBERS`.
    """
    blocks = blocks_of(model for recipe in recipes for model in recipe.models.values())
    folds = {}
    for features in {recipe.features for recipe in recipes}:
        built = blocks if features.columns else blocks - {CUSTOM}
        folds[features] = fit_sets(features, built, houses, log_price, sets)

    def batch(recipe: Settings, data: FoldData, name: str) -> Batch:
        group = recipe.models[name]
        n_members = max(MIN_MEMBERS, group.n_members * recipe.folds.n_repeats)
        seeds = (member_seed(recipe.seed, data.repeat, data.fold, name, member) for member in range(n_members))
        return Batch(data, name, group, tuple(seeds))

    return [
        {name: [batch(recipe, data, name) for data in folds[recipe.features]] for name in recipe.models}
        for recipe in recipes
    ]


def digest_of(batches: Batches) -> str:
    """Twelve digits that name a recipe by what it trains, on what and by which code; the order of models is none."""
    keys = sorted("".join(batch.key for batch in of_group) for of_group in batches.values())
    return hashlib.sha256("".join(keys).encode()).hexdigest()[:12]


def predict_held_out(
    recipes: Sequence[Batches], settings: Settings, kept: Path | None, notify: Notify = silent
) -> list[dict[str, list[NDArray[np.float32]]]]:
    """Train what is not kept yet, and predict each recipe's held-out rows.

    Args:
        recipes: as `batches_of` makes them.
        settings: say on how many workers and on which device.
        kept: folder of predictions, a file a batch, written as soon as it is trained: an interrupted job goes on
            where it was. None keeps none.
        notify: hears how many networks are trained; nothing where all are kept.

    Returns:
        For each recipe the log prices {group: [(n_members, n_held_out) a set]}.
    """
    wanted = {batch.key: batch for recipe in recipes for of_group in recipe.values() for batch in of_group}
    found = {key: prediction for key in wanted if kept and (prediction := _read(_file(kept, key))) is not None}
    missing = {key: batch for key, batch in wanted.items() if key not in found}
    if missing:
        count = counting(notify, "training networks", sum(len(batch.seeds) for batch in missing.values()))
        with open_executor(settings, notify) as executor:
            pending = {key: batch.start(executor) for key, batch in missing.items()}
            for key, batch in missing.items():
                found[key] = batch.predict(pending.pop(key).result(count).network)
                if kept:
                    with replacing(_file(kept, key)) as (fresh,):
                        np.save(fresh, found[key])
    return [{name: [found[batch.key] for batch in of] for name, of in recipe.items()} for recipe in recipes]


def _file(kept: Path, key: str) -> Path:
    return kept / f"{key}.npy"


def _read(file: Path) -> NDArray[np.float32] | None:
    """The predictions in the file; None if there is none, or one that somebody spoilt."""
    try:
        return np.asarray(np.load(file, allow_pickle=False), dtype=np.float32)
    except (OSError, ValueError, EOFError):
        return None
