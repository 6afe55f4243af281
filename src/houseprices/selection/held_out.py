"""Out-of-fold predictions on repeated 2-fold cross-validation; no network is trained twice.

Half of the rows are held out, not a tenth: the choice between models asks for large held-out parts (Shao 1993).

The predictions of a model's networks depend on their inputs, targets, seeds and hyperparameters, and on the code that
trains them. The name of a cached file is the digest of all of these, so that no cached prediction can be stale.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.cross_validate import check_finite
from houseprices.cross_validation.ensemble import ensemble_mean
from houseprices.cross_validation.fold import Fold, assign_folds, fit_fold, network_seed, split_rows
from houseprices.data.schema import PRICE
from houseprices.engine.specs import Hyperparameters, NetworkSpec
from houseprices.engine.training import Executor, PendingNetworks, open_executor, submit_networks
from houseprices.errors import OutOfMemoryError
from houseprices.files import code_digest, replacing
from houseprices.preprocessing.columns import CUSTOM, Block
from houseprices.preprocessing.houses import house_array
from houseprices.progress import Notify, counting, silent
from houseprices.settings import FeatureSettings, ModelSettings, Settings

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

N_REPEATS = 10
SPLIT_SEED = 1996
"""Fixes the splits: every comparison and every trial is scored on the same ones, whatever the settings' own seed."""

MIN_NETWORKS = 4
"""Networks of a model on each fold of a comparison, where the main job averages fewer for a house."""


def log_price_of(train: pd.DataFrame) -> Floats:
    """Return the log prices of a typed training table, (n_rows,)."""
    return np.asarray(np.log(train[PRICE].to_numpy(dtype=np.float64)))


def two_fold_splits(n_rows: int) -> list[tuple[Rows, Rows]]:
    """Return the training and held-out rows of repeated 2-fold cross-validation, repeat by repeat."""
    fold_of_row = assign_folds(n_rows, 2, N_REPEATS, SPLIT_SEED)
    return [split_rows(fold_of_row[repeat], fold) for repeat in range(N_REPEATS) for fold in range(2)]


def by_repeat(prediction: Floats, n_rows: int) -> Floats:
    """Bring the predictions of the folds of `two_fold_splits`, one after another, into (n_repeats, n_rows)."""
    rows = np.concatenate([held_out for _, held_out in two_fold_splits(n_rows)]).reshape(N_REPEATS, n_rows)
    return np.take_along_axis(prediction.reshape(rows.shape), rows.argsort(axis=1), axis=1)


def fit_folds(
    features: FeatureSettings, blocks: Collection[Block], train: pd.DataFrame, splits: Sequence[tuple[Rows, Rows]]
) -> list[Fold]:
    """Fit the features of these blocks and the targets on the training rows of each split of a training table."""
    built = set(blocks) if features.columns else set(blocks) - {CUSTOM}
    houses, log_price = house_array(train.drop(columns=PRICE)), log_price_of(train)
    return [fit_fold(index, 0, rows, houses, log_price, features, built) for index, rows in enumerate(splits)]


@dataclass(frozen=True, eq=False)
class ModelOnFolds:
    """A model that is trained on every fold, with the same number of networks on each.

    Attributes:
        name: the networks' seeds depend on it.
        model: its own `n_members` plays no part.
    """

    name: str
    model: ModelSettings
    seed: int
    n_networks: int
    folds: Sequence[Fold]

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that the predictions depend on; held-out prices are not among it."""
        digest = hashlib.sha256(code_digest("engine", "cross_validation/fold.py").encode())
        hyperparameters = {field.name: getattr(self.model, field.name) for field in fields(Hyperparameters)}
        digest.update(json.dumps(hyperparameters).encode())
        for fold in self.folds:
            columns = fold.columns(self.model.blocks)
            scale = (fold.log_price_mean, fold.log_price_std)
            shape = (len(fold.training_rows), len(fold.held_out_rows), len(columns))
            digest.update(json.dumps([self._seeds(fold), scale, shape]).encode())
            for rows in (fold.training_rows, fold.held_out_rows):
                digest.update(fold.matrix[np.ix_(rows, columns)].tobytes())
            digest.update(fold.targets[fold.training_rows].tobytes())
        return digest.hexdigest()

    def submit(self, executor: Executor) -> list[PendingNetworks]:
        """Start to train on each fold's training rows."""
        return [
            submit_networks(
                executor,
                fold.data(self.model.blocks, with_curves=False),
                [NetworkSpec(seed, self.model) for seed in self._seeds(fold)],
            )
            for fold in self.folds
        ]

    def predict(self, pending: Sequence[PendingNetworks], count: Callable[[int], object]) -> Floats:
        """Wait for the networks, and predict the held-out rows of the folds, one fold after another."""
        predictions = []
        for fold, networks in zip(self.folds, pending, strict=True):
            fitted = fold.fitted({self.name: self.model}, {self.name: networks.result(count).network})
            by_network = fitted.predict(self.name, fold.matrix[fold.held_out_rows])
            predictions.append(ensemble_mean({self.name: by_network}))
        return np.concatenate(predictions)

    def _seeds(self, fold: Fold) -> list[int]:
        return [network_seed(self.seed, fold.repeat, fold.fold, self.name, index) for index in range(self.n_networks)]


def train_models(
    models: Sequence[ModelOnFolds], executor: Executor, cache: Path, count: Callable[[int], object]
) -> dict[str, Floats | OutOfMemoryError]:
    """Train all networks of the models that are not cached, as one job.

    Args:
        cache: folder of predictions, one file a model, written as soon as the model is trained.
        count: called with the number of networks that have just been trained.

    Returns:
        {key: the held-out log prices of the folds, one after another, or the error of a model that is too large}
    """
    results: dict[str, Floats | OutOfMemoryError] = {}
    pending: dict[str, tuple[ModelOnFolds, list[PendingNetworks]]] = {}
    for model in models:
        if (cached := read_cached(cache, model.key)) is not None:
            results[model.key] = cached
        elif model.key not in pending:
            try:
                pending[model.key] = (model, model.submit(executor))
            except OutOfMemoryError as error:
                results[model.key] = error
    for key in list(pending):
        model, networks = pending.pop(key)  # trained networks take memory
        try:
            results[key] = prediction = model.predict(networks, count)
        except OutOfMemoryError as error:  # of a cluster's node
            results[key] = error
            continue
        with replacing(cache / f"{key}.npz", durable=True) as (fresh,):
            np.savez(fresh, prediction=prediction)
    return results


def read_cached(cache: Path, key: str) -> Floats | None:
    """Read a model's predictions; None where there are none, or the file is damaged."""
    try:
        with (cache / f"{key}.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return np.asarray(content["prediction"], dtype=np.float64)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):  # npz has a CRC of its own
        return None


def predict_models(
    models: Sequence[ModelOnFolds], settings: Settings, cache: Path, notify: Notify = silent
) -> dict[str, Floats]:
    """Predict every model's held-out rows; an interrupted job goes on with the model at which it was.

    Args:
        settings: the workers and the device, or the cluster; not used if all models are cached.
        cache: see `train_models`.

    Returns:
        {key: the held-out log prices of the folds, one after another}

    Raises:
        OutOfMemoryError: a network is too large.
    """
    cached = {model.key: read_cached(cache, model.key) for model in models}
    predictions = {key: prediction for key, prediction in cached.items() if prediction is not None}
    missing = {model.key: model for model in models if model.key not in predictions}
    if missing:
        count = counting(notify, "training networks", sum(len(of.folds) * of.n_networks for of in missing.values()))
        with open_executor(settings.workers, settings.device, settings.ray, notify) as executor:
            for key, result in train_models(list(missing.values()), executor, cache, count).items():
                if isinstance(result, OutOfMemoryError):
                    raise result
                predictions[key] = result
    return predictions


def predict_held_out(
    candidates: Sequence[Settings], train: pd.DataFrame, cache: Path, notify: Notify = silent
) -> list[tuple[str, Floats]]:
    """Predict every row by networks of each candidate that never saw it; the candidates' own folds play no part.

    A model has as many networks on each fold as the main job averages for a house, and no fewer than `MIN_NETWORKS`.

    Args:
        candidates: the first one also says on how many workers and on which device.
        cache: see `train_models`.

    Returns:
        For each candidate twelve digits, which name it by its networks, their data and the code that trained them; and
        the log prices of its ensemble, (n_repeats, n_rows).

    Raises:
        DataError: training diverged.
        OutOfMemoryError: a network is too large.
    """
    splits = two_fold_splits(len(train))
    blocks = {block for candidate in candidates for model in candidate.models.values() for block in model.blocks}
    folds = {
        features: fit_folds(features, blocks, train, splits)
        for features in {candidate.features for candidate in candidates}
    }
    ensembles = [
        [
            ModelOnFolds(name, model, settings.seed, max(MIN_NETWORKS, n_averaged), folds[settings.features])
            for name, model in settings.models.items()
            for n_averaged in [model.n_members * settings.folds.n_repeats]
        ]
        for settings in candidates
    ]
    models = [model for ensemble in ensembles for model in ensemble]
    predictions = predict_models(models, candidates[0], cache, notify)
    held_out = []
    for ensemble in ensembles:
        digest = hashlib.sha256("".join(sorted(model.key for model in ensemble)).encode())
        by_model = {model.name: predictions[model.key][None] for model in ensemble}
        prediction = by_repeat(ensemble_mean(by_model), len(train))
        check_finite(prediction)
        held_out.append((digest.hexdigest()[:12], prediction))
    return held_out
