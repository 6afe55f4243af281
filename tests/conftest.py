"""A small town for every test: valid files to spoil, settings that train in a moment, one finished run to inspect."""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kaggle_fixtures import (  # noqa: F401  # fixtures are found here
    houseprices,
    raw_files,
    run_folder,
    server,
)

from houseprices.cli import main
from houseprices.data.sample import draw_sample
from houseprices.data.table import read_houses
from houseprices.files import sha256_of
from houseprices.settings import Settings, load_settings

N_ROWS, N_TEST_ROWS, N_FOLDS, N_EPOCHS = 48, 20, 3, 2

FAST_TOML = f"""
device = "cpu"

[folds]
n_folds = {N_FOLDS}
n_repeats = 1

[models.tiny]
n_members = 2
hidden = [8]
loss = "student_t"
epochs = {N_EPOCHS}
"""

Writer = Callable[..., Path]


def exit_code(*arguments: str) -> int | str | None:
    """Run a command in this process."""
    with pytest.raises(SystemExit) as ending:
        main(list(arguments))
    return ending.value.code


def change_manifest(run: Path, **changes: object) -> None:
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    (run / "manifest.json").write_text(json.dumps(manifest | changes), "utf-8")


def sign(run: Path) -> None:
    """Give the manifest the checksums of the files as they are now."""
    names = json.loads((run / "manifest.json").read_text("utf-8"))["outputs_sha256"]
    change_manifest(run, outputs_sha256={name: sha256_of(run / name) for name in names})


@dataclass(frozen=True)
class FinishedRun:
    """One main job on the valid files, run with --json."""

    folder: Path
    data: Path
    config: Path
    stdout: str


def _text(table: pd.DataFrame) -> pd.DataFrame:
    """Each cell as it stands in the CSV; rows shuffled, so that keeping the order is not the same as sorting by Id."""
    raw = table.to_csv(index=False, na_rep="NA")
    cells = pd.read_csv(io.StringIO(raw), dtype="str", keep_default_na=False)
    return cells.iloc[np.random.default_rng(0).permutation(len(cells))].reset_index(drop=True)


@pytest.fixture(scope="session")
def _town() -> tuple[pd.DataFrame, pd.DataFrame]:
    sample = draw_sample(n_rows=N_ROWS, n_test_rows=N_TEST_ROWS, seed=1)
    return _text(sample.train), _text(sample.test)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder: neither data nor runs."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def raw_train(_town: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    """A valid train.csv as text, (48, 81), to be spoilt at will."""
    return _town[0].copy()


@pytest.fixture
def raw_test(_town: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    """A valid test.csv as text, (20, 80), to be spoilt at will."""
    return _town[1].copy()


@pytest.fixture
def write_csv(tmp_path: Path) -> Writer:
    """A function that writes a text table to tmp_path under the given name."""

    def write(table: pd.DataFrame, name: str = "train.csv") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(file, index=False)
        return file

    return write


@pytest.fixture
def data_folder(raw_train: pd.DataFrame, raw_test: pd.DataFrame, write_csv: Writer) -> Path:
    """A folder with a valid train.csv and test.csv."""
    write_csv(raw_test, "data/test.csv")
    return write_csv(raw_train, "data/train.csv").parent


@pytest.fixture
def houses(raw_train: pd.DataFrame, write_csv: Writer) -> pd.DataFrame:
    """The valid train.csv as a typed table, (48, 80)."""
    return read_houses(write_csv(raw_train), priced=True)


@pytest.fixture
def fast_config(tmp_path: Path) -> Path:
    """A TOML file with settings that train in a moment."""
    file = tmp_path / "fast.toml"
    file.write_text(FAST_TOML, "utf-8")
    return file


@pytest.fixture
def fast_settings(fast_config: Path) -> Settings:
    """Settings that train in a moment."""
    return load_settings(fast_config)


@pytest.fixture(scope="session")
def finished_run(_town: tuple[pd.DataFrame, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The main job on the valid files, run once through the command line; not to be changed."""
    place = tmp_path_factory.mktemp("finished")
    data, config, folder = place / "data", place / "fast.toml", place / "run"
    data.mkdir()
    for table, name in zip(_town, ("train.csv", "test.csv"), strict=True):
        table.to_csv(data / name, index=False)
    config.write_text(FAST_TOML, "utf-8")
    stdout = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(stdout):
        # runs/latest is written to the working folder.
        patch.chdir(place)
        assert exit_code("cv", "--data", str(data), "--config", str(config), "--run", str(folder), "--json") == 0
    return FinishedRun(folder, data, config, stdout.getvalue())


@pytest.fixture
def copy(finished_run: FinishedRun, place: Path) -> Path:
    """A copy of the finished run, to be falsified, in a working folder without any data."""
    return Path(shutil.copytree(finished_run.folder, place / "copy"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with Kaggle's genuine files."""
    folder = os.environ.get("HOUSEPRICES_REAL_DATA")
    if not folder:
        pytest.skip("HOUSEPRICES_REAL_DATA names no folder with Kaggle's files")
    return Path(folder)


@pytest.fixture(scope="session")
def real_train(real_data: Path) -> pd.DataFrame:
    """Kaggle's train.csv as a typed table; not to be changed."""
    return read_houses(real_data / "train.csv", priced=True)


@pytest.fixture(scope="session")
def real_test(real_data: Path) -> pd.DataFrame:
    """Kaggle's test.csv as a typed table; not to be changed."""
    return read_houses(real_data / "test.csv", priced=False)
