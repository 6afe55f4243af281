"""The list of runs says what they scored and what was changed; two of them are compared house by house."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import FinishedRun

from houseprices.cli import main
from houseprices.files import sha256_of
from houseprices.kaggle.ledger import Entry, note
from houseprices.report.past_runs import compare_runs, past_runs


@pytest.fixture
def runs(finished_run: FinishedRun, place: Path) -> Path:
    """runs/ with the finished run, and a later one of more dropout whose errors are a tenth smaller."""
    folder = place / "runs"
    shutil.copytree(finished_run.folder, folder / "first")
    shutil.copytree(finished_run.folder, folder / "second")
    oof = pd.read_csv(folder / "second" / "oof.csv")
    oof["prediction"] = oof["log_price"] + 0.9 * (oof["prediction"] - oof["log_price"])
    oof.to_csv(folder / "second" / "oof.csv", index=False)
    metrics = json.loads((folder / "second" / "metrics.json").read_text("utf-8"))
    metrics["log_rmse"]["pooled"] *= 0.9
    (folder / "second" / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    config = (folder / "second" / "config.toml").read_text("utf-8")
    (folder / "second" / "config.toml").write_text(config.replace("dropout = 0.5", "dropout = 0.6"), "utf-8")
    seal(folder / "second", finished_utc="2126-01-01T00:00:00+00:00")
    (folder / "latest").symlink_to("second")
    return folder


def seal(folder: Path, **changed: object) -> None:
    """Let the manifest agree with what the folder holds."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8")) | changed
    manifest["outputs_sha256"] = {name: sha256_of(folder / name) for name in manifest["outputs_sha256"]}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def command(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as error:
        main(["runs", *arguments])
    return error.value.code


def test_the_list_is_newest_first_with_scores_and_changes(runs: Path, finished_run: FinishedRun) -> None:
    note(
        Entry(
            submitted_utc="2126-01-02T00:00:00+00:00",
            file="submission.csv",
            sha256=sha256_of(runs / "first" / "submission.csv"),
            run="runs/first",
            cv_log_rmse=0.2,
            message="m",
            ref=1,
            status="complete",
            public_score=0.1234,
        )
    )
    second, first = past_runs()
    assert (second.name, first.name) == ("second", "first")
    score = json.loads((finished_run.folder / "metrics.json").read_text("utf-8"))["log_rmse"]["pooled"]
    assert first.cv_log_rmse == score
    assert first.low < score < first.high
    # Every error is a tenth smaller, and so is each end.
    assert (second.low, second.high) == pytest.approx((0.9 * first.low, 0.9 * first.high))
    assert (first.changes, second.changes) == ([], ["models.tiny.dropout 0.5 -> 0.6"])
    assert first.public_score == 0.1234


def test_a_setting_that_an_older_run_did_not_have_is_called_so(runs: Path) -> None:
    config = (runs / "first" / "config.toml").read_text("utf-8")
    (runs / "first" / "config.toml").write_text(config.replace('loss = "student_t"\n', 'shape = "cone"\n'), "utf-8")
    assert sorted(past_runs()[0].changes) == [
        "models.tiny.dropout 0.5 -> 0.6",
        "models.tiny.loss (no such setting) -> student_t",
        "models.tiny.shape cone -> (no such setting)",
    ]


@pytest.mark.parametrize("unlike", ["houses", "settings", None])
def test_two_runs_are_offered_for_comparison_where_they_can_be_compared(
    runs: Path, unlike: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if unlike == "houses":
        data = json.loads((runs / "second" / "manifest.json").read_text("utf-8"))["data"]
        seal(runs / "second", data=data | {"sha256": {"train.csv": "0"}})
    if unlike == "settings":
        shutil.copy(runs / "first" / "config.toml", runs / "second" / "config.toml")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert command() == 0
    told = " ".join(capsys.readouterr().out.split())
    assert ("first second" in told) == (unlike is None)


def test_what_cannot_be_read_is_told_and_left_out(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "second" / "metrics.json").write_text("{", "utf-8")
    (runs / "ablation").mkdir()
    assert command() == 0
    told = capsys.readouterr()
    assert [line.split("\t")[0] for line in told.out.splitlines()] == ["run", "first"]
    (line,) = told.err.splitlines()
    assert line.startswith("houseprices: runs/second/metrics.json: no JSON")


def test_two_runs_are_compared_house_by_house(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compare_runs("first", str(runs / "second"))
    assert found.changes == ["models.tiny.dropout 0.5 -> 0.6"]
    whole = found.scores.rmse
    assert whole.second == pytest.approx(0.9 * whole.first)
    assert whole.high < 0, "every house is better"
    back = compare_runs("second", "first").scores.rmse
    assert (back.difference, back.low, back.high) == pytest.approx((-whole.difference, -whole.high, -whole.low))
    assert command("first", "second") == 0
    assert "first first, second second: models.tiny.dropout 0.5 -> 0.6" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("first",), 2, "there is one run to compare; accepted: two"),
        (("first", "first"), 1, "their settings and seed are equal; accepted: runs that differ"),
        (("first", "third"), 1, "third: no such folder"),
        (("first", "second"), 1, "their houses differ; accepted: two runs on the same train.csv"),
    ],
)
def test_what_makes_no_comparison_is_refused(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, told: str
) -> None:
    oof = pd.read_csv(runs / "second" / "oof.csv")
    oof["log_price"] += np.where(oof.index == 3, 0.01, 0)
    oof.to_csv(runs / "second" / "oof.csv", index=False)
    seal(runs / "second")
    assert command(*arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_without_a_run_the_list_says_how_to_make_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command() == 0
    assert capsys.readouterr().out == "runs: there is no run yet; `make cv` makes one\n"
