"""houseprices predict: the run's own prices again, from files and streams of any length, whole or not at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import N_ROWS, N_TEST_ROWS, FinishedRun, Writer, exit_code

from houseprices.runs import predict as predict_module

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def run(finished_run: FinishedRun) -> str:
    return str(finished_run.folder)


@pytest.fixture
def houses_csv(finished_run: FinishedRun) -> str:
    return str(finished_run.data / "test.csv")


def predict(*arguments: str) -> int | str | None:
    return exit_code("predict", *arguments)


def test_prices_are_the_submissions_in_the_files_order(run: str, houses_csv: str, capsys) -> None:
    assert predict("--run", run, "--input", houses_csv, "--output", "out.csv") == 0
    assert capsys.readouterr().out == f"out.csv: {N_TEST_ROWS} houses priced\n"
    priced = pd.read_csv("out.csv")
    submission = pd.read_csv(Path(run) / "submission.csv")
    assert list(priced.columns) == ["Id", "price", "lower", "upper"]
    pd.testing.assert_frame_equal(priced[["Id", "price"]], submission.set_axis(["Id", "price"], axis=1))
    assert ((priced["lower"] <= priced["price"]) & (priced["price"] <= priced["upper"])).all()


def test_a_higher_coverage_widens_every_interval_until_few_rows_cannot_bound_it(
    run: str, houses_csv: str, capsys
) -> None:
    for coverage in ("0.5", "0.9", "0.99"):
        assert predict("--run", run, "--coverage", coverage, "--input", houses_csv, "--output", f"{coverage}.csv") == 0
    narrow, wide, unbounded = (pd.read_csv(f"{coverage}.csv") for coverage in ("0.5", "0.9", "0.99"))
    assert ((wide["lower"] < narrow["lower"]) & (narrow["upper"] < wide["upper"])).all()
    assert f"{N_ROWS} training rows cannot bound an interval of coverage 0.99" in capsys.readouterr().err
    assert ((unbounded["lower"] == 0) & (unbounded["upper"] == np.inf)).all()


def test_standard_streams_and_parts_of_any_size_give_the_same_bytes(
    run: str, houses_csv: str, place: Path, monkeypatch, capsysbinary
) -> None:
    piped = subprocess.run(
        [sys.executable, "-W", "error", "-m", "houseprices", "predict", "--run", run, "--input", "-"],
        input=Path(houses_csv).read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    assert len(piped.stdout.splitlines()) == 1 + N_TEST_ROWS
    for rows_at_once in (7, 4096):
        monkeypatch.setattr(predict_module, "ROWS_AT_ONCE", rows_at_once)
        assert predict("--run", run, "--input", houses_csv, "--output", "-") == 0
        assert capsysbinary.readouterr().out == piped.stdout
    assert list(place.iterdir()) == []


def test_a_level_without_training_rows_is_noticed_once_and_a_gap_is_no_level(
    run: str, raw_test: pd.DataFrame, write_csv: Writer, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(predict_module, "ROWS_AT_ONCE", 16)
    houses = write_csv(raw_test.assign(RoofMatl="Membran", MSZoning="NA"), "new.csv")
    assert predict("--run", run, "--input", str(houses), "--output", "out.csv") == 0
    notices = [line for line in capsys.readouterr().err.splitlines() if "RoofMatl" in line or "MSZoning" in line]
    assert notices == ["houseprices: RoofMatl: 'Membran' stands in no training row; read as none of the levels"]
    assert len(pd.read_csv("out.csv")) == N_TEST_ROWS


@pytest.mark.parametrize(
    ("row", "column", "cell", "output", "fault"),
    [(17, "LotArea", "wide", "-", "line 19 (Id "), (18, "Id", "", "out.csv", "accepted: each Id once")],
)
def test_a_fault_far_down_leaves_the_old_output_and_no_other_file(
    row: int, column: str, cell: str, output: str, fault: str, run, raw_test, write_csv, place, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(predict_module, "ROWS_AT_ONCE", 16)
    (place / "out.csv").write_text("old")
    raw_test.loc[row, column] = cell or "00" + raw_test["Id"][2]
    houses = write_csv(raw_test, "new.csv")
    assert predict("--run", run, "--input", str(houses), "--output", output) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{houses}: " in captured.err
    assert fault in captured.err
    assert [(path.name, path.read_text()) for path in place.iterdir()] == [("out.csv", "old")]


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        ("--run RUN --input houses.csv --coverage 1", 2, "coverage must be between 0 and 1"),
        ("--run RUN --input nowhere.csv", 1, "nowhere.csv: no such file"),
        ("--run RUN --input folder", 1, "folder: Is a directory"),
        ("--run RUN --input houses.csv --output folder", 1, "folder: Is a directory"),
        ("--run RUN --input houses.csv --output houses.csv/out.csv", 1, "houses.csv/out.csv: Not a directory"),
        ("--run RUN --input houses.csv --output houses.csv", 1, "is the input"),
        ("--run nowhere --input houses.csv", 1, "nowhere: no such folder"),
        ("--input houses.csv", 1, "runs/latest: there is no run yet; `make cv` makes one"),
        ("--run RUN", 2, "--input"),
    ],
)
def test_a_command_that_cannot_be_done_is_one_line(
    arguments: str, code: int, fault: str, run: str, houses_csv: str, place: Path, capsys
) -> None:
    shutil.copy(houses_csv, place / "houses.csv")
    (place / "folder").mkdir()
    assert predict(*(run if word == "RUN" else word for word in arguments.split())) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    assert fault in line
    assert (place / "houses.csv").read_bytes() == Path(houses_csv).read_bytes()
    assert sorted(path.name for path in place.iterdir()) == ["folder", "houses.csv"]


def test_a_device_is_written_to_and_not_replaced(run: str, houses_csv: str) -> None:
    assert predict("--run", run, "--input", houses_csv, "--output", "/dev/null") == 0
    assert Path("/dev/null").is_char_device()
