"""A search on disk: Optuna's journal of its trials, gone on with where a killed process left it.

Each trial is suggested by a sampler of its own, seeded by the number of trials told before it. A batch is told once all
of its trials are trained and their predictions kept. So a killed search comes to the same trials as one that was left
in peace: a batch that was not trained whole is asked for again alike, and the rest of one that was is told.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from houseprices.errors import RunError
from houseprices.settings import ModelSettings

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

_NAME = "houseprices"
_N_TOLD, _SETTINGS, _KEY = "n_told", "settings", "predictions"
_FIRST_BYTES = b'{"op_code"'
_ACCEPTED = "a journal that `houseprices tune` wrote, or a new file"


@dataclass(frozen=True)
class FinishedTrial:
    """A trial with a score.

    Attributes:
        number: from 0 on; failed trials have numbers too.
        settings: those that differ from the base model's.
        key: of its predictions, see `held_out.ModelOnFolds`.
        score: the RMSE that the sampler was told.
    """

    number: int
    settings: Mapping[str, Any]
    key: str
    score: float


def n_told(study: "Study") -> int:
    """The number of trials that have been told, failed ones among them."""
    return len(_trials(study, "COMPLETE", "PRUNED"))


def n_failed(study: "Study") -> int:
    """The number of trials without a score: training diverged, or a network was too large."""
    return len(_trials(study, "PRUNED"))


def finished_trials(study: "Study") -> list[FinishedTrial]:
    """All trials with a score, by number."""
    return [
        FinishedTrial(trial.number, trial.user_attrs[_SETTINGS], trial.user_attrs[_KEY], float(trial.value))
        for trial in _trials(study, "COMPLETE")
        if trial.value is not None
    ]


def ask(
    study: "Study",
    n_trials: int,
    seed: int,
    suggest: "Callable[[Trial], tuple[ModelSettings, Mapping[str, Any], str]]",
) -> list[tuple[int, ModelSettings]]:
    """Suggest the trials of a batch: the number and the model of each.

    Args:
        seed: of the search.
        suggest: from a trial to its model, its settings to note, and the key of its predictions.
    """
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    told_before, batch = n_told(study), []
    for index in range(n_trials):
        entropy = np.random.SeedSequence((seed, told_before + index)).generate_state(1)
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            study.sampler = TPESampler(seed=int(entropy[0]), multivariate=True, constant_liar=True)
        trial = study.ask()
        trial.set_user_attr(_N_TOLD, told_before)
        model, settings, key = suggest(trial)
        trial.set_user_attr(_SETTINGS, dict(settings))
        trial.set_user_attr(_KEY, key)
        batch.append((trial.number, model))
    return batch


def tell(study: "Study", number: int, score: float | None) -> None:
    """Note a trial's score; None for a trial that failed, which the sampler takes for the worst."""
    from optuna.trial import TrialState

    if score is None:
        study.tell(number, state=TrialState.PRUNED)
    else:
        study.tell(number, score)


def take_over(study: "Study") -> list[tuple[int, Mapping[str, Any]]]:
    """Clear up what a killed process left running, and return the trials to tell first: number and settings."""
    from optuna.trial import TrialState

    told, left = n_told(study), []
    for trial in _trials(study, "RUNNING"):
        if trial.user_attrs.get(_N_TOLD, told) == told:  # nothing of its batch has been told
            study.tell(trial.number, state=TrialState.FAIL)
        else:
            left.append((trial.number, trial.user_attrs[_SETTINGS]))
    return left


def importances(study: "Study") -> dict[str, float]:
    """The share of the scores' variance that each parameter explains (functional ANOVA); none for few trials.

    A parameter that not every trial has, such as a second layer's width, is left out.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    try:
        return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))
    except (RuntimeError, ValueError):  # one trial, or all alike
        return {}


def _trials(study: "Study", *states: str) -> "list[FrozenTrial]":
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=tuple(TrialState[state] for state in states))


@contextmanager
def open_study(file: Path, identity: Mapping[str, str]) -> Iterator["Study"]:
    """Open the search in a file, or begin one there; no other process may do so meanwhile.

    Args:
        file: the journal.
        identity: everything that must be equal when a search goes on.

    Raises:
        RunError: the file is no such journal or of another identity, cannot be read or written, or is in use.
    """
    if not file.name or file.is_dir():
        raise RunError(f"{file}: is a folder; accepted: {_ACCEPTED}")
    with ExitStack() as stack:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(file.with_name(f".{file.name}.lock"))
            stack.enter_context(lock.acquire(timeout=0))
        except Timeout:
            in_use = f"{file}: another process searches with it"
            raise RunError(f"{in_use}; accepted: its end, or another --storage") from None
        except OSError as error:
            raise RunError(f"{file}: {error.strerror}; accepted: a folder that can be written") from None
        study = _load(file, lock)
        for name, text in identity.items():
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            noted = study.user_attrs.get(name)
            if noted is None:
                study.set_user_attr(name, digest)
            elif noted != digest:
                difference = f"its search has another {name} ({noted}, not {digest})"
                raise RunError(f"{file}: {difference}; accepted: the one it began with, or another --storage")
        yield study


def read_study(file: Path) -> "Study":
    """Read the search in a file, and change nothing.

    Raises:
        RunError: there is none.
    """
    if not file.is_file():
        raise RunError(f"{file}: {'is a folder' if file.is_dir() else 'no such file'}; accepted: {_ACCEPTED}")
    return _load(file, None)


def _load(file: Path, lock: FileLock | None) -> "Study":
    """Load the study of a journal; with the lock, which permits to write, make it where there is none yet."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        content = file.read_bytes() if file.exists() else b""
        if not (content.startswith(_FIRST_BYTES) or _FIRST_BYTES.startswith(content)):
            raise RunError(f"{file}: is no journal of a search; accepted: {_ACCEPTED}")
        if lock and not content.endswith(b"\n"):
            # A power cut has torn the last line: nothing has relied on it yet.
            with file.open("ab") as stream:
                stream.truncate(content.rfind(b"\n") + 1)
        # Optuna's own lock would survive a kill; ours ends with the process.
        backend: Any = JournalFileBackend(str(file), lock_obj=lock)  # type: ignore[arg-type]
        storage = JournalStorage(backend)
        names = [study.study_name for study in optuna.get_all_study_summaries(storage)]
        if names == [_NAME]:
            return optuna.load_study(study_name=_NAME, storage=storage)
    except OSError as error:
        raise RunError(f"{file}: {error.strerror}; accepted: {_ACCEPTED}") from None
    except (ValueError, KeyError, AssertionError, AttributeError, TypeError) as error:
        raise RunError(f"{file}: is no journal of a search ({error}); accepted: {_ACCEPTED}") from None
    if names or not lock:
        raise RunError(f"{file}: has {f'the studies {names}' if names else 'no trials'}; accepted: {_ACCEPTED}")
    return optuna.create_study(study_name=_NAME, storage=storage)
