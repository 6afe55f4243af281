import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import FinishedRun

from houseprices.errors import RunError
from houseprices.runs.read import read_run


def test_the_houses_are_the_runs_own_in_its_order(finished_run: FinishedRun):
    run = read_run(finished_run.folder)
    training, test = run.houses()
    assert training.index.tolist() == run.out_of_fold["Id"].tolist()
    assert "SalePrice" not in training
    assert not set(test.index) & set(training.index)


def test_out_of_fold_predictions_of_other_houses_are_refused(finished_run: FinishedRun):
    run = read_run(finished_run.folder)
    other = replace(run, out_of_fold=run.out_of_fold[::-1])
    with pytest.raises(RunError, match=r"oof\.csv: its Ids are not those of train\.csv"):
        other.houses()


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_houses_that_are_missing_or_altered_are_refused(finished_run: FinishedRun, tmp_path: Path, name: str):
    run = replace(read_run(finished_run.folder), folder=Path(shutil.copytree(finished_run.folder, tmp_path / "copy")))
    file = run.folder / name
    file.write_text(file.read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(RunError, match=rf"{name}: was altered since the run; accepted:"):
        run.houses()
    file.unlink()
    with pytest.raises(RunError, match=rf"{name}: no such file; accepted:"):
        run.houses()
