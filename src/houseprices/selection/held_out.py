"""Out-of-fold predictions on repeated 2-fold cross-validation; no network is trained twice.

Half of the rows are held out, not a tenth: the choice between models asks for large held-out parts (Shao 1993).

The predictions of a model's networks depend on their inputs, targets, seeds and hyperparameters, and on the code that
trains them. The name of a cached file is the digest of all of these, so that no cached prediction can be stale.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from houseprices.cross_validation.cross_validate import check_finite
from houseprices.cross_validation.ensemble import ensemble_mean
from houseprices.cross_validation.fold import Fold, assign_folds, fit_fold, network_seed, split_rows
from houseprices.data.schema import PRICE
from houseprices.data.source import TRAIN_FILE, DataKind, read_tables
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import Hyperparameters, NetworkSpec
from houseprices.engine.training import Executor, PendingNetworks, open_executor, submit_networks
from houseprices.errors import OutOfMemoryError
from houseprices.files import code_digest, replacing
from houseprices.preprocessing.columns import CUSTOM, Block
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.progress import Notify, counting, silent
from houseprices.settings import FeatureSettings, ModelSettings, Settings

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

N_REPEATS = 10
SPLIT_SEED = 1996
"""Fixes the splits: every comparison and every trial is scored on the same ones, whatever the settings' own seed."""

MIN_NETWORKS = 4
"""Networks of a model on each fold of a comparison, where the main job averages fewer for a house."""


@dataclass(frozen=True, eq=False)
class PricedHouses:
    """The training table.

    Attributes:
        ids: (n_rows,)
        houses: (n_rows,) the table without prices, as an array.
        log_price: (n_rows,)
        kind, sha256: of the data, as in `data.source`; the checksum of train.csv.
    """

    ids: NDArray[np.int64]
    houses: HouseArray
    log_price: Floats
    kind: DataKind
    sha256: str


def read_priced_houses(data: Path | None, notify: Notify = silent) -> PricedHouses:
    """Read the training table of a folder, of `data/raw` or the sample for None.

    Raises:
        DataError: a fault in the files.
    """
    tables = read_tables(data, notify)
    log_price = np.log(tables.train[PRICE].to_numpy(dtype=np.float64))
    houses = house_array(tables.train.drop(columns=PRICE))
    return PricedHouses(tables.train.index.to_numpy(), houses, log_price, tables.kind, tables.sha256[TRAIN_FILE])


def two_fold_splits(n_rows: int) -> list[tuple[Rows, Rows]]:
    """The training and held-out rows of repeated 2-fold cross-validation: two folds a repeat, repeat by repeat."""
    fold_of_row = assign_folds(n_rows, 2, N_REPEATS, SPLIT_SEED)
    return [split_rows(of_repeat, fold) for of_repeat in fold_of_row for fold in range(2)]


def fit_folds(
    features: FeatureSettings, blocks: Collection[Block], houses: PricedHouses, splits: Sequence[tuple[Rows, Rows]]
) -> list[Fold]:
    """Fit the features of these blocks and the targets on the training rows of each split."""
    built = set(blocks) if features.columns else set(blocks) - {CUSTOM}
    return [
        fit_fold(index, 0, split, houses.houses, houses.log_price, features, built)
        for index, split in enumerate(splits)
    ]


def by_repeat(prediction: Floats, n_rows: int) -> Floats:
    """Bring the predictions of the folds of `two_fold_splits`, one after another, into (n_repeats, n_rows)."""
    rows = np.concatenate([held_out for _, held_out in two_fold_splits(n_rows)]).reshape(N_REPEATS, n_rows)
    by_row = np.empty_like(prediction).reshape(rows.shape)
    np.put_along_axis(by_row, rows, prediction.reshape(rows.shape), axis=1)
    return by_row


@dataclass(frozen=True, eq=False)
class ModelOnFolds:
    """A model that is trained on every fold, with the same number of networks on each.

    Attributes:
        name: of the model; its networks' seeds depend on it.
        model: settings; its own `n_members` plays no part.
        seed: of the job.
    """

    name: str
    model: ModelSettings
    seed: int
    n_networks: int
    folds: Sequence[Fold]

    def seeds(self, index: int) -> list[int]:
        """The seed of each network on a fold."""
        return [network_seed(self.seed, index, 0, self.name, network) for network in range(self.n_networks)]

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that the predictions depend on; held-out prices are not among it."""
        digest = hashlib.sha256(code_digest("engine", "cross_validation/fold.py").encode())
        hyperparameters = {field.name: getattr(self.model, field.name) for field in fields(Hyperparameters)}
        digest.update(json.dumps(hyperparameters).encode())
        for index, fold in enumerate(self.folds):
            columns = fold.columns(self.model.blocks)
            scale = (fold.log_price_mean, fold.log_price_std)
            shape = (len(fold.training_rows), len(fold.held_out_rows), len(columns))
            digest.update(json.dumps([self.seeds(index), scale, shape]).encode())
            for rows in (fold.training_rows, fold.held_out_rows):
                digest.update(fold.matrix[np.ix_(rows, columns)].tobytes())
            digest.update(fold.targets[fold.training_rows].tobytes())
        return digest.hexdigest()

    def start(self, executor: Executor) -> list[PendingNetworks]:
        """Start to train on each fold's training rows."""
        return [
            submit_networks(
                executor,
                fold.data(self.model.blocks, with_curves=False),
                [NetworkSpec(seed, self.model) for seed in self.seeds(index)],
            )
            for index, fold in enumerate(self.folds)
        ]

    def predict(self, fold: Fold, network: BatchedMLP) -> Floats:
        """Predict the log prices of the fold's held-out rows, (n_held_out,): the mean over its networks."""
        fitted = fold.fitted({self.name: self.model}, {self.name: network})
        return ensemble_mean({self.name: fitted.predict(self.name, fold.matrix[fold.held_out_rows])})


def train_models(
    models: Sequence[ModelOnFolds], executor: Executor, cache: Path | None, on_trained: Callable[[int], object]
) -> tuple[dict[str, Floats], dict[str, OutOfMemoryError]]:
    """Train all networks of the models that are not cached, as one job.

    Args:
        cache: folder of predictions, one file a model, written as soon as the model is trained; None keeps none.
        on_trained: called with the number of networks that have just been trained.

    Returns:
        {key: the held-out log prices of the folds, one after another}, and {key: error} of models that are too large
    """
    predictions: dict[str, Floats] = {}
    too_large: dict[str, OutOfMemoryError] = {}
    pending: dict[str, list[PendingNetworks]] = {}
    for model in models:
        cached = read_cached(cache, model.key)
        if cached is not None:
            predictions[model.key] = cached
            continue
        try:
            pending[model.key] = model.start(executor)
        except OutOfMemoryError as error:
            too_large[model.key] = error
    for model in models:
        if model.key not in pending:
            continue
        try:
            networks = [waiting.result(on_trained).network for waiting in pending.pop(model.key)]
        except OutOfMemoryError as error:
            too_large[model.key] = error
            continue
        of_folds = [model.predict(fold, network) for fold, network in zip(model.folds, networks, strict=True)]
        predictions[model.key] = np.concatenate(of_folds)
        if cache:
            with replacing(cache / f"{model.key}.npz", durable=True) as (fresh,):
                np.savez(fresh, prediction=predictions[model.key])
    return predictions, too_large


def read_cached(cache: Path | None, key: str) -> Floats | None:
    """Read a model's predictions; None where there are none, or the file is damaged."""
    if cache is None:
        return None
    try:
        with (cache / f"{key}.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return np.asarray(content["prediction"], dtype=np.float64)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):  # npz has a CRC of its own
        return None


def predict_models(
    models: Sequence[ModelOnFolds], settings: Settings, cache: Path | None, notify: Notify = silent
) -> dict[str, Floats]:
    """Predict every model's held-out rows, with networks from the cache where it has them.

    Args:
        settings: the workers and the device, or the cluster.
        cache: see `train_models`; an interrupted job goes on with the model at which it was.
        notify: called with the number of trained networks; not at all where all models are cached.

    Returns:
        {key: the held-out log prices of the folds, one after another}

    Raises:
        OutOfMemoryError: a network is too large.
    """
    cached = {model.key: read_cached(cache, model.key) for model in models}
    predictions = {key: prediction for key, prediction in cached.items() if prediction is not None}
    missing = {model.key: model for model in models if model.key not in predictions}
    if missing:
        n_networks = sum(model.n_networks * len(model.folds) for model in missing.values())
        count = counting(notify, "training networks", n_networks)
        with open_executor(settings.workers, settings.device, settings.ray, notify) as executor:
            trained, too_large = train_models(list(missing.values()), executor, cache, count)
            for error in too_large.values():
                raise error
            predictions |= trained
    return predictions


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A candidate's out-of-fold predictions.

    Attributes:
        key: twelve digits that name the candidate by its networks, their data and the code that trained them.
        by_model: {model: (n_repeats, n_rows) log prices}
        n_networks: {model: networks on each fold}
    """

    key: str
    by_model: Mapping[str, Floats]
    n_networks: Mapping[str, int]

    @cached_property
    def prediction(self) -> Floats:
        """The ensemble's log prices, (n_repeats, n_rows)."""
        return ensemble_mean({name: prediction[:, None] for name, prediction in self.by_model.items()})


def predict_held_out(
    candidates: Sequence[Settings], houses: PricedHouses, cache: Path | None, notify: Notify = silent
) -> list[HeldOut]:
    """Predict every row by networks of each candidate that never saw it; the candidates' own folds play no part.

    A model has as many networks on each fold as the main job averages for a house, and no fewer than `MIN_NETWORKS`.

    Args:
        candidates: the first one also says on how many workers and on which device.
        cache, notify: see `predict_models`.

    Raises:
        DataError: training diverged.
        OutOfMemoryError: a network is too large.
    """
    n_rows = len(houses.log_price)
    splits = two_fold_splits(n_rows)
    blocks = {block for candidate in candidates for model in candidate.models.values() for block in model.blocks}
    folds = {
        features: fit_folds(features, blocks, houses, splits)
        for features in {candidate.features for candidate in candidates}
    }
    models = [
        [
            ModelOnFolds(
                name,
                model,
                candidate.seed,
                max(MIN_NETWORKS, model.n_members * candidate.folds.n_repeats),
                folds[candidate.features],
            )
            for name, model in candidate.models.items()
        ]
        for candidate in candidates
    ]
    predictions = predict_models([model for of_one in models for model in of_one], candidates[0], cache, notify)
    held_out = []
    for of_candidate in models:
        digest = hashlib.sha256("".join(sorted(model.key for model in of_candidate)).encode())
        by_model = {model.name: by_repeat(predictions[model.key], n_rows) for model in of_candidate}
        held_out.append(
            HeldOut(digest.hexdigest()[:12], by_model, {model.name: model.n_networks for model in of_candidate})
        )
        check_finite(held_out[-1].prediction)
    return held_out
