"""What the client raises -> one line that says what happened and what to do."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from houseprices.errors import KaggleError
from houseprices.kaggle.credentials import SETTINGS_PAGE

SLUG = "house-prices-advanced-regression-techniques"
COMPETITION_PAGE = f"https://www.kaggle.com/competitions/{SLUG}"

_LONGEST_REASON = 300


class RefusedError(KaggleError):
    """Kaggle took in the request and said no: it has done nothing."""


class LostError(KaggleError):
    """The request failed without a clear answer: Kaggle may have acted on it."""


def explain(error: Exception, places: str, secrets: tuple[str, ...] = ()) -> KaggleError:
    """An exception of the client -> an error whose text is one line without any credential.

    Exceptions of the network quote addresses, which may hold a proxy's password, so their texts are never used.

    Args:
        places: where the credentials in use were found.
        secrets: to be blotted out, should the server's words repeat them.
    """
    response = getattr(error, "response", None)
    if isinstance(error, requests.HTTPError) and response is not None:
        reason = reason_of(response)
        for secret in secrets:
            reason = reason.replace(secret, "***")
        return _refusal(response.status_code, reason, response.headers.get("Retry-After", ""), places)
    if isinstance(error, requests.exceptions.ProxyError):
        return LostError(
            "no connection to Kaggle through the proxy in HTTP_PROXY or HTTPS_PROXY; check both and try again"
        )
    if isinstance(error, requests.Timeout):
        return LostError("Kaggle did not answer in time; try again later")
    if isinstance(error, requests.exceptions.SSLError):
        return LostError("no trusted connection to Kaggle (TLS); is there a proxy that this machine does not trust?")
    if isinstance(error, json.JSONDecodeError | requests.JSONDecodeError):
        return LostError(
            "the answer is not Kaggle's (no valid JSON); is a proxy or a sign-in page in between? Try again later"
        )
    if isinstance(error, requests.exceptions.InvalidHeader):
        return RefusedError(f"the credentials from {places} hold characters that no header can carry")
    if isinstance(error, OSError) and error.filename and error.strerror:
        return RefusedError(f"{error.filename}: {error.strerror}")
    if isinstance(error, requests.RequestException | OSError):
        return LostError("no connection to Kaggle; check the network and try again")
    return LostError(f"the kaggle client failed ({type(error).__name__}); try again later, or see --debug")


def reason_of(response: Any) -> str:
    """The server's own words, on one line: from {"message"}, {"error": {"message"}}, or "" where it sent neither."""
    try:
        body = response.json()
    except (ValueError, RecursionError, requests.RequestException):
        return ""
    if not isinstance(body, dict):
        return ""
    inner = body.get("error")
    message = inner.get("message") if isinstance(inner, dict) else body.get("message") or inner
    return one_line(str(message or ""))


def one_line(text: str) -> str:
    """A foreign text without line ends and control characters, cut where it gets long.

    >>> one_line("first\\nsecond\\x1b[31m")
    'first second [31m'
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    words = " ".join(printable.split())
    return words if len(words) <= _LONGEST_REASON else words[: _LONGEST_REASON - 3] + "..."


def until_reset(now: datetime | None = None) -> str:
    """When the daily limit resets.

    >>> until_reset(datetime(2026, 1, 31, 21, 30, tzinfo=UTC))
    'resets at 00:00 UTC, in 2 h 30 min'
    """
    now = now or datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = -(-int((midnight - now).total_seconds()) // 60)
    return f"resets at 00:00 UTC, in {minutes // 60} h {minutes % 60} min"


def rules_not_accepted(reason: str = "") -> RefusedError:
    """The rules cannot be accepted through the API: name the page."""
    said = f" ({reason})" if reason else ""
    return RefusedError(f"the competition's rules are not accepted{said}; open {COMPETITION_PAGE}/rules, accept them")


def daily_limit_used_up(reason: str = "") -> RefusedError:
    """No submission is left today."""
    said = f" ({reason})" if reason else ""
    return RefusedError(f"the daily limit of submissions is used up{said}; it {until_reset()}")


def _refusal(status: int, reason: str, retry_after: str, places: str) -> KaggleError:
    words = reason.lower()
    said = f" ({reason})" if reason else ""
    if status == 401:
        return RefusedError(
            f"Kaggle rejected the credentials from {places} (401){said}; make new ones at {SETTINGS_PAGE}"
        )
    if status == 403 and ("rules" in words or "participate" in words):
        return rules_not_accepted(reason)
    if status == 404 or (status == 403 and "competitions.get" in words):
        return RefusedError(
            f"Kaggle shows this account no competition {SLUG!r} ({status}){said}; see {COMPETITION_PAGE}"
        )
    if status == 400 and ("allowance" in words or "submission not allowed" in words):
        return daily_limit_used_up(reason)
    if status == 429:
        hint = f"; Retry-After says {one_line(retry_after)} s" if retry_after else ""
        return RefusedError(f"Kaggle asks to slow down (429){said}{hint}; wait some minutes and try again")
    if status >= 500:
        return LostError(f"Kaggle's server failed ({status}){said}; try again later")
    return RefusedError(f"Kaggle refused ({status}){said or ' without giving a reason'}; see {COMPETITION_PAGE}")
