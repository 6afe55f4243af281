"""The wheel: the package runs from it away from the checkout, also in Kaggle's notebook; wheels are gathered whole."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pandas as pd
import pytest
from conftest import FAST_TOML

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "kaggle.ipynb"


@pytest.fixture(scope="module")
def gathering() -> Any:
    """The module notebooks/wheels.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("wheels", ROOT / "notebooks" / "wheels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that is deleted at once, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def attached(folder: Path, gathering: Any) -> Path:
    """The input of a notebook: houses, and the package's own wheel."""
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    gathering.gather(folder / "input" / "wheels", {}, source=source)
    return folder / "input"


@pytest.fixture(scope="module")
def python(folder: Path) -> Path:
    """A new environment that borrows this one's libraries: the package is tested, not the downloads."""
    environment = folder / "environment"
    venv.create(environment, symlinks=True, with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)}))
    # Without this environment's own .pth files, which would lead to the checkout.
    for library in Path(sysconfig.get_path("purelib")).iterdir():
        if not library.name.startswith(("houseprices", "__editable__", "_virtualenv")) and library.suffix != ".pth":
            (site / library.name).symlink_to(library)
    return environment / "bin" / "python"


def run(*command: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_notebook_installs_the_wheel_without_network_and_writes_a_submission(
    folder: Path, attached: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = folder / "working"
    working.mkdir()
    (folder / "fast.toml").write_text(FAST_TOML, "utf-8")
    for name in ("PYTHONPATH", *(name for name in os.environ if name.startswith("PIP_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    kernel = folder / "jupyter" / "kernels" / "fresh" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "fresh", "language": "python"}), "utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
    run(sys.executable, "-m", "houseprices", "sample", "--rows", 60, "--test-rows", 20, "--to",
        attached / "house-prices", cwd=ROOT / "src")  # fmt: skip
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(cell.outputs == [] for cell in notebook.cells if cell.cell_type == "code")
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    parameters.source += f"\nINPUT, CONFIG = Path({str(attached)!r}), Path({str(folder / 'fast.toml')!r})"
    nbclient.NotebookClient(
        notebook, kernel_name="fresh", timeout=600, resources={"metadata": {"path": str(working)}}
    ).execute()

    submission = pd.read_csv(working / "submission.csv")
    assert submission["Id"].tolist() == pd.read_csv(attached / "house-prices" / "test.csv")["Id"].tolist()
    assert (submission["SalePrice"] > 0).all()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("<iframe srcdoc=" in output.get("data", {}).get("text/html", "") for output in outputs)
    # The installed package, not the checkout, has run.
    assert "site-packages" in run(python, "-c", "import houseprices; print(houseprices.__file__)", cwd=working)
    assert run(python, "-m", "houseprices", "settings", "--config", "quick", cwd=working)


def wheel(folder: Path, name: str, version: str, tag: str) -> Path:
    """Write a wheel without content."""
    folder.mkdir(parents=True, exist_ok=True)
    file, info = folder / f"{name}-{version}-{tag}.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return file


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which pip finds wheels for Python 3.12, as old and new platforms, and for any Python."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "index"
    wheel(folder, "oldtags", "1.0", "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64")
    wheel(folder, "newtags", "2.0", "cp312-cp312-manylinux_2_28_x86_64")
    wheel(folder, "stable", "3.0", "cp39-abi3-manylinux1_x86_64")
    wheel(folder, "pure", "4.0", "py3-none-any")
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(folder)), ("CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


PACKAGES = {"oldtags": "1.0", "newtags": "2.0", "stable": "3.0", "pure": "4.0"}


def test_wheels_for_another_python_are_found_whatever_platform_they_name(
    index: Path, tmp_path: Path, gathering: Any
) -> None:
    wheels = tmp_path / "wheels"
    wheel(wheels, "leftover", "1.0", "py3-none-any")
    gathering.gather(wheels, PACKAGES, python="3.12")
    assert {file.name for file in wheels.iterdir()} == {file.name for file in index.iterdir()}
    shutil.rmtree(index)
    gathering.gather(wheels, PACKAGES, python="3.12")  # what is there is not fetched again
    assert len(list(wheels.iterdir())) == 4


def test_good_wheels_stay_where_others_cannot_be_fetched(index: Path, tmp_path: Path, gathering: Any) -> None:
    good = wheel(tmp_path / "wheels", "leftover", "1.0", "py3-none-any")
    with pytest.raises(subprocess.CalledProcessError):
        gathering.gather(tmp_path / "wheels", PACKAGES | {"absent": "9.9"}, python="3.12")
    assert list((tmp_path / "wheels").iterdir()) == [good]


def test_all_that_the_package_needs_is_gathered_but_torch(gathering: Any) -> None:
    needed = gathering.requirements("houseprices", without="torch")
    assert {"houseprices", "numba", "llvmlite", "scikit-learn"} <= set(needed)
    assert not {"torch", "sympy", "pytest", "ruff"} & set(needed)
    assert "sympy" in gathering.requirements("houseprices")
