"""Requests are tried again while a failure may pass, a bounded number of times and with bounded waits."""

import hashlib
import io
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
import urllib3
from kaggle_fixtures import HURRIED
from kaggle_server import Fault, KaggleServer, drop, stall, status

from houseprices.errors import DownloadError
from houseprices.http import BrokenTransferError, Patience, fetch_file, patient_session, save_body
from houseprices.progress import Notice, Progress

URL = "http://mirror.example/train.csv"
CONTENT = b"Id\n" * 1000


@pytest.fixture
def mirror(server: KaggleServer) -> KaggleServer:
    server.mirror = {"train.csv": CONTENT}
    return server


def get(patience: Patience = HURRIED) -> requests.Response:
    with patient_session(patience) as session:
        return session.get(URL)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_status_that_passes_is_tried_again_and_one_that_stays_is_the_answer(mirror: KaggleServer, code: int) -> None:
    mirror.faults["Mirror"] = [status(code)] * HURRIED.n_retries
    assert get().content == CONTENT
    mirror.faults["Mirror"] = [status(code)] * 99
    mirror.calls.clear()
    assert get().status_code == code
    assert len(mirror.calls) == 1 + HURRIED.n_retries


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_refusal_is_not_tried_again(mirror: KaggleServer, code: int) -> None:
    mirror.faults["Mirror"] = [status(code)] * 9
    assert get().status_code == code
    assert len(mirror.calls) == 1


@pytest.mark.parametrize("fault", [drop, status(503)], ids=["closed", "503"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_failure_that_passes_is_tried_again_whatever_the_method(
    mirror: KaggleServer, method: str, fault: Fault
) -> None:
    mirror.faults["Mirror"] = [fault] * HURRIED.n_retries
    with patient_session(HURRIED) as session:
        assert session.request(method, URL, data=b"x").status_code == 200


@pytest.mark.parametrize("n_retries", [0, 1])
def test_a_server_that_never_answers_is_a_timeout(mirror: KaggleServer, n_retries: int) -> None:
    mirror.faults["Mirror"] = [stall] * 9
    start = time.monotonic()
    with pytest.raises(requests.Timeout):
        get(replace(HURRIED, read_s=0.1, n_retries=n_retries))
    assert time.monotonic() - start < 5
    assert len(mirror.calls) == 1 + n_retries


@pytest.mark.parametrize(
    ("retry_after", "longest_s"),
    [
        ("7", 7.0),
        ("3600", 30.0),
        ("9" * 5000, 30.0),
        ("soon", 30.0),
        (formatdate(time.time() + 3600, usegmt=True), 30.0),
    ],
    ids=["seconds", "an hour", "no number", "no date", "a date"],
)
def test_no_wait_is_longer_than_promised_whatever_the_server_asks_for(
    mirror: KaggleServer, monkeypatch: pytest.MonkeyPatch, retry_after: str, longest_s: float
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    mirror.faults["Mirror"] = [status(503, headers={"Retry-After": retry_after})] * 99
    patience = Patience(n_retries=9)
    assert get(patience).status_code == 503
    assert len(mirror.calls) == 10
    assert max(waits) == longest_s


def test_without_retry_after_the_waits_double(mirror: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    mirror.faults["Mirror"] = [status(500)] * 99
    assert get(Patience(n_retries=7)).status_code == 500
    assert waits == [2, 4, 8, 16, 30, 30]


def test_a_fetched_file_is_whole_and_the_bytes_are_told_as_they_come(mirror: KaggleServer, tmp_path: Path) -> None:
    told: list[Progress | Notice] = []
    file, known = tmp_path / "file.csv", {"md5": hashlib.md5(CONTENT).hexdigest()}
    with patient_session(HURRIED) as session:
        fetch_file(session, URL, file, HURRIED, limit_bytes=len(CONTENT), checksums=known, notify=told.append)
    assert file.read_bytes() == CONTENT
    assert told[-1] == Progress("downloading file.csv", len(CONTENT), len(CONTENT), in_bytes=True)


def test_a_body_that_ends_before_its_declared_length_is_broken_whoever_sent_it(tmp_path: Path) -> None:
    """Not every library between here and the server counts."""
    response = requests.Response()
    response.headers["Content-Length"] = "8"
    response.raw = urllib3.HTTPResponse(io.BytesIO(b"half"), preload_content=False)
    with pytest.raises(BrokenTransferError, match=r"^4 of 8 bytes came; nothing was kept$"):
        save_body(response, tmp_path / "file", HURRIED, limit_bytes=100)


@pytest.mark.parametrize(
    ("limit_bytes", "md5", "words"),
    [
        (len(CONTENT) - 1, "", "the file is larger than"),
        (len(CONTENT), "0" * 32, "MD5 [0-9a-f]{32}, not the known 0{32}"),
    ],
)
def test_a_file_that_is_too_large_or_another_is_refused(
    mirror: KaggleServer, tmp_path: Path, limit_bytes: int, md5: str, words: str
) -> None:
    with patient_session(HURRIED) as session, pytest.raises(DownloadError, match=words):
        fetch_file(session, URL, tmp_path / "file", HURRIED, limit_bytes=limit_bytes, checksums={"md5": md5})
