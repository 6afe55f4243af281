"""The estimator beside scikit-learn's own on small public tables: 5 folds, the same for all, paired row by row.

The estimator has its defaults but no inner folds (`folds=0`), a fifth of the work.
Prints for each table and model the pooled RMSE, the mean difference of squared errors from the estimator's in units of
its own mean squared error, with that difference's standard error over rows, and the CPU seconds of the five fits.
"""

import os
import time

# One thread each: seconds are then comparable, and other work on the machine disturbs less.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from houseprices import MLPEnsembleRegressor

TABLES = {
    "diabetes": load_diabetes(return_X_y=True),
    "friedman1, 1,000 rows, noise 1": make_friedman1(1000, noise=1.0, random_state=1),
    "digits, the digit as a number": load_digits(return_X_y=True),
}


def models() -> dict[str, RegressorMixin]:
    """The estimator first; else all with their defaults, but for a standardised target and a chosen ridge penalty."""
    sklearn_mlp = make_pipeline(StandardScaler(), MLPRegressor(random_state=0))
    return {
        "MLPEnsembleRegressor": MLPEnsembleRegressor(random_state=0, folds=0),
        "MLPRegressor": TransformedTargetRegressor(sklearn_mlp, transformer=StandardScaler()),
        "HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))),
    }


def main() -> None:
    """Print a table of tables."""
    folds = KFold(5, shuffle=True, random_state=1)
    for table, (X, y) in TABLES.items():  # noqa: N806  # scikit-learn's name
        print(f"\n{table}: {X.shape[0]} rows, {X.shape[1]} columns")
        own = np.empty(0)
        for name, model in models().items():
            start = time.process_time()
            squares = (cross_val_predict(model, X, y.astype(float), cv=folds) - y) ** 2
            seconds = time.process_time() - start
            own = own if len(own) else squares
            worse = (squares - own) / own.mean()
            error = worse.std(ddof=1) / np.sqrt(len(y))
            print(
                f"  {name:22} RMSE {np.sqrt(squares.mean()):8.4f}  squared error {worse.mean():+7.1%} +- {error:.1%}"
                f"  {seconds:6.1f} CPU s",
                flush=True,
            )


if __name__ == "__main__":
    main()
