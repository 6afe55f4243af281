"""Exceptions of the client, and how each becomes one line that says what happened and what to do."""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from houseprices.errors import KaggleError

SLUG = "house-prices-advanced-regression-techniques"
COMPETITION_PAGE = f"https://www.kaggle.com/competitions/{SLUG}"
SETTINGS_PAGE = "https://www.kaggle.com/settings"

NO_CREDENTIALS = f"""no Kaggle credentials found; any one of these will do (tokens are made at {SETTINGS_PAGE}):
  1. export KAGGLE_API_TOKEN=...                         (or the token in ~/.kaggle/access_token)
  2. kaggle.json in ~/.kaggle                            ("Create Legacy API Key" gives the file)
  3. export KAGGLE_USERNAME=... KAGGLE_KEY=..."""

_LONGEST_REASON = 300


class NoCredentialsError(KaggleError):
    """No credentials; the text names the ways to get some."""


class RefusedError(KaggleError):
    """A request that Kaggle refused: it has done nothing."""


class LostError(KaggleError):
    """A request without a clear answer: Kaggle may have acted on it."""


def explain(error: OSError | ValueError) -> KaggleError:
    """Turn an exception of the client into an error whose text is one line without any credential.

    Exceptions of the network quote addresses, which may hold a proxy's password, so their texts are never used.
    """
    response = getattr(error, "response", None)
    if isinstance(error, requests.HTTPError) and response is not None:
        reason = _reason_of(response)
        for secret in _secrets_of(response.request):
            reason = reason.replace(secret, "***")
        return _refusal(response.status_code, reason)
    if isinstance(error, requests.exceptions.ProxyError):
        return LostError("no connection to Kaggle through the proxy in HTTP_PROXY or HTTPS_PROXY; check both")
    if isinstance(error, requests.exceptions.SSLError):
        return LostError("no trusted connection to Kaggle (TLS); is there a proxy that this machine does not trust?")
    if isinstance(error, json.JSONDecodeError):
        return LostError("the answer is not Kaggle's (no valid JSON); is a proxy or a sign-in page in between?")
    if isinstance(error, requests.RequestException):
        return LostError("no connection to Kaggle, or no answer in time; check the network and try again")
    file, reason = getattr(error, "filename", ""), getattr(error, "strerror", "")
    accepted = "files of the kaggle client that can be read and written, in ~/.kaggle or $KAGGLE_CONFIG_DIR"
    return RefusedError(f"{file}: {reason}; accepted: {accepted}")


def one_line(text: str) -> str:
    """Remove line ends and control characters from a foreign text, and cut it where it gets long.

    >>> one_line("first\\nsecond\\x1b[31m")
    'first second [31m'
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    words = " ".join(printable.split())
    return words if len(words) <= _LONGEST_REASON else words[: _LONGEST_REASON - 3] + "..."


def rules_not_accepted(reason: str = "") -> RefusedError:
    """Name the page where the rules are accepted; the API cannot accept them."""
    return RefusedError(f"the competition's rules are not accepted{reason}; accept them at {COMPETITION_PAGE}/rules")


def daily_limit_used_up(n_today: str) -> RefusedError:
    """Say when submissions are possible again."""
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = -(-int((midnight - now).total_seconds()) // 60)
    return RefusedError(
        f"the daily limit of submissions is used up ({n_today}); it resets at 00:00 UTC, in "
        f"{minutes // 60} h {minutes % 60} min"
    )


def _reason_of(response: requests.Response) -> str:
    """Read the server's own words from {"message"} or {"error": {"message"}}, "" where it sent neither."""
    try:
        body = response.json()
    except (ValueError, RecursionError, requests.RequestException):
        return ""
    if not isinstance(body, dict):
        return ""
    inner = body.get("error")
    message = inner.get("message") if isinstance(inner, dict) else body.get("message")
    return one_line(str(message or ""))


def _secrets_of(request: Any) -> Iterator[str]:
    """Yield the texts by which a server that repeats the request's credentials could give them away."""
    credentials = request.headers.get("Authorization", "").partition(" ")[2]
    if credentials:
        yield credentials
        with suppress(ValueError):
            if key := base64.b64decode(credentials).decode().partition(":")[2]:
                yield key


def _refusal(status: int, reason: str) -> KaggleError:
    words = reason.lower()
    quoted = f" ({reason})" if reason else ""
    if status == 401:
        return RefusedError(f"Kaggle rejected the credentials (401){quoted}; make new ones at {SETTINGS_PAGE}")
    if status == 403 and ("rules" in words or "participate" in words):
        return rules_not_accepted(quoted)
    if status == 404 or (status == 403 and "competitions.get" in words):
        return RefusedError(
            f"Kaggle shows this account no competition {SLUG!r} ({status}){quoted}; see {COMPETITION_PAGE}"
        )
    if status == 400 and ("allowance" in words or "submission not allowed" in words):
        return daily_limit_used_up(reason)
    if status == 429:
        return RefusedError(f"Kaggle asks to slow down (429){quoted}; wait some minutes and try again")
    if status >= 500:
        return LostError(f"Kaggle's server failed ({status}){quoted}; try again later")
    return RefusedError(f"Kaggle refused ({status}){quoted or ' without giving a reason'}; see {COMPETITION_PAGE}")
