"""Integrated gradients (Sundararajan, Taly and Yan 2017) of the ensemble: the effect of each raw feature on a price.

A network's gradient is integrated along the straight line from the average house (the mean of its fold's training
rows in the network's own inputs) to the house. The attributions of the inputs add up to the prediction minus the
average house's prediction, and `HouseFeatures.raw_shares` sums them to the 79 features of the data description.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from houseprices.cross_validation.ensemble import ensemble_mean
from houseprices.engine.device import single_threads
from houseprices.engine.mlp import BatchedMLP
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.runs.read import SavedRun

Floats = NDArray[np.float64]

N_STEPS = 24
"""Gauss-Legendre points on the line. The gradient of a ReLU network jumps along it, so that the sum for the default's
ensemble misses the difference by 3e-4 of a log price on average over Kaggle's training rows, and by 2e-3 at most."""


@dataclass(frozen=True)
class Explanation:
    """Attributions in log price; 0.01 is about one percent of the price.

    Attributes:
        attributions: (n_rows, n_effects), in the order of `schema.FEATURES`; in a run with custom features, the last
            one belongs to all of these together, else n_effects is 79.
        baseline: (n_rows,) log price of the average house. With the attributions it adds up to the prediction, up to
            the error of `N_STEPS`.
    """

    attributions: Floats
    baseline: Floats


def explain_new(run: SavedRun, training: pd.DataFrame, houses: pd.DataFrame) -> Explanation:
    """Explain the run's prediction of houses that it was not trained on: the mean over its folds."""
    n_folds = len(run.ensemble.folds)
    return _explain(run, house_array(training), house_array(houses), np.full((n_folds, len(houses)), 1 / n_folds))


def explain_out_of_fold(run: SavedRun, training: pd.DataFrame, rows: ArrayLike | None = None) -> Explanation:
    """Explain the out-of-fold predictions of training rows (all of them for None), each by the fold that held it out.

    With repeats, the mean over them.
    """
    wanted = np.arange(len(training)) if rows is None else np.asarray(rows, dtype=np.int64)
    array, fold_of_row = house_array(training), run.ensemble.out_of_fold.fold_of_row
    held_out = np.stack([fold_of_row[fold.repeat][wanted] == fold.fold for fold in run.ensemble.folds])
    return _explain(run, array, array.rows(wanted), held_out / len(fold_of_row))


@single_threads()
def _explain(run: SavedRun, training: HouseArray, houses: HouseArray, weights: Floats) -> Explanation:
    """Average the explanations by the folds' ensembles, with weights (n_folds, n_rows)."""
    n_effects = run.ensemble.folds[0].features.raw_shares().shape[1]
    total = Explanation(np.zeros((len(houses), n_effects)), np.zeros(len(houses)))
    for fold, weight in zip(run.ensemble.folds, weights, strict=True):
        rows = np.flatnonzero(weight)
        if len(rows) == 0:
            continue
        in_training = run.ensemble.out_of_fold.fold_of_row[fold.repeat] != fold.fold
        average = fold.features.transform(training.rows(in_training)).mean(axis=0, keepdims=True)
        matrix, shares = fold.features.transform(houses.rows(rows)), fold.features.raw_shares()
        by_model = {}
        for model, columns in fold.columns.items():
            gradients = integrated_gradients(fold.networks[model], matrix[:, columns], average[:, columns])
            by_model[model] = (fold.log_price_std * gradients @ shares[columns]).reshape(1, -1)
        # Models are averaged as their predictions are.
        total.attributions[rows] += weight[rows, None] * ensemble_mean(by_model).reshape(len(rows), n_effects)
        total.baseline[rows] += weight[rows] * ensemble_mean(fold.predict_models(average)[0])
    return total


def integrated_gradients(network: BatchedMLP, inputs: NDArray[np.float32], average: NDArray[np.float32]) -> Floats:
    """Attribute the mean output of a model's networks to its inputs.

    Shape:
        inputs: (n_rows, d_in); average: (1, d_in)
        returns: (n_rows, d_in), in units of the networks' standardised target
    """
    start, step = torch.from_numpy(average), torch.from_numpy(inputs - average)
    mean_gradient = torch.zeros_like(step)
    for point, weight in zip(*np.polynomial.legendre.leggauss(N_STEPS), strict=True):  # on [-1, 1]
        rows = (start + step * (point + 1) / 2).requires_grad_()
        outputs = network.forward(rows.expand(len(network.parameters), -1, -1)).mean(dim=0)[:, 0]
        # A row's gradient is that of the sum over rows.
        mean_gradient += torch.autograd.grad(outputs.sum(), rows)[0] * weight / 2
    return (step * mean_gradient).numpy().astype(np.float64)
