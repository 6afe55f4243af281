"""False positives of the acceptance test: changes that do nothing, on real and on permuted prices.

    python benchmarks/acceptance_nulls.py [--data data/raw] [--config configs/quick.toml] [--changes 20]

Each change is another seed of the networks. Permuted prices belong to other houses: there is nothing to learn, and
nothing to be better at. No trial is logged. Predictions are kept in runs/compare.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from houseprices.selection.acceptance import paired_scores, score_reasons
from houseprices.selection.compare import PREDICTIONS
from houseprices.selection.held_out import predict_held_out, read_priced_houses
from houseprices.settings import load_settings


def main() -> None:
    """Print a line for each change, and how many were accepted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/quick.toml"))
    parser.add_argument("--changes", type=int, default=20)
    arguments = parser.parse_args()

    settings = load_settings(arguments.config)
    houses = read_priced_houses(arguments.data)
    permuted = replace(houses, log_price=np.random.default_rng(0).permutation(houses.log_price))
    for prices, of_prices in (("real", houses), ("permuted", permuted)):
        [first] = predict_held_out([settings], of_prices, PREDICTIONS)
        n_accepted = 0
        for change in range(arguments.changes):
            [second] = predict_held_out([replace(settings, seed=settings.seed + 1 + change)], of_prices, PREDICTIONS)
            scores = paired_scores(first.prediction, second.prediction, of_prices.log_price)
            accepted = not score_reasons(scores.rmse, scores.trimmed, simplification=False)
            n_accepted += accepted
            trimmed = f"{scores.trimmed.difference:+.5f} [{scores.trimmed.low:+.5f}, {scores.trimmed.high:+.5f}]"
            verdict = "accepted" if accepted else "rejected"
            print(f"{prices} prices: RMSE {scores.rmse.difference:+.5f}, trimmed {trimmed}: {verdict}", flush=True)
        print(f"{prices} prices: accepted {n_accepted} of {arguments.changes} changes that do nothing", flush=True)


if __name__ == "__main__":
    main()
