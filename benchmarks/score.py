"""10-fold cross-validation over several fold seeds: RMSE and trimmed RMSE of the ensemble, each model and ridge.

    python benchmarks/score.py [--data data/raw] [--config configs/default.toml] [--seeds 5]

The last column leaves out Ids 524 and 1299, two huge houses sold unfinished, whose errors depend on whether a fold
holds both of them.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from houses import find_houses

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.selection.bias_correction import score_of
from houseprices.settings import load_settings


def main() -> None:
    """Print a line for each seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()

    settings, houses = load_settings(arguments.config), find_houses(arguments.data)
    figures = defaultdict(list)
    for seed in range(arguments.seeds):
        result = cross_validate(houses.train, houses.test, replace(settings, seed=seed))
        by_model = {name: networks.mean(axis=(0, 1)) for name, networks in result.by_model.items()}
        predictions = {"ensemble": np.mean(list(by_model.values()), axis=0), **by_model}
        predictions["ridge"] = result.baselines["ridge"]
        for name, prediction in predictions.items():
            score = score_of(prediction[None], houses.log_price)
            usual = score_of(prediction[None, houses.usual], houses.log_price[houses.usual])
            figures[name].append((score.rmse, score.trimmed, usual.rmse))
        print(f"seed {seed}: " + " ".join(f"{value:.4f}" for value in figures["ensemble"][-1]), flush=True)
    for name, of_seeds in figures.items():
        print(f"{name}: " + " ".join(f"{value:.4f}" for value in np.mean(of_seeds, axis=0)))


if __name__ == "__main__":
    main()
