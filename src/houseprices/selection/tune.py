"""The search for better settings: batches of trials on repeated 2-fold cross-validation, corrected for selection bias.

All networks of a batch train as one job. Each trial is one model, with one network on each of the folds that `compare`
uses, so that all trials have predictions of the same held-out houses.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from houseprices import preprocessing
from houseprices.cross_validation.fold import Fold
from houseprices.engine.training import Executor, open_executor
from houseprices.errors import RunError, SettingsError
from houseprices.files import code_digest, replacing, write_json
from houseprices.preprocessing.columns import CUSTOM
from houseprices.progress import Notice, Notify, counting, silent
from houseprices.selection import study as trials_on_disk
from houseprices.selection.bias_correction import (
    Choose,
    Score,
    corrected_score,
    greedy_ensemble,
    mean_prediction,
    score_of,
)
from houseprices.selection.compare import PREDICTIONS
from houseprices.selection.held_out import (
    ModelOnFolds,
    PricedHouses,
    by_repeat,
    fit_folds,
    predict_held_out,
    read_cached,
    read_priced_houses,
    train_models,
    two_fold_splits,
)
from houseprices.selection.search_space import Space, changed_model
from houseprices.selection.study import FinishedTrial, open_study, read_study
from houseprices.settings import ModelSettings, Settings, dump_settings

if TYPE_CHECKING:
    from optuna import Study, Trial

Floats = NDArray[np.float64]

STORAGE = Path("runs/tune/search.journal")

BATCH = 8
"""Trials that are asked for at once: they decide what a search finds, and so are the same on any number of machines."""

BASE, TRIAL, ENSEMBLE = "base", "best trial", "ensemble"


@dataclass(frozen=True)
class Finalist:
    """A candidate that was trained with as many networks as `compare` takes.

    Attributes:
        name: base, best trial or ensemble.
        trials: their numbers; none for the base.
        score: on the houses that the trials were chosen on.
        corrected: the same plus the selection bias of the choice, by BBC-CV on the trials' predictions.
        config: the settings as a file; empty for the base.
    """

    name: str
    trials: tuple[int, ...]
    score: Score
    corrected: Score
    config: str


@dataclass(frozen=True)
class SearchResult:
    """A search so far.

    Attributes:
        storage: the journal.
        n_trials: trials with a score.
        n_failed: trials without one: training diverged, or a network was too large for the memory.
        best: number of the best trial.
        settings: those of its settings that differ from the base's first model.
        score, corrected: of the best trial, one network a fold; and of choosing it, by BBC-CV.
        share: of the resamples of houses that choose the same trial.
        finalists: the base, the best trial and the ensemble; empty until the search has ended once.
        importances: {parameter: share of the scores' variance}
    """

    storage: Path
    n_trials: int
    n_failed: int
    best: int
    settings: dict[str, Any]
    score: Score
    corrected: Score
    share: float
    finalists: list[Finalist]
    importances: dict[str, float]

    @property
    def recommended(self) -> Finalist | None:
        """The finalist with the lowest corrected RMSE; None while there are none."""
        return min(self.finalists, key=lambda finalist: finalist.corrected.rmse, default=None)


@dataclass(frozen=True, eq=False)
class Search:
    """The fixed part of a search: houses, folds, and the model that lends what does not vary."""

    houses: PricedHouses
    base: Settings
    space: Space
    predictions: Path

    @cached_property
    def model(self) -> ModelSettings:
        """The base's first model."""
        return next(iter(self.base.models.values()))

    @cached_property
    def folds(self) -> list[Fold]:
        """The folds of `compare`, fitted."""
        splits = two_fold_splits(len(self.houses.log_price))
        return fit_folds(self.base.features, {*self.model.blocks, *self.space.blocks}, self.houses, splits)

    def on_folds(self, model: ModelSettings) -> ModelOnFolds:
        """A trial's model with one network on each fold."""
        return ModelOnFolds("trial", model, self.base.seed, 1, self.folds)

    def suggest(self, trial: "Trial") -> tuple[ModelSettings, Mapping[str, Any], str]:
        """The model of a trial, its settings that differ from the base's, and the key of its predictions."""
        model = self.space.suggest(trial, self.model)
        trees = [TypeAdapter(ModelSettings).dump_python(settings, mode="json") for settings in (model, self.model)]
        changed = {name: value for name, value in trees[0].items() if value != trees[1][name]}
        return model, changed, self.on_folds(model).key

    def identity(self, batch: int) -> dict[str, str]:
        """Everything that must be equal when a search goes on."""
        sources = [*sorted(Path(preprocessing.__path__[0]).glob("*.py")), *filter(None, [self.base.features.columns])]
        return {
            "data": self.houses.sha256,
            "space": repr(self.space),
            "base": repr((self.model, self.base.features, self.base.seed)),
            "batch": str(batch),
            "code": code_digest("engine", "cross_validation/fold.py", *map(str, sources)),
        }


def tune(
    data: Path | None,
    base: Settings,
    space: Space,
    n_trials: int,
    *,
    storage: Path = STORAGE,
    batch: int = BATCH,
    timeout: float = np.inf,
    max_ensemble: int = 5,
    notify: Notify = silent,
) -> SearchResult:
    """Go on with the search in the storage until it has so many trials, then train the finalists.

    Args:
        data: folder with train.csv and test.csv; None for data/raw or the sample.
        base: its first model lends what the space does not vary; its own folds play no part.
        space: the settings that vary.
        n_trials: in all, those of earlier calls and failed ones among them.
        storage: the journal; predictions and finalists lie beside it.
        batch: trials that are asked for at once. More of them keep more machines busy, and learn less of each other.
        timeout: no batch is begun after so many seconds.
        max_ensemble: trials in the ensemble, at most.
        notify: called with the number of trained networks, the best score so far, and each failed trial.

    Raises:
        DataError: a fault in the files.
        SettingsError: the space asks for user-defined features, and there is no file of them.
        RunError: the storage is of another space, base, code or other houses, or cannot be read or written; or no trial
            has a score.
        ResourceError: see `workers.open_executor`.
    """
    if CUSTOM in space.blocks and not base.features.columns:
        raise SettingsError(f"the space has the block {CUSTOM!r}; accepted: it beside --features.columns FILE")
    search = Search(read_priced_houses(data, notify), base, space, _predictions(storage))
    # A cluster that does not answer is reported before the journal is touched.
    with (
        open_executor(base.workers, base.device, base.ray, notify) as executor,
        open_study(storage, search.identity(batch)) as study,
    ):
        with replacing(search.predictions / "log_price.npy") as (fresh,):
            np.save(fresh, search.houses.log_price)
        _run_trials(study, search, n_trials, batch, executor, time.monotonic() + timeout, notify)
        trials = trials_on_disk.finished_trials(study)
        if not trials:
            raise RunError(f"{storage}: no trial has a score; accepted: more --trials, or another --space")
    finalists = _train_finalists(search, trials, max_ensemble, storage, notify)
    with replacing(_finalists_file(storage)) as (fresh,):
        write_json(fresh, [asdict(finalist) for finalist in finalists])
    return show(storage, notify)


def show(storage: Path = STORAGE, notify: Notify = silent) -> SearchResult:
    """Evaluate the search so far; nothing is trained and nothing written.

    Raises:
        RunError: there is no such search, it has no finished trial, or a file beside it is missing or damaged.
    """
    study = read_study(storage)
    trials = trials_on_disk.finished_trials(study)
    if not trials:
        raise RunError(f"{storage}: has no finished trial yet; accepted: a search that has one")
    try:
        log_price = np.load(_predictions(storage) / "log_price.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise RunError(f"{_predictions(storage)}: log_price.npy is missing or damaged") from None
    predictions = _kept_predictions(trials, log_price, storage)
    rule = greedy_ensemble(predictions, log_price, 1)
    choice = rule(np.arange(len(log_price)))
    corrected, shares = corrected_score(predictions, log_price, rule, notify=notify)
    best = trials[choice[0]]
    return SearchResult(
        storage=storage,
        n_trials=len(trials),
        n_failed=trials_on_disk.n_failed(study),
        best=best.number,
        settings=dict(best.settings),
        score=score_of(mean_prediction(predictions, choice), log_price),
        corrected=corrected,
        share=shares.get(choice, 0.0),
        finalists=_read_finalists(storage),
        importances=trials_on_disk.importances(study),
    )


def _run_trials(
    study: "Study",
    search: Search,
    n_trials: int,
    batch: int,
    executor: Executor,
    deadline: float,
    notify: Notify,
) -> None:
    """Ask for a batch, train it as one job, tell it in the order of its trials; until there are enough."""
    left = [(number, changed_model(search.model, settings)) for number, settings in trials_on_disk.take_over(study)]
    n_missing = n_trials - trials_on_disk.n_told(study)
    count = counting(notify, "training networks", max(0, n_missing) * len(search.folds))
    if left:
        _train_and_tell(study, search, left, executor, count, notify)
    while (n_missing := n_trials - trials_on_disk.n_told(study)) > 0 and time.monotonic() < deadline:
        asked = trials_on_disk.ask(study, min(batch, n_missing), search.base.seed, search.suggest)
        _train_and_tell(study, search, asked, executor, count, notify)
        done = f"{trials_on_disk.n_told(study)} of {n_trials} trials"
        best = min(trials_on_disk.finished_trials(study), key=lambda trial: trial.score, default=None)
        if best:
            notify(Notice(f"{done}: best RMSE {best.score:.4f} (trial {best.number})"))


def _train_and_tell(
    study: "Study",
    search: Search,
    asked: Sequence[tuple[int, ModelSettings]],
    executor: Executor,
    on_trained: Callable[[int], object],
    notify: Notify,
) -> None:
    models = [search.on_folds(model) for _, model in asked]
    predictions, too_large = train_models(models, executor, search.predictions, on_trained)
    log_price = search.houses.log_price
    for (number, _), model in zip(asked, models, strict=True):
        score = None
        if model.key in too_large:
            notify(Notice(f"trial {number} failed: {too_large[model.key]}"))
        elif not np.isfinite(predictions[model.key]).all():
            notify(Notice(f"trial {number} failed: training diverged"))
        else:
            score = score_of(by_repeat(predictions[model.key], len(log_price)), log_price).rmse
        trials_on_disk.tell(study, number, score)


def _kept_predictions(trials: Sequence[FinishedTrial], log_price: Floats, storage: Path) -> NDArray[np.float32]:
    """The trials' log prices, (n_trials, n_repeats, n_rows)."""
    predictions = []
    for trial in trials:
        prediction = read_cached(_predictions(storage), trial.key)
        if prediction is None:
            file = _predictions(storage) / f"{trial.key}.npz"
            raise RunError(f"{file}: missing or damaged; accepted: the predictions that `houseprices tune` kept")
        predictions.append(by_repeat(prediction, len(log_price)).astype(np.float32))
    return np.stack(predictions)


def _train_finalists(
    search: Search, trials: Sequence[FinishedTrial], max_ensemble: int, storage: Path, notify: Notify
) -> list[Finalist]:
    """Train the base, the best trial and the ensemble, and write the settings of the last two."""
    log_price = search.houses.log_price
    predictions = _kept_predictions(trials, log_price, storage)
    rules = {
        TRIAL: greedy_ensemble(predictions, log_price, 1),
        ENSEMBLE: greedy_ensemble(predictions, log_price, max_ensemble),
    }
    choices = {name: rule(np.arange(len(log_price))) for name, rule in rules.items()}
    if len(choices[ENSEMBLE]) < 2:  # no other trial lowers the best one's RMSE
        del choices[ENSEMBLE]
    settings = {BASE: search.base}
    for name, choice in choices.items():
        settings[name] = _settings(search, [trials[index] for index in choice])
    held_out = predict_held_out(list(settings.values()), search.houses, PREDICTIONS, notify)
    scores = {name: score_of(of.prediction, log_price) for name, of in zip(settings, held_out, strict=True)}
    finalists = [Finalist(BASE, (), scores[BASE], scores[BASE], "")]
    for name, choice in choices.items():
        bias = _selection_bias(predictions, log_price, rules[name], choice, notify)
        corrected = Score(scores[name].rmse + bias.rmse, scores[name].trimmed + bias.trimmed)
        file = storage.with_name(f"{storage.name}-{name.replace(' ', '-')}.toml")
        with replacing(file) as (fresh,):
            comment = f"# The {name} of {len(trials)} trials, found by `houseprices tune`.\n"
            fresh.write_text(comment + dump_settings(replace(settings[name], ray="")), "utf-8")
        numbers = tuple(trials[index].number for index in choice)
        finalists.append(Finalist(name, numbers, scores[name], corrected, str(file)))
    return finalists


def _selection_bias(
    predictions: NDArray[np.float32], log_price: Floats, rule: Choose, choice: tuple[int, ...], notify: Notify
) -> Score:
    """The amount by which the choice looks better on the houses that it was made on."""
    corrected, _ = corrected_score(predictions, log_price, rule, notify=notify)
    score = score_of(mean_prediction(predictions, choice), log_price)
    return Score(corrected.rmse - score.rmse, corrected.trimmed - score.trimmed)


def _settings(search: Search, trials: Sequence[FinishedTrial]) -> Settings:
    """The base's settings with a model for each trial in place of its own."""
    models = {f"trial_{trial.number}": changed_model(search.model, trial.settings) for trial in trials}
    features = search.base.features
    if not any(CUSTOM in model.blocks for model in models.values()):
        features = replace(features, columns="")
    return replace(search.base, features=features, models=models)


def _read_finalists(storage: Path) -> list[Finalist]:
    file = _finalists_file(storage)
    if not file.exists():
        return []
    try:
        return TypeAdapter(list[Finalist]).validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise RunError(f"{file}: is damaged; accepted: as `houseprices tune` writes it") from None


def _finalists_file(storage: Path) -> Path:
    return storage.with_name(f"{storage.name}-finalists.json")


def _predictions(storage: Path) -> Path:
    return storage.with_name(f"{storage.name}-predictions")
