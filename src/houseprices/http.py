"""HTTP with patience that ends: a timeout on each request, bounded retries, and a deadline on each body."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import InvalidHeader, ReadTimeoutError

from houseprices.errors import DownloadError
from houseprices.files import checksum
from houseprices.progress import Notify, Progress, silent

TRANSIENT = (HTTPStatus.TOO_MANY_REQUESTS, 500, 502, 503, 504)
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
        backoff_s: half of the wait before the second further try (the first follows at once); doubles from try to try.
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
    """Gives each request a timeout, and further tries while its failure may pass."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        super().__init__(
            max_retries=_BoundedRetry(
                total=patience.n_retries,
                allowed_methods=None,
                status_forcelist=TRANSIENT,
                backoff_factor=patience.backoff_s,
                backoff_max=patience.longest_backoff_s,
                raise_on_status=False,
            )
        )

    def send(self, request: Any, *arguments: Any, **options: Any) -> requests.Response:
        """Send; the last answer or exception is the caller's."""
        options["timeout"] = (self.patience.connect_s, self.patience.read_s)
        return super().send(request, *arguments, **options)


class _BoundedRetry(Retry):
    """urllib3's retries where they fall short of ours."""

    def parse_retry_after(self, retry_after: str) -> float:
        """Seconds to wait, never more than the longest backoff; a value that is none does not end the request."""
        try:
            return min(super().parse_retry_after(retry_after), self.backoff_max)
        except (InvalidHeader, ValueError, OverflowError):
            return 0.0

    def increment(self, *arguments: Any, **options: Any) -> Self:
        """The next try; where there is none, a timeout is raised as it is: requests takes a MaxRetryError for less."""
        if self.total == 0 and isinstance(options.get("error"), ReadTimeoutError):
            raise options["error"]
        return super().increment(*arguments, **options)


def patient_session(patience: Patience) -> requests.Session:
    """A session whose every request has the timeout and the further tries."""
    session = requests.Session()
    session.mount("https://", PatientAdapter(patience))
    session.mount("http://", PatientAdapter(patience))
    return session


def save_body(
    response: requests.Response, file: Path, patience: Patience, *, limit_bytes: int, notify: Notify = silent
) -> None:
    """Write a streamed answer's body.

    Args:
        limit_bytes: largest body accepted.
        notify: hears how many bytes have come.

    Raises:
        BrokenTransferError: the body stops early or takes longer than `patience.body_s`.
        DownloadError: it is larger than the limit.
    """
    plain = "Content-Encoding" not in response.headers
    declared = response.headers.get("Content-Length", "") if plain else ""
    n_expected = int(declared) if declared.isdigit() else None
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
                notify(Progress(f"downloading {file.name}", n_bytes, n_expected, in_bytes=True))
    except urllib3.exceptions.HTTPError:
        whole = f" of {n_expected}" if n_expected else ""
        raise BrokenTransferError(f"the transfer broke off after {n_bytes}{whole} bytes; nothing was kept") from None
    if n_expected is not None and n_bytes != n_expected:
        raise BrokenTransferError(f"{n_bytes} of {n_expected} bytes came; nothing was kept")


def fetch_file(
    session: requests.Session,
    url: str,
    file: Path,
    patience: Patience,
    *,
    limit_bytes: int,
    checksums: Mapping[str, str],
    notify: Notify = silent,
) -> None:
    """Fetch one file from a mirror.

    Args:
        limit_bytes: largest body accepted.
        checksums: {algorithm: what it must give}; nothing else vouches for a file over plain http.
        notify: hears how many bytes have come.

    Raises:
        DownloadError: there is no answer, no such file, not the whole of it, or another one.
    """
    try:
        with session.get(url, stream=True) as response:
            if response.status_code != 200:
                raise DownloadError(f"the mirror answered {response.status_code} for {url}; try again later")
            save_body(response, file, patience, limit_bytes=limit_bytes, notify=notify)
    except BrokenTransferError as error:
        raise DownloadError(f"{url}: {error}; try again") from None
    except requests.RequestException:
        raise DownloadError(f"no answer from the mirror, {url}; check the network and try again") from None
    for algorithm, known in checksums.items():
        if (got := checksum(file, algorithm)) != known:
            raise DownloadError(
                f"{url}: {algorithm.upper()} {got}, not the known {known}; somebody changed it; nothing was kept"
            )
