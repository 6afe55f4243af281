"""`houseprices download --dataset fashion-mnist` against the stand-in."""

import gzip
import hashlib
from pathlib import Path

import pytest
from kaggle_fixtures import Command
from kaggle_server import KaggleServer, drop, status

from houseprices.lessons.fashion_mnist import MD5

FOLDER = Path("data/fashion-mnist")


@pytest.fixture
def files(server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small files on the mirror, whose MD5 are the known ones."""
    files = {name: gzip.compress(name.encode(), mtime=0) for name in MD5}
    known = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr("houseprices.lessons.fashion_mnist.MD5", known)
    server.mirror = dict(files)
    return files


def on_disk() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in FOLDER.iterdir()} if FOLDER.exists() else {}


def test_files_come_checked_without_credentials_and_a_repeat_does_nothing(
    server: KaggleServer, houseprices: Command, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    done = houseprices("download", "--dataset", "fashion-mnist")
    assert (done.exit_code, done.err) == (0, "")
    assert on_disk() == files
    again = houseprices("download", "--dataset", "fashion-mnist")
    assert again.out == "data/fashion-mnist: Fashion-MNIST is there; nothing to do\n"
    assert server.calls == ["Mirror"] * 4


def test_only_what_is_missing_is_fetched(server: KaggleServer, houseprices: Command, files: dict[str, bytes]) -> None:
    FOLDER.mkdir(parents=True)
    first = next(iter(files))
    (FOLDER / first).write_bytes(files[first])
    assert houseprices("download", "--dataset", "fashion-mnist").exit_code == 0
    assert on_disk() == files
    assert len(server.calls) == 3


@pytest.mark.parametrize("fault", [drop, status(404)], ids=["closed", "404"])
def test_a_failing_server_leaves_nothing_behind(
    server: KaggleServer, houseprices: Command, files: dict[str, bytes], fault: object
) -> None:
    server.mirror.pop(list(files)[-1])  # the last file fails, after the others have come
    server.faults["Mirror"] = []
    done = houseprices("download", "--dataset", "fashion-mnist")
    assert (done.exit_code, len(done.err.splitlines())) == (1, 1)
    assert not Path("data").exists()
    server.faults["Mirror"] = [fault] * 9
    done = houseprices("download", "--dataset", "fashion-mnist")
    assert (done.exit_code, len(done.err.splitlines())) == (1, 1)
    assert not Path("data").exists()


def test_a_changed_file_is_refused(server: KaggleServer, houseprices: Command, files: dict[str, bytes]) -> None:
    server.mirror[list(files)[1]] += b"!"
    done = houseprices("download", "--dataset", "fashion-mnist")
    assert done.exit_code == 1
    assert "MD5" in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("data").exists()


def test_a_file_of_the_users_is_not_overwritten(
    server: KaggleServer, houseprices: Command, files: dict[str, bytes]
) -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / next(iter(files))).write_text("mine")
    done = houseprices("download", "--dataset", "fashion-mnist")
    assert done.exit_code == 1
    assert "is there with other content" in done.err
    assert on_disk() == {next(iter(files)): b"mine"}
    assert server.calls == []


def test_a_source_of_the_houses_is_wrong_usage(houseprices: Command) -> None:
    done = houseprices("download", "--dataset", "fashion-mnist", "--source", "mirror")
    assert (done.exit_code, len(done.err.splitlines())) == (2, 1)
