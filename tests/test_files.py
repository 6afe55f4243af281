"""What is written appears whole or not at all, in place of what stood there; checksums and JSON."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from houseprices.errors import DataError, HousePricesError, LedgerError, RunError
from houseprices.files import Failure, read_json, replacing, sha256_of, write_json

pytestmark = pytest.mark.usefixtures("place")


def everything() -> dict[str, str | None]:
    """Each path in the working folder with its content, None for a folder; hidden ones too."""
    return {str(path): path.read_text() if path.is_file() else None for path in sorted(Path().rglob("*"))}


@pytest.fixture
def before(place: Path) -> dict[str, str | None]:
    """A file, a folder with a file, and a link, each to be replaced."""
    Path("file").write_text("old file")
    Path("folder").mkdir()
    Path("folder/inside").write_text("old inside")
    Path("link").symlink_to("file")
    return everything()


def write(fresh: Path) -> None:
    """A folder or a file, as the target's name says."""
    if fresh.name.endswith("folder"):
        fresh.mkdir()
        (fresh / "inside").write_text("new")
    else:
        fresh.write_text("new")


def put(*names: str, then: Callable[[Path], object] = lambda _fresh: None, error: Failure = RunError) -> None:
    """Write all targets, and do something before they take their places."""
    with replacing(*map(Path, names), error=error) as staged:
        for fresh in staged:
            write(fresh)
        then(staged[-1])


def raising(failure: BaseException) -> Callable[[Path], object]:
    def fail(_fresh: Path) -> None:
        raise failure

    return fail


# ---- whole ----


@pytest.mark.parametrize(
    "names",
    [["file"], ["new file"], ["folder"], ["new folder"], ["file", "folder", "new folder", "new file"], ["a/b/file"]],
    ids=str,
)
def test_all_targets_take_their_places_and_nothing_else_is_left(
    before: dict[str, str | None], names: list[str]
) -> None:
    targets = [Path(name) for name in names]
    with replacing(*targets) as staged:
        for fresh, target in zip(staged, targets, strict=True):
            assert fresh.name == target.name
            write(fresh)
        (staged[0].parent / "scratch").write_text("scratch")
    made = {str(parent): None for target in targets for parent in target.parents if str(parent) != "."}
    written = {
        name: content
        for target in targets
        for name, content in (
            {str(target): None, f"{target}/inside": "new"} if "folder" in target.name else {str(target): "new"}
        ).items()
    }
    # The link shows what stands in the file that it leads to.
    shown = {"link": "new"} if "file" in names else {}
    assert everything() == before | made | written | shown


def test_what_stands_there_stays_until_the_block_ends(before: dict[str, str | None]) -> None:
    with replacing(Path("file"), Path("folder")) as staged:
        for fresh in staged:
            write(fresh)
        assert everything().items() >= before.items()


def test_a_link_is_replaced_itself_and_what_it_leads_to_stays(before: dict[str, str | None]) -> None:
    with replacing(Path("link")) as (fresh,):
        fresh.symlink_to("folder")
    assert os.readlink("link") == "folder"
    assert Path("file").read_text() == "old file"


def test_a_target_that_was_not_written_stays_as_it_was(before: dict[str, str | None]) -> None:
    with replacing(Path("file"), Path("folder"), Path("other")) as (_, _, other):
        other.write_text("new")
    assert everything() == before | {"other": "new"}


def test_new_files_and_folders_have_the_permissions_of_any_other(place: Path) -> None:
    Path("any").mkdir()
    (Path("any") / "file").touch()
    with replacing(Path("folder")) as (fresh,):
        write(fresh)
    for one, other in (("folder", "any"), ("folder/inside", "any/file")):
        assert Path(one).stat().st_mode == Path(other).stat().st_mode


# ---- or not at all ----


@pytest.mark.parametrize("failure", [ValueError("no"), DataError("no"), KeyboardInterrupt(), SystemExit(1)])
@pytest.mark.parametrize("names", [["file", "folder"], ["a/b/file"]], ids=str)
def test_an_exception_in_the_block_passes_and_leaves_all_as_it_was(
    before: dict[str, str | None], failure: BaseException, names: list[str]
) -> None:
    with pytest.raises(type(failure)) as caught:
        put(*names, then=raising(failure))
    assert caught.value is failure
    assert everything() == before


@pytest.mark.parametrize("error", [RunError, LedgerError, DataError])
def test_an_os_error_in_the_block_becomes_the_callers_and_leaves_all_as_it_was(
    before: dict[str, str | None], error: type[HousePricesError]
) -> None:
    with pytest.raises(error, match=r"^file: No space left on device; nothing was written$"):
        put("file", then=raising(OSError(errno.ENOSPC, "No space left on device")), error=error)
    assert everything() == before


def test_an_os_error_names_the_file_as_it_would_have_been_called(before: dict[str, str | None]) -> None:
    with pytest.raises(RunError, match=r"^folder/a/b: No such file or directory; nothing was written$"):
        put("folder", then=lambda fresh: (fresh / "a" / "b").write_text("x"))
    with pytest.raises(RunError, match=r"^elsewhere: No such file or directory; nothing was written$"):
        put("folder", then=lambda _fresh: Path("elsewhere").read_text())
    assert everything() == before


@pytest.mark.parametrize("order", [["file", "folder", "new", "wrong"], ["wrong", "file"], ["new", "wrong", "folder"]])
def test_a_move_that_fails_undoes_those_before_it(before: dict[str, str | None], order: list[str]) -> None:
    Path("wrong").mkdir()
    Path("wrong/inside").write_text("a folder, which no file may replace")
    stood = everything()
    with pytest.raises(RunError, match=r"^wrong: .*; nothing was written$"):
        put(*order)
    assert everything() == stood


@pytest.mark.parametrize("targets", [["file/new"], ["file/new", "file/other"], ["file/a/b"]], ids=str)
def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    before: dict[str, str | None], targets: list[str]
) -> None:
    named = targets[0] if len(targets) == 1 else "file"
    with (
        pytest.raises(DataError, match=f"^{named}: Not a directory; accepted: a folder that can be written$"),
        replacing(*map(Path, targets), error=DataError),
    ):
        pytest.fail("the work began")
    assert everything() == before


def test_a_target_without_a_name_is_refused(before: dict[str, str | None]) -> None:
    with pytest.raises(RunError, match=r"^\.: has no name of its own; accepted: "), replacing(Path()):
        pytest.fail("the work began")
    assert everything() == before


def test_a_durable_file_is_on_the_disk_before_it_is_in_its_place(
    before: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(RunError, match=r"^file: Input/output error"), replacing(Path("file"), durable=True) as (fresh,):
        write(fresh)
    assert everything() == before


# ---- what a killed process left ----

HOLD = """
import sys, time
from pathlib import Path
from houseprices.files import replacing
with replacing(Path("file"), Path("folder")) as (file, folder):
    file.write_text("half")
    print(flush=True)
    time.sleep(60)
"""


@contextmanager
def writing() -> Iterator[subprocess.Popen[str]]:
    """Another process that is about to replace file and folder; killed at the end of the block."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_what_a_killed_process_left_is_cleared_away_and_the_work_of_a_living_one_is_not(
    before: dict[str, str | None],
) -> None:
    with writing():
        put("new")
        (living,) = Path().glob(".*")
    put("new")
    assert not living.exists()
    assert everything() == before | {"new": "new"}


def test_what_a_killed_process_had_moved_aside_stands_again(before: dict[str, str | None]) -> None:
    with writing():
        (hidden,) = Path().glob(".*")
        Path("folder").rename(hidden / "old" / "folder")
    put("new")
    assert everything() == before | {"new": "new"}


def test_a_hidden_folder_of_somebody_else_stays(before: dict[str, str | None]) -> None:
    for name in (".mine.partial", ".file.abcdefgh.partial"):
        Path(name).mkdir()
        (Path(name) / "mine").write_text("mine")
    Path(".file.hgfedcba.partial").symlink_to("folder")
    stood = everything()
    put("file")
    assert everything() == stood | {"file": "new", "link": "new"}


# ---- checksums and JSON ----


def test_checksums_are_those_of_the_bytes(place: Path) -> None:
    Path("file").write_bytes(b"abc")
    assert sha256_of(Path("file")).startswith("ba7816bf8f01cfea")


def test_json_comes_back_as_it_was_written(place: Path) -> None:
    content = {"number": 0.1, "text": "ä", "nested": {"list": [1, None]}}
    for indent in (2, None):
        write_json(Path("file"), content, indent)
        assert read_json(Path("file"), RunError, "a run") == content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"{", "no JSON (Expecting property name"),
        (b"\xff", "no JSON ('utf-8' codec"),
        (b"[1]", "no JSON object"),
    ],
)
def test_what_is_no_json_object_is_the_callers_error(place: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        Path("file").write_bytes(content)
    with pytest.raises(LedgerError) as caught:
        read_json(Path("file"), LedgerError, "a ledger")
    assert str(caught.value).startswith(f"file: {words}")
    assert str(caught.value).endswith("; accepted: a ledger")
