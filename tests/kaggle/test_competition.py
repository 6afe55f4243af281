"""The client as this package uses it: how it is imported, how it signs in, how long it waits, and how it complains."""

import base64
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import requests
from kaggle_fixtures import HURRIED, Command
from kaggle_server import KEY, TOKEN, USERNAME, KaggleServer, drop, page, status

from houseprices.errors import KaggleError
from houseprices.kaggle.competition import Kaggle, unique_message
from houseprices.kaggle.credentials import Credential, find_credentials
from houseprices.kaggle.refusals import LostError, RefusedError, explain


def in_a_fresh_process(*tokens: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line as a user starts it; the client's import cannot be undone in this process."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "houseprices", *tokens],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


# ---- the import ----


def test_the_import_is_silent_and_sends_nothing_of_its_own(server: KaggleServer) -> None:
    done = in_a_fresh_process("download", VERBOSE="1", VERBOSE_OUTPUT="yes")
    assert done.returncode == 0
    assert server.calls == ["IntrospectToken", "DownloadDataFiles", "Storage"]
    assert done.stdout == "data/raw: data_description.txt, sample_submission.csv, test.csv, train.csv, checked\n"
    # In that process the known checksums are those of the real files.
    assert all(line.startswith("houseprices: warning: ") for line in done.stderr.splitlines())
    assert TOKEN not in done.stdout + done.stderr


def test_a_home_that_cannot_be_written_is_named(server: KaggleServer) -> None:
    Path("file").touch()
    done = in_a_fresh_process("download", HOME=str(Path("file").resolve()))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"houseprices: the kaggle client cannot write into {Path('file').resolve()}/.config/kaggle; set "
        "KAGGLE_CONFIG_DIR to a folder that it can\n"
    )
    assert server.calls == []


def test_without_credentials_the_client_is_not_even_imported(server: KaggleServer) -> None:
    script = (
        "import sys, houseprices.cli as cli\n"
        "try:\n    cli.main(['download'])\n"
        "except SystemExit as end:\n    print(end.code, 'kaggle' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "KAGGLE_API_TOKEN"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "1 False\n"
    assert "no Kaggle credentials found" in done.stderr
    assert server.calls == []


def test_debug_shows_a_traceback_without_the_token(server: KaggleServer) -> None:
    server.faults["DownloadDataFiles"] = [status(404, f"not with {TOKEN}")]
    done = in_a_fresh_process("download", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


# ---- signing in ----


@pytest.mark.usefixtures("server")
def test_credentials_are_found_in_the_clients_order(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path.home() / ".kaggle"
    folder.mkdir()
    (folder / "kaggle.json").write_text(json.dumps({"username": "from-file", "key": "key-from-file"}))
    (folder / "access_token").write_text("token-from-file")
    (folder / "credentials.json").write_text("{}")
    assert find_credentials() == [
        Credential("token", "KAGGLE_API_TOKEN", TOKEN),
        Credential("key", str(folder / "kaggle.json"), "key-from-file", "from-file"),
        Credential("oauth", str(folder / "credentials.json")),
    ]
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    assert find_credentials()[:2] == [
        Credential("token", str(folder / "access_token"), "token-from-file"),
        Credential("key", str(folder / "kaggle.json"), "key-from-file", USERNAME),
    ]
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    assert find_credentials()[1] == Credential("key", "KAGGLE_USERNAME and KAGGLE_KEY", KEY, USERNAME)
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(folder / "access_token"))
    assert find_credentials()[0].secret == "token-from-file"
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", "elsewhere")
    monkeypatch.delenv("KAGGLE_KEY")
    assert [credential.kind for credential in find_credentials()] == ["token", "oauth"]


def test_a_credential_does_not_show_its_secret() -> None:
    assert KEY not in repr(Credential("key", "somewhere", KEY, USERNAME))


def test_an_oauth_file_of_the_clients_own_works(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    folder = Path.home() / ".kaggle"
    folder.mkdir()
    content = {
        "refresh_token": "refresh",
        "access_token": TOKEN,
        "access_token_expiration": "2999-01-01T00:00:00+00:00",
        "username": USERNAME,
    }
    (folder / "credentials.json").write_text(json.dumps(content))
    assert houseprices("download").exit_code == 0
    assert server.calls == ["DownloadDataFiles", "Storage"]


# ---- patience ----


def test_a_passing_failure_is_tried_again_and_a_lasting_one_is_not_for_ever(server: KaggleServer) -> None:
    kaggle = Kaggle(HURRIED)
    server.faults["GetCompetition"] = [status(429), drop]
    assert kaggle.check_may_submit() == 9
    server.faults["GetCompetition"] = [page(503)] * 99
    server.calls.clear()
    with pytest.raises(LostError, match="server failed"):
        kaggle.check_may_submit()
    assert len(server.calls) == 1 + HURRIED.n_retries


@pytest.mark.parametrize("fault", [status(429), page(503), drop])
def test_create_submission_is_sent_once_whatever_comes(server: KaggleServer, tmp_path: Path, fault: object) -> None:
    server.faults["CreateSubmission"] = [fault] * 9
    (tmp_path / "mine.csv").write_text("Id,SalePrice\n")
    with pytest.raises(KaggleError):
        Kaggle(HURRIED).submit(tmp_path / "mine.csv", "message", on_uploaded=lambda: None)
    assert server.calls.count("CreateSubmission") == 1


def test_a_refusal_that_will_not_pass_is_not_tried_again(server: KaggleServer) -> None:
    server.faults["GetCompetition"] = [status(403, "no")] * 9
    with pytest.raises(RefusedError):
        Kaggle(HURRIED).check_may_submit()
    assert server.calls.count("GetCompetition") == 1


def test_a_server_that_echoes_the_header_gives_no_key_away(server: KaggleServer, with_key: None) -> None:
    told = base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
    server.faults["GetCompetition"] = [status(403, f"bad header: Basic {told}, or {KEY}")]
    with pytest.raises(RefusedError) as error:
        Kaggle(HURRIED).check_may_submit()
    everything = "\n".join(traceback.format_exception(error.value))
    assert "bad header: Basic ***, or ***" in everything
    assert told not in everything
    assert KEY not in everything


@pytest.mark.parametrize("token", ["two\nlines", "two words", "wörd"])
def test_a_credential_that_no_header_can_carry_is_refused_before_it_is_used(
    server: KaggleServer, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    with pytest.raises(KaggleError, match="the credentials from KAGGLE_API_TOKEN hold characters that no") as error:
        Kaggle(HURRIED)
    assert token not in "\n".join(traceback.format_exception(error.value))
    assert server.calls == []


def test_a_user_without_a_home_is_told_how_to_sign_in(server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # nobody knows this user
    with pytest.raises(KaggleError, match="no Kaggle credentials found"):
        find_credentials()


# ---- words ----


def test_messages_differ_and_hold_one_line() -> None:
    assert unique_message("a\nb").startswith("a b [")
    assert unique_message("a") != unique_message("a")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.SSLError("certificate verify failed"), "no trusted connection to Kaggle"),
        (requests.ConnectTimeout("http://user:passw0rd@host"), "did not answer in time"),
        (requests.ConnectionError("http://user:passw0rd@host"), "no connection to Kaggle; check the network"),
        (requests.exceptions.InvalidHeader("Bearer passw0rd"), "hold characters that no header can carry"),
        (OSError(28, "No space left on device", "archive.zip"), "archive.zip: No space left on device"),
        (KeyError("passw0rd"), "the kaggle client failed (KeyError)"),
    ],
)
def test_every_failure_of_the_client_is_one_line_without_its_own_text(error: Exception, words: str) -> None:
    text = str(explain(error, "KAGGLE_API_TOKEN"))
    assert words in text
    assert "\n" not in text
    assert "passw0rd" not in text
