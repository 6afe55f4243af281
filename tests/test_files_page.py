"""docs/files.md names every file and column of a run, and its examples run."""

import contextlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import FAST_TOML, FinishedRun

from houseprices.runs.format import OUTPUTS

PAGE = (Path(__file__).parents[1] / "docs" / "files.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}")[1].split("\n## ")[0]


def test_every_file_of_a_run_is_named(finished_run: FinishedRun) -> None:
    table = PAGE.split("\n## ")[0]
    named = set(re.findall(r"`([\w.]+\.\w+)`", table.split("|---|---|")[1].split("\n\n")[0]))
    assert named == {file.name for file in finished_run.folder.iterdir()}
    assert set(OUTPUTS) < named


@pytest.mark.parametrize("name", ["oof.csv", "submission.csv", "curves.csv"])
def test_every_column_is_explained_and_no_other(finished_run: FinishedRun, name: str) -> None:
    cells = [row.split("|")[1] for row in section(name).splitlines() if row.startswith("| `")]
    explained = {column for cell in cells for column in re.findall(r"`(\w+)`", cell)}
    columns = set(pd.read_csv(finished_run.folder / name).columns)
    assert columns <= explained
    assert explained - columns <= {"fold_2", "fold_3"}, "the run has one split"


@pytest.mark.parametrize("name", ["metrics.json", "manifest.json"])
def test_every_key_is_named(finished_run: FinishedRun, name: str) -> None:
    content = json.loads((finished_run.folder / name).read_text("utf-8"))
    text = section("metrics.json" if name == "metrics.json" else "members.safetensors")
    assert all(f"`{key}`" in text for key in content)
    if name == "metrics.json":
        inner = {**content["log_rmse"], **content["by_fold"][0], **content["models"]["tiny"], **content["baselines"]}
        assert all(f"`{key}`" in text for key in inner)


def test_a_blend_is_no_worse_than_either_on_the_training_houses(finished_run: FinishedRun, place: Path) -> None:
    (place / "run").symlink_to(finished_run.folder)
    oof = pd.read_csv(finished_run.folder / "oof.csv")
    noise = np.random.default_rng(0).normal(scale=0.1, size=len(oof))
    other = pd.DataFrame({"Id": oof["Id"], "log_price": oof["log_price"] + noise})
    other.sample(frac=1, random_state=0).to_csv("other_oof.csv", index=False)
    submission = pd.read_csv(finished_run.folder / "submission.csv")
    submission.assign(SalePrice=200_000.0).to_csv("other_submission.csv", index=False)
    names = run_example("Blending with another model")
    assert min(names["errors"]) == pytest.approx(names["errors"][round(100 * names["weight"])])
    assert min(names["errors"]) < min(names["errors"][0], names["errors"][-1])
    blended = pd.read_csv("blended.csv")
    assert blended["Id"].tolist() == submission["Id"].tolist()
    ends = np.stack([submission["SalePrice"], np.full(len(submission), 200_000.0)])
    assert blended["SalePrice"].between(ends.min(axis=0) - 0.01, ends.max(axis=0) + 0.01).all()


def test_the_python_example_saves_and_loads(finished_run: FinishedRun, place: Path) -> None:
    for name in ("train.csv", "test.csv"):
        shutil.copy(finished_run.data / name, name)
    Path("quick.toml").write_text(FAST_TOML, "utf-8")
    names = run_example("From Python")
    submission = pd.read_csv(finished_run.folder / "submission.csv")
    np.testing.assert_array_equal(names["prices"].round(2), submission["SalePrice"])


def run_example(title: str) -> dict[str, object]:
    """What the names in a section's code stand for after it has run in the working folder."""
    code = re.search(r"```python\n(.*?)```", section(title), flags=re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(None):
        exec(code[1], names)
    return names
