"""Stops commands at random moments, and looks at what they leave: `make attack`.

After each: run folders are whole or absent, no process of the command lives on, the ledger has what Kaggle has, the
next command works and leaves no hidden file. Linux alone: it looks into /proc.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from attack.bad_input import Good, make_good
from kaggle_fixtures import write_run
from kaggle_server import TOKEN, KaggleServer, kaggle_server

from houseprices.kaggle.ledger import read_ledger
from houseprices.runs.read import read_run

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COMMANDS: dict[str, list[str]] = {
    "cv": ["cv", "--data", "data", "--config", "config.toml", "--run", "runs/new"],
    "report": ["report", "--run", "runs/old"],
    "predict": ["predict", "--run", "runs/old", "--input", "data/test.csv", "--output", "prices.csv"],
    "sample": ["sample", "--rows", "400", "--test-rows", "400", "--to", "town"],
    "submit": ["submit", "--run", "runs/first"],
}


@contextmanager
def running(place: Path, environment: dict[str, str], command: str) -> Iterator[subprocess.Popen[str]]:
    """The command, the first of a process group of its own, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "houseprices", *COMMANDS[command]],
        cwd=place, env={**os.environ, **environment}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
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


def workplace(folder: Path, good: Good) -> Path:
    """Data, settings, a finished run, and one to be submitted."""
    place = folder / "place"
    shutil.rmtree(place, ignore_errors=True)
    (place / "data" / "raw").mkdir(parents=True)
    for name in ("train.csv", "test.csv"):
        shutil.copy(good.data / name, place / "data")
    shutil.copy(good.config, place / "config.toml")
    shutil.copytree(good.run, place / "runs" / "old")
    before = Path.cwd()
    os.chdir(place)
    write_run(Path("runs/first"))
    os.chdir(before)
    lines = ["Id,MSSubClass", *(f"{house},20" for house in range(61, 101))]
    (place / "data" / "raw" / "test.csv").write_text("\n".join(lines) + "\n")
    return place


def hidden_in(place: Path) -> list[str]:
    """What is hidden there, but for the ledger's lock."""
    return [str(path) for path in place.rglob(".*") if path.name != ".ledger.jsonl.lock"]


def faults(command: str, place: Path, server: KaggleServer, rng: random.Random, seconds: float) -> list[str]:
    """Stop the command once, within so many seconds; return what gave way."""
    gave_way = []
    number, moment = rng.choice(SIGNALS), rng.uniform(0.1, seconds)
    settings = {**server.environment, "KAGGLE_API_TOKEN": TOKEN, "HOME": str(place)}
    with running(place, settings, command) as process:
        try:
            process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            (os.killpg if rng.random() < 0.5 else os.kill)(process.pid, number)
            _, told = process.communicate()
            # Before the program's first line Python tells of Ctrl-C in its own way.
            if "Traceback" in told and 'File "<frozen' not in told and "houseprices/cli/__init__" not in told:
                gave_way.append(f"traceback: {told[-300:]}")
        end = time.monotonic() + 10
        while group_lives(process.pid) and time.monotonic() < end:
            time.sleep(0.02)
        if group_lives(process.pid):
            gave_way.append("a process lives on")
    if (place / "runs" / "new").exists():
        read_run(place / "runs" / "new")
    read_run(place / "runs" / "old")
    noted = {entry.message for entry in read_ledger(place / "submissions" / "ledger.jsonl")}
    lost = [one["description"] for one in server.submissions if one["description"] not in noted]
    gave_way += [f"not in the ledger: {one}" for one in lost]
    shutil.rmtree(place / "runs" / "new", ignore_errors=True)
    with running(place, settings, command) as again:
        _, told = again.communicate()
    if again.returncode != 0 and "this very file was submitted" not in told:
        gave_way.append(f"the next command: {told[-300:]}")
    if len(server.submissions) > 1:
        gave_way.append("submitted twice")
    gave_way += [f"left over: {one}" for one in hidden_in(place)]
    return [f"{signal.Signals(number).name} after {moment:.2f} s: {one}" for one in gave_way]


def main() -> None:
    """Attack for so many seconds; exit 1 if anything gave way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, counts, gave_way = random.Random(options.seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as name, kaggle_server() as first:
        folder, environment = Path(name), first.environment
        (folder / "good").mkdir()
        good, usual = make_good(folder / "good"), {}
        for command in COMMANDS:  # how long it takes undisturbed
            begin = time.monotonic()
            with running(workplace(folder, good), {**environment, "KAGGLE_API_TOKEN": TOKEN}, command) as process:
                process.communicate()
            usual[command] = time.monotonic() - begin
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            command = min(COMMANDS, key=lambda one: counts[one])
            with kaggle_server() as server:
                found = faults(command, workplace(folder, good), server, rng, 1.2 * usual[command])
            counts[command] += 1
            gave_way += bool(found)
            for one in found or ["held"]:
                print(f"{command}: {one}", flush=True)
    print(f"stopped {dict(counts)}; {gave_way} gave way")
    sys.exit(gave_way > 0)


if __name__ == "__main__":
    main()
