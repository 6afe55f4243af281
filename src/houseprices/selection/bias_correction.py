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
from houseprices.selection.acceptance import missing_regularisers, paired_rmse, score_reasons, typical_rows
from houseprices.selection.compare import KeptCandidate, read_candidate, read_log

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

N_RESAMPLES = 200
"""Of the houses; and within each, for the acceptance test's intervals, as many again."""

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
    n_left_out: dict[tuple[int, ...], Rows] = {}
    n_chosen: Counter[tuple[int, ...]] = Counter()
    count = counting(notify, "resampling houses to choose on", n_resamples)
    # BLAS threads only wait for each other in products this small, if another job has one of the cores.
    with threadpool_limits(1, user_api="blas"):
        for _ in range(n_resamples):
            rows = rng.integers(n_rows, size=n_rows)
            choice = choose(rows)
            n_chosen[choice] += 1
            n_left_out.setdefault(choice, np.zeros(n_rows, dtype=np.int64))[:] += ~np.isin(np.arange(n_rows), rows)
            count(1)
    total = np.sum(list(n_left_out.values()), axis=0)
    scored = total > 0
    prediction, squared = np.zeros((2, predictions.shape[1], scored.sum()))
    for choice, times in n_left_out.items():
        share = times[scored] / total[scored]
        of_choice = mean_prediction(predictions, choice)[:, scored]
        prediction += share * of_choice
        squared += share * (of_choice - log_price[scored]) ** 2
    typical = typical_rows([prediction], log_price[scored])
    return _score(squared, typical), {choice: n / n_resamples for choice, n in n_chosen.items()}


def mean_prediction(predictions: NDArray[np.floating], choice: tuple[int, ...]) -> Floats:
    """Average the chosen candidates' predictions: (n_repeats, n_rows)."""
    return np.asarray(predictions[list(choice)].mean(axis=0, dtype=np.float64))


def lowest_rmse(predictions: NDArray[np.floating], log_price: Floats) -> Choose:
    """The rule of a plain search: the candidate with the lowest RMSE, mean over repeats."""
    squared = np.square(predictions - log_price, dtype=np.float64)

    def choose(rows: Rows) -> tuple[int, ...]:
        weights = np.bincount(rows, minlength=len(log_price)) / len(rows)
        return (int(np.sqrt(squared @ weights).mean(axis=1).argmin()),)

    return choose


def greedy_ensemble(predictions: NDArray[np.floating], log_price: Floats, max_size: int) -> Choose:
    """The rule of ensemble selection (Caruana et al. 2004), without replacement.

    It begins with the candidate of the lowest RMSE and adds the one that lowers the RMSE of the mean prediction most,
    until none lowers it or there are `max_size`.
    """
    errors = predictions - log_price
    squared = np.square(errors, dtype=np.float64)

    def choose(rows: Rows) -> tuple[int, ...]:
        weights = np.bincount(rows, minlength=len(log_price)) / len(rows)
        alone = squared @ weights  # (n_candidates, n_repeats)
        choice: list[int] = []
        total, lowest = np.zeros(errors.shape[1:]), np.inf
        while len(choice) < min(max_size, len(errors)):
            # The mean square of a sum: of the errors chosen so far, and of one candidate's.
            of_sum = (total**2 @ weights) + 2 * np.einsum("crn,rn->cr", errors, total * weights) + alone
            rmse = np.sqrt(np.maximum(of_sum, 0)).mean(axis=1) / (len(choice) + 1)
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
    """The rule of a log: each trial, a candidate and whether it is a simplification, takes the acceptance test.

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


def correct_log(
    log: Path, data: str = "kaggle", n_resamples: int = N_RESAMPLES, notify: Notify = silent
) -> CorrectedLog:
    """Replay the log's trials on data of this kind, from the predictions that are kept.

    Raises:
        RunError: the log cannot be read or has no such trial, or the first or the accepted candidate is not kept.
    """
    lines = [line for line in read_log(log) if line["data"] == data]
    if not lines:
        raise RunError(f"{log}: has no trial on the data {data!r}; accepted: a log that `houseprices compare` wrote")
    first = lines[0]["first"]
    accepted = [first, *(line["second"] for line in lines if line["verdict"] == "accepted")][-1]
    candidates, accepted_candidate = {first: read_candidate(first)}, read_candidate(accepted)
    missing = []
    for number, line in enumerate(lines, start=1):
        candidate = _read_alike(candidates[first], line["second"])
        if candidate:
            candidates[line["second"]] = candidate
        else:
            missing.append(number)
    keys = list(candidates)
    # A candidate without regularisers is compared and never accepted.
    trials = [
        (keys.index(line["second"]), line["rule"] == "simplification")
        for number, line in enumerate(lines, start=1)
        if number not in missing and not missing_regularisers(candidates[line["second"]].models)
    ]
    predictions = np.stack([candidate.prediction for candidate in candidates.values()])
    log_price = candidates[first].log_price
    rule = acceptance_rule(predictions, log_price, trials, n_resamples)
    corrected, shares = corrected_score(predictions, log_price, rule, n_resamples, notify)
    return CorrectedLog(
        n_trials=len(lines) - len(missing),
        missing=missing,
        first=first,
        accepted=accepted,
        first_score=score_of(candidates[first].prediction, log_price),
        accepted_score=score_of(accepted_candidate.prediction, accepted_candidate.log_price),
        corrected=corrected,
        chosen={keys[index]: shares[index,] for (index,) in sorted(shares)},
    )


def _read_alike(first: KeptCandidate, key: str) -> KeptCandidate | None:
    """Read a candidate, if it is kept and of the same repeats of the same houses."""
    try:
        candidate = read_candidate(key)
    except RunError:
        return None
    alike = candidate.prediction.shape == first.prediction.shape
    return candidate if alike and np.array_equal(candidate.log_price, first.log_price) else None
