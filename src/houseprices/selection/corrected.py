"""The score of what was chosen, corrected for the choice: the best of many recipes looks better than it is.

BBC-CV (Tsamardinos, Greasidou and Borboudakis 2018): draw houses with replacement, choose anew on those that were
drawn, and score what was chosen on those that were not. Nothing is trained for it.
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from houseprices.errors import RunError
from houseprices.progress import Notify, counting, silent
from houseprices.selection.experiments import Line, Recipe, read_looks, read_recipe
from houseprices.selection.gate import bulk_of, missing_regularisers, objections_to_figures, paired_difference

Floats = NDArray[np.float64]

N_DRAWS = 200
"""Of houses; and within each as many again for the gate's intervals."""

Rows = NDArray[np.int64]
Choose = Callable[[Rows], tuple[int, ...]]
"""A rule: which of the candidates it takes, the mean of them if several, by the rows that were drawn, some of them more
than once, and by no others."""


@dataclass(frozen=True)
class Score:
    """Log-RMSE, mean over halvings: of every house, and without the 1% that the prediction errs most on."""

    whole: float
    bulk: float


@dataclass(frozen=True)
class CorrectedLooks:
    """What the looks have brought.

    Attributes:
        n_looks: looks that were replayed.
        missing: numbers of the looks, from 1 on, whose predictions are not kept; they are left out.
        first, adopted: names of the recipes before the first look and after the last one.
        first_score, naive: their scores on the houses on which they were chosen.
        corrected: of what the same looks would have chosen on other houses.
        chosen: {recipe: share of the draws that end with it}
    """

    n_looks: int
    missing: list[int]
    first: str
    adopted: str
    first_score: Score
    naive: Score
    corrected: Score
    chosen: dict[str, float]


def score_of(prediction: Floats, log_price: Floats) -> Score:
    """The score of (n_halvings, n_rows) log prices."""
    return _score((prediction - log_price) ** 2, bulk_of([prediction], log_price))


def corrected_score(
    predictions: NDArray[np.floating],
    log_price: Floats,
    choose: Choose,
    n_draws: int = N_DRAWS,
    notify: Notify = silent,
) -> tuple[Score, dict[tuple[int, ...], float]]:
    """The score of what the rule chooses on other houses, and {what it chooses: in which share of the draws}.

    A house's squared error is averaged over the draws that leave it out, and each house counts once, as in the
    leave-one-out bootstrap (Efron and Tibshirani 1997). A mean of the draws' own scores would be too low where a few
    houses carry the error, since most draws leave few of them out.

    Shape:
        predictions: (n_candidates, n_halvings, n_rows) log prices; one halving for any other out-of-fold predictions
        log_price: (n_rows,)
    """
    n_rows = len(log_price)
    rng = np.random.default_rng(0)
    times: dict[tuple[int, ...], Rows] = {}
    n_chosen: Counter[tuple[int, ...]] = Counter()
    count = counting(notify, "drawing houses to choose on", n_draws)
    # Of small products BLAS threads only wait for each other: 4 ms become 300 where another job has one of the cores.
    with threadpool_limits(1, user_api="blas"):
        for _ in range(n_draws):
            drawn = rng.integers(n_rows, size=n_rows)
            chosen = choose(drawn)
            n_chosen[chosen] += 1
            times.setdefault(chosen, np.zeros(n_rows, dtype=np.int64))[:] += ~np.isin(np.arange(n_rows), drawn)
            count(1)
    left_out = np.sum(list(times.values()), axis=0)
    rows = left_out > 0
    shape = (predictions.shape[1], rows.sum())
    prediction, squared = np.zeros(shape), np.zeros(shape)
    for chosen, of_choice in times.items():
        share = of_choice[rows] / left_out[rows]
        of_chosen = mean_of(predictions, chosen)[:, rows]
        prediction += share * of_chosen
        squared += share * (of_chosen - log_price[rows]) ** 2
    bulk = bulk_of([prediction], log_price[rows])
    return _score(squared, bulk), {chosen: n / n_draws for chosen, n in n_chosen.items()}


def mean_of(predictions: NDArray[np.floating], chosen: tuple[int, ...]) -> Floats:
    """The mean prediction, (n_halvings, n_rows), of some candidates."""
    return np.asarray(predictions[list(chosen)].mean(axis=0, dtype=np.float64))


def scores_on(predictions: NDArray[np.floating], log_price: Floats) -> Callable[[Rows], Floats]:
    """From drawn rows to each candidate's log-RMSE on them, mean over halvings: (n_candidates,)."""
    squared = np.square(predictions - log_price, dtype=np.float64)

    def scores(drawn: Rows) -> Floats:
        times = np.bincount(drawn, minlength=len(log_price))
        return np.asarray(np.sqrt(squared @ (times / len(drawn))).mean(axis=1))

    return scores


def lowest(predictions: NDArray[np.floating], log_price: Floats) -> Choose:
    """The rule of a plain search: the candidate with the lowest log-RMSE."""
    scores = scores_on(predictions, log_price)
    return lambda drawn: (int(scores(drawn).argmin()),)


def gate_rule(
    predictions: Floats, log_price: Floats, looks: Sequence[tuple[int, bool]], n_draws: int = N_DRAWS
) -> Choose:
    """The gate's rule look by look, each given as (candidate, whether it is a simplification); candidate 0 is first."""

    def choose(drawn: Rows) -> tuple[int, ...]:
        incumbent = origin = 0
        truth = log_price[drawn]
        for candidate, simplification in looks:
            first, second = (predictions[of][:, drawn] for of in (origin if simplification else incumbent, candidate))
            bulk = bulk_of([first, second], truth)
            whole, of_bulk = (
                paired_difference(first[:, rows], second[:, rows], truth[rows], n_draws)
                for rows in (np.ones_like(bulk), bulk)
            )
            if not objections_to_figures(whole, of_bulk, simplification=simplification):
                incumbent = candidate
                origin = origin if simplification else candidate
        return (incumbent,)

    return choose


def correct_looks(log: Path, data: str = "kaggle", n_draws: int = N_DRAWS, notify: Notify = silent) -> CorrectedLooks:
    """Replay the log's looks at houses of this kind, from their kept predictions.

    Raises:
        RunError: the log cannot be read or has no such look, or the first or the adopted recipe is not kept.
    """
    looks = [look for look in read_looks(log) if look["data"] == data]
    if not looks:
        raise RunError(f"{log}: has no look at the data {data!r}; accepted: a log that `houseprices compare` wrote")
    first = read_recipe(looks[0]["incumbent"])
    adopted = read_recipe(([first.digest] + [look["candidate"] for look in looks if look["verdict"] == "adopted"])[-1])
    kept = {first.digest: first}
    missing = []
    for number, look in enumerate(looks, start=1):
        found = _like(first, look)
        if found:
            kept.setdefault(found.digest, found)
        else:
            missing.append(number)
    place = {digest: index for index, digest in enumerate(kept)}
    # A recipe without regularisers is looked at, and never adopted.
    steps = [
        (place[look["candidate"]], look["rule"] == "simplification")
        for number, look in enumerate(looks, start=1)
        if number not in missing and not missing_regularisers(tomllib.loads(kept[look["candidate"]].settings)["models"])
    ]
    predictions = np.stack([recipe.prediction for recipe in kept.values()])
    rule = gate_rule(predictions, first.log_price, steps, n_draws)
    corrected, shares = corrected_score(predictions, first.log_price, rule, n_draws, notify)
    names = list(kept)
    return CorrectedLooks(
        n_looks=len(looks) - len(missing),
        missing=missing,
        first=first.digest,
        adopted=adopted.digest,
        first_score=score_of(first.prediction, first.log_price),
        naive=score_of(adopted.prediction, adopted.log_price),
        corrected=corrected,
        chosen={names[place]: shares[place,] for (place,) in sorted(shares)},
    )


def _like(first: Recipe, look: Line) -> Recipe | None:
    """The look's candidate, if it is kept and of the same halves of the same houses."""
    try:
        found = read_recipe(look["candidate"])
    except RunError:
        return None
    alike = found.prediction.shape == first.prediction.shape and np.array_equal(found.log_price, first.log_price)
    return found if alike else None


def _score(squared: Floats, bulk: NDArray[np.bool_]) -> Score:
    """From squared errors (n_halvings, n_rows)."""
    whole, of_bulk = (float(np.sqrt(part.mean(axis=1)).mean()) for part in (squared, squared[:, bulk]))
    return Score(whole, of_bulk)
