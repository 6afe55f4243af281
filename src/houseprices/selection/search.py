"""The search for better recipes: batches of trials on the gate's halves, and what their best is worth after choosing.

Many networks train at once: all folds of all trials of a batch are one job of the engine. A trial is scored on the same
halves as every other one, by networks that never saw the rows they are scored on. What comes out is corrected for the
choice among so many, and nothing of it becomes the default but through the gate (`comparison`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from houseprices import preprocessing
from houseprices.cross_validation import fold_model
from houseprices.cross_validation.fold_training import FoldData, member_seed
from houseprices.cross_validation.workers import open_executor
from houseprices.data.schema import PRICE
from houseprices.data.source import TRAIN_FILE, read_tables
from houseprices.engine.training import Executor
from houseprices.errors import RunError, SettingsError
from houseprices.files import code_digest, replacing
from houseprices.preprocessing.columns import CUSTOM
from houseprices.preprocessing.houses import house_array
from houseprices.progress import Notice, Notify, counting, silent
from houseprices.selection.committee import best_that_differ
from houseprices.selection.comparison import PREDICTIONS, predict_halves
from houseprices.selection.corrected import Score, corrected_score, lowest, mean_of, score_of
from houseprices.selection.gate import by_halving, halvings
from houseprices.selection.held_out import Batch, HeldOutSet, fit_sets
from houseprices.selection.search_journal import FinishedTrial, Journal, open_journal
from houseprices.selection.search_space import Space, group_of
from houseprices.settings import ModelSettings, Settings, dump_settings

Floats = NDArray[np.float64]

STORAGE = Path("runs/tune/search.journal")

BATCH = 8
"""Trials that are asked for at once: part of what a search finds, and so the same on any number of machines."""


@dataclass(frozen=True)
class Committee:
    """The best trials that differ, together.

    Attributes:
        trials: their numbers, the best first.
        naive: of their mean on the houses they were chosen on, trained again with the members they will have.
        corrected: the same and what choosing on those houses flatters it by, which BBC-CV says of the trials' own mean.
        file: the committee as settings, for `cv --config`.
    """

    trials: list[int]
    naive: Score
    corrected: Score
    file: Path


@dataclass(frozen=True)
class SearchResult:
    """A search so far.

    Attributes:
        storage: the journal.
        n_trials, n_diverged: trials that count; trials that came to no number.
        constant: the score of each half's mean price, which asks for no skill.
        best: number of the best trial.
        settings: those of its settings that differ from the base.
        naive, corrected: its score, and the score of choosing it, by BBC-CV.
        share: of the draws of houses, on which the same trial would have been chosen.
        committee: None until the search has ended once.
        importances: what share of the scores' variance each parameter explains.
    """

    storage: Path
    n_trials: int
    n_diverged: int
    constant: Score
    best: int
    settings: dict[str, Any]
    naive: Score
    corrected: Score
    share: float
    committee: Committee | None
    importances: dict[str, float]


@dataclass(frozen=True)
class _Trained:
    """A committee trained again.

    Attributes:
        n_trials: that it was chosen from, the first ones.
        n_kept, max_correlation: by which rule.
        prediction: (n_halvings, n_rows) log prices of held-out houses.
    """

    n_trials: int
    n_kept: int
    max_correlation: float
    prediction: Floats


@dataclass(frozen=True)
class Halves:
    """The houses on the gate's halves.

    Attributes:
        folds: one a half, fitted on the other one.
        sets: their rows.
        log_price: (n_rows,)
        seed: of the networks.
    """

    folds: list[FoldData]
    sets: list[HeldOutSet]
    log_price: Floats
    seed: int

    def predict(
        self, models: Sequence[ModelSettings], executor: Executor, on_trained: Callable[[int], object]
    ) -> Iterator[Floats]:
        """Train one network a half and group, all of them at once: (n_halvings, n_rows) log prices a group."""
        batches = [
            [Batch(data, "trial", group, (member_seed(self.seed, data.repeat, 0, "trial", 0),)) for data in self.folds]
            for group in models
        ]
        pending = [[batch.start(executor) for batch in of_group] for of_group in batches]
        for of_group, waiting in zip(batches, pending, strict=True):
            of_halves = [
                batch.predict(one.result(on_trained).network)[0] for batch, one in zip(of_group, waiting, strict=True)
            ]
            yield by_halving(self.sets, [half.astype(np.float64) for half in of_halves])


def search(
    data: Path | None,
    base: Settings,
    space: Space,
    n_trials: int,
    *,
    storage: Path = STORAGE,
    batch: int = BATCH,
    timeout: float = np.inf,
    n_kept: int = 5,
    max_correlation: float = 0.95,
    notify: Notify = silent,
) -> SearchResult:
    """Go on with the search in the storage until it has so many trials, then train and write the committee.

    Args:
        data: folder with train.csv and test.csv; see `source.read_tables` for None.
        base: its first group lends what the space does not vary, and its number of networks to the committee's models;
            its own folds play no part.
        space: what varies.
        n_trials: in all, those of earlier calls among them.
        storage: the journal; predictions and committee lie beside it.
        batch: trials that are asked for at once. More of them keep more machines busy, and learn less of each other.
        timeout: no batch is begun after so many seconds.
        n_kept: trials in the committee, at most.
        max_correlation: errors of any two of them correlate less.
        notify: hears how many networks are trained, and the best score so far.

    Raises:
        DataError: a fault in the files.
        SettingsError: the space asks for own columns, and there is no file of them.
        RunError: the storage is of another space, base, code or other houses, or cannot be read or written; or no trial
            came to an end.
        ResourceError: see `workers.open_executor`.
    """
    tables = read_tables(data, notify)
    log_price = np.log(tables.train[PRICE].to_numpy(dtype=np.float64))
    array = house_array(tables.train.drop(columns=PRICE))
    [group, *_] = base.models.values()
    if CUSTOM in space.blocks and not base.features.columns:
        raise SettingsError(f"the space has the block {CUSTOM!r}; accepted: it beside --features.columns FILE")
    sets = halvings(len(log_price))
    folds = fit_sets(base.features, space.blocks.union(group.blocks), array, log_price, sets)
    halves = Halves(folds, sets, log_price, base.seed)
    of_columns = [*sorted(Path(preprocessing.__path__[0]).glob("*.py")), *filter(None, [base.features.columns])]
    identity = {
        "data": tables.sha256[TRAIN_FILE],
        "space": space.as_json(),
        "base": repr((group, base.features, base.seed)),
        "batch": str(batch),
        "code": code_digest("engine", fold_model.__file__, *map(str, of_columns)),
    }
    # Who does not answer is told before the journal is touched.
    with open_executor(base, notify) as executor, open_journal(storage, identity) as journal:
        _run_trials(journal, halves, group, space, n_trials, batch, executor, time.monotonic() + timeout, notify)
        trials = journal.finished()
        n_diverged = journal.n_diverged
    if not trials:
        raise RunError(f"{storage}: no trial came to an end ({n_diverged} diverged); accepted: more --trials")
    predictions = np.stack([trial.prediction for trial in trials])
    chosen = best_that_differ(predictions, log_price, n_kept, max_correlation)(np.arange(len(log_price)))
    recipe = _recipe(base, group, [trials[place] for place in chosen])
    [trained] = predict_halves([recipe], array, log_price, PREDICTIONS, notify)
    _write(_Trained(len(trials), n_kept, max_correlation, trained.prediction), recipe, storage)
    return _result(storage, identity, log_price, notify)


def show(data: Path | None, storage: Path = STORAGE, notify: Notify = silent) -> SearchResult:
    """The search so far; nothing is trained and nothing written.

    Raises:
        DataError: a fault in the files.
        RunError: there is no such search of these houses, or it has no finished trial.
    """
    tables = read_tables(data, notify)
    log_price = np.log(tables.train[PRICE].to_numpy(dtype=np.float64))
    return _result(storage, {"data": tables.sha256[TRAIN_FILE]}, log_price, notify)


def constant_prediction(log_price: Floats) -> Floats:
    """What predicts each half's houses by the mean of the other half: (n_halvings, n_rows)."""
    sets = halvings(len(log_price))
    return by_halving(sets, [np.full(len(one.held_out), log_price[one.training].mean()) for one in sets])


def _run_trials(
    journal: Journal,
    halves: Halves,
    group: ModelSettings,
    space: Space,
    n_trials: int,
    batch: int,
    executor: Executor,
    deadline: float,
    notify: Notify,
) -> None:
    """Batch by batch: ask, train all of the batch's networks as one job, tell in the order of the trials."""
    count = counting(notify, "training networks", (n_trials - journal.n_finished) * len(halves.folds))
    # Trials that diverge are asked for again, but not for ever.
    budget = 2 * n_trials
    while (missing := n_trials - journal.n_finished) > 0 and time.monotonic() < deadline and budget > 0:
        asked = journal.ask(min(batch, missing), halves.seed, lambda trial: space.suggest(trial, group))
        budget -= len(asked)
        predicted = halves.predict([of_trial for _, of_trial in asked], executor, count)
        for (trial, of_trial), prediction in zip(asked, predicted, strict=True):
            journal.tell(trial, _varied(of_trial, group), score_of(prediction, halves.log_price).whole, prediction)
        if journal.n_finished:
            best = journal.study.best_trial
            done = f"{journal.n_finished} of {n_trials} trials"
            notify(Notice(f"{done}: best log-RMSE on halves {best.value:.4f} (trial {best.number})"))


def _varied(of_trial: ModelSettings, base: ModelSettings) -> dict[str, Any]:
    """What differs from the base, as JSON and TOML write it."""
    trial, usual = (TypeAdapter(ModelSettings).dump_python(of, mode="json") for of in (of_trial, base))
    return {name: value for name, value in trial.items() if name != "n_members" and value != usual[name]}


def _recipe(base: Settings, group: ModelSettings, trials: Sequence[FinishedTrial]) -> Settings:
    """Settings with a group a trial, with as many networks as the base's first group has."""
    models = {
        f"trial_{trial.number}": replace(group_of(group, trial.settings), n_members=group.n_members) for trial in trials
    }
    own = any(CUSTOM in of.blocks for of in models.values())
    features = base.features if own else replace(base.features, columns="")
    return replace(base, features=features, models=models)


def _write(trained: _Trained, recipe: Settings, storage: Path) -> None:
    toml, npz = _committee_files(storage)
    with replacing(toml, npz) as (fresh_toml, fresh_npz):
        comment = f"# The best of {trained.n_trials} trials whose errors differ, found by `houseprices tune`.\n"
        fresh_toml.write_text(comment + dump_settings(replace(recipe, ray="")), "utf-8")
        np.savez_compressed(fresh_npz, **vars(trained) | {"prediction": trained.prediction.astype(np.float32)})


def _read_committee(storage: Path) -> _Trained | None:
    """The committee trained last; None where none was."""
    _, npz = _committee_files(storage)
    try:
        with np.load(npz, allow_pickle=False) as kept:
            rule = int(kept["n_trials"]), int(kept["n_kept"]), float(kept["max_correlation"])
            return _Trained(*rule, kept["prediction"].astype(np.float64))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{npz}: {error}; accepted: as `houseprices tune` writes it") from None


def _committee_files(storage: Path) -> tuple[Path, Path]:
    toml, npz = (storage.with_name(f"{storage.name}-committee.{ending}") for ending in ("toml", "npz"))
    return toml, npz


def _result(storage: Path, identity: Mapping[str, str], log_price: Floats, notify: Notify) -> SearchResult:
    """What the kept predictions say, the choice corrected for; nothing is trained."""
    with open_journal(storage, identity, to_read=True) as journal:
        trials, n_diverged, importances = journal.finished(), journal.n_diverged, journal.importances()
    if not trials:
        raise RunError(f"{storage}: has no finished trial yet; accepted: a search that has one")
    predictions, every = np.stack([trial.prediction for trial in trials]), np.arange(len(log_price))
    rule = lowest(predictions, log_price)
    chosen = rule(every)
    corrected, shares = corrected_score(predictions, log_price, rule, notify=notify)
    trained, committee = _read_committee(storage), None
    if trained:
        committee = _corrected_committee(
            trained, predictions, log_price, [trial.number for trial in trials], storage, notify
        )
    [best] = chosen
    return SearchResult(
        storage=storage,
        n_trials=len(trials),
        n_diverged=n_diverged,
        constant=score_of(constant_prediction(log_price), log_price),
        best=trials[best].number,
        settings=dict(trials[best].settings),
        naive=score_of(mean_of(predictions, chosen), log_price),
        corrected=corrected,
        share=shares.get(chosen, 0.0),
        committee=committee,
        importances=importances,
    )


def _corrected_committee(
    trained: _Trained,
    predictions: NDArray[np.float32],
    log_price: Floats,
    numbers: Sequence[int],
    storage: Path,
    notify: Notify,
) -> Committee:
    of_trials = predictions[: trained.n_trials]
    rule = best_that_differ(of_trials, log_price, trained.n_kept, trained.max_correlation)
    chosen = rule(np.arange(len(log_price)))
    found, naive = score_of(mean_of(of_trials, chosen), log_price), score_of(trained.prediction, log_price)
    corrected, _ = corrected_score(of_trials, log_price, rule, notify=notify)
    # How much better the trials' mean looks on the houses that it was chosen on than it is on others.
    flattery = Score(corrected.whole - found.whole, corrected.bulk - found.bulk)
    return Committee(
        trials=[numbers[place] for place in chosen],
        naive=naive,
        corrected=Score(naive.whole + flattery.whole, naive.bulk + flattery.bulk),
        file=_committee_files(storage)[0],
    )
