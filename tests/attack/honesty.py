"""Checks that a job learns nothing from prices at random, and that intervals cover unseen houses as they promise.

`python tests/attack/honesty.py --data FOLDER` checks both on real houses; a small set of it is among the tests.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.metrics import log_rmse
from houseprices.data.sample import write_sample
from houseprices.data.schema import PRICE
from houseprices.data.table import read_houses
from houseprices.settings import FoldSettings, ModelSettings, Settings, load_settings

Floats = NDArray[np.float64]
Job = Callable[[pd.DataFrame], float]
"""Priced houses -> the log-RMSE that a job estimates for unseen houses."""

COVERAGES = (0.5, 0.8, 0.9, 0.95)

SMALL = ModelSettings(hidden=(6,), epochs=4, batch_size=16, loss="student_t", blocks=("numbers", "one_hot"))
ONE_MODEL = Settings(device="cpu", folds=FoldSettings(n_folds=2, n_repeats=1), models={"small": SMALL})
ENSEMBLE = replace(ONE_MODEL, models={"small": SMALL, "linear": replace(SMALL, hidden=(), loss="huber")})


def cv(settings: Settings) -> Job:
    """The main job's score."""

    def score(train: pd.DataFrame) -> float:
        result = cross_validate(train, train.drop(columns=PRICE).iloc[:0], settings)
        return log_rmse(result.prediction, result.ensemble.out_of_fold.log_price)

    return score


# benchmarks/search_nulls.py checks the search, which reads files, in the same way.
JOBS: dict[str, Job] = {"cv of one model": cv(ONE_MODEL), "cv of an ensemble": cv(ENSEMBLE)}


def gain_on_permuted_prices(job: Job, train: pd.DataFrame, n_permutations: int = 20) -> tuple[float, float]:
    """The job's score minus that of the best constant, where no feature tells anything about a price.

    Returns:
        Mean over permutations of the prices, and its standard error. Below zero the job learnt from held-out prices.
    """
    rng = np.random.default_rng(0)
    scores = [job(train.assign(**{PRICE: rng.permutation(train[PRICE])})) for _ in range(n_permutations)]
    gains = np.array(scores) - np.log(train[PRICE]).std(ddof=0)
    return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(n_permutations))


def coverage(train: pd.DataFrame, new: pd.DataFrame, settings: Settings) -> Floats:
    """The share of houses whose price lies in its interval: training houses out of fold, and new houses.

    Shape:
        returns: (2, n_coverages), of `COVERAGES`
    """
    ensemble = cross_validate(train, train.drop(columns=PRICE).iloc[:0], settings).ensemble
    new_ends = ensemble.intervals(ensemble.predict_folds(new.drop(columns=PRICE)), COVERAGES)
    shares = []
    for ends, houses in ((ensemble.out_of_fold.intervals(COVERAGES), train), (new_ends, new)):
        log_price = np.log(houses[PRICE].to_numpy())
        shares.append(((ends[:, 0] <= log_price) & (log_price <= ends[:, 1])).mean(axis=1))
    return np.array(shares)


def standard_errors(n_train: int, n_new: int, n_splits: int = 1) -> Floats:
    """Standard errors of the share of n_new houses covered by intervals from n_train residuals."""
    covered = np.array(COVERAGES)
    return np.asarray(np.sqrt(covered * (1 - covered) * (1 / n_train + 1 / n_new) / n_splits))


def towns(n_towns: int, n_train: int, n_new: int) -> Sequence[tuple[pd.DataFrame, pd.DataFrame]]:
    """Synthetic samples, each split into training and new houses."""
    pairs = []
    with tempfile.TemporaryDirectory() as name:
        for seed in range(n_towns):
            write_sample(Path(name), n_train + n_new, 1, seed=seed)
            houses = read_houses(Path(name) / "train.csv", priced=True)
            pairs.append((houses.iloc[:n_train], houses.iloc[n_train:]))
    return pairs


def main() -> None:
    """Print both; exit 1 if a job learnt from permuted prices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with train.csv; a synthetic sample without it")
    parser.add_argument("--config", type=Path, default=Path("configs/quick.toml"))
    parser.add_argument("--permutations", type=int, default=20)
    parser.add_argument("--splits", type=int, default=5, help="of the houses into two halves")
    options = parser.parse_args()
    settings = load_settings(options.config)
    [(town, rest)] = towns(1, 730, 730) if options.data is None else [(None, None)]
    houses = pd.concat([town, rest]) if options.data is None else read_houses(options.data / "train.csv", priced=True)
    failed = False
    for name, job in {**JOBS, f"cv of {options.config}": cv(settings)}.items():
        mean, error = gain_on_permuted_prices(job, houses, options.permutations)
        failed |= mean < -2 * error
        print(f"permuted prices, {name}: {mean:+.4f} to the constant, standard error {error:.4f}", flush=True)
    shares = []
    for seed in range(options.splits):
        order, half = np.random.default_rng(seed).permutation(len(houses)), len(houses) // 2
        first, second = houses.iloc[order[:half]], houses.iloc[order[half:]]
        shares += [coverage(*pair, settings) for pair in ((first, second), (second, first))]
    errors = standard_errors(half, half)
    for covered, out_of_fold, new, error in zip(COVERAGES, *np.mean(shares, axis=0), errors, strict=True):
        figures = f"{out_of_fold:.1%} of a half out of fold, {new:.1%} of the other half"
        print(f"intervals of {covered:.0%} cover {figures}; standard error of one half {error:.1%}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
