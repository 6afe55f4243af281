"""Stops commands at random moments, and looks at what they leave: `make attack`.

After each: run folders are whole or absent, no process of the command lives on, the ledger has what Kaggle has, the
next command works and leaves no hidden file. Linux alone: it looks into /proc.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from attack.bad_input import make_good
from kaggle_fixtures import make_raw_files, write_run
from kaggle_server import TOKEN, KaggleServer, kaggle_server

from houseprices.kaggle.ledger import read_ledger
from houseprices.runs.read import read_run
from houseprices.selection.experiments import read_looks
from houseprices.selection.search_journal import open_journal

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_PARTS = 20


def _nothing(_place: Path) -> None:
    """Leaves nothing that could be half done."""


def _run_is_whole(place: Path) -> None:
    if (place / "runs" / "new").exists():
        read_run(place / "runs" / "new")


def _prices_are_whole(place: Path) -> None:
    file, houses = place / "prices.csv", place / "data" / "test.csv"
    if file.exists():
        assert [row[0] for row in csv.reader(file.open())] == [row[0] for row in csv.reader(houses.open())]


def _looks_are_whole(place: Path) -> None:
    if (place / "docs").exists():
        read_looks(place / "docs" / "experiments.csv")


def _files_are_whole(place: Path) -> None:
    for name in ("train.csv", "test.csv"):
        file = place / "fetched" / name
        assert not file.exists() or file.read_bytes() == (place / "data" / name).read_bytes()


def _trials_are_whole(place: Path) -> None:
    if (place / "search" / "journal-predictions").exists():
        with open_journal(place / "search" / "journal", {}, to_read=True) as journal:
            journal.finished()


@dataclass(frozen=True)
class Command:
    """A command to be stopped.

    Attributes:
        arguments: of houseprices, in a place as `make_place` makes it.
        check: raises where what it leaves is half done.
        fresh: what is removed before it is given again.
        refusal: what it may say then, because the first one did its work.
    """

    arguments: list[str]
    check: Callable[[Path], None] = _nothing
    fresh: str = ""
    refusal: str = ""


SETTINGS = ["--data", "data", "--config", "config.toml"]
# Whoever adds a command that writes adds a line.
COMMANDS: dict[str, Command] = {
    "cv": Command(["cv", *SETTINGS, "--run", "runs/new"], _run_is_whole, fresh="runs/new"),
    "compare": Command(["compare", *SETTINGS, "--models.tiny.dropout", "0.3"], _looks_are_whole),
    "tune": Command(
        ["tune", *SETTINGS, "--space", "space.toml", "--trials", "10", "--storage", "search/journal"], _trials_are_whole
    ),
    "report": Command(["report", "--run", "runs/old"]),
    "verify": Command(["verify", "--run", "runs/old"]),
    "predict": Command(
        ["predict", "--run", "runs/old", "--input", "data/test.csv", "--output", "prices.csv"], _prices_are_whole
    ),
    "download": Command(["download", "--to", "fetched"], _files_are_whole),
    "submit": Command(["submit", "--run", "runs/first"], refusal="these very prices were submitted"),
    "sample": Command(["sample", "--rows", "400", "--test-rows", "400", "--to", "town"]),
}


@contextmanager
def running(place: Path, environment: dict[str, str], arguments: list[str], **how: Any) -> Iterator[Any]:
    """The command, the first of a process group of its own, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "houseprices", *arguments],
        cwd=place, env={**os.environ, **environment}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def group_lives(group: int) -> bool:
    """Whether a process of the group lives; a dead one that nobody has asked about does not."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of_group = (process / "stat").read_text().rpartition(") ")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of_group) == group and state not in "ZX":
            return True
    return False


def make_place(folder: Path) -> Path:
    """Data, settings, a finished run, and one to be submitted: to be copied for each attack."""
    good, place = make_good(folder), folder / "place"
    (place / "data" / "raw").mkdir(parents=True)
    for name in ("train.csv", "test.csv"):
        shutil.copy(good.data / name, place / "data")
    shutil.copy(good.config, place / "config.toml")
    (place / "space.toml").write_text("dropout = { low = 0.1, high = 0.5 }\n")
    shutil.copytree(good.run, place / "runs" / "old")
    before = Path.cwd()
    os.chdir(place)
    write_run(Path("runs/first"))
    os.chdir(before)
    for name, content in make_raw_files().items():
        (place / "data" / "raw" / name).write_bytes(content)
    return place


@contextmanager
def workplace(template: Path) -> Iterator[tuple[Path, KaggleServer, dict[str, str]]]:
    """A copy of the place, with a stand-in for Kaggle whose archive comes slowly, and what leads there."""
    with tempfile.TemporaryDirectory() as name, kaggle_server() as server:
        place = Path(shutil.copytree(template, Path(name) / "place", symlinks=True))
        server.files = {file: (place / "data" / file).read_bytes() for file in ("train.csv", "test.csv")}
        server.faults["Storage"] = [_slowly] * 2
        yield place, server, {**server.environment, "KAGGLE_API_TOKEN": TOKEN, "HOME": name}


def _slowly(handler: Any, _body: bytes) -> None:
    whole = handler.server.kaggle.archive_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(whole)))
    handler.end_headers()
    size = len(whole) // _PARTS + 1
    with suppress(OSError):
        for start in range(0, len(whole), size):
            handler.wfile.write(whole[start : start + size])
            time.sleep(0.02)


def hidden_in(place: Path) -> list[str]:
    """What is hidden there, but for locks."""
    return [str(path) for path in place.rglob(".*") if path.suffix != ".lock" and path.name != ".lock"]


def traceback_in(told: str) -> bool:
    """Whether a command ended in one; before its first line Python tells of Ctrl-C in its own way."""
    return "Traceback" in told and 'File "<frozen' not in told and "houseprices/cli/__init__" not in told


def stop_once(name: str, template: Path, rng: random.Random, seconds: float) -> list[str]:
    """Stop the command once, within so many seconds; return what gave way."""
    gave_way, command = [], COMMANDS[name]
    number, moment, whole_group = rng.choice(SIGNALS), rng.uniform(0.1, seconds), rng.random() < 0.5
    with workplace(template) as (place, server, environment):
        with running(place, environment, command.arguments) as process:
            try:
                process.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                (os.killpg if whole_group else os.kill)(process.pid, number)
                _, told = process.communicate()
                if traceback_in(told):
                    gave_way.append(f"traceback: {told[-300:]}")
            end = time.monotonic() + 10
            while group_lives(process.pid) and time.monotonic() < end:
                time.sleep(0.02)
            if group_lives(process.pid):
                gave_way.append("a process lives on")
        gave_way += left_by(name, place, server)
        if command.fresh:
            shutil.rmtree(place / command.fresh, ignore_errors=True)
        with running(place, environment, command.arguments) as again:
            _, told = again.communicate()
        if again.returncode != 0 and not (command.refusal and command.refusal in told):
            gave_way.append(f"the next command: {told[-300:]}")
        gave_way += left_by(name, place, server)
        if len(server.submissions) > 1:
            gave_way.append("submitted twice")
        gave_way += [f"left over: {one}" for one in hidden_in(place)]
    return [f"{signal.Signals(number).name} after {moment:.2f} s: {one}" for one in gave_way]


def left_by(name: str, place: Path, server: KaggleServer) -> list[str]:
    """What is half done, and what was accepted and is not in the ledger exactly once."""
    gave_way = []
    try:
        COMMANDS[name].check(place)
        read_run(place / "runs" / "old")
    except Exception as error:
        gave_way.append(f"half done: {error}")
    noted = Counter(entry.message for entry in read_ledger(place / "submissions" / "ledger.jsonl"))
    accepted = [one["description"] for one in server.submissions]
    return gave_way + [f"{noted[one]} times in the ledger: {one}" for one in accepted if noted[one] != 1]


@dataclass
class _Count:
    """How often each command is to be stopped, was stopped, and gave way; the threads share it."""

    most: float
    end: float
    rng: random.Random
    stopped: Counter[str] = field(default_factory=Counter)
    gave_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> tuple[str, random.Random] | None:
        with self.lock:
            if self.stopped.total() >= self.most or time.monotonic() > self.end:
                return None
            name = min(COMMANDS, key=lambda one: self.stopped[one])
            self.stopped[name] += 1
            return name, random.Random(self.rng.random())


def main() -> None:
    """Attack for so many seconds, or so many times; exit 1 if anything gave way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--stops", type=float, default=float("inf"), help="at most so many, all commands together")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", choices=COMMANDS, help="one command alone")
    options, _ = parser.parse_known_args()
    if options.command:
        for other in set(COMMANDS) - {options.command}:
            del COMMANDS[other]
    with tempfile.TemporaryDirectory() as folder:
        template, usual = make_place(Path(folder)), {}
        for name, command in COMMANDS.items():  # how long it takes undisturbed
            with workplace(template) as (place, _, environment):
                begin = time.monotonic()
                with running(place, environment, command.arguments) as process:
                    _, told = process.communicate()
                usual[name] = time.monotonic() - begin
                assert process.returncode == 0, f"{name}: {told}"
        print("undisturbed:", ", ".join(f"{name} {seconds:.1f} s" for name, seconds in usual.items()), flush=True)
        begin = time.monotonic()
        count = _Count(options.stops, begin + options.seconds, random.Random(options.seed))

        def attack() -> None:
            while task := count.next():
                name, rng = task
                found = stop_once(name, template, rng, 1.1 * usual[name])
                with count.lock:
                    count.gave_way += bool(found)
                    for one in found:
                        print(f"{name}: {one}", flush=True)

        with ThreadPoolExecutor(options.at_once) as threads:
            for one in [threads.submit(attack) for _ in range(options.at_once)]:
                one.result()
    seconds = time.monotonic() - begin
    print(f"stopped {count.stopped.total()}, {dict(count.stopped)}, in {seconds:.0f} s; {count.gave_way} gave way")
    sys.exit(count.gave_way > 0)


if __name__ == "__main__":
    main()
