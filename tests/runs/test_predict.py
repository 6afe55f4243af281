"""houseprices predict: the run's own prices again, from files and streams of any length, whole or not at all."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import N_TEST_ROWS, FinishedRun, Writer

from houseprices.cli import main
from houseprices.runs import predict as predict_module

pytestmark = pytest.mark.usefixtures("place")


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as error:
        main(["predict", *arguments])
    return error.value.code


@pytest.fixture
def houses_csv(finished_run: FinishedRun) -> Path:
    return finished_run.data / "test.csv"


def test_prices_are_the_submissions_in_the_files_order(finished_run: FinishedRun, houses_csv: Path, capsys) -> None:
    assert exit_code("--run", str(finished_run.folder), "--input", str(houses_csv), "--output", "out.csv") == 0
    assert capsys.readouterr().out == f"out.csv: {N_TEST_ROWS} houses priced\n"
    priced = pd.read_csv("out.csv")
    submission = pd.read_csv(finished_run.folder / "submission.csv")
    assert list(priced.columns) == ["Id", "price", "lower", "upper"]
    pd.testing.assert_frame_equal(priced[["Id", "price"]], submission.set_axis(["Id", "price"], axis=1))
    assert ((priced["lower"] <= priced["price"]) & (priced["price"] <= priced["upper"])).all()


def test_a_higher_coverage_widens_every_interval(finished_run: FinishedRun, houses_csv: Path) -> None:
    for coverage in ("0.5", "0.9"):
        run = ["--run", str(finished_run.folder), "--coverage", coverage]
        assert exit_code(*run, "--input", str(houses_csv), "--output", f"{coverage}.csv") == 0
    narrow, wide = pd.read_csv("0.5.csv"), pd.read_csv("0.9.csv")
    assert (wide["lower"] < narrow["lower"]).all()
    assert (narrow["upper"] < wide["upper"]).all()


def test_few_rows_leave_a_high_coverage_unbounded_and_it_is_said(
    finished_run: FinishedRun, houses_csv: Path, capsys
) -> None:
    run = ["--run", str(finished_run.folder), "--coverage", "0.99"]
    assert exit_code(*run, "--input", str(houses_csv), "--output", "out.csv") == 0
    assert "48 training rows cannot bound an interval of coverage 0.99" in capsys.readouterr().err
    assert (pd.read_csv("out.csv")["upper"] == np.inf).all()
    assert (pd.read_csv("out.csv")["lower"] == 0).all()


def test_standard_streams_and_parts_of_any_size_give_the_same_bytes(
    finished_run: FinishedRun, houses_csv: Path, place: Path, monkeypatch, capsysbinary
) -> None:
    command = ["predict", "--run", str(finished_run.folder), "--input"]
    piped = subprocess.run(
        [sys.executable, "-W", "error", "-m", "houseprices", *command, "-"],
        input=houses_csv.read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    assert len(piped.stdout.splitlines()) == 1 + N_TEST_ROWS
    for rows_at_once in (7, 4096):
        monkeypatch.setattr(predict_module, "ROWS_AT_ONCE", rows_at_once)
        assert exit_code(*command[1:], str(houses_csv), "--output", "-") == 0
        assert capsysbinary.readouterr().out == piped.stdout
    assert list(place.iterdir()) == []


def test_a_gap_is_no_level_without_training_rows(
    finished_run: FinishedRun, raw_test: pd.DataFrame, write_csv: Writer, capsys
) -> None:
    raw_test["MSZoning"] = "NA"
    houses = write_csv(raw_test, "gaps.csv")
    assert exit_code("--run", str(finished_run.folder), "--input", str(houses), "--output", "out.csv") == 0
    assert "MSZoning" not in capsys.readouterr().err


def test_a_level_without_training_rows_is_told_once_and_priced(
    finished_run: FinishedRun, raw_test: pd.DataFrame, write_csv: Writer, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(predict_module, "ROWS_AT_ONCE", 16)
    raw_test["RoofMatl"] = "Membran"
    houses = write_csv(raw_test, "new.csv")
    assert exit_code("--run", str(finished_run.folder), "--input", str(houses), "--output", "out.csv") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "RoofMatl" in line]
    assert told == ["houseprices: RoofMatl: 'Membran' stands in no training row; read as none of the levels"]
    assert len(pd.read_csv("out.csv")) == N_TEST_ROWS


def test_a_fault_far_down_leaves_the_old_output_and_no_other_file(
    finished_run: FinishedRun, raw_test: pd.DataFrame, write_csv: Writer, place: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(predict_module, "ROWS_AT_ONCE", 16)
    (place / "out.csv").write_text("old")
    for row, column, value, output, what in (
        (17, "LotArea", "wide", "out.csv", "line 19 (Id "),
        (17, "LotArea", "wide", "-", "line 19 (Id "),
        (18, "Id", "00" + raw_test["Id"][2], "out.csv", "accepted: each Id once"),
    ):
        spoilt = raw_test.copy()
        spoilt.loc[row, column] = value
        houses = write_csv(spoilt, "new.csv")
        assert exit_code("--run", str(finished_run.folder), "--input", str(houses), "--output", output) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert f"{houses}: " in captured.err
        assert what in captured.err
    assert [(path.name, path.read_text()) for path in place.iterdir()] == [("out.csv", "old")]


def test_what_cannot_be_done_is_one_line(finished_run: FinishedRun, houses_csv: Path, place: Path, capsys) -> None:
    copy = Path(shutil.copy(houses_csv, place / "houses.csv"))
    (place / "folder").mkdir()
    run, source = ["--run", str(finished_run.folder)], ["--input", str(copy)]
    for arguments, code, what in (
        ([*run, *source, "--coverage", "1"], 2, "coverage must be between 0 and 1"),
        ([*run, *source, "--coverage", "nan"], 2, "coverage must be between 0 and 1"),
        ([*run, "--input", "nowhere.csv"], 1, "nowhere.csv: no such file"),
        ([*run, "--input", "folder"], 1, "folder: Is a directory"),
        ([*run, *source, "--output", "folder"], 1, "folder: Is a directory"),
        ([*run, *source, "--output", "nowhere/out.csv"], 1, "nowhere/out.csv: No such file or directory"),
        ([*run, *source, "--output", str(copy)], 1, "is the input"),
        ([*source, "--run", "nowhere"], 1, "nowhere: no such folder"),
        (source, 1, "runs/latest: there is no run yet; `make cv` makes one"),
        (run, 2, "--input"),
    ):
        assert exit_code(*arguments) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        assert what in captured.err
        assert len(captured.err.splitlines()) == 1
    assert copy.read_bytes() == houses_csv.read_bytes()
    assert sorted(path.name for path in place.iterdir()) == ["folder", "houses.csv"]


def test_a_device_is_written_to_and_not_replaced(finished_run: FinishedRun, houses_csv: Path) -> None:
    assert exit_code("--run", str(finished_run.folder), "--input", str(houses_csv), "--output", "/dev/null") == 0
    assert Path("/dev/null").is_char_device()


def test_a_stream_of_bytes_that_are_no_text_is_refused_with_their_place(
    finished_run: FinishedRun, houses_csv: Path, monkeypatch, capsys
) -> None:
    content = houses_csv.read_bytes()
    broken = io.TextIOWrapper(io.BytesIO(content + b"\xff"))
    monkeypatch.setattr(sys, "stdin", broken)
    assert exit_code("--run", str(finished_run.folder), "--input", "-") == 1
    assert f"standard input: byte {len(content)} is not UTF-8 text" in capsys.readouterr().err
