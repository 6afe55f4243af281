"""A committee from the trials of a search: the best of them that err differently."""

import numpy as np
from numpy.typing import NDArray

from houseprices.selection.corrected import Choose, Rows, scores_on

Floats = NDArray[np.float64]


def best_that_differ(
    predictions: NDArray[np.floating], log_price: Floats, n_kept: int, max_correlation: float
) -> Choose:
    """The rule: by score, each candidate whose errors correlate less than that with those of every one taken before.

    The correlation is the mean over halvings. Fewer than `n_kept` are taken where no more differ; the best always is.

    Shape:
        predictions: (n_candidates, n_halvings, n_rows) log prices
        log_price: (n_rows,)
    """
    scores, errors = scores_on(predictions, log_price), predictions - log_price

    def choose(drawn: Rows) -> tuple[int, ...]:
        times = np.bincount(drawn, minlength=len(log_price))
        taken: list[int] = []
        of_taken: list[Floats] = []
        for candidate in np.argsort(scores(drawn), kind="stable"):
            if len(taken) == n_kept:
                break
            standardised = _standardised(errors[candidate], times)
            if all(float((standardised * other).sum(axis=1).mean()) < max_correlation for other in of_taken):
                taken.append(int(candidate))
                of_taken.append(standardised)
        return tuple(taken)

    return choose


def _standardised(errors: NDArray[np.floating], times: Rows) -> Floats:
    """(n_halvings, n_rows) errors so that the sum of two such rows' products is their correlation on the drawn rows."""
    weights = times / times.sum()
    centred = errors - (errors @ weights)[:, None]
    centred *= np.sqrt(weights)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(norm > 0, norm, 1.0), dtype=np.float64)
