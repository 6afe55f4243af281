"""Whether choosing alone looks like skill: searches of 100 trials where there is nothing to learn.

    python benchmarks/search_nulls.py [--data data/raw] [--permutations 20] [--trials 100]

The houses' prices are permuted, so that the best that can be predicted is each half's mean. The networks are small, so
that two thousand trials take minutes. Printed are differences in log-RMSE from that constant, mean and standard error
over permutations: of the best trial and of the committee, as they look and corrected for the choice.
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
from houseprices.selection.search import search
from houseprices.selection.search_space import read_space
from houseprices.settings import FoldSettings, ModelSettings, Settings

SPACE = """
depth = [0, 1]
width = [4, 8]
loss = ["huber", "student_t"]
epochs = [2, 4, 8]
batch_size = [64, 128]
blocks = [["numbers"], ["numbers", "one_hot"], ["ranks"]]
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
    found = {name: summary([row[name] for row in rows]) for name in rows[0]}
    for name, of in found.items():
        print(f"{name}: {of['mean']:+.5f} ± {of['standard_error']:.5f}, lowest {of['lowest']:+.5f}")


def null_search(seed: int, n_trials: int) -> dict[str, float]:
    """Differences from the constant, of one permutation."""
    base = Settings(seed=seed, folds=FoldSettings(n_repeats=1), models={"null": ModelSettings()})
    found = search(Path(), base, read_space(Path("space.toml")), n_trials, storage=Path("search.journal"))
    assert found.committee
    scores = {
        "best": found.naive,
        "best, corrected": found.corrected,
        "committee": found.committee.naive,
        "committee, corrected": found.committee.corrected,
    }
    return {name: score.whole - found.constant.whole for name, score in scores.items()}


def summary(differences: list[float]) -> dict[str, Any]:
    """Mean, its standard error, and the lowest."""
    error = float(stats.sem(differences)) if len(differences) > 1 else float("nan")
    return {"mean": float(np.mean(differences)), "standard_error": error, "lowest": min(differences)}


if __name__ == "__main__":
    main()
