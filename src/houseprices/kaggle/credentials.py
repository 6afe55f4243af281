"""Where Kaggle's credentials may stand, in the order in which the client looks for them; nothing is sent from here."""

import base64
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from houseprices.errors import KaggleError

SETTINGS_PAGE = "https://www.kaggle.com/settings"

NO_CREDENTIALS = f"""no Kaggle credentials found; any one of these will do (tokens are made at {SETTINGS_PAGE}):
  1. export KAGGLE_API_TOKEN=...                         (or the token in ~/.kaggle/access_token)
  2. kaggle.json in ~/.kaggle                            ("Create Legacy API Key" gives the file)
  3. export KAGGLE_USERNAME=... KAGGLE_KEY=..."""
WITHOUT_KAGGLE = "  4. without an account, from the public mirror:         make download SOURCE=mirror"


@dataclass(frozen=True)
class Credential:
    """One way to sign in.

    Attributes:
        kind: token (sent as Bearer), key (user name and key, sent as Basic) or oauth (the client's own file).
        place: where it was found, for messages.
        secret: token or key; never shown.
        username: of a key.
    """

    kind: Literal["token", "key", "oauth"]
    place: str
    secret: str = field(default="", repr=False)
    username: str = ""

    @property
    def shown_as(self) -> tuple[str, ...]:
        """The texts by which a server's words or an exception's could give the secret away."""
        pair = f"{self.username}:{self.secret}".encode()
        return (self.secret, base64.b64encode(pair).decode(), quote(self.secret)) if self.secret else ()


class NoCredentialsError(KaggleError):
    """There are none; the text names the ways to get some."""


def find_credentials() -> list[Credential]:
    """Every credential present, in the client's order; without any, an error with the ways to get them.

    Raises:
        NoCredentialsError: none is present.
        KaggleError: a file with one cannot be read, or one has spaces or line ends in it.
    """
    found = [credential for credential in (_token(), _key(), _oauth()) if credential]
    if not found:
        raise NoCredentialsError(NO_CREDENTIALS)
    for credential in found:
        if any(not "!" <= letter <= "~" for letter in credential.secret + credential.username):
            # An exception on the way would quote them.
            raise KaggleError(f"the credentials from {credential.place} hold characters that no header can carry")
    return found


def config_folder() -> Path:
    """The folder of kaggle.json: $KAGGLE_CONFIG_DIR, else ~/.kaggle if present, else the desktop's own place."""
    if chosen := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(chosen)
    folder = _home() / ".kaggle"
    if sys.platform.startswith("linux") and not folder.exists():
        return Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config") / "kaggle"
    return folder


def _home() -> Path:
    """The home folder; a user without one, in a container say, gets a name that leads nowhere."""
    return Path(os.path.expanduser("~"))


def _token() -> Credential | None:
    value = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    named = Path(value) if value and len(value) < 1024 and Path(value).is_file() else None
    if named:
        # The client would stop at an empty file that the variable names; this goes on to the next place.
        if token := _read(named).strip():
            return Credential("token", f"{named} (named by KAGGLE_API_TOKEN)", token)
    elif value:
        return Credential("token", "KAGGLE_API_TOKEN", value)
    for name in ("access_token", "access_token.txt"):
        file = _home() / ".kaggle" / name
        if file.is_file() and (token := _read(file).strip()):
            return Credential("token", str(file), token)
    return None


def _key() -> Credential | None:
    """User name and key: each from its variable, else from kaggle.json."""
    file = config_folder() / "kaggle.json"
    username, key = (os.environ.get(name, "").strip() for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"))
    if username and key:
        return Credential("key", "KAGGLE_USERNAME and KAGGLE_KEY", key, username)
    if not file.is_file():
        return None
    try:
        content = json.loads(_read(file))
        username, key = username or str(content["username"]).strip(), key or str(content["key"]).strip()
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KaggleError(f'{file}: not as Kaggle gives it; accepted: {{"username": ..., "key": ...}}') from None
    return Credential("key", str(file), key, username)


def _oauth() -> Credential | None:
    file = _home() / ".kaggle" / "credentials.json"
    return Credential("oauth", str(file)) if file.is_file() else None


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise KaggleError(f"{file}: {reason}; accepted: a file that you can read") from None
