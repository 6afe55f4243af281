"""Why a house got its price: integrated gradients (Sundararajan, Taly and Yan 2017) of the ensemble, by raw feature.

A network's gradient is integrated along the straight line from the average house (the mean of its fold's training
rows in the network's own inputs) to the house. The attributions of the inputs add up to the prediction minus the
average house's prediction, and `HouseFeatures.raw_shares` sums them to the 79 features of the data description.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from houseprices.cross_validation.fold_model import FoldModel, combine
from houseprices.engine.device import single_threads
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.runs.read import SavedRun

Floats = NDArray[np.float64]

N_STEPS = 24
"""Gauss-Legendre points on the line. The gradient of a ReLU network jumps along it, so that the sum for the default's
committee misses the difference by 3e-4 of a log price on average over Kaggle's training rows, and by 2e-3 at most."""


@dataclass(frozen=True)
class Explanation:
    """Attributions in log price; 0.01 is about one percent of the price.

    Attributes:
        attributions: (n_rows, n_effects), in the order of `schema.FEATURES`; of a run with own columns, a last one is
            of all of these together, else n_effects is 79.
        baseline: (n_rows,) log price of the average house.
        prediction: (n_rows,) log price of the house, baseline + sum of the attributions but for what `N_STEPS` misses.
    """

    attributions: Floats
    baseline: Floats
    prediction: Floats


@single_threads()
def explain_new(run: SavedRun, training: pd.DataFrame, houses: pd.DataFrame) -> Explanation:
    """Explain the run's prediction of houses that it was not trained on: the mean over its folds."""
    seen, new = house_array(training), house_array(houses)
    explained = [_explain(fold, seen.rows(_training_rows(run, fold)), new) for fold in run.folds]
    return Explanation(
        np.mean([one.attributions for one in explained], axis=0),
        np.mean([one.baseline for one in explained], axis=0),
        np.mean([one.prediction for one in explained], axis=0),
    )


@single_threads()
def explain_out_of_fold(run: SavedRun, training: pd.DataFrame, rows: ArrayLike | None = None) -> Explanation:
    """Explain the out-of-fold predictions of training rows (all of them for None), each by the fold that held it out.

    With repeats, the mean over them.
    """
    wanted = np.arange(len(training)) if rows is None else np.asarray(rows, dtype=np.int64)
    n_effects = run.folds[0].features.raw_shares().shape[1]
    array = house_array(training)
    attributions, baseline, prediction = (
        np.zeros((len(wanted), n_effects)),
        np.zeros(len(wanted)),
        np.zeros(len(wanted)),
    )
    n_repeats = run.settings.folds.n_repeats
    for fold in run.folds:
        places = np.flatnonzero(run.fold_of_row[fold.repeat][wanted] == fold.fold)
        if len(places) == 0:
            continue
        one = _explain(fold, array.rows(_training_rows(run, fold)), array.rows(wanted[places]))
        attributions[places] += one.attributions / n_repeats
        baseline[places] += one.baseline / n_repeats
        prediction[places] += one.prediction / n_repeats
    return Explanation(attributions, baseline, prediction)


def _training_rows(run: SavedRun, fold: FoldModel) -> NDArray[np.int64]:
    return np.flatnonzero(run.fold_of_row[fold.repeat] != fold.fold)


def _explain(fold: FoldModel, training: HouseArray, houses: HouseArray) -> Explanation:
    """One fold's ensemble. Groups are combined as their predictions are, one raw feature at a time."""
    average = fold.features.transform(training).mean(axis=0, keepdims=True)
    matrix = fold.features.transform(houses)
    shares = fold.features.raw_shares()
    by_model = {}
    for group, columns in fold.columns.items():
        of_inputs = _integrated_gradients(fold, group, matrix[:, columns], average[:, columns])
        by_model[group] = (of_inputs @ shares[columns]).reshape(1, -1)
    attributions = combine(by_model).reshape(len(houses), -1)
    baseline = combine({group: fold.predict(group, average) for group in fold.columns})
    prediction = combine({group: fold.predict(group, matrix) for group in fold.columns})
    return Explanation(attributions, np.repeat(baseline, len(houses)), prediction)


def _integrated_gradients(
    fold: FoldModel, group: str, inputs: NDArray[np.float32], average: NDArray[np.float32]
) -> Floats:
    """(n_rows, d_in) attributions of the mean of a group's members, in log price."""
    import torch
    from captum.attr import IntegratedGradients

    network = fold.networks[group]
    n_members = len(network.parameters)

    def sum_over_rows(rows: torch.Tensor) -> torch.Tensor:
        # A row's gradient is that of the sum; captum would ask for each row's by itself, at twice the time.
        return network.forward(rows.expand(n_members, -1, -1)).mean(dim=0)[:, 0].sum(dim=0, keepdim=True)

    found = IntegratedGradients(sum_over_rows).attribute(
        torch.from_numpy(inputs),
        baselines=torch.from_numpy(average),
        n_steps=N_STEPS,
        method="gausslegendre",
        internal_batch_size=4096,
    )
    return np.asarray(found.numpy(), dtype=np.float64) * fold.log_price_std
