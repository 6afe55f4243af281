"""Kaggle's own client, with timeouts, bounded retries and failures that raise.

`import kaggle` signs in, over the network and without a timeout, and prints a page of help where it cannot; so it
happens here only, once credentials are known to exist, silently and with the network closed.
"""

import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from houseprices.errors import KaggleError
from houseprices.http import Patience, PatientAdapter, patient_session, save_body
from houseprices.kaggle.credentials import Credential, config_folder
from houseprices.kaggle.refusals import LostError, RefusedError
from houseprices.progress import Notify, silent

LARGEST_ARCHIVE_BYTES = 50_000_000
"""Kaggle's archive has 0.2 MB."""

_TALKATIVE = ("VERBOSE", "VERBOSE_OUTPUT")
"""With one of these set, the client prints the Authorization header."""


def new_client(credentials: list[Credential], patience: Patience) -> Any:
    """A signed-in client, by the first of the credentials that Kaggle takes.

    Raises:
        KaggleError: Kaggle takes none of them.
        requests.RequestException: the network failed.
    """
    client = _client_class()(patience)
    client.sign_in(credentials)
    return client


@functools.cache
def _client_class() -> Any:
    with _silent_import():
        from kaggle.api.kaggle_api_extended import KaggleApi, ResumableUploadResult

    class PatientKaggleApi(KaggleApi):  # type: ignore[misc]  # kaggle has no types
        """The client as this package uses it; every request leaves through `PatientAdapter`."""

        def __init__(self, patience: Patience) -> None:
            self.patience = patience
            self.used: Credential | None = None
            self.on_uploaded: Callable[[], None] = lambda: None
            self.archive = Path()
            self.notify: Notify = silent
            # The class holds these as they were at its import.
            self.args = ["--local"] if os.environ.get("KAGGLE_API_ENVIRONMENT") == "LOCALHOST" else []
            self.config_values: dict[str, str] = {}
            self.config_dir = str(config_folder())
            self.config = os.path.join(self.config_dir, self.config_file)
            super().__init__()

        def sign_in(self, credentials: list[Credential]) -> None:
            """Take the first credential that works; a key is not checked before its first use."""
            for credential in credentials:
                self.used = credential
                self.config_values = {}
                if credential.kind == "key":
                    self.config_values = {
                        self.CONFIG_NAME_USER: credential.username,
                        self.CONFIG_NAME_KEY: credential.secret,
                    }
                    accepted = True
                elif credential.kind == "token":
                    self.config_values = {self.CONFIG_NAME_TOKEN: credential.secret}
                    accepted = bool(self._introspect_token(credential.secret))
                else:
                    with contextlib.redirect_stdout(io.StringIO()):
                        accepted = self._authenticate_with_oauth_creds()
                if accepted:
                    self._authenticated = True
                    return
            raise RefusedError(
                f"Kaggle rejected the credentials from {', '.join(one.place for one in credentials)}; make new ones"
            )

        def build_kaggle_client(self) -> Any:
            """The generated client with our adapter, and with the credential in use rather than a stale token's."""
            client = super().build_kaggle_client()
            http = client.http_client()
            http._init_session()
            for scheme in ("https://", "http://"):
                http._session.mount(scheme, _KaggleAdapter(self.patience))
            if self.used and self.used.kind == "key":
                http._session.auth = (self.used.username, self.used.secret)
            return client

        def get_response_processor(self) -> None:
            """Without it the client prints on stdout that a newer version exists; the version here is pinned."""

        def upload_complete(self, path: str, url: str, quiet: bool, resume: bool = False) -> Any:  # noqa: ARG002  # the client's signature
            """Put the file in one request; the client's own version hides every failure."""
            with patient_session(self.patience) as session:
                try:
                    response = session.put(url, data=Path(path).read_bytes())
                except requests.RequestException:
                    raise LostError("the upload broke off; nothing was submitted; try again") from None
            if response.status_code not in (200, 201):
                raise LostError(
                    f"Kaggle's storage refused the upload ({response.status_code}); nothing was submitted; try again"
                )
            self.on_uploaded()
            return ResumableUploadResult.COMPLETE

        def download_file(self, response: Any, *_: Any, **__: Any) -> None:
            """Save the body whole or raise; never append to what an earlier try has left.

            The client's own choice of a name follows the address, and a page from elsewhere gets a wrong one.
            """
            with response:
                save_body(response, self.archive, self.patience, limit_bytes=LARGEST_ARCHIVE_BYTES, notify=self.notify)

    return PatientKaggleApi


class _KaggleAdapter(PatientAdapter):
    """Sends CreateSubmission once only: a lost answer may have used up one of the day's submissions."""

    def __init__(self, patience: Patience) -> None:
        super().__init__(patience)
        self._without_retries = PatientAdapter(replace(patience, n_retries=0))

    def send(self, request: Any, *arguments: Any, **options: Any) -> requests.Response:
        if request.url.endswith("/CreateSubmission"):
            return self._without_retries.send(request, *arguments, **options)
        return super().send(request, *arguments, **options)


@contextlib.contextmanager
def _silent_import() -> Iterator[None]:
    """Import the client without its words, its sign-in and its debugging."""

    def closed(*_: Any, **__: Any) -> Any:
        raise requests.ConnectionError("closed while the client is imported")

    talkative = {name: os.environ.pop(name) for name in _TALKATIVE if name in os.environ}
    send, HTTPAdapter.send = HTTPAdapter.send, closed  # type: ignore[method-assign]  # put back below
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    except (OSError, SystemExit):
        raise KaggleError(
            f"the kaggle client cannot write into {config_folder()}; set KAGGLE_CONFIG_DIR to a folder that it can"
        ) from None
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]  # as it was
        os.environ.update(talkative)
