"""What is given to make by name reaches the command as it is, and never the shell."""

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
