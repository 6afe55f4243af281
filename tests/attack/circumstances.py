"""Runs commands where things go wrong around them: a full disk, a folder that may not be written, two at once.

Each must do its work, or say in a line why not, and leave nothing half done. Linux alone; what cannot be tried is said.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from attack.faults import COMMANDS, hidden_in, left_by, make_place, running, traceback_in, workplace
from kaggle_server import KaggleServer

Environment = dict[str, str]
NOBODY = 65534
LARGEST_BYTES = 500


def outcome(code: int, told: str, *, may_fail: bool = True) -> list[str]:
    """What is wrong with how a command ended."""
    lines = [line for line in told.splitlines() if line.startswith("houseprices: ")]
    if traceback_in(told):
        return [f"traceback: {told[-300:]}"]
    if code not in (0, 1) or (code == 1 and (not lines or not may_fail)):
        return [f"exit {code}: {told[-300:]}"]
    return []


def full_disk(name: str, place: Path, server: KaggleServer, environment: Environment) -> list[str]:
    """No file may grow beyond some bytes, as by `ulimit -f`; what may be had beside that, such as machine code, is."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_BYTES, LARGEST_BYTES))

    with running(place, environment, COMMANDS[name].arguments, preexec_fn=limit) as process:
        _, told = process.communicate()
    return outcome(process.returncode, told) + left_by(name, place, server)


def small_disk(name: str, place: Path, server: KaggleServer, environment: Environment) -> list[str]:
    """The place lies on a file system that has 8 kB left."""
    kilobytes = sum(-(-file.stat().st_size // 4096) * 4 for file in place.rglob("*") if file.is_file()) + 60
    disk = place.with_name("disk")
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(disk)], check=False)
    if done.returncode:
        raise PermissionError("no file system may be mounted here")
    try:
        small = Path(shutil.copytree(place, disk / "place", symlinks=True))
        with (disk / "filler").open("wb") as filler:  # all but a bit
            filler.write(b"x" * max(0, shutil.disk_usage(disk).free - 8192))
        with running(small, environment, COMMANDS[name].arguments) as process:
            _, told = process.communicate()
        return outcome(process.returncode, told) + left_by(name, small, server) + hidden_in(small)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def read_only(name: str, place: Path, server: KaggleServer, environment: Environment) -> list[str]:
    """A user who may read the place and write nothing in it."""
    files = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for path in (place, *place.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    home = place.with_name("home")
    home.mkdir()
    user = {}
    if os.getuid() == 0:
        place.parent.chmod(0o755)
        os.chown(home, NOBODY, NOBODY)
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    environment = environment | {"HOME": str(home), "NUMBA_CACHE_DIR": str(home)}
    with running(place, environment, COMMANDS[name].arguments, **user) as process:
        _, told = process.communicate()
    for path in (place, *place.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    changed = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} != files
    return outcome(process.returncode, told) + left_by(name, place, server) + ["something was written"] * changed


def two_at_once(name: str, place: Path, server: KaggleServer, environment: Environment) -> list[str]:
    """The same command twice at the same time: both do it, or one says that the other has."""
    with ExitStack() as stack:
        both = [stack.enter_context(running(place, environment, COMMANDS[name].arguments)) for _ in range(2)]
        told = [process.communicate()[1] for process in both]
    found = [one for process, text in zip(both, told, strict=True) for one in outcome(process.returncode, text)]
    if all(process.returncode for process in both):
        found.append(f"neither worked: {told}")
    found += ["submitted twice"] * (len(server.submissions) > 1)
    return found + left_by(name, place, server) + hidden_in(place)


def deleted_run(name: str, place: Path, _server: KaggleServer, environment: Environment) -> list[str]:
    """The run is deleted under the command; it is not made anew."""
    if "runs/old" not in COMMANDS[name].arguments:
        return []
    with running(place, environment, COMMANDS[name].arguments) as process:
        time.sleep(2.5)
        shutil.rmtree(place / "runs" / "old", ignore_errors=True)
        _, told = process.communicate()
    return outcome(process.returncode, told) + hidden_in(place)


CIRCUMSTANCES: tuple[Callable[[str, Path, KaggleServer, Environment], list[str]], ...] = (
    full_disk,
    small_disk,
    read_only,
    two_at_once,
    deleted_run,
)


def main() -> None:
    """Try every command in all of them; exit 1 if anything gave way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[one.__name__ for one in CIRCUMSTANCES], help="one circumstance alone")
    chosen = parser.parse_args().only
    n_tried = n_gave_way = 0
    with tempfile.TemporaryDirectory() as folder:
        template = make_place(Path(folder))
        for circumstance in [one for one in CIRCUMSTANCES if chosen in (None, one.__name__)]:
            for name in COMMANDS:
                with workplace(template) as (place, server, environment):
                    try:
                        found = circumstance(name, place, server, environment)
                    except PermissionError as error:
                        print(f"{circumstance.__name__}: not tried: {error}", flush=True)
                        break
                n_tried += 1
                n_gave_way += bool(found)
                for one in found:
                    print(f"{circumstance.__name__}, {name}: {one}", flush=True)
    print(f"{n_tried} commands tried; {n_gave_way} gave way")
    sys.exit(n_gave_way > 0)


if __name__ == "__main__":
    main()
