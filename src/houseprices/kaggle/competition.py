"""The competition on Kaggle: its files, the daily limit, a submission and its score, the leaderboard."""

import contextlib
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from houseprices.errors import HousePricesError, KaggleError
from houseprices.http import BrokenTransferError, Patience
from houseprices.kaggle.client import new_client
from houseprices.kaggle.credentials import find_credentials
from houseprices.kaggle.refusals import SLUG, RefusedError, daily_limit_used_up, explain, one_line, rules_not_accepted
from houseprices.progress import Notify, silent

_PAGE_SIZE = 20
_MOST_PAGES = 5
_LEADERBOARD_PAGE_SIZE = 200
_MOST_LEADERBOARD_PAGES = 100


@dataclass(frozen=True)
class Verdict:
    """What Kaggle says about a submission.

    Attributes:
        ref: Kaggle's number of it.
        status: pending, complete (with a score) or error (with a reason).
        public_score: log-RMSE.
        reason: why it could not be scored.
    """

    ref: int
    status: Literal["pending", "complete", "error"]
    public_score: float | None = None
    reason: str = ""


class Kaggle:
    """The competition as one account sees it; every failure is a KaggleError of one line.

    Raises:
        KaggleError: there are no credentials, or Kaggle rejects them.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._credentials = find_credentials()
        with self._one_line_errors():
            self._client = new_client(self._credentials, patience)

    def download(self, archive: Path, notify: Notify = silent) -> None:
        """Fetch the archive with all files; tried again from the start if it breaks off.

        Raises:
            DownloadError: what came is broken or too large.
        """
        self._client.archive, self._client.notify = archive, notify
        for n_left in range(self.patience.n_retries, -1, -1):
            try:
                with self._one_line_errors():
                    self._client.competition_download_files(SLUG, path=str(archive.parent), force=True, quiet=True)
                return
            except BrokenTransferError:
                if n_left == 0:
                    raise
                time.sleep(self.patience.backoff_s)

    def check_may_submit(self) -> int | None:
        """The number of submissions left today, None where Kaggle does not know it yet.

        Raises:
            RefusedError: the rules are not accepted, the competition is closed, or today's submissions are used up.
        """
        with self._one_line_errors():
            from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

            request = ApiGetCompetitionRequest()
            request.competition_name = SLUG
            with self._client.build_kaggle_client() as client:
                competition = client.competitions.competition_api_client.get_competition(request)
        if not competition.user_has_entered:
            raise rules_not_accepted()
        if competition.submissions_disabled:
            raise RefusedError("the competition takes no submissions at present")
        with self._one_line_errors():
            limits = self._client.competition_get_submission_limits(SLUG)
        if limits.num_allowed_now > 0:
            return int(limits.num_allowed_now)
        if limits.limited_by_total:
            raise RefusedError(f"the team has used all the submissions it will ever have ({limits.num_total})")
        if limits.num_today > 0:
            raise daily_limit_used_up(f"{limits.num_today} today")
        # All zero: the account is on no team before its first submission.
        return None

    def submit(self, file: Path, message: str, on_uploaded: Callable[[], None]) -> int | None:
        """Upload and submit, once.

        Args:
            message: unique, so that `find` can tell this submission from others.
            on_uploaded: called after the upload and before the one call that uses up a submission.

        Returns:
            Kaggle's number, or None if Kaggle gave none.

        Raises:
            RefusedError: it was certainly not submitted.
            LostError: after `on_uploaded`, it may or may not have been.
        """
        self._client.on_uploaded = on_uploaded
        with self._one_line_errors():
            answer = self._client.competition_submit(str(file), message, SLUG, quiet=True)
        return int(answer.ref) if answer.ref > 0 else None

    def find(self, message: str) -> Verdict | None:
        """The submission with this message, among the newest ones."""
        for page in range(1, _MOST_PAGES + 1):
            with self._one_line_errors():
                listed = self._client.competition_submissions(SLUG, page_number=page, page_size=_PAGE_SIZE) or []
            for submission in listed:
                if submission.description == message:
                    return _verdict(submission)
            if len(listed) < _PAGE_SIZE:
                break
        return None

    def look_up(self, ref: int) -> Verdict:
        """What Kaggle says at this moment about one submission."""
        with self._one_line_errors():
            from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionRequest

            request = ApiGetSubmissionRequest()
            request.ref = ref
            try:
                with self._client.build_kaggle_client() as client:
                    return _verdict(client.competitions.competition_api_client.get_submission(request))
            except KeyError:
                # A word for the status that this version of the client does not know.
                return Verdict(ref, "pending")

    def wait_for_score(self, ref: int) -> Verdict:
        """Ask until there is a score or an error, or until `patience.score_s` is over: then pending."""
        deadline = time.monotonic() + self.patience.score_s
        while True:
            verdict = self.look_up(ref)
            if verdict.status != "pending" or time.monotonic() + self.patience.poll_s > deadline:
                return verdict
            time.sleep(self.patience.poll_s)

    def rank_of(self, public_score: float) -> int:
        """The place that a score has on the leaderboard: one more than the teams with a lower one.

        Raises:
            KaggleError: the leaderboard cannot be read to that place.
        """
        with self._one_line_errors():
            from kagglesdk.competitions.types.competition_api_service import ApiGetLeaderboardRequest

            n_better, page_token = 0, ""
            for _ in range(_MOST_LEADERBOARD_PAGES):
                request = ApiGetLeaderboardRequest()
                request.competition_name = SLUG
                request.page_size = _LEADERBOARD_PAGE_SIZE
                request.page_token = page_token
                with self._client.build_kaggle_client() as client:
                    page = client.competitions.competition_api_client.get_leaderboard(request)
                scores = [float(team.score) for team in page.submissions if team.score]
                n_better += sum(score < public_score for score in scores)
                page_token = page.next_page_token
                # Sorted from the best: the first worse score ends the count.
                if not page_token or (scores and scores[-1] >= public_score):
                    return n_better + 1
        raise KaggleError("the leaderboard has more pages than expected")

    @contextlib.contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Let our own errors pass and turn the client's into one line."""
        try:
            yield
        except HousePricesError:
            raise
        except Exception as error:
            # The client raises whatever its libraries do, so nothing narrower would hold.
            places = ", ".join(credential.place for credential in self._credentials)
            secrets = tuple(text for credential in self._credentials for text in credential.shown_as)
            # Some of their texts quote a header; a traceback after --debug must not.
            told = "\n".join(traceback.format_exception(error))
            cause = None if any(secret in told for secret in secrets) else error
            raise explain(error, places, secrets) from cause


def unique_message(text: str) -> str:
    """The text and a random mark by which `Kaggle.find` knows the submission again; no longer than Kaggle accepts."""
    return f"{one_line(text)} [{uuid.uuid4().hex[:8]}]"


def _verdict(submission: Any) -> Verdict:
    """Scores are text at Kaggle, and complete may come before the score."""
    status = submission.status.name.lower()
    if status == "error":
        return Verdict(submission.ref, "error", reason=one_line(submission.error_description or "no reason given"))
    if status == "complete" and submission.public_score:
        return Verdict(submission.ref, "complete", public_score=float(submission.public_score))
    return Verdict(submission.ref, "pending")
