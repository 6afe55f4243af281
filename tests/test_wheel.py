"""The wheel holds all that an installed package needs: the main job runs from it, away from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pandas as pd
from conftest import FAST_TOML

ROOT = Path(__file__).parents[1]


def test_the_main_job_runs_from_an_installed_wheel(tmp_path: Path) -> None:
    """In a fresh environment that borrows this one's libraries: what is tested is the package, not the downloads."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = tmp_path / "dist"
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(source)])
    (wheel,) = wheels.glob("houseprices-*.whl")

    fresh = tmp_path / "fresh"
    venv.create(fresh, symlinks=True)
    run([*pip, "--python", str(fresh / "bin/python"), "install", "--no-deps", str(wheel)])
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(fresh), "platbase": str(fresh)}))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    assert (site / "houseprices" / "py.typed").is_file()

    program = str(fresh / "bin" / "houseprices")
    place = tmp_path / "place"
    place.mkdir()
    (place / "fast.toml").write_text(FAST_TOML, "utf-8")
    run([program, "sample", "--rows", "60", "--test-rows", "5"], place)
    printed = run([program, "cv", "--config", "fast.toml", "--json", "--run", "run"], place)
    assert json.loads(printed)["data"] == "sample"
    run([program, "predict", "--run", "run", "--input", "data/sample/test.csv", "--output", "out.csv"], place)
    assert len(pd.read_csv(place / "out.csv")) == 5


def run(command: list[str], folder: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
