"""Whether choosing alone looks like skill: searches of 100 trials where there is nothing to learn.

    python benchmarks/search_nulls.py [--data data/raw] [--permutations 20] [--trials 100]

The prices are permuted, so that the best prediction is the mean of the training rows. The networks are small, and two
thousand trials take minutes. Printed are differences in RMSE from that constant, mean and standard error over
permutations: of the best trial and of the ensemble, as found and corrected for selection.
"""

import argparse
import json
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from houseprices.data.schema import PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE, read_tables
from houseprices.selection.bias_correction import score_of
from houseprices.selection.held_out import by_repeat, two_fold_splits
from houseprices.selection.search_space import read_space
from houseprices.selection.tune import tune
from houseprices.settings import FoldSettings, ModelSettings, Settings

SPACE = """
depth = [0, 1]
width = [4, 8]
loss = ["huber", "student_t"]
epochs = [2, 4, 8]
batch_size = [64, 128]
blocks = [["numbers"], ["numbers", "one_hot"], ["products"]]
dropout = { low = 0.05, high = 0.6 }
input_dropout = { low = 0.0, high = 0.6 }
weight_decay = { low = 0.02, high = 20.0, log = true }
learning_rate = { low = 1e-4, high = 2e-2, log = true }
"""


def main() -> None:
    """Search on each permutation; print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--permutations", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    arguments = parser.parse_args()
    source = read_tables(arguments.data).folder
    train, test = (pd.read_csv(source / name, keep_default_na=False) for name in (TRAIN_FILE, TEST_FILE))
    rows = []
    for permutation in range(arguments.permutations):
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            permuted = np.random.default_rng(permutation).permutation(train[PRICE])
            train.assign(**{PRICE: permuted}).to_csv(TRAIN_FILE, index=False)
            test.to_csv(TEST_FILE, index=False)
            Path("space.toml").write_text(SPACE)
            rows.append(null_search(permutation, arguments.trials))
        print(json.dumps(rows[-1]), flush=True)
    for name in dict.fromkeys(name for row in rows for name in row):
        differences = [row[name] for row in rows if name in row]
        figures = summary(differences)
        print(
            f"{name} ({len(differences)} searches): {figures['mean']:+.5f} ± {figures['standard_error']:.5f}, "
            f"lowest {figures['lowest']:+.5f}"
        )


def null_search(seed: int, n_trials: int) -> dict[str, float]:
    """Differences in RMSE from the mean price of each fold's training rows, of one permutation."""
    base = Settings(seed=seed, folds=FoldSettings(n_repeats=1), models={"null": ModelSettings()})
    space, storage = read_space(Path("space.toml")), Path("search.journal")
    result = tune(Path(), base, space, n_trials, storage=storage, batch=8, max_ensemble=5)
    log_price = np.log(pd.read_csv(TRAIN_FILE)[PRICE].to_numpy(dtype=np.float64))
    means = [np.full(len(held_out), log_price[rows].mean()) for rows, held_out in two_fold_splits(len(log_price))]
    constant = score_of(by_repeat(np.concatenate(means), len(log_price)), log_price).rmse
    differences = {
        "best": result.score.rmse - constant,
        "best, corrected": result.corrected.rmse - constant,
    }
    for finalist in result.finalists[1:]:
        differences[finalist.name] = finalist.score.rmse - constant
        differences[f"{finalist.name}, corrected"] = finalist.corrected.rmse - constant
    return differences


def summary(differences: list[float]) -> dict[str, Any]:
    """Mean, its standard error, and the lowest."""
    error = float(stats.sem(differences)) if len(differences) > 1 else float("nan")
    return {"mean": float(np.mean(differences)), "standard_error": error, "lowest": min(differences)}


if __name__ == "__main__":
    main()
