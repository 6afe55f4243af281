"""`houseprices download` against the stand-in: the files on disk and the line that the user sees."""

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from kaggle_fixtures import Command
from kaggle_server import TOKEN, Fault, KaggleServer, cut, drop, page, stall, status, zip_of

from houseprices.kaggle import client

RAW = Path("data/raw")
ALL_FILES = ["data_description.txt", "sample_submission.csv", "test.csv", "train.csv"]


def test_files_come_checked_credentials_stay_with_kaggle_and_a_repeat_does_nothing(
    server: KaggleServer, houseprices: Command
) -> None:
    done = houseprices("download")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == f"data/raw: {', '.join(ALL_FILES)}, checked\n"
    assert {path.name: path.read_bytes() for path in RAW.iterdir()} == server.files
    sent = dict(zip(server.calls, server.authorizations, strict=True))
    assert (sent["DownloadDataFiles"], sent["Storage"]) == (f"Bearer {TOKEN}", "")
    n_calls = len(server.calls)
    again = houseprices("download")
    assert (again.exit_code, again.err) == (0, "")
    assert again.out == "data/raw: train.csv and test.csv are there; nothing to do\n"
    assert len(server.calls) == n_calls


def test_republished_files_are_kept_with_a_warning_that_names_both_checksums(
    houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"train.csv": "1" * 64, "test.csv": "2" * 64}
    monkeypatch.setattr("houseprices.kaggle.download.KAGGLE_SHA256", known)
    done = houseprices("download")
    assert (done.exit_code, done.err.count("warning")) == (0, 2)
    assert "1" * 64 in done.err
    assert "was left as it is" in houseprices("download").err


def test_lone_file_of_the_users_is_not_overwritten_and_a_file_in_place_of_the_folder_is_named(
    houseprices: Command,
) -> None:
    RAW.mkdir(parents=True)
    (RAW / "train.csv").write_text("mine")
    assert houseprices("download").error.startswith("data/raw/train.csv is there with other content")
    assert [(path.name, path.read_text()) for path in RAW.iterdir()] == [("train.csv", "mine")]
    Path("file").touch()
    error = houseprices("download", "--to", "file/raw").error
    assert error == "file/raw: Not a directory; accepted: a folder that can be written"


RULES = "the competition's rules are not accepted"
NO_COMPETITION = "Kaggle shows this account no competition 'house-prices-advanced-regression-techniques'"
NO_JSON = "the answer is not Kaggle's (no valid JSON)"


@pytest.mark.parametrize(
    ("call", "fault", "line"),
    [
        ("DownloadDataFiles", status(403, "You must accept the rules."), f"{RULES} (You must accept the rules.); acc"),
        ("DownloadDataFiles", status(403, "'competitions.participate' was denied", nested=True), RULES),
        ("DownloadDataFiles", status(403, "'competitions.get' was denied", nested=True), NO_COMPETITION),
        ("DownloadDataFiles", status(404, "No"), NO_COMPETITION),
        ("DownloadDataFiles", status(429, "Too many"), "Kaggle asks to slow down (429) (Too many); wait"),
        ("DownloadDataFiles", page(500), "Kaggle's server failed (500); try again later"),
        ("DownloadDataFiles", drop, "no connection to Kaggle through the proxy in HTTP_PROXY"),
        ("DownloadDataFiles", page(200, "{", "application/json"), NO_JSON),
        ("DownloadDataFiles", page(500, "", "application/json"), NO_JSON),
        ("DownloadDataFiles", page(200), "a web page came instead of the archive"),
        ("IntrospectToken", status(401, f"{TOKEN} is wrong"), "Kaggle rejected the credentials (401) (*** is wrong)"),
        ("Storage", cut(0.5), "no connection to Kaggle, or no answer in time"),
        ("Storage", cut(0.5, declare_length=False), "the archive is damaged or no zip"),
        ("Storage", cut(0, declare_length=False), "the archive is damaged or no zip"),
        ("Storage", status(403, "expired"), "Kaggle refused (403) (expired)"),
    ],
)
def test_failure_is_one_line_and_leaves_nothing(
    server: KaggleServer, houseprices: Command, call: str, fault: Fault, line: str
) -> None:
    server.faults[call] = [fault] * 9
    assert houseprices("download").error.startswith(line)
    assert not Path("data").exists()


# ---- the archive ----


def with_flipped_byte(archive: bytes) -> bytes:
    middle = len(archive) // 2
    return archive[:middle] + bytes([archive[middle] ^ 0xFF]) + archive[middle + 1 :]


@pytest.mark.parametrize(
    ("archive", "line"),
    [
        (zip_of({"train.csv": bytes(200_000_000)}), "the archive unpacks to 200 MB, more than 50; refused"),
        (
            zip_of({"train.csv": bytes(10**8)}).replace((10**8).to_bytes(4, "little"), (999).to_bytes(4, "little")),
            "the archive is damaged",
        ),
        (with_flipped_byte(zip_of({"train.csv": os.urandom(1000)})), "the archive is damaged"),
        (zip_of({"train.csv": b"Id\n"}), "the archive has no test.csv; nothing was kept"),
        (zip_of({}), "the archive has no train.csv and no test.csv; nothing was kept"),
        (b"PK\x03\x04 nothing else", "the archive is damaged or no zip; nothing was kept; try again"),
        (
            zip_of({"train.csv": b"PassengerId\n1\n", "test.csv": b""}),
            "the files from kaggle are not House Prices': tra",
        ),
    ],
    ids=["bomb", "bomb that lies", "damaged", "one file", "no file", "no zip", "other competition"],
)
def test_bad_archive_is_refused_whole(server: KaggleServer, houseprices: Command, archive: bytes, line: str) -> None:
    server.archive = archive
    assert houseprices("download").error.startswith(line)
    assert not Path("data").exists()


def test_name_that_is_not_wanted_never_becomes_a_file_and_a_link_is_no_link(
    server: KaggleServer, houseprices: Command, tmp_path: Path
) -> None:
    stream = io.BytesIO(zip_of({name: text for name, text in server.files.items() if name != "data_description.txt"}))
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../up.csv", "/etc/absolute.csv", "a\\..\\..\\back.csv", "folder/train.csv", "C:\\drive.csv"):
            archive.writestr(name, b"x")
        archive.writestr("bomb.csv", bytes(200_000_000))
        link = zipfile.ZipInfo("data_description.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    server.archive = stream.getvalue()
    before = set(tmp_path.rglob("*"))
    assert houseprices("download").exit_code == 0
    new = set(tmp_path.rglob("*")) - before
    assert new == {RAW.parent.resolve(), RAW.resolve(), *(RAW.resolve() / name for name in ALL_FILES)}
    assert not (RAW / "data_description.txt").is_symlink()


# ---- the mirror ----


def test_mirror_needs_no_credentials(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    done = houseprices("download", "--source", "mirror", "--to", "elsewhere")
    assert (done.exit_code, done.err) == (0, "")
    assert sorted(path.name for path in Path("elsewhere").iterdir()) == ["test.csv", "train.csv"]
    assert server.calls == ["Mirror", "Mirror"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [(None, "SHA256"), (status(404), "answered 404"), *((fault, "no answer") for fault in (drop, stall, cut(0.5)))],
)
def test_failing_mirror_is_one_line_and_leaves_nothing(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch, fault: Fault | None, words: str
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_S", (5, 0.2))
    server.mirror["kaggle_house_pred_test.csv"] += b"\n"
    server.faults["Mirror"] = [fault] * 9 if fault else []
    error = houseprices("download", "--source", "mirror").error
    assert words in error
    assert "kaggle_house_pred_t" in error
    assert not Path("data").exists()
