"""A run's CSV -> Kaggle -> its score, with the ledger written before anything can be lost."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from houseprices import http
from houseprices.data.source import RAW_FOLDER, TEST_FILE
from houseprices.errors import HousePricesError, KaggleError, SubmissionError
from houseprices.http import Patience
from houseprices.kaggle.candidate import Candidate, find_candidate
from houseprices.kaggle.competition import Kaggle, Verdict, unique_message
from houseprices.kaggle.credentials import NoCredentialsError
from houseprices.kaggle.ledger import LEDGER, Entry, add_entry, read_ledger, remove_entry, update_entry, utc_now
from houseprices.kaggle.refusals import LostError, RefusedError
from houseprices.kaggle.submission_check import check_submission, read_test_ids
from houseprices.progress import Notify, Progress, silent
from houseprices.runs.conditions import code_version

_N_ATTEMPTS = 3
"""How often a submission whose answer was lost is looked for; Kaggle may list it a moment later."""


def submit(
    run: Path | None = None,
    file: Path | None = None,
    message: str = "",
    *,
    dry_run: bool = False,
    wait: bool = True,
    again: bool = False,
    test_file: Path = RAW_FOLDER / TEST_FILE,
    ledger: Path = LEDGER,
    patience: Patience | None = None,
    say: Callable[[str], None],
    notify: Notify = silent,
) -> Entry | None:
    """Check, upload, submit and wait for the score.

    Args:
        run: a run folder; without run and file the newest one.
        file: any CSV, in place of a run's.
        message: put before the run's name, score and code version.
        dry_run: do everything but the upload; without credentials or a network, what can be done without Kaggle, with
            the test file in the run's own folder.
        wait: for the score.
        again: even if the same file was submitted before.
        patience: None for `http.PATIENCE`.
        say: gets each line of the result.
        notify: hears that the score is waited for.

    Returns:
        What stands in the ledger; None after a dry run.

    Raises:
        SettingsError: both run and file are given.
        RunError, DataError: there is no such run, or its CSV does not fit the test file.
        SubmissionError: it is refused here, or there is no score.
        KaggleError: Kaggle refused it, or the way to Kaggle failed.
    """
    patience = patience or http.PATIENCE
    candidate = find_candidate(run, file)
    own_test_file = candidate.run / TEST_FILE if dry_run and candidate.run else test_file
    n_rows = check_submission(candidate.file, read_test_ids(own_test_file if own_test_file.is_file() else test_file))

    def check_new(entries: list[Entry]) -> None:
        if not again:
            _refuse_repetition(candidate, entries)

    check_new(read_ledger(ledger))
    if dry_run:
        say(f"{candidate.file}: {n_rows} rows, fit")
    try:
        kaggle = Kaggle(patience)
        n_left = kaggle.check_may_submit()
    except (NoCredentialsError, LostError) as error:
        if not dry_run:
            raise
        say(f"Kaggle not asked: {'no credentials' if isinstance(error, NoCredentialsError) else error}")
        return None
    text = unique_message(" | ".join(part for part in (message.strip()[:200], _description(candidate)) if part))
    left = "" if n_left is None else f"; {n_left} submissions left today"
    if dry_run:
        say(f"Kaggle would take it as {text!r}{left}; dry run, nothing was sent")
        return None
    say(f"{candidate.file}: {n_rows} rows, uploading as {text!r}{left}")
    entry = _send(kaggle, candidate, text, ledger, check_new)
    say(f"submitted, Kaggle's number {entry.ref}; noted in {ledger}")
    if not wait:
        say("not waiting; `houseprices ledger --refresh` brings the score")
        return entry
    notify(Progress("waiting for the score"))
    entry = _await_score(kaggle, entry, ledger)
    say(_result(entry, kaggle))
    return entry


def refresh(ledger: Path = LEDGER, patience: Patience | None = None) -> list[Entry]:
    """Ask Kaggle about every entry without a final answer, note what it says and return all entries.

    Raises:
        LedgerError, KaggleError: the ledger or the way to Kaggle failed; what was learned before is noted.
    """
    entries = read_ledger(ledger)
    waiting_entries = [entry for entry in entries if entry.is_open]
    if waiting_entries:
        kaggle = Kaggle(patience or http.PATIENCE)
        for entry in waiting_entries:
            verdict = kaggle.find(entry.message) if entry.ref is None else kaggle.look_up(entry.ref)
            if verdict:
                update_entry(_with_verdict(entry, verdict), ledger)
    return read_ledger(ledger)


def _refuse_repetition(candidate: Candidate, entries: list[Entry]) -> None:
    same = [entry for entry in entries if entry.sha256 == candidate.sha256]
    if not same:
        return
    last = same[-1]
    outcome = {
        "complete": f"scored {last.public_score}",
        "error": f"Kaggle could not score it: {last.reason}",
        "pending": "has no score yet; `houseprices ledger --refresh` asks for it",
        "unconfirmed": "on its way, or the answer was lost; `houseprices ledger --refresh` looks for it",
    }[last.status]
    raise SubmissionError(
        f"{candidate.file}: this very file was submitted at {last.submitted_utc} ({outcome}); --again submits it again"
    )


def _description(candidate: Candidate) -> str:
    if candidate.run is None:
        return f"{candidate.file.name}, CV unknown, code {code_version()}"
    return f"run {candidate.run.name}, CV {candidate.cv_log_rmse:.5f}, code {candidate.code_version}"


def _send(
    kaggle: Kaggle, candidate: Candidate, text: str, ledger: Path, check_new: Callable[[list[Entry]], None]
) -> Entry:
    """Upload and submit once; the ledger has the entry from before the moment when Kaggle may count it.

    Whether the file was submitted meanwhile is asked again in the one step with the note: two at once go out as one.
    """
    entry = Entry(
        submitted_utc=utc_now(),
        file=str(candidate.file),
        sha256=candidate.sha256,
        run=str(candidate.run) if candidate.run else None,
        cv_log_rmse=candidate.cv_log_rmse,
        message=text,
    )
    noted = False

    def note() -> None:
        nonlocal noted
        add_entry(entry, ledger, check_new)
        noted = True

    lost = ""
    try:
        try:
            ref = kaggle.submit(candidate.file, text, on_uploaded=note)
        except LostError as error:
            if not noted:
                raise
            ref, lost = None, f" ({error})"
        verdict = Verdict(ref, "pending") if ref else _reconcile(kaggle, entry)
    except RefusedError:
        if noted:
            remove_entry(entry, ledger)
        raise
    except KeyboardInterrupt:
        if not noted:
            raise
        raise KeyboardInterrupt(
            "interrupted in the middle of submitting; `houseprices ledger --refresh` finds out whether it counts"
        ) from None
    if verdict is None:
        raise SubmissionError(
            f"Kaggle's answer to the submission was lost{lost} and its list does not show it; it may count all the "
            "same, so it was not sent twice: `houseprices ledger --refresh` looks again"
        )
    entry = _with_verdict(entry, verdict)
    update_entry(entry, ledger)
    return entry


def _reconcile(kaggle: Kaggle, entry: Entry) -> Verdict | None:
    """Look for a submission whose answer was lost in Kaggle's list; never submit it again."""
    for attempt in range(_N_ATTEMPTS):
        if attempt:
            time.sleep(kaggle.patience.poll_s)
        try:
            verdict = kaggle.find(entry.message)
        except KaggleError:
            return None
        if verdict:
            return verdict
    return None


def _await_score(kaggle: Kaggle, entry: Entry, ledger: Path) -> Entry:
    assert entry.ref is not None
    try:
        verdict = kaggle.wait_for_score(entry.ref)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; submission {entry.ref} is made and noted: `houseprices ledger --refresh` brings its score"
        ) from None
    except KaggleError as error:
        raise SubmissionError(
            f"submission {entry.ref} is made and noted, but its score could not be asked for: {error}; "
            "`houseprices ledger --refresh` brings it"
        ) from error
    entry = _with_verdict(entry, verdict)
    update_entry(entry, ledger)
    if entry.status == "pending":
        raise SubmissionError(
            f"submission {entry.ref} has no score after {kaggle.patience.score_s:g} s; it is made and noted: "
            "`houseprices ledger --refresh` brings its score"
        )
    if entry.status == "error":
        raise SubmissionError(f"Kaggle could not score submission {entry.ref}: {entry.reason}")
    return entry


def _with_verdict(entry: Entry, verdict: Verdict) -> Entry:
    return replace(
        entry, ref=verdict.ref, status=verdict.status, public_score=verdict.public_score, reason=verdict.reason
    )


def _result(entry: Entry, kaggle: Kaggle) -> str:
    """CV beside public score and rank; a leaderboard that cannot be read costs the rank only."""
    assert entry.public_score is not None
    try:
        rank = f"rank {kaggle.rank_of(entry.public_score)}"
    except HousePricesError:
        rank = "rank unknown"
    if entry.difference is None:
        return f"public score {entry.public_score:.5f}, {rank}; CV unknown"
    return f"CV {entry.cv_log_rmse:.5f}, public score {entry.public_score:.5f} ({entry.difference:+.5f}), {rank}"
