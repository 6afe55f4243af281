"""The competition through Kaggle's own client, with timeouts, bounded retries and errors of one line."""

import contextlib
import importlib.util
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from houseprices.errors import HousePricesError, KaggleError
from houseprices.kaggle.ledger import Entry
from houseprices.kaggle.refusals import (
    NO_CREDENTIALS,
    SETTINGS_PAGE,
    SLUG,
    LostError,
    NoCredentialsError,
    RefusedError,
    daily_limit_used_up,
    explain,
    one_line,
    rules_not_accepted,
)
from houseprices.runs.format import SUBMISSION

TIMEOUT_S = (10.0, 60.0)
"""For a connection, and between two bytes of an answer."""
RETRY = Retry(
    total=4,
    backoff_factor=1.0,
    backoff_max=30.0,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
    respect_retry_after_header=False,  # it may name an hour
)
POLL_S = 3.0
"""Between two requests for a score."""
SCORE_S = 600.0
"""For a score."""

_PAGE_SIZE, _MAX_PAGES = 20, 5
_LEADERBOARD_PAGE_SIZE, _MAX_LEADERBOARD_PAGES = 200, 100


class PatientAdapter(HTTPAdapter):
    """Transport with a timeout for each request, and retries of failures that may pass."""

    def send(self, request: Any, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request; CreateSubmission only once: a lost answer may have used up one of the day's submissions."""
        self.max_retries = Retry(0, read=False) if request.url.endswith("/CreateSubmission") else RETRY
        return super().send(request, *arguments, **(options | {"timeout": TIMEOUT_S}))


def patient_session(session: requests.Session | None = None) -> requests.Session:
    """Mount the adapter on a session, by default on a new one."""
    session = session or requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, PatientAdapter())
    return session


class Kaggle:
    """The competition as one account sees it; every failure is a KaggleError of one line.

    Raises:
        NoCredentialsError: there are no credentials.
        KaggleError: Kaggle rejects them, or there is no connection.
    """

    def __init__(self) -> None:
        with _one_line_errors():
            self._api = _sign_in()

    def _call(self, method: str, **fields: Any) -> Any:
        """Call a method of the client's competition service, with these fields of its request."""
        from kagglesdk.competitions.types import competition_api_service

        request = getattr(competition_api_service, f"Api{method.title().replace('_', '')}Request")()
        for name, value in fields.items():
            setattr(request, name, value)
        with _one_line_errors(), self._api.build_kaggle_client() as client:
            return getattr(client.competitions.competition_api_client, method)(request)

    def download(self) -> bytes:
        """Download the archive with all files."""
        response = self._call("download_data_files", competition_name=SLUG)
        with _one_line_errors():
            content: bytes = response.content
        return content

    def check_may_submit(self) -> int | None:
        """Return the number of submissions left today, None where Kaggle does not know it yet.

        Raises:
            RefusedError: the rules are not accepted, the competition is closed, or today's submissions are used up.
        """
        competition = self._call("get_competition", competition_name=SLUG)
        if not competition.user_has_entered:
            raise rules_not_accepted()
        if competition.submissions_disabled:
            raise RefusedError("the competition takes no submissions at present")
        limits = self._call("get_submission_limits", competition_name=SLUG)
        if limits.num_allowed_now > 0:
            return int(limits.num_allowed_now)
        if limits.limited_by_total:
            raise RefusedError(f"the team has used all the submissions it will ever have ({limits.num_total})")
        if limits.num_today > 0:
            raise daily_limit_used_up(f"{limits.num_today} today")
        # All zero: the account is on no team before its first submission.
        return None

    def upload(self, content: bytes) -> str:
        """Upload a CSV file and return its token for `create_submission`; nothing is submitted yet."""
        target = self._call(
            "start_submission_upload",
            competition_name=SLUG,
            file_name=SUBMISSION,
            content_length=len(content),
            last_modified_epoch_seconds=int(time.time()),
        )
        # A session of its own, which does not show the credentials to the storage.
        with _one_line_errors(), patient_session() as session:
            response = session.put(target.create_url, data=content)
        if response.status_code not in (200, 201):
            raise LostError(f"Kaggle's storage refused the upload ({response.status_code}); nothing was submitted")
        return str(target.token)

    def create_submission(self, token: str, message: str) -> int:
        """Submit an uploaded file, once, and return Kaggle's number for it, 0 if Kaggle gave none.

        Raises:
            RefusedError: it was certainly not submitted.
            LostError: it may or may not have been.
        """
        fields = {"blob_file_tokens": token, "submission_description": message}
        return int(self._call("create_submission", competition_name=SLUG, **fields).ref)

    def look_up(self, entry: Entry) -> Entry:
        """Ask once about a submission, by its message where its number is unknown; return its entry as it is now."""
        if entry.ref is not None:
            return _answered(entry, self._call("get_submission", ref=entry.ref))
        for page in range(1, _MAX_PAGES + 1):
            answer = self._call("list_submissions", competition_name=SLUG, page=page, page_size=_PAGE_SIZE)
            for submission in answer.submissions:
                if submission.description == entry.message:
                    return _answered(entry, submission)
            if len(answer.submissions) < _PAGE_SIZE:
                break
        return entry

    def wait_for_score(self, entry: Entry) -> Entry:
        """Ask until there is a score or an error, or until `SCORE_S` is over."""
        deadline = time.monotonic() + SCORE_S
        while True:
            entry = self.look_up(entry)
            if not entry.is_open or time.monotonic() + POLL_S > deadline:
                return entry
            time.sleep(POLL_S)

    def rank_of(self, public_score: float) -> int:
        """Return the rank of a score on the leaderboard: one more than the number of teams with a lower one.

        Raises:
            KaggleError: the leaderboard cannot be read to that rank.
        """
        n_better, page_token = 0, ""
        for _ in range(_MAX_LEADERBOARD_PAGES):
            fields = {"page_size": _LEADERBOARD_PAGE_SIZE, "page_token": page_token}
            page = self._call("get_leaderboard", competition_name=SLUG, **fields)
            scores = [float(team.score) for team in page.submissions if team.score]
            n_better += sum(score < public_score for score in scores)
            page_token = page.next_page_token
            # Sorted from the best: the first worse score ends the count.
            if not page_token or (scores and scores[-1] >= public_score):
                return n_better + 1
        raise KaggleError("the leaderboard has more pages than expected")


def _answered(entry: Entry, submission: Any) -> Entry:
    """Note Kaggle's answer: scores are text, and complete may come before the score."""
    status = submission.status.name.lower()
    if status == "error":
        reason = one_line(submission.error_description or "no reason given")
        return replace(entry, ref=submission.ref, status="error", reason=reason)
    if status == "complete" and submission.public_score:
        return replace(entry, ref=submission.ref, status="complete", public_score=float(submission.public_score))
    return replace(entry, ref=submission.ref, status="pending")


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Let our own errors pass and turn the client's into one line."""
    try:
        yield
    except HousePricesError:
        raise
    except (OSError, json.JSONDecodeError) as error:
        # Their texts may quote a header or a proxy's password: not even a traceback shows them.
        raise explain(error) from None
    except Exception as error:
        # The client raises whatever its libraries do, so nothing narrower would hold.
        raise LostError(
            f"the kaggle client failed ({type(error).__name__}); try again later, or see --debug"
        ) from error


def _sign_in() -> Any:
    """Import the client and let it sign in with the first credentials that work."""
    api = _new_client()
    if "KAGGLE_API_TOKEN" in os.environ:
        os.environ["KAGGLE_API_TOKEN"] = os.environ["KAGGLE_API_TOKEN"].strip()
    from kagglesdk import get_access_token_from_env

    token, _ = get_access_token_from_env()
    if any(not "!" <= letter <= "~" for letter in token or ""):
        # An exception on the way would quote it.
        raise KaggleError("the Kaggle token holds characters that no header can carry; accepted: as Kaggle shows it")
    key_file = Path(api.config)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            api.authenticate()
    except SystemExit:
        if token:
            raise RefusedError(f"Kaggle rejected the token; make a new one at {SETTINGS_PAGE}") from None
        if not key_file.is_file():
            raise NoCredentialsError(NO_CREDENTIALS) from None
        _refuse_token(key_file.read_text("utf-8", "replace"), key_file)
        raise KaggleError(f'{key_file}: not as Kaggle gives it; accepted: {{"username": .., "key": ..}}') from None
    if api.signed_in_by_key:
        _refuse_token(api.config_values[api.CONFIG_NAME_KEY], key_file)
    return api


def _refuse_token(key: str, key_file: Path) -> None:
    """Refuse a token where a key belongs: Kaggle would only say that it is wrong."""
    if "KGAT_" in key:
        raise KaggleError(
            f"a token (KGAT_...) stands where a key belongs, in {key_file} or KAGGLE_KEY; put the token alone into the "
            "file ~/.kaggle/access_token or the variable KAGGLE_API_TOKEN"
        )


def _new_client() -> Any:
    """Import Kaggle's client without its sign-in, and make one whose requests go through our adapter."""
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):
        os.environ.pop(name, None)  # with one of these set, it prints the Authorization header
    if "kaggle" not in sys.modules and (spec := importlib.util.find_spec("kaggle")):
        # The package's own code signs in, over the network and without a timeout: import its modules without it.
        sys.modules["kaggle"] = importlib.util.module_from_spec(spec)
    from kaggle.api.kaggle_api_extended import AuthMethod, KaggleApi

    class PatientKaggleApi(KaggleApi):  # type: ignore[misc]  # kaggle has no types
        @property
        def signed_in_by_key(self) -> bool:
            return bool(self.config_values.get(self.CONFIG_NAME_AUTH_METHOD) == str(AuthMethod.LEGACY_API_KEY))

        def build_kaggle_client(self) -> Any:
            """Build the generated client with our adapter, and with the key in use rather than a stale token."""
            client = super().build_kaggle_client()
            http = client.http_client()
            http._init_session()
            patient_session(http._session)
            if self.signed_in_by_key:
                names = (self.CONFIG_NAME_USER, self.CONFIG_NAME_KEY)
                http._session.auth = tuple(self.config_values[name] for name in names)
            return client

        def get_response_processor(self) -> None:
            """Skip the check for a newer version, which prints on stdout; the version here is pinned."""

    return PatientKaggleApi()
