"""HTTP with patience that ends: a timeout on each request, bounded retries, and a deadline on each body."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from houseprices.errors import DownloadError

PASSING = (HTTPStatus.TOO_MANY_REQUESTS, 500, 502, 503, 504)
"""Statuses that may be gone a moment later."""

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds.

    Attributes:
        connect_s: for a connection.
        read_s: between two bytes of an answer.
        body_s: for a whole file.
        n_retries: further tries of a request that failed in passing.
        backoff_s: before the first further try; doubles from try to try.
        longest_backoff_s: no single wait is longer, whatever the server's Retry-After says.
        poll_s: between two questions for a score.
        score_s: for a score.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    body_s: float = 900.0
    n_retries: int = 4
    backoff_s: float = 1.0
    longest_backoff_s: float = 30.0
    poll_s: float = 3.0
    score_s: float = 600.0


PATIENCE = Patience()
"""What the commands use."""


class BrokenTransferError(DownloadError):
    """A body that stopped before its end; another try may bring it whole."""


class PatientAdapter(HTTPAdapter):
    """Gives each request a timeout, and further tries unless `once` says that it must be sent only once."""

    def __init__(self, patience: Patience, once: Callable[[str], bool] | None = None) -> None:
        self.patience = patience
        self.once = once
        super().__init__()

    def send(self, request: Any, *arguments: Any, **options: Any) -> requests.Response:
        """Send, and send again while the failure may pass; the last answer or exception is the caller's."""
        options["timeout"] = (self.patience.connect_s, self.patience.read_s)
        n_left = 0 if self.once and self.once(request.url) else self.patience.n_retries
        backoff_s = self.patience.backoff_s
        while True:
            wait_s = backoff_s
            try:
                response = super().send(request, *arguments, **options)
                if response.status_code not in PASSING or n_left == 0:
                    return response
                wait_s = max(backoff_s, _retry_after_s(response))
                response.close()
            except (requests.ConnectionError, requests.Timeout):
                if n_left == 0:
                    raise
            n_left -= 1
            time.sleep(min(wait_s, self.patience.longest_backoff_s))
            backoff_s *= 2


def patient_session(patience: Patience) -> requests.Session:
    """A session whose every request has the timeout and the further tries."""
    session = requests.Session()
    session.mount("https://", PatientAdapter(patience))
    session.mount("http://", PatientAdapter(patience))
    return session


def save_body(
    response: requests.Response,
    file: Path,
    patience: Patience,
    *,
    limit_bytes: int,
    advance: Callable[[int, int], None],
) -> None:
    """Write a streamed answer's body.

    Args:
        limit_bytes: largest body accepted.
        advance: called with the number of bytes that have just come, and of all that will (0 if unknown).

    Raises:
        BrokenTransferError: the body stops early or takes longer than `patience.body_s`.
        DownloadError: it is larger than the limit.
    """
    plain = "Content-Encoding" not in response.headers
    declared = response.headers.get("Content-Length", "") if plain else ""
    n_expected = int(declared) if declared.isdigit() else 0
    n_bytes, start = 0, time.monotonic()
    try:
        with file.open("wb") as stream:
            # read1 gives what has come; iter_content would wait for a full chunk, past any deadline if bytes trickle.
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                n_bytes += len(chunk)
                if n_bytes > limit_bytes:
                    raise DownloadError(f"the file is larger than {limit_bytes / 1e6:.0f} MB; nothing was kept")
                if time.monotonic() - start > patience.body_s:
                    raise BrokenTransferError(f"the file did not come within {patience.body_s:g} s; nothing was kept")
                stream.write(chunk)
                advance(len(chunk), n_expected)
    except urllib3.exceptions.HTTPError:
        whole = f" of {n_expected}" if n_expected else ""
        raise BrokenTransferError(f"the transfer broke off after {n_bytes}{whole} bytes; nothing was kept") from None
    if n_expected and n_bytes != n_expected:
        raise BrokenTransferError(f"{n_bytes} of {n_expected} bytes came; nothing was kept")


def fetch_file(
    session: requests.Session,
    url: str,
    file: Path,
    patience: Patience,
    *,
    limit_bytes: int,
    advance: Callable[[int, int], None],
) -> None:
    """Fetch one file from a mirror.

    Args:
        limit_bytes: largest body accepted.
        advance: see `network.save_body`.

    Raises:
        DownloadError: there is no answer, no such file, or not the whole of it.
    """
    try:
        with session.get(url, stream=True) as response:
            if response.status_code != 200:
                raise DownloadError(f"the mirror answered {response.status_code} for {url}; try again later")
            save_body(response, file, patience, limit_bytes=limit_bytes, advance=advance)
    except BrokenTransferError as error:
        raise DownloadError(f"{url}: {error}; try again") from None
    except requests.RequestException:
        raise DownloadError(f"no answer from the mirror, {url}; check the network and try again") from None


def _retry_after_s(response: requests.Response) -> float:
    """Retry-After in seconds; 0 where it is missing or a date."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0
