"""What is given to make by name reaches the command as it is, and never the shell; what it does not know is refused."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"
NASTY = "a b\" 'c' `touch pwned`; touch pwned; $(touch pwned) #"


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("cv", {"CONFIG": "--config", "DATA": "--data", "RUN": "--run", "SEED": "--seed"}),
        ("predict", {"INPUT": "--input", "RUN": "--run"}),
        ("download", {"SOURCE": "--source"}),
        ("submit", {"FILE": "--file", "RUN": "--run"}),
        ("explain", {"ID": "--id"}),
    ],
)
def test_a_variable_is_one_word_of_the_command(target: str, options: dict[str, str], tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(MAKEFILE.with_name(name), tmp_path)
    command = tmp_path / ".venv" / "bin" / "houseprices"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    command.chmod(0o755)
    for name in ("bin/python", "run.stamp"):
        (tmp_path / ".venv" / name).touch()
    given = [f"{name}={NASTY.replace('$', '$$')}" for name in options]  # make reads a dollar sign for itself
    done = subprocess.run(["make", target, *given], cwd=tmp_path, capture_output=True, text=True, check=True)
    words = done.stdout.splitlines()
    assert [words[words.index(option) + 1] for option in options.values()] == [NASTY] * len(options)
    assert not (tmp_path / "pwned").exists()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", str(MAKEFILE.parent), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["data", "SEEDS", "Config"])
def test_a_variable_that_no_target_knows_is_refused_with_those_there_are(name: str) -> None:
    done = make("help", f"{name}=x")
    assert done.returncode == 2
    assert f"{name}= is unknown; accepted: CONFIG= DATA= RUN= SEED= " in done.stderr
    assert done.stdout.count("make cv") == 0


def test_words_within_a_value_are_no_variables() -> None:
    assert make("help", "ARGS=--name a=b data=c").returncode == 0


@pytest.mark.parametrize(("target", "example"), [("predict", "INPUT=houses.csv"), ("explain", "ID=1461")])
def test_a_target_without_what_it_works_on_says_what_to_give(target: str, example: str) -> None:
    done = make("--dry-run", target)
    assert done.returncode == 2
    assert done.stderr.strip().endswith(f"such as make {target} {example}.  Stop.")
    assert make("--dry-run", target, example).returncode == 0


PIP_NOTES = """#!/bin/sh
# Stands for python: makes an "environment" of itself, and notes with what pip was called.
case "$*" in
  "-m venv "*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && touch .venv/bin/houseprices && chmod +x .venv/bin/* ;;
  "-m pip install "*) printf '%s\n' "$PIP_INDEX_URL" "$PIP_NO_INDEX" "$*" >> pip.txt ;;
esac
"""


def test_pips_own_variables_reach_it_and_the_second_time_nothing_is_installed(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(MAKEFILE.with_name(name), tmp_path)
    python = tmp_path / "python"
    python.write_text(PIP_NOTES, "utf-8")
    python.chmod(0o755)
    index = {"PIP_INDEX_URL": "http://127.0.0.1:9/a b", "PIP_NO_INDEX": "1"}
    for _ in range(2):
        command = ["make", "ledger", f"PYTHON={python}"]
        subprocess.run(command, cwd=tmp_path, env={**os.environ, **index}, capture_output=True, check=True)
        address, no_index, call = (tmp_path / "pip.txt").read_text("utf-8").splitlines()
        assert (address, no_index) == tuple(index.values())
        assert call.endswith("--constraint constraints.txt --editable .")
        assert "index" not in call, "what the caller chose would be overruled"


def test_help_names_every_target_on_one_screen() -> None:
    text = make("--no-print-directory", "help").stdout
    targets = set(re.findall(r"[a-z-]+", text))
    (phony,) = re.findall(r"^\.PHONY:((?:.|\\\n)*?[^\\])\n", MAKEFILE.read_text("utf-8"), re.M)
    assert set(phony.replace("\\\n", "").split()) - {"help"} <= targets
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("  make cv ")
