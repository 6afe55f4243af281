"""Every command of the README runs, in its order, in a checkout where only the commands before it were run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import FAST_TOML

ROOT = Path(__file__).parents[1]

NOT_RUN = {
    "git clone": "this is a checkout",
    "cd houseprices": "this is a checkout",
    "make download": "needs the network; tests/kaggle has it against a stand-in",
    "make submit": "needs Kaggle; tests/kaggle has it against a stand-in",
    "make ledger": "needs a submission; tests/kaggle has it against a stand-in",
    "make compare": "trains for minutes; tests/selection has it",
    "make tune": "trains for minutes; tests/selection has it",
    "make lessons": "trains for minutes; tests/lessons has it",
    "make notebook": "opens a browser",
    "make wheels": "needs the network; tests/test_wheel.py has it",
    'make runs ARGS="A B"': "A and B stand for runs; tests/report has it",
}


def commands() -> list[str]:
    """Return the commands of code blocks, then those of the tables and the text."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = "".join(re.findall(r"^```\n(.*?)^```$", text, re.M | re.S))
    lines = [line.partition("  #")[0].strip() for line in blocks.splitlines()]
    inline = re.findall(r"`(make [^`]*)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    return [command for line in [*lines, *inline] for command in line.split(" && ")]


@pytest.fixture
def checkout(tmp_path: Path, raw_train: pd.DataFrame, raw_test: pd.DataFrame) -> Path:
    """The tracked files, this environment as if just installed, a small town for Kaggle's, quick settings."""
    folder = tmp_path / "houseprices"
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for config in ("default", "quick"):
        (folder / "configs").mkdir(exist_ok=True)
        (folder / f"configs/{config}.toml").write_text(FAST_TOML.replace("tiny", "tanh"), "utf-8")
    (folder / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.suffix != ".stamp":
            (folder / ".venv" / part.name).symlink_to(part)
    for stamp in ("run", "dev"):
        (folder / f".venv/{stamp}.stamp").touch()
    raw_test["Id"] = [str(1461 + row) for row in range(len(raw_test))]
    for name, table in (("data/raw/train.csv", raw_train), ("data/raw/test.csv", raw_test)):
        table.to_csv(folder / name, index=False)
    return folder


def test_every_command_runs_after_those_before_it(checkout: Path) -> None:
    ran = []
    for command in commands():
        if any(command.startswith(start) for start in NOT_RUN):
            continue
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80"}
        done = subprocess.run(shlex.split(command), cwd=checkout, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        ran.append(command)
    assert {command.split()[1] for command in ran} >= {"cv", "report", "predict", "explain", "settings", "help"}
    assert [*checkout.glob("runs/*/report.html")]
    assert (checkout / "prices.csv").is_file()


def test_no_command_is_left_out_without_being_named() -> None:
    named = [start for start in NOT_RUN if any(command.startswith(start) for command in commands())]
    assert named == [*NOT_RUN]
