"""A look through the gate: two recipes on the same halves of the houses, judged, noted and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from houseprices.cross_validation.cross_validate import check_finite
from houseprices.cross_validation.fold_model import combine
from houseprices.data.schema import PRICE
from houseprices.data.source import TRAIN_FILE, read_tables
from houseprices.errors import SettingsError
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.progress import Notify, silent
from houseprices.selection.experiments import (
    GATE_FOLDER,
    Recipe,
    add_look,
    keep_recipe,
    look_of,
    origin_of,
    read_looks,
    read_recipe,
)
from houseprices.selection.gate import (
    Judgement,
    PairedDifference,
    bulk_of,
    by_halving,
    halvings,
    judge,
    objections,
    paired_difference,
)
from houseprices.selection.held_out import batches_of, digest_of, predict_held_out
from houseprices.selection.kinds import Kind, kinds_of
from houseprices.settings import Settings, dump_settings

Floats = NDArray[np.float64]

PREDICTIONS = GATE_FOLDER / "predictions"
"""Of each batch of networks: none is trained twice."""


@dataclass(frozen=True)
class HalvesPrediction:
    """Log prices of houses that a recipe's networks never saw.

    Attributes:
        digest: names the recipe.
        prediction: (n_halvings, n_rows) of all its models.
        by_model: {group: (n_halvings, n_rows)}
        n_members: {group: networks a half}
    """

    digest: str
    prediction: Floats
    by_model: Mapping[str, Floats]
    n_members: Mapping[str, int]


@dataclass(frozen=True)
class Comparison:
    """The second recipe against the first.

    Attributes:
        first, second: names of the recipes, see `held_out.digest_of`.
        counted_from: the recipe that the figures are differences from: the first, unless the second is a
            simplification of a simplification.
        judgement: the figures.
        without: log-RMSE without the rows of `without_ids`, which decides nothing; None if none are named.
        kinds: each group of the second recipe.
        objections: why it is not adopted; nothing if it is.
        look: its number among all looks at such houses.
        largest: (Id, change of its squared error, mean over halvings) of the houses that the recipes differ most on.
    """

    first: str
    second: str
    counted_from: str
    judgement: Judgement
    without: PairedDifference | None
    kinds: dict[str, Kind]
    objections: list[str]
    look: int
    largest: list[tuple[int, float]]

    @property
    def verdict(self) -> str:
        """As the log of experiments has it."""
        return "rejected" if self.objections else "adopted"


def predict_halves(
    recipes: Sequence[Settings],
    houses: HouseArray,
    log_price: Floats,
    kept: Path | None,
    notify: Notify = silent,
) -> list[HalvesPrediction]:
    """What each recipe predicts for the gate's halves; the first one says on how many workers and which device.

    Raises:
        SettingsError: two recipes train the very same networks; nothing was trained.
        DataError: training diverged.
    """
    sets = halvings(len(log_price))
    batches = batches_of(recipes, houses, log_price, sets)
    digests = [digest_of(of_recipe) for of_recipe in batches]
    if len(set(digests)) < len(digests):
        raise SettingsError("the recipes train the very same networks; accepted: recipes that differ in a network")
    found = []
    for digest, of_recipe, predicted in zip(
        digests, batches, predict_held_out(batches, recipes[0], kept, notify), strict=True
    ):
        by_set = [
            {name: of_sets[place].astype(np.float64) for name, of_sets in predicted.items()}
            for place in range(len(sets))
        ]
        prediction = by_halving(sets, [combine(of_set) for of_set in by_set])
        check_finite(prediction)
        by_model = {name: by_halving(sets, [combine({name: one[name]}) for one in by_set]) for name in predicted}
        n_members = {name: len(of_sets[0].seeds) for name, of_sets in of_recipe.items()}
        found.append(HalvesPrediction(digest, prediction, by_model, n_members))
    return found


def compare(
    data: Path | None,
    first: Settings,
    second: Settings,
    *,
    change: str,
    log: Path,
    simplification: bool = False,
    without_ids: Sequence[int] = (),
    notify: Notify = silent,
) -> Comparison:
    """Judge the second recipe against the first on the folder's houses, and note the look in the log.

    Args:
        data: folder with train.csv and test.csv; see `source.read_tables` for None.
        first, second: the recipes; their own folds play no part.
        change: what is new in the second, in words.
        log: the CSV of looks.
        simplification: whether the second is simpler than the first, and need not be better.
        without_ids: houses left out of a figure that decides nothing.
        notify: hears how many networks are trained.

    Raises:
        DataError: a fault in the files, or training diverged.
        SettingsError: both train the same networks, or an Id is not in the table.
        RunError: the log or the predictions cannot be read or written.
    """
    tables = read_tables(data, notify)
    table = tables.train
    unknown = sorted(set(without_ids) - set(table.index))
    if unknown:
        raise SettingsError(f"no house has the Id {unknown[0]}; accepted: Ids of {tables.folder / TRAIN_FILE}")
    if set(without_ids) == set(table.index):
        raise SettingsError(f"without-id names all {len(table)} houses; accepted: fewer")
    looks = read_looks(log)
    log_price = np.log(table[PRICE].to_numpy(dtype=np.float64))
    houses = house_array(table.drop(columns=PRICE))
    incumbent, candidate = predict_halves([first, second], houses, log_price, PREDICTIONS, notify)
    for settings, of in ((first, incumbent), (second, candidate)):
        keep_recipe(Recipe(of.digest, of.prediction, log_price, dump_settings(replace(settings, ray=""))))
    counted_from, before, after = incumbent.digest, incumbent.prediction, candidate.prediction
    if simplification and (counted_from := origin_of(looks, incumbent.digest)) != incumbent.digest:
        before = read_recipe(counted_from).prediction
    judgement = judge(before, after, log_price)
    kept = ~np.isin(table.index, list(without_ids))
    by_house = ((after - log_price) ** 2 - (before - log_price) ** 2).mean(axis=0)
    against = objections(judgement, second, simplification=simplification)
    rule, verdict = "simplification" if simplification else "improvement", "rejected" if against else "adopted"
    look = look_of(
        tables.kind, change, rule, incumbent.digest, counted_from, candidate.digest, judgement, verdict
    )  # fmt: skip
    return Comparison(
        first=incumbent.digest,
        second=candidate.digest,
        counted_from=counted_from,
        judgement=judgement,
        without=paired_difference(before[:, kept], after[:, kept], log_price[kept]) if without_ids else None,
        kinds=kinds_of(candidate.by_model, candidate.n_members, log_price, bulk_of([before, after], log_price)),
        objections=against,
        look=add_look(log, look),
        largest=[(int(table.index[row]), float(by_house[row])) for row in np.argsort(-np.abs(by_house))[:5]],
    )
