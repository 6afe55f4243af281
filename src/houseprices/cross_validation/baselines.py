"""Two yardsticks for the networks, fitted on the same training rows: the median price, and ridge regression."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Baseline = Literal["median", "ridge"]

_PENALTIES = np.logspace(-1, 4, 11)


def baseline_predictions(
    training_inputs: NDArray[np.float32], training_log_price: NDArray[np.float64], inputs: NDArray[np.float32]
) -> dict[Baseline, NDArray[np.float64]]:
    """Log prices that each baseline predicts for `inputs`.

    Ridge does best without the products of numbers; its penalty is chosen on the training rows by
    the closed-form leave-one-out error.

    Shape:
        training_inputs: (n_training_rows, d_in)
        training_log_price: (n_training_rows,)
        inputs: (n_rows, d_in)
        returns: {baseline: (n_rows,)}
    """
    return {
        "median": np.full(len(inputs), np.median(training_log_price)),
        "ridge": _ridge(training_inputs, training_log_price, inputs),
    }


def _ridge(
    training_inputs: NDArray[np.float32], training_log_price: NDArray[np.float64], inputs: NDArray[np.float32]
) -> NDArray[np.float64]:
    # The first call comes while the first networks train; at the top this import would keep them waiting.
    from sklearn.linear_model import RidgeCV

    if not training_inputs.shape[1]:  # all training rows are alike
        return np.full(len(inputs), training_log_price.mean())
    ridge = RidgeCV(_PENALTIES).fit(training_inputs.astype(np.float64), training_log_price)
    return np.asarray(ridge.predict(inputs.astype(np.float64)))
