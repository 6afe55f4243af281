"""Measured coverage of the 90% intervals of several runs, say of five fold seeds, whole and by quarter of the price.

    for seed in 0 1 2 3 4; do make cv SEED=$seed RUN=runs/seed$seed; done
    .venv/bin/python benchmarks/interval_coverage.py runs/seed?

Each row's interval is made without its fold. "constant" is the same with one width in log price for all houses.
"""

import sys
from pathlib import Path

import numpy as np

from houseprices.intervals.cv_plus import out_of_fold_intervals
from houseprices.runs.read import read_run


def main(folders: list[str]) -> None:
    """Print a line a run and kind of width."""
    print(f"{'run':<24} {'width':<9} covered   by quarter of the price      median width in log price")
    for folder in folders:
        run = read_run(Path(folder))
        log_price = run.out_of_fold["log_price"].to_numpy()
        quarter = 4 * log_price.argsort(kind="stable").argsort(kind="stable") // len(log_price)
        prediction = run.out_of_fold["prediction"].to_numpy()
        constant = out_of_fold_intervals(prediction, run.fold_of_row, run.residuals, [0.9])[0]
        scaled = run.calibration.training_intervals((0.9,))[0]
        for name, (lower, upper) in (("constant", constant), ("scaled", scaled)):
            inside = (lower <= log_price) & (log_price <= upper)
            of_quarters = " ".join(f"{100 * inside[quarter == index].mean():5.1f}%" for index in range(4))
            print(
                f"{folder:<24} {name:<9} {100 * inside.mean():5.1f}%   {of_quarters}   {np.median(upper - lower):.3f}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
