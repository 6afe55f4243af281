"""Extrapolation: rare houses are held out, and none of their kind is trained on.

    python benchmarks/rare_houses.py [--data data/raw] [--config configs/default.toml]

A few rare houses carry much of the squared error of any score; settings that are good for usual houses may extrapolate
wildly on these. Predictions are kept in runs/compare.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from houseprices.cross_validation.baselines import baseline_predictions
from houseprices.cross_validation.ensemble import ensemble_mean
from houseprices.data.schema import BY_NAME, PRICE
from houseprices.data.source import read_tables
from houseprices.preprocessing.columns import LINEAR_BLOCKS
from houseprices.preprocessing.features import HouseFeatures
from houseprices.preprocessing.houses import house_array
from houseprices.selection.compare import PREDICTIONS
from houseprices.selection.held_out import (
    MIN_NETWORKS,
    ModelOnFolds,
    fit_folds,
    log_price_of,
    predict_models,
)
from houseprices.settings import load_settings

N_NEIGHBORS = 5


def main() -> None:
    """Print a row of a Markdown table for each set and predictor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path)
    arguments = parser.parse_args()

    settings, houses = load_settings(arguments.config), read_tables(arguments.data).train
    log_price = log_price_of(houses)
    sets = {name: np.sort(rows) for name, rows in rare_sets(houses).items() if len(rows)}
    splits = [(np.setdiff1d(np.arange(len(houses)), rows), rows) for rows in sets.values()]
    blocks = {*LINEAR_BLOCKS, *(block for model in settings.models.values() for block in model.blocks)}
    folds = fit_folds(settings.features, blocks, houses, splits)
    models = [
        ModelOnFolds(name, model, settings.seed, max(MIN_NETWORKS, model.n_members * settings.folds.n_repeats), folds)
        for name, model in settings.models.items()
    ]
    in_folds = predict_models(models, settings, PREDICTIONS)
    by_model = {model.name: np.split(in_folds[model.key], np.cumsum([len(rows) for rows in sets.values()])[:-1])
                for model in models}  # fmt: skip
    print("| held out | houses | predicted by | RMSE | mean error | largest |\n|---|---|---|---|---|---|")
    for index, (name, rows) in enumerate(sets.items()):
        of_set = {model: predictions[index] for model, predictions in by_model.items()}
        training = log_price[splits[index][0]]
        predictors = {
            "ensemble": ensemble_mean({model: prediction[None] for model, prediction in of_set.items()}),
            **of_set,
        }
        linear = folds[index].matrix[:, folds[index].columns(LINEAR_BLOCKS)]
        predictors |= baseline_predictions(linear[splits[index][0]], training, linear[rows])
        for predictor, prediction in predictors.items():
            error = prediction - log_price[rows]
            figures = f"{np.sqrt(np.mean(error**2)):.3f} | {error.mean():+.2f} | {np.abs(error).max():.2f}"
            print(f"| {name} | {len(rows)} | {predictor} | {figures} |")


def rare_sets(houses: pd.DataFrame) -> dict[str, np.ndarray]:
    """The rows of the rare houses by name."""
    n_rows = len(houses)
    by_price, twentieth = np.argsort(houses[PRICE].to_numpy(), kind="stable"), math.ceil(n_rows / 20)
    unfinished = BY_NAME["SaleCondition"].levels.index("Partial")
    return {
        "far from neighbours": np.argsort(-distance_to_neighbors(houses), kind="stable")[: math.ceil(n_rows / 10)],
        "sold unfinished": np.flatnonzero(house_array(houses.drop(columns=PRICE)).codes("SaleCondition") == unfinished),
        "cheapest twentieth": by_price[:twentieth],
        "dearest twentieth": by_price[-twentieth:],
    }


def distance_to_neighbors(houses: pd.DataFrame) -> np.ndarray:
    """The mean Euclidean distance of each house to the nearest others, in the scaled numbers."""
    features, array = HouseFeatures({"numbers"}), house_array(houses.drop(columns=PRICE))
    numbers = features.fit(array, log_price_of(houses)).transform(array)
    # Asked without houses of its own, it leaves each house out of its neighbours.
    distances, _ = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(numbers).kneighbors()
    return distances.mean(axis=1)


if __name__ == "__main__":
    main()
