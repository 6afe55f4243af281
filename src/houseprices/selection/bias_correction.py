"""Correction for selection bias: the best of many candidates looks better than it is on other houses.

BBC-CV (Tsamardinos, Greasidou and Borboudakis 2018): resample the houses, choose anew on the resample, and score the
choice on the houses left out of it. Nothing is trained for it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from houseprices.errors import RunError
from houseprices.progress import Notify, counting, silent
from houseprices.selection.acceptance import paired_rmse, score_reasons, typical_rows
from houseprices.selection.compare import read_candidate, read_log

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

N_RESAMPLES = 200
"""Bootstrap resamples of the houses; within each, the acceptance test draws as many again for its intervals."""

Choose = Callable[[Rows], tuple[int, ...]]
"""A rule: the candidates that it chooses, to be averaged, by the resampled rows and by no others."""


@dataclass(frozen=True)
class Score:
    """Log-RMSE, mean over repeats: of every house, and without the largest 1% of errors."""

    rmse: float
    trimmed: float


@dataclass(frozen=True)
class CorrectedLog:
    """The outcome of a log of trials.

    Attributes:
        n_trials: trials that were replayed.
        missing: numbers of the trials, from 1 on, whose predictions are not kept; they are left out.
        first, accepted: keys of the candidates before the first trial and after the last one.
        first_score, accepted_score: on the houses on which they were chosen.
        corrected: of what the same trials would have chosen on other houses.
        chosen: {candidate: share of the resamples that end with it}
    """

    n_trials: int
    missing: list[int]
    first: str
    accepted: str
    first_score: Score
    accepted_score: Score
    corrected: Score
    chosen: dict[str, float]


def score_of(prediction: Floats, log_price: Floats) -> Score:
    """Score (n_repeats, n_rows) log prices."""
    return _score((prediction - log_price) ** 2, typical_rows([prediction], log_price))


def _score(squared: Floats, typical: NDArray[np.bool_]) -> Score:
    rmse, trimmed = (float(np.sqrt(part.mean(axis=1)).mean()) for part in (squared, squared[:, typical]))
    return Score(rmse, trimmed)


def corrected_score(
    predictions: NDArray[np.floating],
    log_price: Floats,
    choose: Choose,
    n_resamples: int = N_RESAMPLES,
    notify: Notify = silent,
) -> tuple[Score, dict[tuple[int, ...], float]]:
    """Score what the rule chooses on other houses; also return {choice: share of the resamples that make it}.

    A house's squared error is averaged over the resamples that leave it out, and each house counts once, as in the
    leave-one-out bootstrap (Efron and Tibshirani 1997). A mean of the resamples' own scores would be too low where a
    few houses carry the error, since most resamples leave few of them out.

    Shape:
        predictions: (n_candidates, n_repeats, n_rows) log prices
        log_price: (n_rows,)
    """
    n_rows = len(log_price)
    rng = np.random.default_rng(0)
    choices: list[tuple[int, ...]] = []
    left_out = np.ones((n_resamples, n_rows), dtype=np.bool_)
    count = counting(notify, "resampling houses to choose on", n_resamples)
    # BLAS threads only wait for each other in products this small, if another job has one of the cores.
    with threadpool_limits(1, user_api="blas"):
        for resample in range(n_resamples):
            rows = rng.integers(n_rows, size=n_rows)
            left_out[resample, rows] = False
            choices.append(choose(rows))
            count(1)
    scored = left_out.any(axis=0)
    prediction, squared = np.zeros((2, predictions.shape[1], scored.sum()))
    n_chosen = Counter(choices)
    for choice in n_chosen:
        chosen = [other == choice for other in choices]
        share = left_out[chosen][:, scored].sum(axis=0) / left_out[:, scored].sum(axis=0)
        by_choice = mean_prediction(predictions, choice)[:, scored]
        prediction += share * by_choice
        squared += share * (by_choice - log_price[scored]) ** 2
    typical = typical_rows([prediction], log_price[scored])
    return _score(squared, typical), {choice: n / n_resamples for choice, n in n_chosen.items()}


def mean_prediction(predictions: NDArray[np.floating], choice: tuple[int, ...]) -> Floats:
    """Average the chosen candidates' predictions: (n_repeats, n_rows)."""
    return np.asarray(predictions[list(choice)].mean(axis=0, dtype=np.float64))


def greedy_ensemble(predictions: NDArray[np.floating], log_price: Floats, max_size: int) -> Choose:
    """Return the rule of ensemble selection (Caruana et al. 2004), without replacement.

    It begins with the candidate of the lowest RMSE and adds the one that lowers the RMSE of the mean prediction most,
    until none lowers it or there are `max_size`.
    """
    errors = predictions - log_price

    def choose(rows: Rows) -> tuple[int, ...]:
        weights = np.bincount(rows, minlength=len(log_price)) / len(rows)
        choice: list[int] = []
        total, lowest = np.zeros(errors.shape[1:]), np.inf
        while len(choice) < min(max_size, len(errors)):
            rmse = np.sqrt((errors + total) ** 2 @ weights).mean(axis=1) / (len(choice) + 1)
            rmse[choice] = np.inf
            best = int(rmse.argmin())
            if rmse[best] >= lowest:
                break
            lowest = float(rmse[best])
            total = total + errors[best]
            choice.append(best)
        return tuple(choice)

    return choose


def acceptance_rule(
    predictions: Floats, log_price: Floats, trials: Sequence[tuple[int, bool]], n_resamples: int = N_RESAMPLES
) -> Choose:
    """Return the rule of a log: each trial, a candidate and whether it is a simplification, takes the acceptance test.

    Candidate 0 stands before the first trial.
    """

    def choose(rows: Rows) -> tuple[int, ...]:
        accepted, resampled_price = 0, log_price[rows]
        for candidate, simplification in trials:
            first, second = predictions[accepted][:, rows], predictions[candidate][:, rows]
            typical = typical_rows([first, second], resampled_price)
            rmse = paired_rmse(first, second, resampled_price, n_resamples)
            trimmed = paired_rmse(first[:, typical], second[:, typical], resampled_price[typical], n_resamples)
            if not score_reasons(rmse, trimmed, simplification=simplification):
                accepted = candidate
        return (accepted,)

    return choose


def correct_log(log: Path, n_resamples: int = N_RESAMPLES, notify: Notify = silent) -> CorrectedLog:
    """Replay the log's trials on Kaggle's houses, from the predictions that are kept.

    Raises:
        RunError: the log cannot be read or has no such trial, or the first or the accepted candidate is not kept.
    """
    lines = [line for line in read_log(log) if line["data"] == "kaggle"]
    if not lines:
        raise RunError(f"{log}: has no trial on Kaggle's houses; accepted: a log that `houseprices compare` wrote")
    first = lines[0]["first"]
    accepted = [first, *(line["second"] for line in lines if line["verdict"] == "accepted")][-1]
    found = {key: read_candidate(key) for key in [first, *(line["second"] for line in lines)]}
    kept = {key: candidate for key, candidate in found.items() if candidate}
    for key in (first, accepted):
        if key not in kept:
            raise RunError(f"{log}: the predictions of {key} are missing; accepted: where `houseprices compare` ran")
    keys = list(kept)
    # A candidate without regularisers is compared and never accepted.
    trials = [
        (keys.index(line["second"]), line["rule"] == "simplification")
        for line in lines
        if line["second"] in kept and kept[line["second"]]["regularised"]
    ]
    predictions, log_price = np.stack([kept[key]["prediction"] for key in keys]), kept[first]["log_price"]
    rule = acceptance_rule(predictions, log_price, trials, n_resamples)
    corrected, shares = corrected_score(predictions, log_price, rule, n_resamples, notify)
    missing = [number for number, line in enumerate(lines, start=1) if line["second"] not in kept]
    return CorrectedLog(
        n_trials=len(lines) - len(missing),
        missing=missing,
        first=first,
        accepted=accepted,
        first_score=score_of(kept[first]["prediction"], log_price),
        accepted_score=score_of(kept[accepted]["prediction"], log_price),
        corrected=corrected,
        chosen={keys[index]: shares[index,] for (index,) in sorted(shares)},
    )
