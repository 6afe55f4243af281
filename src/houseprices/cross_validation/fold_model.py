"""All that is fitted on one fold's training rows, and how the folds' log prices are put together."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from houseprices.engine.losses import spread_of
from houseprices.engine.mlp import BatchedMLP
from houseprices.preprocessing.features import HouseFeatures
from houseprices.preprocessing.houses import HouseArray, house_array

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FoldModel:
    """A fold's fitted features and trained networks: from array houses to log prices.

    Attributes:
        repeat, fold: which one.
        features: fitted on the fold's training rows.
        log_price_mean, log_price_std: of the training rows; the networks predict (log price - mean) / std.
        columns: by group, the columns of the features that its networks see.
        networks: the trained members by group.
    """

    repeat: int
    fold: int
    features: HouseFeatures
    log_price_mean: float
    log_price_std: float
    columns: Mapping[str, NDArray[np.intp]]
    networks: Mapping[str, BatchedMLP]

    def predict(self, group: str, matrix: NDArray[np.float32]) -> Floats:
        """Log prices that the members of a group predict: (n_members, n_rows), from the features' (n_rows, d_in).

        A house's prediction has the same bits whatever rows stand beside it.
        """
        return self._predict(group, matrix)[0]

    def predict_models(self, matrix: NDArray[np.float32]) -> tuple[dict[str, Floats], Floats]:
        """The same of every group, and how far off a price may be, see `predict_folds`: (n_rows,)."""
        predicted, scales = {}, []
        for group in self.networks:
            predicted[group], scale = self._predict(group, matrix)
            scales += [scale] if scale is not None else []
        return predicted, np.mean(scales, axis=0) if scales else np.ones(len(matrix))

    def _predict(self, group: str, matrix: NDArray[np.float32]) -> tuple[Floats, Floats | None]:
        """Log prices, and the mean over members of the scale of their errors that they have learnt; None if none."""
        network = self.networks[group]
        inputs = torch.from_numpy(np.ascontiguousarray(matrix[:, self.columns[group]]))
        outputs = network.outputs(inputs.to(network.parameters.device)).cpu()
        log_price = self.log_price_mean + self.log_price_std * outputs[:, :, 0].numpy().astype(np.float64)
        if network.architecture.n_outputs == 1:
            return log_price, None
        return log_price, self.log_price_std * spread_of(outputs[:, :, 1]).numpy().mean(axis=0, dtype=np.float64)


def combine(by_model: Mapping[str, Floats]) -> Floats:
    """(n_rows,) from each group's (n_members, n_rows) log prices: the mean over its members, then over the models."""
    return np.asarray(sum(predicted.mean(axis=0) / len(by_model) for predicted in by_model.values()))


def predict_folds(folds: Sequence[FoldModel], houses: pd.DataFrame | HouseArray) -> tuple[Floats, Floats]:
    """Log prices that each fold's ensemble predicts for typed houses, and how far off each may be.

    The second is the scale of an error in log price that the networks with a likelihood have learnt, a mean over them;
    where no group has one, it is 1 for every house.

    The mean of the log prices prices a new house; for the training houses, row by row those of the fold that held it
    out are its out-of-fold prediction. Both have the bits that the cross-validation computed, on the same machine.

    Shape:
        returns: two of (n_repeats, n_folds, n_rows)
    """
    array = house_array(houses)

    def ensemble(fold: FoldModel, matrix: NDArray[np.float32]) -> Floats:
        by_model, error_scale = fold.predict_models(matrix)
        return np.stack([combine(by_model), error_scale])

    # The networks of one fold compute while the next one's features are made.
    with ThreadPoolExecutor(1) as executor:
        pending = [executor.submit(ensemble, fold, fold.features.transform(array)) for fold in folds]
    n_repeats = folds[-1].repeat + 1
    both = np.stack([one.result() for one in pending], axis=1)
    log_price, error_scale = both.reshape(2, n_repeats, len(folds) // n_repeats, len(houses))
    return log_price, error_scale


def mean_over_folds(predictions: Floats) -> Floats:
    """(.., n_rows) -> (n_rows,), added up fold by fold, as a cross-validation adds up its test predictions."""
    *n_folds, n_rows = predictions.shape
    of_folds = predictions.reshape(math.prod(n_folds), n_rows)
    return np.asarray(sum(fold / len(of_folds) for fold in of_folds))
