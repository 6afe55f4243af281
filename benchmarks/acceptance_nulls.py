"""False positives of the acceptance test: changes that do nothing, on real and on permuted prices.

    python benchmarks/acceptance_nulls.py [--data data/raw] [--config configs/quick.toml] [--changes 20]

Each change is another seed of the networks. Permuted prices belong to other houses: there is nothing to learn, and
nothing to be better at. No trial is logged. Predictions are kept in runs/compare.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from houseprices.data.schema import PRICE
from houseprices.data.source import read_tables
from houseprices.selection.acceptance import paired_scores, score_reasons
from houseprices.selection.compare import PREDICTIONS
from houseprices.selection.held_out import log_price_of, predict_held_out
from houseprices.settings import load_settings


def main() -> None:
    """Print a line for each change, and how many were accepted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/quick.toml"))
    parser.add_argument("--changes", type=int, default=20)
    arguments = parser.parse_args()

    settings = load_settings(arguments.config)
    train = read_tables(arguments.data).train
    permuted = train.assign(**{PRICE: np.random.default_rng(0).permutation(train[PRICE])})
    for prices, houses in (("real", train), ("permuted", permuted)):
        [(_, first)] = predict_held_out([settings], houses, PREDICTIONS)
        n_accepted = 0
        for change in range(arguments.changes):
            other = replace(settings, seed=settings.seed + 1 + change)
            [(_, second)] = predict_held_out([other], houses, PREDICTIONS)
            scores = paired_scores(first, second, log_price_of(houses))
            accepted = not score_reasons(scores.rmse, scores.trimmed, simplification=False)
            n_accepted += accepted
            trimmed = f"{scores.trimmed.difference:+.5f} [{scores.trimmed.low:+.5f}, {scores.trimmed.high:+.5f}]"
            verdict = "accepted" if accepted else "rejected"
            print(f"{prices} prices: RMSE {scores.rmse.difference:+.5f}, trimmed {trimmed}: {verdict}", flush=True)
        print(f"{prices} prices: accepted {n_accepted} of {arguments.changes} changes that do nothing", flush=True)


if __name__ == "__main__":
    main()
