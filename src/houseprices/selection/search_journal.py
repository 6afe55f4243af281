"""A search on disk: Optuna's journal of the trials, and beside it what each of them predicted.

The journal alone says which trials count. A trial is told once its predictions are there; one that was running when the
search was stopped is told as failed when it goes on, and its settings are asked for again.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from houseprices.errors import RunError
from houseprices.files import replacing, sha256_of
from houseprices.settings import ModelSettings

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

Floats = NDArray[np.float64]

_NAME = "houseprices"
_SETTINGS, _SHA256, _DIVERGED, _ASKED = "settings", "predictions_sha256", "diverged", "asked"
_FIRST = b'{"op_code"'
_ACCEPTED = "a journal that `houseprices tune` wrote, or a new file"


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that was trained to its end.

    Attributes:
        number: its own, from 0 on; failed trials have numbers too.
        settings: of its group of networks, but for those of the base.
        prediction: (n_halvings, n_rows) log prices of held-out houses, float32.
    """

    number: int
    settings: Mapping[str, Any]
    prediction: NDArray[np.float32]


class Journal:
    """An open search, which no other process may go on with meanwhile; see `open_journal`."""

    def __init__(self, file: Path, study: "Study") -> None:
        self.study = study
        self._stopped: list[dict[str, Any]] = []
        self._predictions = file.with_name(f"{file.name}-predictions")

    def ask(
        self, n_trials: int, seed: int, suggest: "Callable[[Trial], ModelSettings]"
    ) -> "list[tuple[Trial, ModelSettings]]":
        """The next trials, at most so many, each with what is suggested for it.

        What they are depends on the seed and on the trials told so far, not on how often the search was stopped: those
        that were running then come first.
        """
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import PartialFixedSampler, TPESampler

        told = self.n_finished + self.n_diverged
        entropy = np.random.SeedSequence((seed, told)).generate_state(1)
        sampler = TPESampler(seed=int(entropy[0]), multivariate=True, constant_liar=True)
        asked = []
        for parameters in self._stopped[:n_trials] or [{}] * n_trials:
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                self.study.sampler = PartialFixedSampler(parameters, sampler) if parameters else sampler
            trial = self.study.ask()
            asked.append((trial, suggest(trial)))
        self._stopped = []
        self.study.set_user_attr(_ASKED, [trial.number for trial, _ in asked])
        return asked

    def tell(self, trial: "Trial", settings: Mapping[str, Any], score: float, prediction: Floats) -> None:
        """Keep the predictions, and then note the trial's score in the journal; a trial without a score has failed."""
        from optuna.trial import TrialState

        if not np.isfinite(score):
            trial.set_user_attr(_DIVERGED, True)
            self.study.tell(trial, state=TrialState.FAIL)
            return
        file = self._file(trial.number)
        with replacing(file, durable=True) as (fresh,), fresh.open("wb") as stream:
            np.save(stream, prediction.astype(np.float32))
        trial.set_user_attr(_SETTINGS, dict(settings))
        trial.set_user_attr(_SHA256, sha256_of(file))
        self.study.tell(trial, score)

    def finished(self) -> list[FinishedTrial]:
        """All trials that count, in their order.

        Raises:
            RunError: what a trial predicted is missing or altered.
        """
        found = []
        for trial in self._trials("COMPLETE"):
            file = self._file(trial.number)
            if not file.is_file() or sha256_of(file) != trial.user_attrs.get(_SHA256):
                raise RunError(f"{file}: missing or altered; accepted: what `houseprices tune` kept of its trials")
            prediction = np.load(file, allow_pickle=False)
            found.append(FinishedTrial(trial.number, trial.user_attrs[_SETTINGS], prediction))
        return found

    @property
    def n_finished(self) -> int:
        """Trials that count."""
        return len(self._trials("COMPLETE"))

    @property
    def n_diverged(self) -> int:
        """Trials whose training came to no number."""
        return sum(_DIVERGED in trial.user_attrs for trial in self._trials("FAIL"))

    def importances(self) -> dict[str, float]:
        """How much of the scores' variance each parameter explains, by Optuna's functional ANOVA; none for few trials.

        A parameter that not every trial has, such as a second layer's width, is left out.
        """
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        try:
            return dict(get_param_importances(self.study, evaluator=FanovaImportanceEvaluator(seed=0)))
        except (RuntimeError, ValueError):  # one trial, or all alike
            return {}

    def forget_the_running(self) -> None:
        """Notify those trials as failed that a stopped process left running, and remove what they left.

        Their settings are asked for again, until they are told; where the asking itself was stopped, none of its trials
        has been trained, and the same ones will be suggested anew.
        """
        from optuna.trial import TrialState

        asked = self.study.user_attrs.get(_ASKED, [])
        lost = [trial for trial in self._trials("RUNNING", "FAIL") if _DIVERGED not in trial.user_attrs]
        self._stopped = [trial.params for trial in lost if trial.number in asked]
        for trial in self._trials("RUNNING"):
            self.study.tell(trial.number, state=TrialState.FAIL)
        kept = {self._file(trial.number) for trial in self._trials("COMPLETE")}
        for file in self._predictions.glob("*.npy"):
            if file not in kept:
                file.unlink()

    def _trials(self, *states: str) -> "Sequence[FrozenTrial]":
        from optuna.trial import TrialState

        return self.study.get_trials(deepcopy=False, states=tuple(TrialState[state] for state in states))

    def _file(self, number: int) -> Path:
        return self._predictions / f"{number:06d}.npy"


@contextmanager
def open_journal(file: Path, identity: Mapping[str, str], *, to_read: bool = False) -> Iterator[Journal]:
    """Open the search in a file, or begin one there.

    Args:
        file: the journal.
        identity: all that two searches must have alike to be one: each a short text, or hashed to one.
        to_read: begin none, and change nothing.

    Raises:
        RunError: the file is no such journal or of a search of another identity, cannot be read or written, or another
            process works on it.
    """
    if not file.name or file.is_dir():
        raise RunError(f"{file}: is a folder; accepted: {_ACCEPTED}")
    if to_read:
        if not file.is_file():
            raise RunError(f"{file}: no such file; accepted: {_ACCEPTED}")
        yield _checked(Journal(file, _study(file, None, to_read=True)), file, identity, to_read=True)
        return
    with ExitStack() as stack:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(file.with_name(f".{file.name}.lock"))
            stack.enter_context(lock.acquire(timeout=0))
        except Timeout:
            found = f"{file}: another process searches with it"
            raise RunError(f"{found}; accepted: its end, or another --storage") from None
        except OSError as error:
            raise RunError(f"{file}: {error.strerror}; accepted: a folder that can be written") from None
        journal = _checked(Journal(file, _study(file, lock, to_read=False)), file, identity, to_read=False)
        journal.forget_the_running()
        yield journal


def _checked(journal: Journal, file: Path, identity: Mapping[str, str], *, to_read: bool) -> Journal:
    """The journal of a search of that identity, noted now if it is a new one."""
    known = journal.study.user_attrs
    for name, text in identity.items():
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        if name not in known and not to_read:
            journal.study.set_user_attr(name, digest)
        elif known.get(name) != digest:
            found = f"its search has another {name} ({known.get(name)}, not {digest})"
            raise RunError(f"{file}: {found}; accepted: the one it began with, or another --storage")
    return journal


def _study(file: Path, lock: Any, *, to_read: bool) -> "Study":
    """The study in the journal, made where there is none yet."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        content = file.read_bytes() if file.exists() else b""
        if not (content.startswith(_FIRST) or _FIRST.startswith(content)):
            raise RunError(f"{file}: is no journal of a search; accepted: {_ACCEPTED}")
        if not to_read and not content.endswith(b"\n"):
            # The line that a power cut has torn: nobody has heard of what it would have said.
            with file.open("ab") as stream:
                stream.truncate(content.rfind(b"\n") + 1)
        # One process at a time has the journal: its own lock, which a kill would leave behind, is not needed.
        storage = JournalStorage(JournalFileBackend(str(file), lock_obj=lock))
        names = [study.study_name for study in optuna.get_all_study_summaries(storage)]
        if names == [_NAME]:
            return optuna.load_study(study_name=_NAME, storage=storage)
    except OSError as error:
        raise RunError(f"{file}: {error.strerror}; accepted: {_ACCEPTED}") from None
    except (ValueError, KeyError, AssertionError, AttributeError, TypeError) as error:
        raise RunError(f"{file}: is no journal of a search ({error}); accepted: {_ACCEPTED}") from None
    if names or to_read:
        raise RunError(f"{file}: has {f'the studies {names}' if names else 'no trials'}; accepted: {_ACCEPTED}")
    return optuna.create_study(study_name=_NAME, storage=storage)
