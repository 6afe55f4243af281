"""A run's CSV file to Kaggle and back with its score; the ledger is written before anything can be lost."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from houseprices.data.source import RAW_FOLDER, TEST_FILE, read_tables
from houseprices.data.table import read_houses
from houseprices.errors import DataError, KaggleError, RunError, SettingsError, SubmissionError
from houseprices.files import sha256_of
from houseprices.kaggle import client
from houseprices.kaggle.client import Kaggle
from houseprices.kaggle.ledger import LEDGER, Entry, note, read_ledger, remove
from houseprices.kaggle.refusals import LostError, NoCredentialsError, RefusedError, one_line
from houseprices.kaggle.submission import Submission, check_ids, read_submission
from houseprices.progress import Notice, Notify, Progress, silent
from houseprices.runs.conditions import code_version
from houseprices.runs.format import (
    MANIFEST,
    METRICS,
    RUNS_FOLDER,
    SUBMISSION,
    DataNote,
    Manifest,
    PastMetrics,
    find_run,
    read_record,
)

REFRESH = "`make ledger ARGS=--refresh`"


@dataclass(frozen=True)
class FinishedRun:
    """A run of this or an earlier version, as far as submitting needs it."""

    folder: Path
    data: DataNote
    code_version: str
    submission_sha256: str
    cv_log_rmse: float


def submit(
    run: Path | None = None,
    file: Path | None = None,
    message: str = "",
    *,
    dry_run: bool = False,
    wait: bool = True,
    again: bool = False,
    ledger: Path = LEDGER,
    notify: Notify = silent,
) -> tuple[Entry, int | None] | None:
    """Check, upload, submit and wait for the score; `cli.kaggle.submit_run` explains the options.

    A dry run without credentials or a network does what can be done without Kaggle.

    Returns:
        The ledger's entry and its rank on the leaderboard, None where that is not known; None after a dry run.

    Raises:
        SettingsError: both run and file are given.
        RunError, DataError: there is no such run, or its CSV file does not fit the test file.
        SubmissionError: it is refused here, or there is no score.
        KaggleError: Kaggle refused it, or the connection failed.
    """
    file, submission, source = _find_submission(run, file)
    if submission.notice:
        notify(Notice(submission.notice))
    check_ids(file, submission.price_of_id, _test_ids(source))

    def check_new(entries: list[Entry]) -> None:
        for entry in entries:
            if entry.sha256 == submission.sha256 and not again:
                outcome = f"{REFRESH} asks for its score" if entry.is_open else entry.reason or entry.public_score
                raise SubmissionError(
                    f"{file}: these very prices were submitted at {entry.submitted_utc} ({entry.status}: {outcome}); "
                    "--again submits them again"
                )

    check_new(read_ledger(ledger))
    notify(Notice(f"{file}: {len(submission.price_of_id)} prices, fit for Kaggle"))
    if source:
        _notify_of_score(source, notify)
    try:
        kaggle = Kaggle()
        n_left = kaggle.check_may_submit()
    except (NoCredentialsError, LostError) as error:
        if not dry_run:
            raise
        notify(Notice(f"Kaggle not asked: {'no credentials' if isinstance(error, NoCredentialsError) else error}"))
        return None
    text = _unique_message(message, file, source)
    left = "" if n_left is None else f"; {n_left} submissions left today"
    if dry_run:
        notify(Notice(f"Kaggle would take it as {text!r}{left}"))
        return None
    notify(Notice(f"uploading as {text!r}{left}"))
    entry = Entry(
        submitted_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        file=str(_relative(file)),
        sha256=submission.sha256,
        run=str(_relative(source.folder)) if source else None,
        cv_log_rmse=source.cv_log_rmse if source else None,
        message=text,
    )
    entry = _send(kaggle, submission.content, entry, ledger, check_new)
    notify(Notice(f"submitted, Kaggle's number {entry.ref}; noted in {ledger}"))
    if not wait:
        return entry, None
    notify(Progress("waiting for the score"))
    entry = _await_score(kaggle, entry, ledger)
    rank = None
    if entry.public_score is not None:
        with suppress(KaggleError):
            rank = kaggle.rank_of(entry.public_score)
    return entry, rank


def refresh(ledger: Path = LEDGER) -> list[Entry]:
    """Ask Kaggle about every entry without a final answer, note the answers and return all entries.

    Raises:
        LedgerError, KaggleError: the ledger or the connection failed; the answers until then are noted.
    """
    if open_entries := [entry for entry in read_ledger(ledger) if entry.is_open]:
        kaggle = Kaggle()
        for entry in open_entries:
            note(kaggle.look_up(entry), ledger)
    return read_ledger(ledger)


def _find_submission(run: Path | None, file: Path | None) -> tuple[Path, Submission, FinishedRun | None]:
    """Read the CSV file, and find the run that wrote it: a run knows its own prices wherever a copy of them lies."""
    if run and file:
        raise SettingsError("--run and --file are both given; accepted: one of them")
    source: FinishedRun | None
    if file:
        submission = read_submission(file)
        checksums = (submission.sha256, sha256_of(file))
        source = next((run for run in _finished_runs(file.parent) if run.submission_sha256 in checksums), None)
    else:
        source = _read_finished_run(find_run(run))
        file = source.folder / SUBMISSION
        if not file.is_file() or sha256_of(file) != source.submission_sha256:
            hint = "to submit it without a CV score, copy it and use --file"
            raise RunError(f"{file}: changed since the run wrote it; {hint}")
        submission = read_submission(file)
    if source and source.data.kind == "sample":
        raise SubmissionError(
            f"{source.folder}: trained on the synthetic sample, whose houses Kaggle does not know; "
            "`make download` brings Kaggle's files, `make cv` trains on them"
        )
    return file, submission, source


def _read_finished_run(folder: Path) -> FinishedRun:
    manifest = read_record(Manifest, folder / MANIFEST, any_version=True)
    score = read_record(PastMetrics, folder / METRICS).log_rmse.pooled
    checksum = manifest.outputs_sha256.get(SUBMISSION, "")
    return FinishedRun(_relative(folder), manifest.data, manifest.code_version, checksum, score)


def _finished_runs(*folders: Path) -> Iterator[FinishedRun]:
    """Yield the runs in these folders and in runs/; a damaged one is no reason not to submit another."""
    for folder in (*folders, *(manifest.parent for manifest in sorted(RUNS_FOLDER.glob(f"*/{MANIFEST}")))):
        with suppress(RunError):
            yield _read_finished_run(folder)


def _test_ids(source: FinishedRun | None) -> list[int]:
    """Read the Ids that Kaggle expects: from the copy in a run on Kaggle's own files, else from data/raw."""
    copy = source.folder / TEST_FILE if source and source.data.kind == "kaggle" else None
    try:
        test = read_houses(copy, priced=False) if copy and copy.is_file() else read_tables(RAW_FOLDER).test
    except DataError as error:
        hint = "a submission is checked against the test houses: `make download` brings them"
        raise DataError([f"{error.faults[0]}; {hint}"]) from None
    ids: list[int] = test.index.tolist()
    return ids


def _notify_of_score(source: FinishedRun, notify: Notify) -> None:
    """Show the run's score, and the best one of the runs on the same houses if that is another."""
    notify(Notice(f"{source.folder}: cross-validated log-RMSE {source.cv_log_rmse:.5f}"))
    rivals = [run for run in _finished_runs() if run.data.sha256 == source.data.sha256]
    best = min(rivals, key=lambda run: run.cv_log_rmse, default=source)
    if best.cv_log_rmse < source.cv_log_rmse:
        command = f"`make submit RUN={best.folder.name}` submits it"
        notify(Notice(f"{best.folder}: a better score on the same houses, {best.cv_log_rmse:.5f}; {command}"))


def _unique_message(message: str, file: Path, source: FinishedRun | None) -> str:
    """Describe the submission, with a random mark by which `Kaggle.look_up` knows it again."""
    if source is None:
        origin = f"{file.name}, CV unknown, code {code_version()}"
    else:
        origin = f"run {source.folder.name}, CV {source.cv_log_rmse:.5f}, code {source.code_version}"
    text = " | ".join(part for part in (message.strip()[:200], origin) if part)
    return f"{one_line(text)} [{uuid.uuid4().hex[:8]}]"


def _send(
    kaggle: Kaggle, content: bytes, entry: Entry, ledger: Path, check_new: Callable[[list[Entry]], None]
) -> Entry:
    """Upload and submit once; the ledger has the entry from before the moment when Kaggle may count it.

    `check_new` is asked again in the same step as the entry is written: of two processes at once, one submits.
    """
    token = kaggle.upload(content)
    note(entry, ledger, check_new)
    reason = ""
    try:
        try:
            entry = replace(entry, ref=kaggle.create_submission(token, entry.message), status="pending")
        except LostError as error:
            reason = f" ({error})"
        if not entry.ref:
            # Never sent again; Kaggle may list it a moment later.
            time.sleep(client.POLL_S)
            with suppress(KaggleError):
                entry = kaggle.look_up(replace(entry, ref=None, status="unconfirmed"))
    except RefusedError:
        remove(entry, ledger)
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted while submitting; {REFRESH} finds out whether it counts") from None
    if not entry.ref:
        raise SubmissionError(
            f"Kaggle's answer to the submission was lost{reason} and its list does not show it; it may count all the "
            f"same, so it was not sent twice: {REFRESH} looks again"
        )
    note(entry, ledger)
    return entry


def _await_score(kaggle: Kaggle, entry: Entry, ledger: Path) -> Entry:
    made = f"submission {entry.ref} is made and noted"
    try:
        entry = kaggle.wait_for_score(entry)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; {made}: {REFRESH} brings its score") from None
    except KaggleError as error:
        raise SubmissionError(f"{made}, but its score could not be asked for: {error}; {REFRESH} brings it") from error
    note(entry, ledger)
    if entry.status == "pending":
        raise SubmissionError(f"{made}, and has no score after {client.SCORE_S:g} s; {REFRESH} brings it")
    if entry.status == "error":
        raise SubmissionError(f"Kaggle could not score submission {entry.ref}: {entry.reason}")
    return entry


def _relative(path: Path) -> Path:
    """Make a path inside the working directory relative to it: the ledger is shared, absolute paths are not."""
    absolute = path.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path
