"""`houseprices download` against the stand-in: what the user sees, and what is on disk."""

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from kaggle_fixtures import HURRIED, Command
from kaggle_server import (
    KEY,
    TOKEN,
    USERNAME,
    KaggleServer,
    cut,
    drip,
    drop,
    page,
    stall,
    status,
    zip_of,
)

from houseprices.kaggle.archive import unpack

RAW = Path("data/raw")
ALL_FILES = ["data_description.txt", "sample_submission.csv", "test.csv", "train.csv"]


def on_disk() -> list[str]:
    """Every file under data, hidden ones too; the folder itself is gone if nothing came."""
    return sorted(str(path.relative_to(RAW)) for path in RAW.rglob("*")) if RAW.exists() else []


# ---- it works ----


def test_files_come_checked_and_a_repeat_does_nothing(server: KaggleServer, houseprices: Command) -> None:
    done = houseprices("download")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == f"data/raw: {', '.join(ALL_FILES)}, checked\n"
    assert on_disk() == ALL_FILES
    assert {name: (RAW / name).read_bytes() for name in ALL_FILES} == server.files
    n_calls = len(server.calls)
    again = houseprices("download")
    assert (again.exit_code, again.err) == (0, "")
    assert again.out == "data/raw: train.csv and test.csv are there; nothing to do\n"
    assert len(server.calls) == n_calls


def test_credentials_do_not_follow_the_redirect_to_storage(server: KaggleServer, houseprices: Command) -> None:
    assert houseprices("download").exit_code == 0
    assert server.authorizations[server.calls.index("DownloadDataFiles")] == f"Bearer {TOKEN}"
    assert server.authorizations[server.calls.index("Storage")] == ""


def test_mirror_needs_no_credentials(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    done = houseprices("download", "--source", "mirror", "--to", "elsewhere")
    assert (done.exit_code, done.err) == (0, "")
    assert sorted(path.name for path in Path("elsewhere").iterdir()) == ["test.csv", "train.csv"]
    assert server.calls == ["Mirror", "Mirror"]


def test_republished_files_are_taken_with_a_warning_that_names_both_checksums(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"train.csv": "1" * 64, "test.csv": "2" * 64}
    monkeypatch.setattr("houseprices.kaggle.download.KAGGLE_SHA256", known)
    done = houseprices("download")
    assert done.exit_code == 0
    assert done.err.count("warning") == 2
    assert "1" * 64 in done.err
    assert "may have published it anew" in done.err
    assert on_disk() == ALL_FILES
    again = houseprices("download")
    assert again.exit_code == 0
    assert "was left as it is" in again.err
    assert server.calls.count("DownloadDataFiles") == 1


def test_a_lone_file_of_the_users_is_not_overwritten(server: KaggleServer, houseprices: Command) -> None:
    RAW.mkdir(parents=True)
    (RAW / "train.csv").write_text("mine")
    done = houseprices("download")
    assert done.exit_code == 1
    assert done.err == "houseprices: data/raw/train.csv is there with other content; move it away and try again\n"
    assert on_disk() == ["train.csv"]
    assert (RAW / "train.csv").read_text() == "mine"


# ---- credentials ----


def test_without_credentials_four_ways_are_named_and_no_page_of_help(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    done = houseprices("download")
    assert (done.exit_code, done.out) == (1, "")
    lines = done.err.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("houseprices: no Kaggle credentials found")
    for way in ("KAGGLE_API_TOKEN", "kaggle.json", "KAGGLE_USERNAME", "make download SOURCE=mirror"):
        assert way in done.err
    assert server.calls == []
    assert not Path("data").exists()


@pytest.mark.usefixtures("with_key")
def test_a_wrong_key_is_named_by_its_place(
    houseprices: Command, monkeypatch: pytest.MonkeyPatch, server: KaggleServer
) -> None:
    monkeypatch.setenv("KAGGLE_KEY", "wrong")
    done = houseprices("download")
    assert (done.exit_code, done.out) == (1, "")
    assert done.err == (
        "houseprices: Kaggle rejected the credentials from KAGGLE_USERNAME and KAGGLE_KEY (401) (Unauthenticated); "
        "make new ones at https://www.kaggle.com/settings\n"
    )
    assert server.calls == ["DownloadDataFiles"]
    assert not Path("data").exists()


def test_a_stale_token_is_named_by_its_place(houseprices: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "stale")
    done = houseprices("download")
    assert done.exit_code == 1
    assert done.err == "houseprices: Kaggle rejected the credentials from KAGGLE_API_TOKEN; make new ones\n"


def test_a_stale_token_beside_a_good_key_does_not_spoil_it(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "stale")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    assert houseprices("download").exit_code == 0
    assert server.authorizations[1].startswith("Basic ")


def test_a_line_end_after_the_token_does_no_harm(houseprices: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN + "\n")
    assert houseprices("download").exit_code == 0


def test_token_files_are_found_and_an_empty_one_does_not_block(
    houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path.home() / ".kaggle"
    folder.mkdir()
    Path("empty").touch()
    monkeypatch.setenv("KAGGLE_API_TOKEN", "empty")
    (folder / "access_token").write_text(TOKEN + "\n")
    assert houseprices("download").exit_code == 0


@pytest.mark.parametrize("place", [".kaggle", ".config/kaggle"])
def test_kaggle_json_is_found(houseprices: Command, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    folder = Path.home() / place
    folder.mkdir(parents=True)
    (folder / "kaggle.json").write_text(f'{{"username": "{USERNAME}", "key": "{KEY}"}}')
    assert houseprices("download").exit_code == 0


def test_a_broken_kaggle_json_is_named(houseprices: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    folder = Path.home() / ".kaggle"
    folder.mkdir()
    (folder / "kaggle.json").write_text("{")
    done = houseprices("download")
    assert done.exit_code == 1
    assert done.err == (
        f'houseprices: {folder}/kaggle.json: not as Kaggle gives it; accepted: {{"username": ..., "key": ...}}\n'
    )


@pytest.mark.parametrize("code", [401, 429, 500])
def test_a_failing_check_of_the_token_is_one_line(server: KaggleServer, houseprices: Command, code: int) -> None:
    server.faults["IntrospectToken"] = [status(code, f"token {TOKEN} is not welcome")] * 5
    done = houseprices("download")
    assert done.exit_code == 1
    assert len(done.err.splitlines()) == 1
    assert f"({code})" in done.err
    assert "***" in done.err


# ---- Kaggle refuses ----


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        pytest.param(
            status(403, "You must accept this competition's rules before you'll be able to download files."),
            "the competition's rules are not accepted (You must accept this competition's rules before you'll be able "
            "to download files.); open https://www.kaggle.com/competitions/"
            "house-prices-advanced-regression-techniques/rules, accept them",
            id="rules, flat",
        ),
        pytest.param(
            status(403, "Permission 'competitions.participate' was denied", nested=True),
            "the competition's rules are not accepted (Permission 'competitions.participate' was denied); open "
            "https://www.kaggle.com/competitions/house-prices-advanced-regression-techniques/rules, accept them",
            id="rules, nested",
        ),
        pytest.param(
            status(404, "Not found"),
            "Kaggle shows this account no competition 'house-prices-advanced-regression-techniques' (404) (Not found); "
            "see https://www.kaggle.com/competitions/house-prices-advanced-regression-techniques",
            id="unknown competition",
        ),
        pytest.param(
            status(403, "Permission 'competitions.get' was denied", nested=True),
            "Kaggle shows this account no competition 'house-prices-advanced-regression-techniques' (403) (Permission "
            "'competitions.get' was denied); see "
            "https://www.kaggle.com/competitions/house-prices-advanced-regression-techniques",
            id="no permission",
        ),
        pytest.param(
            status(429, "Too many requests", headers={"Retry-After": "3600"}),
            "Kaggle asks to slow down (429) (Too many requests); Retry-After says 3600 s; wait some minutes and try "
            "again",
            id="429",
        ),
        pytest.param(page(500), "Kaggle's server failed (500); try again later", id="500 with a page"),
        pytest.param(
            drop,
            "no connection to Kaggle through the proxy in HTTP_PROXY or HTTPS_PROXY; check both and try again",
            id="closed",
        ),
        pytest.param(
            page(500, "", "application/json"),
            "the answer is not Kaggle's (no valid JSON); is a proxy or a sign-in page in between? Try again later",
            id="declared JSON, empty",
        ),
        pytest.param(
            page(200, "{", "application/json"),
            "the answer is not Kaggle's (no valid JSON); is a proxy or a sign-in page in between? Try again later",
            id="declared JSON, invalid",
        ),
        pytest.param(
            page(200),
            "a web page came instead of the archive; is a proxy or a sign-in page in between?",
            id="page with 200",
        ),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(
    server: KaggleServer, houseprices: Command, fault: object, line: str
) -> None:
    server.faults["DownloadDataFiles"] = [fault] * 9
    done = houseprices("download")
    assert (done.exit_code, done.out, done.err) == (1, "", f"houseprices: {line}\n")
    assert not Path("data").exists()


def test_429_then_success(server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("houseprices.http.time.sleep", pauses.append)
    server.faults["DownloadDataFiles"] = [status(429, headers={"Retry-After": "3600"}), status(503)]
    assert houseprices("download").exit_code == 0
    assert max(pauses) == HURRIED.longest_backoff_s
    assert server.calls.count("DownloadDataFiles") == 3


def test_nobody_listens(houseprices: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:passw0rd@127.0.0.1:9")
    done = houseprices("download")
    assert done.exit_code == 1
    assert done.err == (
        "houseprices: no connection to Kaggle through the proxy in HTTP_PROXY or HTTPS_PROXY; check both and try "
        "again\n"
    )


def test_a_stalled_server_ends_by_our_timeout(server: KaggleServer, houseprices: Command, patience: object) -> None:
    patience(read_s=0.1, n_retries=1)
    server.faults["IntrospectToken"] = [stall] * 2
    done = houseprices("download")
    assert (done.exit_code, done.err) == (1, "houseprices: Kaggle did not answer in time; try again later\n")
    assert not Path("data").exists()


def test_an_unwritable_folder_is_named(server: KaggleServer, houseprices: Command) -> None:
    Path("data").touch()
    done = houseprices("download")
    assert done.exit_code == 1
    assert done.err == "houseprices: data/raw: Not a directory; accepted: a folder that can be written\n"


# ---- what came is broken ----


def test_a_transfer_that_breaks_off_once_is_started_again(server: KaggleServer, houseprices: Command) -> None:
    server.faults["Storage"] = [cut(0.5)]
    assert houseprices("download").exit_code == 0
    assert on_disk() == ALL_FILES


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        pytest.param(cut(0.5), "the transfer broke off after", id="cut"),
        pytest.param(cut(0.5, declare_length=False), "the archive is damaged or no zip", id="cut, length unknown"),
        pytest.param(cut(0, declare_length=False), "the archive is damaged or no zip", id="empty"),
        pytest.param(status(416, "Range Not Satisfiable"), "Kaggle refused (416) (Range Not Satisfiable)", id="416"),
        pytest.param(status(403, "expired"), "Kaggle refused (403) (expired)", id="storage refuses"),
    ],
)
def test_a_broken_transfer_leaves_nothing(server: KaggleServer, houseprices: Command, fault: object, line: str) -> None:
    server.faults["Storage"] = [fault] * 9
    done = houseprices("download")
    assert done.exit_code == 1
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith(f"houseprices: {line}")
    assert not Path("data").exists()


def test_a_transfer_that_trickles_ends_by_the_deadline(
    server: KaggleServer, houseprices: Command, patience: object
) -> None:
    patience(body_s=0.2, n_retries=0)
    server.archive = os.urandom(1_000_000)
    server.faults["Storage"] = [drip]
    done = houseprices("download")
    assert done.err == "houseprices: the file did not come within 0.2 s; nothing was kept\n"
    assert not Path("data").exists()


def with_flipped_byte(archive: bytes) -> bytes:
    middle = len(archive) // 2
    return archive[:middle] + bytes([archive[middle] ^ 0xFF]) + archive[middle + 1 :]


def with_directory_beyond_the_file(archive: bytes) -> bytes:
    """The first file is said to stand before the beginning: to seek there is an OSError."""
    end = archive.rindex(b"PK\x05\x06")
    start = int.from_bytes(archive[end + 16 : end + 20], "little")
    return archive[: end + 16] + (start + 10**6).to_bytes(4, "little") + archive[end + 20 :]


@pytest.mark.parametrize(
    ("archive", "line"),
    [
        (zip_of({"train.csv": bytes(200_000_000)}), "the archive unpacks to 200 MB, more than 50; refused"),
        (with_flipped_byte(zip_of({"train.csv": os.urandom(1000)})), "the archive is damaged"),
        (zip_of({"train.csv": b"Id\n"}), "the archive has no test.csv; nothing was kept"),
        (zip_of({}), "the archive has no train.csv and no test.csv; nothing was kept"),
        (with_directory_beyond_the_file(zip_of({"train.csv": b"Id"})), "the archive is damaged"),
        (b"PK\x03\x04 nothing else", "the archive is damaged or no zip; nothing was kept; try again"),
    ],
    ids=["bomb", "damaged", "one file", "no file", "place outside", "no zip"],
)
def test_a_bad_archive_is_refused_whole(
    server: KaggleServer, houseprices: Command, archive: bytes, line: str, tmp_path: Path
) -> None:
    server.archive = archive
    before = sorted(tmp_path.rglob("*.csv"))
    done = houseprices("download")
    assert done.exit_code == 1
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith(f"houseprices: {line}")
    assert not Path("data").exists()
    assert sorted(tmp_path.rglob("*.csv")) == before


def hostile_archive(files: dict[str, bytes]) -> bytes:
    """Names that lead elsewhere, a link, a bomb and a damaged file beside the wanted ones."""
    stream = io.BytesIO(zip_of({**files, "damaged.csv": bytes(range(256))}))
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../up.csv", "/etc/absolute.csv", "a\\..\\..\\back.csv", "folder/train.csv", "C:\\drive.csv"):
            archive.writestr(name, b"x")
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.csv", bytes(200_000_000))
        damaged = archive.getinfo("damaged.csv").header_offset + 40
    content = bytearray(stream.getvalue())
    content[damaged + 5] ^= 0xFF
    return bytes(content)


def test_a_name_that_is_not_wanted_never_becomes_a_file(
    server: KaggleServer, houseprices: Command, tmp_path: Path
) -> None:
    server.archive = hostile_archive(server.files)
    before = set(tmp_path.rglob("*"))
    assert houseprices("download").exit_code == 0
    assert {name: (RAW / name).read_bytes() for name in on_disk()} == server.files
    assert set(tmp_path.rglob("*")) - before == {RAW.parent.resolve(), RAW.resolve(), *map(Path.resolve, RAW.iterdir())}


def test_a_link_under_a_wanted_name_is_no_link_on_disk(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        link = zipfile.ZipInfo("train.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert unpack(tmp_path / "archive.zip", tmp_path, ["train.csv"]) == ["train.csv"]
    assert not (tmp_path / "train.csv").is_symlink()
    assert (tmp_path / "train.csv").read_text() == "/etc/passwd"


def test_an_endless_archive_is_cut_short(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("houseprices.kaggle.client.LARGEST_ARCHIVE_BYTES", 1_000_000)
    server.archive = bytes(1_100_000)
    done = houseprices("download")
    assert done.err == "houseprices: the file is larger than 1 MB; nothing was kept\n"
    assert server.calls.count("Storage") == 1
    assert not Path("data").exists()


def test_a_bomb_that_lies_about_its_size_is_refused(server: KaggleServer, houseprices: Command) -> None:
    honest = zip_of({"train.csv": bytes(100_000_000)})
    server.archive = honest.replace((100_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    done = houseprices("download")
    assert done.exit_code == 1
    assert done.err.startswith("houseprices: the archive is damaged")
    assert not Path("data").exists()


def test_a_damaged_archive_is_refused(server: KaggleServer, houseprices: Command) -> None:
    server.archive = with_flipped_byte(server.archive_bytes())
    done = houseprices("download")
    assert done.exit_code == 1
    assert done.err.startswith("houseprices: the archive is damaged")
    assert not Path("data").exists()


def test_another_competitions_file_is_named_by_its_first_fault(server: KaggleServer, houseprices: Command) -> None:
    server.files["train.csv"] = b"PassengerId,Survived\n1,0\n"
    done = houseprices("download")
    assert done.exit_code == 1
    assert done.err.startswith(
        "houseprices: the files from kaggle are not House Prices': train.csv: 79 of the 79 features are missing (MSSub"
    )
    assert done.err.endswith("; nothing was kept\n")
    assert not Path("data").exists()


# ---- the mirror ----


def test_a_changed_file_on_the_mirror_is_refused(server: KaggleServer, houseprices: Command) -> None:
    server.mirror["kaggle_house_pred_test.csv"] += b"\n"
    done = houseprices("download", "--source", "mirror")
    assert done.exit_code == 1
    assert len(done.err.splitlines()) == 1
    assert "SHA1" in done.err
    assert "somebody changed it; nothing was kept" in done.err
    assert not Path("data").exists()


def test_sha256_decides_too(server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"train.csv": "1" * 64, "test.csv": "2" * 64}
    monkeypatch.setattr("houseprices.kaggle.download.KAGGLE_SHA256", known)
    done = houseprices("download", "--source", "mirror")
    assert done.exit_code == 1
    assert "SHA256" in done.err
    assert "2" * 64 in done.err


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (drop, "no answer from the mirror"),
        (status(404), "the mirror answered 404"),
        (stall, "no answer from the mirror"),
        (cut(0.5), "the transfer broke off"),
    ],
    ids=["closed", "404", "stalled", "cut"],
)
def test_a_failing_mirror_is_one_line(
    server: KaggleServer, houseprices: Command, patience: object, fault: object, words: str
) -> None:
    patience(read_s=0.2, n_retries=1)
    server.faults["Mirror"] = [fault] * 9
    done = houseprices("download", "--source", "mirror")
    assert done.exit_code == 1
    assert len(done.err.splitlines()) == 1
    assert words in done.err
    assert "kaggle_house_pred_test.csv" in done.err
    assert not Path("data").exists()


def test_an_unknown_source_is_wrong_usage(houseprices: Command) -> None:
    done = houseprices("download", "--source", "ftp")
    assert done.exit_code == 2
    assert "mirror" in done.out + done.err
