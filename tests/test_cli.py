"""The command line from end to end: what it writes, what it says, and with which code it leaves."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import N_FOLDS, N_ROWS, N_TEST_ROWS, FinishedRun
from safetensors.numpy import load_file

from houseprices.cli import main
from houseprices.data.sample import NOISE_FLOOR
from houseprices.errors import DataError, RunError
from houseprices.settings import explained_settings, load_settings

ROOT = Path(__file__).parents[1]


pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def cv(data_folder: Path, fast_config: Path) -> list[str]:
    """The main job on the valid files with fast settings, to be given a run folder and more options."""
    return ["cv", "--data", str(data_folder), "--config", str(fast_config)]


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as error:
        main(list(arguments))
    return error.value.code


def assert_refused(capsys: pytest.CaptureFixture[str], n_lines: int = 1) -> list[str]:
    """Nothing on stdout, and a line a fault on stderr; returns the lines."""
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert len(lines) == n_lines, captured.err
    assert all(line.startswith("houseprices: ") for line in lines), captured.err
    assert "Traceback" not in captured.err
    return lines


# ---- the main job ----


def test_the_submission_prices_each_test_house_in_the_test_files_order(finished_run: FinishedRun) -> None:
    submission = pd.read_csv(finished_run.folder / "submission.csv")
    test_ids = pd.read_csv(finished_run.data / "test.csv")["Id"]
    assert list(submission.columns) == ["Id", "SalePrice"]
    assert submission["Id"].tolist() == test_ids.tolist()
    assert not submission["Id"].is_monotonic_increasing
    assert len(submission) == N_TEST_ROWS
    assert np.isfinite(submission["SalePrice"]).all()
    assert (submission["SalePrice"] > 0).all()


def test_every_training_row_has_one_prediction_by_members_of_its_fold(finished_run: FinishedRun) -> None:
    out_of_fold = pd.read_csv(finished_run.folder / "oof.csv")
    train = pd.read_csv(finished_run.data / "train.csv")
    assert list(out_of_fold.columns) == ["Id", "fold", "log_price", "prediction", "error_scale"]
    assert out_of_fold["Id"].tolist() == train["Id"].tolist()
    np.testing.assert_allclose(out_of_fold["log_price"], np.log(train["SalePrice"]), rtol=1e-12)
    assert out_of_fold["fold"].value_counts().to_dict() == dict.fromkeys(range(N_FOLDS), N_ROWS // N_FOLDS)
    assert np.isfinite(out_of_fold["prediction"]).all()


def test_the_scores_follow_from_the_predictions_that_were_written(finished_run: FinishedRun) -> None:
    out_of_fold = pd.read_csv(finished_run.folder / "oof.csv")
    scores = json.loads((finished_run.folder / "metrics.json").read_text("utf-8"))
    squares = (out_of_fold["prediction"] - out_of_fold["log_price"]) ** 2
    assert scores["log_rmse"]["pooled"] == pytest.approx(np.sqrt(squares.mean()))
    of_folds = np.sqrt(squares.groupby(out_of_fold["fold"]).mean())
    assert scores["log_rmse"]["fold_mean"] == pytest.approx(of_folds.mean())
    assert scores["log_rmse"]["fold_std"] == pytest.approx(of_folds.std(ddof=0))


def test_json_is_one_object_and_all_of_stdout(finished_run: FinishedRun) -> None:
    assert len(finished_run.stdout.splitlines()) == 1
    printed = json.loads(finished_run.stdout)
    assert {"log_rmse", "baselines", "n_members", "n_rows", "data", "seconds"} <= set(printed)
    assert {"pooled", "fold_mean", "fold_std", "train"} <= set(printed["log_rmse"])
    assert {"median", "ridge"} <= set(printed["baselines"])
    assert (printed["n_members"], printed["n_rows"], printed["data"]) == (2 * N_FOLDS, N_ROWS, "other")
    written = json.loads((finished_run.folder / "metrics.json").read_text("utf-8"))
    assert set(written) == set(printed)
    assert {name: value for name, value in written.items() if name != "seconds"} == {
        name: value for name, value in printed.items() if name != "seconds"
    }


def test_the_saved_settings_repeat_the_run_bit_by_bit(finished_run: FinishedRun, place: Path) -> None:
    saved = finished_run.folder / "config.toml"
    assert load_settings(saved) == load_settings(finished_run.config)
    assert exit_code("cv", "--data", str(finished_run.data), "--config", str(saved), "--run", "again") == 0
    for name in ("oof.csv", "submission.csv", "curves.csv", "config.toml", "preprocessing.json"):
        assert (place / "again" / name).read_bytes() == (finished_run.folder / name).read_bytes(), name
    first, again = (load_file(run / "members.safetensors") for run in (finished_run.folder, place / "again"))
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_a_test_house_keeps_its_price_wherever_it_stands_in_the_file(
    finished_run: FinishedRun, data_folder: Path, fast_config: Path, raw_test: pd.DataFrame, place: Path
) -> None:
    raw_test.iloc[::-1].to_csv(data_folder / "test.csv", index=False)
    assert exit_code("cv", "--data", str(data_folder), "--config", str(fast_config), "--run", "run") == 0
    reversed_order = pd.read_csv(place / "run" / "submission.csv")
    before = pd.read_csv(finished_run.folder / "submission.csv")
    assert reversed_order["Id"].tolist() == before["Id"].tolist()[::-1]
    np.testing.assert_allclose(reversed_order["SalePrice"], before["SalePrice"][::-1], rtol=1e-5)


def test_another_seed_gives_another_run_and_is_saved(
    finished_run: FinishedRun, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(finished_run.data), "--config", str(finished_run.config), "--seed", "1"]
    assert exit_code("cv", *arguments) == 0
    run = (place / "runs" / "latest").resolve()
    assert run.parent == place / "runs"
    for name in ("oof.csv", "submission.csv"):
        assert (run / name).read_bytes() != (finished_run.folder / name).read_bytes(), name
    assert load_settings(run / "config.toml").seed == 1
    # Without --json and outside a terminal: the scores in a line, then where the submission is.
    summary, where = capsys.readouterr().out.splitlines()
    scores = json.loads((run / "metrics.json").read_text("utf-8"))["log_rmse"]
    assert f"{scores['pooled']:.4f} out of fold" in summary
    assert summary.endswith(" s, compiled step on cpu")
    assert (place / where).resolve() == run / "submission.csv"


def test_the_program_runs_as_a_module_and_records_its_arguments(cv: list[str], place: Path) -> None:
    arguments = [*cv, "--run", "run", "--folds.n-folds", "2", "--models.tiny.n_members=1", "--json"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "houseprices", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_members"] == 2
    assert "Traceback" not in done.stderr
    manifest = json.loads((place / "run" / "manifest.json").read_text("utf-8"))
    assert manifest["argv"] == arguments
    assert (manifest["step"], manifest["device"]) == ("compiled", "cpu")


# ---- the synthetic sample ----


def test_without_data_the_sample_is_used_and_the_notice_says_what_it_is_worth(
    fast_config: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("sample", "--rows", "30", "--test-rows", "10") == 0
    assert {path.name for path in (place / "data/sample").glob("*.csv")} == {
        "train.csv",
        "test.csv",
        "sample_submission.csv",
    }
    capsys.readouterr()
    assert exit_code("cv", "--config", str(fast_config), "--run", "run", "--json") == 0
    captured = capsys.readouterr()
    notices = [line for line in captured.err.splitlines() if "synthetic sample" in line]
    assert len(notices) == 1
    assert "say nothing about Kaggle" in notices[0]
    assert f"{NOISE_FLOOR:.3f}" in notices[0]
    printed = json.loads(captured.out)
    assert (printed["data"], printed["noise_floor"], printed["n_rows"]) == ("sample", NOISE_FLOOR, 30)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--rows", "0", "n_rows must be at least 1, got 0"), ("--test-rows", "0", "at least 1, got 0")],
)
def test_a_sample_without_rows_is_refused(
    option: str, value: str, message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("sample", option, value, "--to", "town") == 2
    assert message in assert_refused(capsys)[0]
    assert list(place.iterdir()) == []


def test_a_sample_where_nothing_can_be_written_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "file").write_text("old")
    assert exit_code("sample", "--rows", "5", "--test-rows", "5", "--to", "file/town") == 1
    assert "file/town" in assert_refused(capsys)[0]


# ---- bad input: exit code 1 ----


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("no folder", "absent: no such folder; accepted: a folder with train.csv and test.csv"),
        ("no test.csv", "accepted: Kaggle's test.csv, packed or not, or a spreadsheet saved as CSV under that name"),
        ("unknown level", "train.csv: line 5 (Id {}), column Street: 'Dirt'; accepted: one of Grvl, Pave, NA"),
        ("header only", "train.csv: there is a header but no rows; accepted: one line a house"),
        ("more folds than rows", f"folds.n_folds must be in [2, n_rows={N_ROWS}], got {N_ROWS + 1}"),
        ("unwritable run", "/train.csv/run: Not a directory; accepted: a folder that can be written"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_run(
    spoil: str, message: str, cv: list[str], raw_train: pd.DataFrame, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run, more = Path(cv[2]), "run", []
    if spoil == "no folder":
        cv[2] = "absent"
    elif spoil == "no test.csv":
        (data / "test.csv").unlink()
    elif spoil == "unknown level":
        message = message.format(raw_train.loc[3, "Id"])
        raw_train.loc[3, "Street"] = "Dirt"
        raw_train.to_csv(data / "train.csv", index=False)
    elif spoil == "header only":
        raw_train.iloc[:0].to_csv(data / "train.csv", index=False)
    elif spoil == "more folds than rows":
        more = ["--folds.n_folds", str(N_ROWS + 1)]
    else:
        run = str(data / "train.csv" / "run")
    assert exit_code(*cv, "--run", run, *more) == 1
    assert assert_refused(capsys)[0].endswith(message)
    assert list(place.iterdir()) == []


def test_a_full_run_folder_is_refused_before_the_data_is_read(
    cv: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "run").mkdir()
    (place / "run" / "old.txt").write_text("old")
    (Path(cv[2]) / "train.csv").write_text("no table")
    assert exit_code(*cv, "--run", "run") == 1
    assert assert_refused(capsys) == ["houseprices: run: exists already; accepted: a new or empty folder"]
    assert [path.name for path in (place / "run").iterdir()] == ["old.txt"]
    assert [path.name for path in place.iterdir()] == ["run"]


def test_predictions_that_are_no_prices_leave_no_run(
    cv: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*cv, "--run", "run", "--models.tiny.learning_rate", "1e30") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].endswith(
        "accepted: a finite price above 0 dollars (training diverged? lower the learning rate)"
    )
    assert list(place.iterdir()) == []


def test_an_interrupted_job_leaves_nothing(
    cv: list[str], place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("houseprices.runs.write.cross_validate", interrupt)
    assert exit_code(*cv, "--run", "run") == 130
    assert assert_refused(capsys) == ["houseprices: interrupted; nothing was written"]
    assert list(place.iterdir()) == []


LONG = 300 * "n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["cv", "--data", LONG],
        ["cv", "--config", LONG],
        ["predict", "--run", LONG, "--input", "-"],
        ["report", "--run", LONG],
        ["explain", "--id", "1", "--run", LONG],
        ["ablate", "--run", LONG],
        ["submit", "--run", LONG],
        ["submit", "--file", LONG],
        ["download", "--source", "mirror", "--to", LONG],
        ["sample", "--to", LONG],
    ],
    ids=lambda arguments: " ".join(arguments).replace(LONG, "long"),
)
def test_a_name_that_no_file_can_have_is_refused_in_one_line(
    arguments: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*arguments) in (1, 2)
    [line] = assert_refused(capsys)
    assert LONG[:100] in line
    assert "File name too long" in line
    assert list(place.iterdir()) == []


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may enter any folder, and is somebody else for as long as the test runs."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    yield
    os.seteuid(0)


@pytest.mark.parametrize(
    "command",
    ["cv --data", "report --run", "predict --input - --run", "explain --id 1 --run", "submit --run", "submit --file"],
)
def test_a_folder_that_may_not_be_entered_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], nobody: None
) -> None:
    folder = tmp_path / "hidden" / "folder"
    folder.parent.mkdir(mode=0o700)
    arguments = [*command.split(), str(folder)]
    exit_code(*arguments)  # imports what it needs, which another user may not
    capsys.readouterr()
    os.seteuid(65534)
    assert exit_code(*arguments) == 1
    assert ": Permission denied" in assert_refused(capsys)[0]


def test_debug_lets_the_traceback_through(cv: list[str], place: Path) -> None:
    (place / "run").mkdir()
    (place / "run" / "old.txt").write_text("old")
    with pytest.raises(RunError, match="exists already"):
        main([*cv, "--run", "run", "--debug"])
    with pytest.raises(DataError, match="no such folder"):
        main(["--debug", "cv", "--data", "absent"])


# ---- wrong usage: exit code 2 ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bogus", "3"], "bogus is unknown; accepted: seed, device, workers, ray, folds, features, models"),
        (["--dropout", "0.2"], "dropout is unknown (is it models.tiny.dropout?); accepted: seed, device"),
        (["--n-folds", "3"], "n_folds is unknown (is it folds.n_folds?)"),
        (["--folds.n_folds", "1"], "folds.n_folds: input should be greater than or equal to 2, got 1"),
        (["--models.large.dropout", "0"], "models.large is unknown; accepted: "),
        (["--device", "tpu"], "device: input should be 'auto', 'cpu' or 'cuda', got 'tpu'"),
        (["stray"], "'stray' is not expected here; accepted: --name value"),
    ],
)
def test_wrong_usage_is_one_line_with_what_is_accepted(
    options: list[str], message: str, cv: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*cv, *options) == 2
    assert assert_refused(capsys)[0].startswith(f"houseprices: {message}")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["cv", "--seed", "many"], "--seed"),
        (["cv", "--seed"], "--seed"),
        (["cv", "--data"], "--data"),
        (["sample", "--rows", "few"], "--rows"),
        (["sample", "--bogus", "1"], "--bogus"),
        (["settings", "stray"], "stray"),
        (["train"], "train"),
        (["--bogus"], "--bogus"),
    ],
)
def test_what_the_program_does_not_know_is_named(
    arguments: list[str], named: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert named in captured.err
    assert "Traceback" not in captured.err
    assert list(place.iterdir()) == []


def test_cuda_without_a_device_is_one_line(
    cv: list[str], place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert exit_code(*cv, "--device", "cuda") != 0
    assert "accepted here: auto, cpu" in assert_refused(capsys)[0]
    assert list(place.iterdir()) == []


# ---- help ----


def test_a_folder_or_file_out_of_place_is_met_with_its_option(
    cv: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "houses").mkdir()
    (place / "my.toml").touch()
    assert exit_code(*cv, "houses") == 2
    assert "'houses' is not expected here; accepted: --data houses or --run houses" in assert_refused(capsys)[0]
    assert exit_code(*cv, "my.toml") == 2
    assert "accepted: --config my.toml" in assert_refused(capsys)[0]


def test_a_run_may_be_named_with_or_without_its_option(
    finished_run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run, test_file = str(finished_run.folder), str(finished_run.data / "test.csv")
    assert exit_code("predict", "--run", run, "--input", test_file) == 0
    named = capsys.readouterr().out
    assert exit_code("predict", run, "--input", test_file) == 0
    assert capsys.readouterr().out == named


@pytest.mark.parametrize("command", [["report"], ["explain", "--id", "1"], ["predict", "--input", "-"], ["submit"]])
def test_where_there_is_no_run_yet_every_command_says_how_to_make_one(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*command) == 1
    (line,) = assert_refused(capsys)
    assert line.startswith("houseprices: runs/latest: there is no run yet; `make cv` makes one")


@pytest.mark.parametrize("command", [["report"], ["explain", "--id", "1"], ["predict", "--input", "-"], ["submit"]])
def test_a_file_in_place_of_a_folder_is_called_one(
    command: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "file").touch()
    assert exit_code(*command, "--run", "file") == 1
    assert assert_refused(capsys)[0].startswith("houseprices: file: is a file; accepted: ")
    assert exit_code("cv", "--data", "file") == 1
    assert "file: is a file; accepted: a folder with train.csv and test.csv" in assert_refused(capsys)[0]


@pytest.mark.parametrize("tokens", [["--data", "~/absent"], ["--data=~/absent"]])
def test_a_tilde_is_the_home_folder_where_the_shell_left_it(
    tokens: list[str], place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place))
    assert exit_code("cv", *tokens) == 1
    assert assert_refused(capsys)[0].startswith(f"houseprices: {place}/absent: no such folder")


def test_a_table_of_other_columns_is_one_line(
    cv: list[str], raw_train: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    raw_train[["Id", "SalePrice"]].to_csv(Path(cv[2]) / "train.csv", index=False)
    assert exit_code(*cv) == 1
    assert "79 of the 79 features are missing (MSSubClass, " in assert_refused(capsys)[0]


def test_settings_lists_every_setting_as_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("settings") == 0
    listed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in listed] == [f"--{setting.name}" for setting in explained_settings()]
    assert {"--seed", "--device", "--workers", "--folds.n_folds", "--models.<model>.dropout"} <= {
        row[0] for row in listed
    }
    assert exit_code("settings", "--config", "quick") == 0
    (hidden,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("--models.<model>.hidden"))
    assert hidden.endswith("\ttanh [64]")


@pytest.mark.parametrize("arguments", [["--help"], ["cv", "--help"], ["--version"]])
def test_help_goes_to_stdout(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*arguments) == 0
    captured = capsys.readouterr()
    assert captured.out
    assert captured.err == ""


# ---- the real job ----


@pytest.mark.real_data
def test_the_quick_job_on_kaggles_files_beats_ridge_and_prices_every_test_house(
    real_data: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ROOT / "configs" / "quick.toml"
    assert exit_code("cv", "--data", str(real_data), "--config", str(quick), "--run", "run", "--json") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["data"] == "kaggle"
    assert metrics["n_rows"] == 1460
    assert metrics["log_rmse"]["pooled"] < min(0.1225, metrics["baselines"]["ridge"])
    submission = pd.read_csv(place / "run" / "submission.csv")
    assert list(submission["Id"]) == list(range(1461, 2920))
    assert submission["SalePrice"].between(10_000, 1_000_000).all()


def test_on_the_sample_the_quick_job_comes_within_a_quarter_of_the_noise(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("cv", "--config", str(ROOT / "configs" / "quick.toml"), "--json") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["data"] == "sample"
    assert metrics["log_rmse"]["pooled"] < 1.25 * metrics["noise_floor"]
