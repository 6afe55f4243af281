"""Coverage of the intervals on houses that played no part: repeated 2-fold cross-validation of the whole job.

    .venv/bin/python benchmarks/interval_coverage.py --data FOLDER --repeats 5

One half of the houses is cross-validated by the settings, and the intervals of its ensemble are compared with the
prices of the other half. Prints the share of covered houses by coverage, whole and by quarter of the price, with the
standard deviation over the halves; beside it the same for intervals of one width in log price for all houses.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from houses import find_houses
from numpy.typing import NDArray

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.fold import assign_folds, split_rows
from houseprices.cross_validation.intervals import cv_plus_intervals
from houseprices.data.schema import PRICE
from houseprices.settings import load_settings

Floats = NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9, 0.95)
N_QUARTERS = 4


def main() -> None:
    """Print a line for each kind of width and coverage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    settings, train = load_settings(arguments.config), find_houses(arguments.data).train
    results: dict[str, list[Floats]] = {"scaled": [], "one width": []}
    for repeat, fold_of_row in enumerate(assign_folds(len(train), 2, arguments.repeats, seed=0)):
        for half in (0, 1):
            known_rows, new_rows = split_rows(fold_of_row, half)
            known, new = train.iloc[known_rows], train.iloc[new_rows]
            ensemble = cross_validate(known, new.drop(columns=PRICE), replace(settings, seed=repeat)).ensemble
            predictions, out_of_fold = ensemble.predict_folds(new.drop(columns=PRICE)), ensemble.out_of_fold
            one_width = cv_plus_intervals(
                predictions.log_price, out_of_fold.fold_of_row, out_of_fold.residuals, COVERAGES
            )
            log_price = np.log(new[PRICE].to_numpy())
            results["scaled"].append(covered(ensemble.intervals(predictions, COVERAGES), log_price))
            results["one width"].append(covered(one_width, log_price))
    for name, halves in results.items():
        for index, coverage in enumerate(COVERAGES):
            shares = np.stack(halves)[:, index]
            quarters = " ".join(f"{share:6.1%}" for share in shares.mean(axis=0)[2:])
            mean, std, width = shares[:, 0].mean(), shares[:, 0].std(), shares[:, 1].mean()
            print(f"{name:9} {coverage:4.0%}  covers {mean:.1%} +- {std:.1%}  by quarter {quarters}  width {width:.3f}")


def covered(intervals: Floats, log_price: Floats) -> Floats:
    """Return covered share, median width and covered share by quarter of the price: (n_coverages, 2 + N_QUARTERS)."""
    inside = (intervals[:, 0] <= log_price) & (log_price <= intervals[:, 1])
    quarter = N_QUARTERS * log_price.argsort(kind="stable").argsort(kind="stable") // len(log_price)
    by_quarter = [inside[:, quarter == index].mean(axis=1) for index in range(N_QUARTERS)]
    width = np.median(intervals[:, 1] - intervals[:, 0], axis=1)
    return np.stack([inside.mean(axis=1), width, *by_quarter], axis=1)


if __name__ == "__main__":
    main()
