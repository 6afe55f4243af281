"""The client: what its import does, which credentials it takes, how often it tries, and how it fails."""

import os
import subprocess
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path

import pytest
import requests
from kaggle_fixtures import N_RETRIES, Command
from kaggle_server import BASIC, KEY, TOKEN, USERNAME, KaggleServer, drop, status

from houseprices.errors import KaggleError
from houseprices.kaggle import client
from houseprices.kaggle.client import Kaggle, patient_session
from houseprices.kaggle.ledger import Entry
from houseprices.kaggle.refusals import LostError, RefusedError, explain

URL = "http://mirror.example/train.csv"


def in_fresh_process(*tokens: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start the command line as a user does; the client's import cannot be undone in this process."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "houseprices", *tokens],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


# ---- the import ----


def test_import_is_silent_and_sends_nothing_of_its_own_and_debugging_does_not_show_the_token(
    server: KaggleServer,
) -> None:
    done = in_fresh_process("download", VERBOSE="1", VERBOSE_OUTPUT="yes")
    assert done.returncode == 0
    assert server.calls == ["IntrospectToken", "DownloadDataFiles", "Storage"]
    assert done.stdout == "data/raw: data_description.txt, sample_submission.csv, test.csv, train.csv, checked\n"
    # In that process the known checksums are those of the real files.
    assert all(line.startswith("houseprices: warning: ") for line in done.stderr.splitlines())
    assert TOKEN not in done.stdout + done.stderr
    server.faults["DownloadDataFiles"] = [status(404, f"not with {TOKEN}")]
    done = in_fresh_process("download", "--to", "elsewhere", "--debug", VERBOSE="1")
    assert "Traceback" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_home_that_cannot_be_written_is_named(server: KaggleServer) -> None:
    Path("file").touch()
    done = in_fresh_process("download", HOME=str(Path("file").resolve()))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert f"{Path('file').resolve()}/.config" in done.stderr
    assert "KAGGLE_CONFIG_DIR" in done.stderr
    assert server.calls == []


# ---- credentials ----


def test_without_credentials_the_ways_to_get_some_are_named_and_nothing_is_sent(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    done = houseprices("download")
    assert (done.exit_code, done.out) == (1, "")
    assert done.err.startswith("houseprices: no Kaggle credentials found")
    for way in ("KAGGLE_API_TOKEN", "kaggle.json", "KAGGLE_USERNAME", "make download SOURCE=mirror"):
        assert way in done.err
    assert server.calls == []
    assert not Path("data").exists()


def write_credentials(name: str, text: str) -> None:
    (Path.home() / ".kaggle" / name).write_text(text)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("", TOKEN + "\n"),
        ("access_token", TOKEN + "\n"),
        ("kaggle.json", f'{{"username": "{USERNAME}", "key": "{KEY}"}}'),
        (
            "credentials.json",
            f'{{"refresh_token": "r", "access_token": "{TOKEN}", "username": "{USERNAME}", '
            '"access_token_expiration": "2999-01-01T00:00:00+00:00"}',
        ),
    ],
)
def test_variable_and_each_file_with_credentials_sign_in(
    houseprices: Command, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    if file:
        monkeypatch.delenv("KAGGLE_API_TOKEN")
        write_credentials(file, text)
    else:
        monkeypatch.setenv("KAGGLE_API_TOKEN", text)
    assert houseprices("download").exit_code == 0


def test_stale_token_beside_a_good_key_gives_way_to_it_and_a_server_that_echoes_the_key_gives_none_away(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "stale")
    assert houseprices("download").exit_code == 0
    assert server.authorizations[1] == BASIC
    server.faults["GetCompetition"] = [status(403, f"bad header: {BASIC}, or {KEY}")]
    with pytest.raises(RefusedError) as error:
        Kaggle().check_may_submit()
    text = "\n".join(traceback.format_exception(error.value))
    assert "bad header: Basic ***, or ***" in text
    assert not any(secret in text for secret in (BASIC, KEY))


MISPLACED = "a token (KGAT_...) stands where a key belongs"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TOKEN, MISPLACED),
        (f'{{"username": "{USERNAME}", "key": "{TOKEN}"}}', MISPLACED),
        ("{", "kaggle.json: not as Kaggle gives it; accepted: "),
    ],
)
def test_token_in_kaggle_json_says_where_it_belongs_and_a_broken_file_is_named(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    write_credentials("kaggle.json", text)
    assert words in houseprices("download").error
    assert server.calls == []


def test_rejected_token_and_rejected_key_are_one_line_each(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "stale")
    assert houseprices("download").error.startswith("Kaggle rejected the token")
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", "wrong")
    assert houseprices("download").error.startswith("Kaggle rejected the credentials (401) (Unauthenticated)")
    assert not Path("data").exists()


@pytest.mark.parametrize("token", ["two\nlines", "two words", "wörd"])
def test_token_that_no_header_can_carry_is_refused_before_it_is_used(
    server: KaggleServer, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    with pytest.raises(KaggleError, match="characters that no header can carry") as error:
        Kaggle()
    assert token not in "\n".join(traceback.format_exception(error.value))
    assert server.calls == []


# ---- patience ----


@pytest.mark.parametrize("code", [0, 429, 500, 502, 503, 504, 400, 403, 404])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_failure_that_may_pass_is_tried_again_a_bounded_number_of_times_and_a_refusal_is_not(
    server: KaggleServer, method: str, code: int
) -> None:
    fault, n_retries = status(code) if code else drop, N_RETRIES if code in (0, 429) or code >= 500 else 0
    server.mirror["train.csv"] = b"Id\n"
    server.faults["Mirror"] = [fault] * n_retries
    assert patient_session().request(method, URL, data=b"x").status_code == 200
    server.faults["Mirror"] = [fault] * 9
    server.calls.clear()
    with nullcontext() if code else pytest.raises(requests.ConnectionError):
        assert patient_session().request(method, URL, data=b"x").status_code == code
    assert len(server.calls) == 1 + n_retries


def test_no_wait_is_longer_than_half_a_minute_whatever_the_server_asks_for(
    server: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setattr(client, "RETRY", client.RETRY.new(total=7, backoff_factor=1))
    server.faults["Mirror"] = [status(503, headers={"Retry-After": "3600"})] * 99
    assert patient_session().get(URL).status_code == 503
    assert waits == [2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.SSLError("certificate verify failed"), "no trusted connection to Kaggle"),
        (requests.ConnectTimeout("http://user:passw0rd@host"), "no connection to Kaggle, or no answer in time"),
        (requests.exceptions.ProxyError("http://user:passw0rd@host"), "through the proxy in HTTP_PROXY"),
        (OSError(28, "No space left on device", "access_token"), "access_token: No space left on device"),
    ],
)
def test_failure_of_the_network_is_one_line_without_its_own_text(error: OSError, words: str) -> None:
    text = str(explain(error))
    assert words in text
    assert "\n" not in text
    assert "passw0rd" not in text


def test_exception_that_nobody_expects_is_one_line(server: KaggleServer) -> None:
    server.submissions = [{"ref": 1, "status": "BREWING"}]
    server.script = [{}]
    with pytest.raises(LostError, match=r"the kaggle client failed \(KeyError\)"):
        Kaggle().look_up(Entry("2026-01-01T12:00:00Z", "x.csv", "0" * 64, None, None, "message", ref=1))
