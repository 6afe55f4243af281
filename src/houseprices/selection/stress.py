"""A stress test: houses held out because they are rare, so that none of their kind is trained on.

A few rare houses carry much of the squared error of any score. What is good in the middle may extrapolate wildly here.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from houseprices.cross_validation.cross_validate import check_finite, fold_baselines
from houseprices.cross_validation.fold_model import combine
from houseprices.cross_validation.metrics import log_rmse
from houseprices.data.schema import BY_NAME, PRICE
from houseprices.data.source import read_tables
from houseprices.errors import DataError
from houseprices.preprocessing.features import HouseFeatures
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.progress import Notify, silent
from houseprices.selection.comparison import PREDICTIONS
from houseprices.selection.held_out import HeldOutSet, batches_of, predict_held_out
from houseprices.settings import Settings

Floats = NDArray[np.float64]

N_NEIGHBORS = 5


@dataclass(frozen=True)
class StressScore:
    """Of one predictor on one set of rare houses, in log price.

    Attributes:
        log_rmse: root mean squared error.
        bias: mean error; above zero the prices said are too high.
        largest: the largest absolute error.
    """

    log_rmse: float
    bias: float
    largest: float


@dataclass(frozen=True)
class StressedSet:
    """A set of rare houses, how many they are, and the scores by predictor: the committee, its models, baselines."""

    n_rows: int
    scores: dict[str, StressScore]


def rare_sets(houses: HouseArray, log_price: Floats) -> dict[str, HeldOutSet]:
    """The rare houses by name, each set held out of all others; a set without a house is left out.

    Raises:
        DataError: too few houses to have neighbours.
    """
    n_rows = len(houses)
    if n_rows <= N_NEIGHBORS:
        raise DataError([f"{n_rows} houses have too few neighbours; accepted: {N_NEIGHBORS + 1} or more houses"])
    by_price = np.argsort(log_price, kind="stable")
    twentieth = math.ceil(n_rows / 20)
    found = {
        "far from neighbours": np.argsort(-distance_to_neighbors(houses), kind="stable")[: math.ceil(n_rows / 10)],
        "unfinished sales": np.flatnonzero(
            houses.codes("SaleCondition") == BY_NAME["SaleCondition"].levels.index("Partial")
        ),
        "cheapest twentieth": by_price[:twentieth],
        "dearest twentieth": by_price[-twentieth:],
    }
    rows = np.arange(n_rows)
    return {name: HeldOutSet(np.setdiff1d(rows, rare), np.sort(rare)) for name, rare in found.items() if len(rare)}


def distance_to_neighbors(houses: HouseArray) -> Floats:
    """(n_rows,) mean Euclidean distance to the nearest other houses in the scaled numbers."""
    from sklearn.neighbors import NearestNeighbors

    numbers = HouseFeatures(["numbers"]).fit(houses).transform(houses)
    # Asked without houses of its own, it leaves each house out of its neighbours.
    distances, _ = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(numbers).kneighbors()
    return np.asarray(distances.mean(axis=1))


def stress(data: Path | None, recipe: Settings, notify: Notify = silent) -> dict[str, StressedSet]:
    """Train the recipe without each set of rare houses in turn, and score it on them; the recipe's folds play no part.

    Raises:
        DataError: a fault in the files, or training diverged.
    """
    table = read_tables(data, notify).train
    log_price = np.log(table[PRICE].to_numpy(dtype=np.float64))
    return stress_recipe(recipe, house_array(table.drop(columns=PRICE)), log_price, PREDICTIONS, notify)


def stress_recipe(
    recipe: Settings, houses: HouseArray, log_price: Floats, kept: Path | None, notify: Notify = silent
) -> dict[str, StressedSet]:
    """The same for houses already read; `kept` as for `held_out.predict_held_out`."""
    sets = rare_sets(houses, log_price)
    [batches] = batches_of([recipe], houses, log_price, list(sets.values()))
    [predicted] = predict_held_out([batches], recipe, kept, notify)
    found = {}
    for place, (name, one) in enumerate(sets.items()):
        members = {group: of_sets[place].astype(np.float64) for group, of_sets in predicted.items()}
        committee = combine(members)
        check_finite(committee)
        data = next(iter(batches.values()))[place].data
        guesses = {"committee": committee}
        if len(members) > 1:
            guesses |= {f"group {group}": of_group.mean(axis=0) for group, of_group in members.items()}
        guesses |= {str(baseline): guess for baseline, guess in fold_baselines(data, log_price).items()}
        truth = log_price[one.held_out]
        found[name] = StressedSet(len(truth), {by: _score(guess, truth) for by, guess in guesses.items()})
    return found


def _score(guess: Floats, truth: Floats) -> StressScore:
    errors = guess - truth
    return StressScore(log_rmse(guess, truth), float(errors.mean()), float(np.abs(errors).max()))
