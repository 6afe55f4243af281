"""make says what is wrong with what it was given, and gives on what is right."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)


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


def test_names_with_spaces_stay_whole() -> None:
    done = make("--dry-run", "cv", "CONFIG=my settings.toml", "DATA=my data", "RUN=my run")
    assert '--config "my settings.toml" --data "my data" --run "my run"' in " ".join(done.stdout.split())


def test_help_names_every_target_under_its_use_in_80_columns() -> None:
    lines = make("help").stdout.splitlines()
    named = {line.split()[1] for line in lines if line.startswith("  make ")}
    (phony,) = (line for line in (ROOT / "Makefile").read_text("utf-8").replace("\\\n", "").splitlines()
                if line.startswith(".PHONY:"))  # fmt: skip
    assert named == set(phony.split()[1:])
    assert "Look at a run" in lines
    # make's own words about folders stand around the help.
    assert max(len(line) for line in lines if not line.startswith("make: ")) <= 80
