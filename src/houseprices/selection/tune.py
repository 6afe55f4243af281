"""The search for better settings: batches of trials on repeated 2-fold cross-validation, corrected for selection bias.

All networks of a batch train as one job. Each trial is one model, with one network on each of the folds that `compare`
uses, so that all trials have predictions of the same held-out houses.

Optuna's journal keeps the trials. Each is suggested by a sampler of its own, seeded by the number of trials finished
before it. A batch is reported to Optuna once all of its trials are trained and their predictions kept. So a killed
search comes to the same trials as an undisturbed one: an incomplete batch is asked for again alike, and the rest of a
complete one is reported.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import TypeAdapter

from houseprices.data.source import TRAIN_FILE, read_tables
from houseprices.engine.training import open_executor
from houseprices.errors import OutOfMemoryError, RunError, SettingsError
from houseprices.files import code_digest, replacing
from houseprices.preprocessing.columns import CUSTOM
from houseprices.progress import Notice, Notify, counting, silent
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
    by_repeat,
    fit_folds,
    log_price_of,
    predict_held_out,
    read_cached,
    train_models,
    two_fold_splits,
)
from houseprices.selection.search_space import Space
from houseprices.settings import Settings, dump_settings

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

Floats = NDArray[np.float64]

BASE, TRIAL, ENSEMBLE = "base", "best trial", "ensemble"

_STUDY = "houseprices"
_LOG_PRICE, _FINALISTS = "log_price", "finalists"
"""Attributes of the study, beside those that must be equal when a search goes on."""
_N_TOLD, _KEY = "n_told", "predictions"
"""Attributes of a trial: the number of trials finished before its batch, and the key of its predictions."""
_FIRST_BYTES = b'{"op_code"'
_ACCEPTED = "a journal that `houseprices tune` wrote, or a new file"


@dataclass(frozen=True)
class Finalist:
    """A candidate that was trained with as many networks as `compare` takes.

    Attributes:
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
        n_trials: trials with a score.
        n_failed: trials without one: training diverged, or a network was too large for the memory.
        best: number of the best trial.
        settings: its parameters, by name as in the space.
        score, corrected: of the best trial, one network a fold; and of choosing it, by BBC-CV.
        share: of the resamples of houses that choose the same trial.
        finalists: the base, the best trial and the ensemble; empty until the search has ended once.
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

    @property
    def recommended(self) -> Finalist | None:
        """The finalist with the lowest corrected RMSE; None while there are none."""
        return min(self.finalists, key=lambda finalist: finalist.corrected.rmse, default=None)


def tune(
    data: Path | None,
    base: Settings,
    space: Space,
    n_trials: int,
    *,
    storage: Path,
    batch: int,
    max_ensemble: int,
    notify: Notify = silent,
) -> SearchResult:
    """Go on with the search in the storage until it has so many trials, then train the finalists.

    Args:
        data: as for `read_tables`.
        base: its first model lends what the space does not vary; its own folds play no part.
        n_trials: in all, those of earlier calls and failed ones among them.
        storage: the journal; predictions and settings that were found lie beside it.
        batch: trials that are asked for at once: they decide what a search finds, on any number of machines.
        max_ensemble: trials in the ensemble, at most.
        notify: called with the number of trained networks, the best score so far, and each failed trial.

    Raises:
        DataError: a fault in the files.
        SettingsError: the space asks for user-defined features, and there is no file of them.
        RunError: the storage is of another space, base, code or other houses, or cannot be read or written; or no trial
            has a score.
        ResourceError: see `open_executor`.
    """
    if CUSTOM in space.blocks and not base.features.columns:
        raise SettingsError(f"the space has the block {CUSTOM!r}; accepted: it beside --features.columns FILE")
    tables = read_tables(data, notify)
    log_price, model = log_price_of(tables.train), next(iter(base.models.values()))
    custom = [str(Path(base.features.columns).resolve())] if base.features.columns else []
    identity = {
        "data": tables.sha256[TRAIN_FILE],
        "space": repr(space),
        "base": repr((model, base.features, base.seed)),
        "batch": str(batch),
        "code": code_digest("engine", "preprocessing", "cross_validation/fold.py", *custom),
    }
    with open_study(storage, identity) as study:
        if _LOG_PRICE not in study.user_attrs:
            study.set_user_attr(_LOG_PRICE, log_price.tolist())
        with open_executor(base.workers, base.device, base.ray, notify) as executor:
            splits = two_fold_splits(len(log_price))
            folds = fit_folds(base.features, {*model.blocks, *space.blocks}, tables.train, splits)

            def on_folds(trial: "Trial | FrozenTrial") -> ModelOnFolds:
                return ModelOnFolds("trial", space.model(trial.params, model), base.seed, 1, folds)

            running = [(trial.number, on_folds(trial)) for trial in _take_over(study)]
            n_networks = len(folds) * (len(running) + max(0, n_trials - _n_told(study)))
            count = counting(notify, "training networks", n_networks)
            while running or _n_told(study) < n_trials:
                for trial in [] if running else _ask(study, min(batch, n_trials - _n_told(study)), space, base.seed):
                    running.append((trial.number, on_folds(trial)))
                    trial.set_user_attr(_KEY, running[-1][1].key)
                results = train_models([model for _, model in running], executor, _predictions(storage), count)
                for number, trial_model in running:
                    _tell(study, number, results[trial_model.key], log_price, notify)
                running = []
                if trials := _trials(study, "COMPLETE"):
                    best = min(trials, key=lambda trial: trial.value or 0.0)
                    done = f"{_n_told(study)} of {n_trials} trials"
                    notify(Notice(f"{done}: best RMSE {best.value:.4f} (trial {best.number})"))
        finalists = _train_finalists(study, base, space, tables.train, storage, max_ensemble, notify)
        study.set_user_attr(_FINALISTS, [asdict(finalist) for finalist in finalists])
    return show(storage, notify)


def show(storage: Path, notify: Notify = silent) -> SearchResult:
    """Evaluate the search so far; nothing is trained and nothing written.

    Raises:
        RunError: there is no such search, no trial of it has a score, or predictions beside it are missing or damaged.
    """
    with open_study(storage) as study:
        trials, predictions, log_price = _kept(study, storage)
    rule = greedy_ensemble(predictions, log_price, 1)
    choice = rule(np.arange(len(log_price)))
    corrected, shares = corrected_score(predictions, log_price, rule, notify=notify)
    best = trials[choice[0]]
    return SearchResult(
        storage=storage,
        n_trials=len(trials),
        n_failed=_n_told(study) - len(trials),
        best=best.number,
        settings={name: json.loads(v) if isinstance(v, str) else v for name, v in best.params.items()},
        score=score_of(mean_prediction(predictions, choice), log_price),
        corrected=corrected,
        share=shares.get(choice, 0.0),
        finalists=TypeAdapter(list[Finalist]).validate_python(study.user_attrs.get(_FINALISTS, [])),
    )


# ---- the finalists ----


def _train_finalists(
    study: "Study",
    base: Settings,
    space: Space,
    train: "pd.DataFrame",
    storage: Path,
    max_ensemble: int,
    notify: Notify,
) -> list[Finalist]:
    """Train the base, the best trial and the ensemble, and write the settings of the last two."""
    trials, predictions, log_price = _kept(study, storage)
    first, all_rows = next(iter(base.models.values())), np.arange(len(log_price))
    rules: dict[str, Choose] = {}
    choices: dict[str, tuple[int, ...]] = {}
    settings: dict[str, Settings] = {}
    for name, max_size in ((TRIAL, 1), (ENSEMBLE, max_ensemble)):
        rules[name] = greedy_ensemble(predictions, log_price, max_size)
        choice = rules[name](all_rows)
        if choice in choices.values():  # no other trial lowers the best one's RMSE
            continue
        choices[name] = choice
        models = {f"trial_{trials[index].number}": space.model(trials[index].params, first) for index in choice}
        columns = base.features.columns if any(CUSTOM in model.blocks for model in models.values()) else ""
        settings[name] = replace(base, features=replace(base.features, columns=columns), models=models)
    (_, base_prediction), *held_out = predict_held_out([base, *settings.values()], train, PREDICTIONS, notify)
    base_score = score_of(base_prediction, log_price)
    finalists = [Finalist(BASE, (), base_score, base_score, "")]
    for (name, choice), (_, prediction) in zip(choices.items(), held_out, strict=True):
        score = score_of(prediction, log_price)
        # The selection bias: the choice looks better by this on the houses that it was made on.
        chosen = score_of(mean_prediction(predictions, choice), log_price)
        other, _ = corrected_score(predictions, log_price, rules[name], notify=notify)
        corrected = Score(score.rmse + other.rmse - chosen.rmse, score.trimmed + other.trimmed - chosen.trimmed)
        file = storage.with_name(f"{storage.name}-{name.replace(' ', '-')}.toml")
        with replacing(file) as (fresh,):
            comment = f"# The {name} of {len(trials)} trials, found by `houseprices tune`.\n"
            fresh.write_text(comment + dump_settings(replace(settings[name], ray="")), "utf-8")
        finalists.append(Finalist(name, tuple(trials[index].number for index in choice), score, corrected, str(file)))
    return finalists


def _kept(study: "Study", storage: Path) -> tuple[list["FrozenTrial"], NDArray[np.float32], Floats]:
    """Return the finished trials, their log prices, (n_trials, n_repeats, n_rows), and the true ones, (n_rows,)."""
    trials, log_price = _trials(study, "COMPLETE"), np.array(study.user_attrs.get(_LOG_PRICE, []))
    if not trials:
        raise RunError(f"{storage}: no trial has a score; accepted: more --trials, or another --space")
    predictions = []
    for trial in trials:
        prediction = read_cached(_predictions(storage), trial.user_attrs[_KEY])
        if prediction is None:
            file = _predictions(storage) / f"{trial.user_attrs[_KEY]}.npz"
            raise RunError(f"{file}: missing or damaged; accepted: the predictions that `houseprices tune` kept")
        predictions.append(by_repeat(prediction, len(log_price)).astype(np.float32))
    return trials, np.stack(predictions), log_price


def _predictions(storage: Path) -> Path:
    return storage.with_name(f"{storage.name}-predictions")


# ---- the trials in Optuna's journal ----


def _trials(study: "Study", *states: str) -> list["FrozenTrial"]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=tuple(TrialState[state] for state in states))


def _n_told(study: "Study") -> int:
    """Count the trials reported to Optuna, failed ones among them."""
    return len(_trials(study, "COMPLETE", "PRUNED"))


def _ask(study: "Study", n_trials: int, space: Space, seed: int) -> list["Trial"]:
    """Suggest the trials of a batch."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    n_told, batch = _n_told(study), []
    for index in range(n_trials):
        entropy = np.random.SeedSequence((seed, n_told + index)).generate_state(1)
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            study.sampler = TPESampler(seed=int(entropy[0]), multivariate=True, constant_liar=True)
        batch.append(study.ask(dict(space.distributions)))
        batch[-1].set_user_attr(_N_TOLD, n_told)
    return batch


def _tell(study: "Study", number: int, result: Floats | OutOfMemoryError, log_price: Floats, notify: Notify) -> None:
    """Note a trial's score; the sampler takes a trial that failed for the worst."""
    from optuna.trial import TrialState

    if isinstance(result, OutOfMemoryError) or not np.isfinite(result).all():
        reason = result if isinstance(result, OutOfMemoryError) else "training diverged"
        notify(Notice(f"trial {number} failed: {reason}"))
        study.tell(number, state=TrialState.PRUNED)
    else:
        study.tell(number, score_of(by_repeat(result, len(log_price)), log_price).rmse)


def _take_over(study: "Study") -> list["FrozenTrial"]:
    """Clear up what a killed process left running, and return the trials to tell first."""
    from optuna.trial import TrialState

    n_told, trials = _n_told(study), []
    for trial in _trials(study, "RUNNING"):
        if trial.user_attrs.get(_N_TOLD, n_told) == n_told:  # nothing of its batch was reported
            study.tell(trial.number, state=TrialState.FAIL)
        else:
            trials.append(trial)
    return trials


@contextmanager
def open_study(file: Path, identity: Mapping[str, str] | None = None) -> Iterator["Study"]:
    """Open the search in a journal: to write, with an identity, or to read.

    Args:
        identity: everything that must be equal when a search goes on. With it a search is begun where there is none,
            and no other process may do so meanwhile.

    Raises:
        RunError: the file is no such journal or of another identity, cannot be read or written, or is in use.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if file.is_dir():
        raise RunError(f"{file}: is a folder; accepted: {_ACCEPTED}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lock = None
    with ExitStack() as stack:
        try:
            if identity is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                lock = FileLock(file.with_name(f".{file.name}.lock"))
                stack.enter_context(lock.acquire(timeout=0))
                file.touch()
            content = file.read_bytes()
            if not (content.startswith(_FIRST_BYTES) or _FIRST_BYTES.startswith(content)):
                raise ValueError("other content")
            if lock and not content.endswith(b"\n"):  # a power cut has torn the last line: nothing has relied on it
                content = content[: content.rfind(b"\n") + 1]
                os.truncate(file, len(content))
            # Optuna's own lock would survive a kill; ours ends with the process.
            backend: Any = JournalFileBackend(str(file), lock_obj=lock)  # type: ignore[arg-type]
            open_or_begin = optuna.create_study if lock and not content else optuna.load_study
            study = open_or_begin(study_name=_STUDY, storage=JournalStorage(backend))
        except Timeout:
            in_use = f"{file}: another process searches with it"
            raise RunError(f"{in_use}; accepted: its end, or another --storage") from None
        except OSError as error:
            raise RunError(f"{file}: {error.strerror}; accepted: {_ACCEPTED}") from None
        except (ValueError, KeyError, AssertionError, AttributeError, TypeError) as error:
            raise RunError(f"{file}: is no journal of a search ({error}); accepted: {_ACCEPTED}") from None
        for name, text in (identity or {}).items():
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            noted = study.user_attrs.get(name)
            if noted is None:
                study.set_user_attr(name, digest)
            elif noted != digest:
                difference = f"its search has another {name} ({noted}, not {digest})"
                raise RunError(f"{file}: {difference}; accepted: the one it began with, or another --storage")
        yield study
