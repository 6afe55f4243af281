"""Kill commands that write, fill the disk under them, forbid writing, and run two at once; then check what is left.

After each fault every file is whole or absent, no process of the command lives on, the ledger has each accepted
submission once, and the same command works again and leaves no hidden file. Linux only: it reads /proc.
"""

import argparse
import csv
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from kaggle_server import TOKEN, KaggleServer, kaggle_server

from houseprices.kaggle.ledger import read_ledger
from houseprices.runs.read import read_run

COMMANDS = {
    "cv": "--config config.toml --run runs/new",
    "predict": "--run old --input data/raw/test.csv --output prices.csv",
    "report": "--run old",
    "explain": "--run old --id 1",
    "submit": "--run old",
    "sample": "--rows 400 --test-rows 400 --to town",
    "download": "--to fetched",
    "compare": "--config config.toml --models.tiny.dropout 0.3",
    "tune": "--config config.toml --space space.toml --trials 6 --storage search/journal",
    "ablate": "--run old",
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_NOBODY = 65534
_LARGEST_BYTES = 500
"""Size beyond which no file grows on the full disk."""
_SETTINGS = """device = "cpu"
[folds]
n_folds = 3
n_repeats = 1
[models.tiny]
hidden = [4]
epochs = 2
"""


@dataclass(frozen=True)
class Place:
    """A working folder with data, settings and a finished run, and a stand-in for Kaggle."""

    folder: Path
    server: KaggleServer
    environment: dict[str, str]

    @contextmanager
    def running(self, command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """Start the command in a process group of its own, which ends with the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", "houseprices", command, *COMMANDS[command].split()],
            cwd=self.folder, env={**os.environ, **self.environment}, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def run(self, command: str, **options: Any) -> tuple[int, str]:
        """Run the command to its end; return its exit code and stderr."""
        with self.running(command, **options) as process:
            _, stderr = process.communicate()
        return process.returncode, stderr


def make_place(folder: Path) -> Path:
    """Make the working folder, to be copied for each fault."""
    place = folder / "place"
    (place / "data" / "raw").mkdir(parents=True)
    (place / "config.toml").write_text(_SETTINGS)
    (place / "space.toml").write_text("dropout = { low = 0.1, high = 0.5 }\n")
    for arguments in ("sample --rows 40 --test-rows 12 --to ../town", "cv --config config.toml --run runs/old"):
        subprocess.run([sys.executable, "-m", "houseprices", *arguments.split()], cwd=place, check=True)
        for name in ("train.csv", "test.csv"):  # without the note that they are synthetic, which cannot be submitted
            shutil.copy(folder / "town" / name, place / "data" / "raw" / name)
    return place


@contextmanager
def workplace(template: Path) -> Iterator[Place]:
    """Copy the working folder; Kaggle's archive comes slowly, so that a download can be killed."""
    with tempfile.TemporaryDirectory() as name, kaggle_server() as server:
        place = Path(shutil.copytree(template, Path(name) / "place", symlinks=True))
        server.files = {file: (place / "data" / "raw" / file).read_bytes() for file in ("train.csv", "test.csv")}
        server.faults["Storage"] = [_slowly] * 2
        yield Place(place, server, {**server.environment, "KAGGLE_API_TOKEN": TOKEN, "HOME": name})


def _slowly(handler: Any, _body: bytes) -> None:
    archive = handler.server.kaggle.archive_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(archive)))
    handler.end_headers()
    size = len(archive) // 20 + 1
    with suppress(OSError):
        for start in range(0, len(archive), size):
            handler.wfile.write(archive[start : start + size])
            time.sleep(0.02)


def broken_files(place: Place) -> list[str]:
    """List the files that are half written, runs that cannot be read, and wrong lines of the ledger."""
    broken = []
    for file in sorted(place.folder.rglob("*")):
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(place.folder).parts):
            try:
                _check_whole(file)
            except Exception as error:
                broken.append(f"{file.name} is half written: {error!r}")
    noted = Counter(entry.message for entry in read_ledger(place.folder / "submissions" / "ledger.jsonl"))
    accepted = [submission["description"] for submission in place.server.submissions]
    broken += [f"{noted[message]} times in the ledger: {message}" for message in accepted if noted[message] != 1]
    return broken + ["submitted twice"] * (len(accepted) > 1)


def _check_whole(file: Path) -> None:
    match file.suffix:
        case ".json":
            json.loads(file.read_text("utf-8"))
            if file.name == "manifest.json":
                read_run(file.parent)
        case ".jsonl":
            for line in file.read_text("utf-8").splitlines():
                json.loads(line)
        case ".csv":
            with file.open(newline="", encoding="utf-8") as stream:
                assert len({len(row) for row in csv.reader(stream)}) == 1, "rows of several lengths, or none"
        case ".html":
            assert file.read_text("utf-8").rstrip().endswith(">"), "it does not end"
        case ".npz" | ".npy":
            np.load(file)


def hidden_files(place: Place) -> list[str]:
    """List the hidden files in the folder, but for locks."""
    return [f"left over: {path.name}" for path in place.folder.rglob(".*") if not path.name.endswith(".lock")]


def group_lives(group: int) -> bool:
    """Return True if a process of the group lives; a zombie does not."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, of_group = (process / "stat").read_text().rpartition(") ")[2].split()[:3]
            if int(of_group) == group and state not in "ZX":
                return True
    return False


def ended_badly(exit_code: int, stderr: str) -> list[str]:
    """List faults of a command's end: a traceback, or a failure without its line."""
    if "Traceback" in stderr or exit_code not in (0, 1) or (exit_code == 1 and "houseprices: " not in stderr):
        return [f"exit {exit_code}: {stderr[-300:]}"]
    return []


def repeated(place: Place, command: str) -> list[str]:
    """Repeat the command; list what fails or is left over."""
    shutil.rmtree(place.folder / "runs" / "new", ignore_errors=True)  # cv refuses to write a run twice
    exit_code, stderr = place.run(command)
    failed = exit_code != 0 and not (command == "submit" and "submitted" in stderr)
    return [f"repeated: {stderr[-300:]}"] * failed + broken_files(place) + hidden_files(place)


def kill(place: Place, command: str, rng: random.Random, seconds: float) -> list[str]:
    """Kill the command, or its whole process group, at a random moment of its usual seconds."""
    number, moment, whole_group = rng.choice(SIGNALS), rng.uniform(0.1, 1.1 * seconds), rng.random() < 0.5
    faults = []
    with place.running(command) as process:
        try:
            process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            (os.killpg if whole_group else os.kill)(process.pid, number)
            _, stderr = process.communicate()
            # Before our first line Python ends Ctrl-C in its own way.
            if "Traceback" in stderr and 'File "<frozen' not in stderr and "houseprices/cli/__init__" not in stderr:
                faults.append(f"traceback: {stderr[-300:]}")
        end = time.monotonic() + 10
        while group_lives(process.pid) and time.monotonic() < end:
            time.sleep(0.02)
        faults += ["a process lives on"] * group_lives(process.pid)
    faults += broken_files(place) + repeated(place, command)
    return [f"{signal.Signals(number).name} after {moment:.2f} of {seconds:.2f} s: {fault}" for fault in faults]


def full_disk(place: Place, command: str, _rng: random.Random, _seconds: float) -> list[str]:
    """Let no file grow beyond some bytes, as `ulimit -f` does."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_BYTES, _LARGEST_BYTES))

    return ended_badly(*place.run(command, preexec_fn=limit)) + broken_files(place) + repeated(place, command)


def read_only(place: Place, command: str, _rng: random.Random, _seconds: float) -> list[str]:
    """Run as a user who may read the folder and write nothing in it."""
    paths = [place.folder, *(path for path in place.folder.rglob("*") if not path.is_symlink())]
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    home = place.folder.with_name("home")
    home.mkdir()
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        place.folder.parent.chmod(0o755)
        os.chown(home, _NOBODY, _NOBODY)
        user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    environment = place.environment | {"HOME": str(home), "NUMBA_CACHE_DIR": str(home)}
    faults = ended_badly(*Place(place.folder, place.server, environment).run(command, **user))
    changed = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()} != before
    for path in paths:
        path.chmod(0o755)
    return faults + broken_files(place) + ["something was written"] * changed


def two_at_once(place: Place, command: str, _rng: random.Random, _seconds: float) -> list[str]:
    """Run the command twice at the same time: both work, or one says that the other does."""
    with ExitStack() as stack:
        processes = [stack.enter_context(place.running(command)) for _ in range(2)]
        ends = [(process.communicate()[1], process.returncode) for process in processes]
    faults = [fault for stderr, exit_code in ends for fault in ended_badly(exit_code, stderr)]
    faults += [f"neither worked: {ends}"] * all(exit_code for _, exit_code in ends)
    return faults + broken_files(place) + hidden_files(place)


Fault = Callable[[Place, str, random.Random, float], list[str]]
KINDS: dict[str, Fault] = {function.__name__: function for function in (kill, full_disk, read_only, two_at_once)}


def main() -> None:
    """Try each kind of fault on each command; exit 1 if a file, a process or a submission was left wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60, help="over all commands; the other faults come once each")
    parser.add_argument("--kind", choices=KINDS, help="one kind alone")
    parser.add_argument("--command", choices=COMMANDS, help="one command alone")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = [options.command] if options.command else list(COMMANDS)
    rng = random.Random(options.seed)
    n_failed = 0
    with tempfile.TemporaryDirectory() as folder:
        template, seconds = make_place(Path(folder)), {}
        for name in names:
            with workplace(template) as place:
                start = time.monotonic()
                exit_code, stderr = place.run(name)
                seconds[name] = time.monotonic() - start
                faults = broken_files(place) + hidden_files(place)
                assert (exit_code, faults) == (0, []), f"{name}: {stderr}"
        print("undisturbed:", ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()), flush=True)
        for kind in [options.kind] if options.kind else KINDS:
            n_tries = options.kills if kind == "kill" else len(names)
            for name in itertools.islice(itertools.cycle(names), n_tries):
                with workplace(template) as place:
                    faults = KINDS[kind](place, name, rng, seconds[name])
                n_failed += bool(faults)
                for fault in faults:
                    print(f"{kind}, {name}: {fault}", flush=True)
            print(f"{kind}: {n_tries} tries; {n_failed} failed so far", flush=True)
    sys.exit(n_failed > 0)


if __name__ == "__main__":
    main()
