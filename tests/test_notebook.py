"""Kaggle's notebook, in an environment that has torch, a kernel and, beside these, the gathered wheels alone."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import FAST_TOML

from houseprices.data.sample.write import write_sample

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "kaggle.ipynb"
WHEELS = ROOT / "wheels"
N_ROWS, N_TEST_ROWS = 60, 20


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
    """Deleted at once, as pytest's own are not: an environment has hundreds of megabytes."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def wheels() -> Path:
    """What `make wheels` gathers; the first time it takes minutes and a network."""
    done = gathered(WHEELS, dict(os.environ))
    if gathering().NOT_FETCHED in done.stderr:
        pytest.skip(f"wheels/ is not filled, and {done.stderr.splitlines()[-2]}")
    assert done.returncode == 0, done.stderr
    return WHEELS


def gathered(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "notebooks" / "wheels.py"), "--to", str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def kernel(folder: Path) -> str:
    """The name of a kernel in a new environment with what a notebook of Kaggle's carries: itself, pip and torch."""
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)}))
    needed_by = gathering().needed_by
    for name in {"pip", *needed_by("torch"), *needed_by("ipykernel")}:
        tops = {file.parts[0]: file for file in importlib.metadata.files(name) or () if file.parts[0] != ".."}
        for top, file in tops.items():
            source = Path(str(file.locate())).parents[len(file.parts) - 1] / top
            if top != "__pycache__" and not (site / top).exists():
                (site / top).symlink_to(source)
    spec = folder / "jupyter" / "kernels" / "carried" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(environment / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "carried", "language": "python"}), "utf-8")
    return spec.parent.name


def test_the_notebook_is_stored_as_it_was_written() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert [cell["metadata"].get("tags") for cell in code] == [["parameters"]] + [None] * (len(code) - 1)


def test_what_is_gathered_is_all_that_the_package_needs_but_torch() -> None:
    needed_by = gathering().needed_by
    found = needed_by("houseprices", besides="torch")
    assert {"houseprices", "captum", "numba", "llvmlite"} <= set(found)
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert not {"torch", "sympy", "pytest", "ruff"} & set(found)
    assert "sympy" in needed_by("houseprices")


def test_without_an_index_one_line_says_that_nothing_can_be_fetched(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = gathered(tmp_path / "wheels", environment | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == gathering().NOT_FETCHED
    assert list(tmp_path.glob("wheels/*")) == []


def test_the_notebook_runs_from_the_wheels_alone_and_writes_a_submission(
    folder: Path, wheels: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbclient is a development dependency")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is a development dependency")
    attached, working = folder / "input", folder / "working"
    working.mkdir()
    write_sample(attached / "house-prices", N_ROWS, N_TEST_ROWS)
    (attached / "wheels").mkdir()
    for wheel in wheels.glob("*.whl"):
        (attached / "wheels" / wheel.name).symlink_to(wheel)
    (folder / "fast.toml").write_text(FAST_TOML, "utf-8")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    parameters.source += f"\nINPUT, CONFIG = Path({str(attached)!r}), Path({str(folder / 'fast.toml')!r})"
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
    for name in ("PYTHONPATH", *(name for name in os.environ if name.startswith("PIP_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_COMPILE", "1")

    client = nbclient.NotebookClient(
        notebook, kernel_name=kernel, timeout=600, resources={"metadata": {"path": str(working)}}
    )
    client.execute()

    submission = pd.read_csv(working / "submission.csv")
    test = pd.read_csv(attached / "house-prices" / "test.csv")
    assert submission["Id"].tolist() == test["Id"].tolist()
    assert (submission["SalePrice"] > 0).all()
    shown = "".join(output.data.get("text/html", "") for cell in notebook.cells for output in cell.get("outputs", ())
                    if output.output_type == "execute_result")  # fmt: skip
    assert "<iframe srcdoc=" in shown
    assert "What to expect of other houses" in shown
    printed = "".join(output.text for cell in notebook.cells for output in cell.get("outputs", ())
                      if output.output_type == "stream")  # fmt: skip
    assert "out of fold" in printed
