"""Past runs are listed with scores and changed settings; two of them are compared house by house."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import FinishedRun, change_manifest, exit_code, sign

from houseprices.files import sha256_of
from houseprices.kaggle.ledger import Entry, note
from houseprices.report.past_runs import compare_runs, past_runs


@pytest.fixture
def runs(finished_run: FinishedRun, place: Path) -> Path:
    """runs/ with the finished run, and a later one of more dropout whose errors are a tenth smaller."""
    first, second = place / "runs" / "first", place / "runs" / "second"
    shutil.copytree(finished_run.folder, first)
    shutil.copytree(finished_run.folder, second)
    oof = pd.read_csv(second / "oof.csv")
    oof["prediction"] = oof["log_price"] + 0.9 * (oof["prediction"] - oof["log_price"])
    oof.to_csv(second / "oof.csv", index=False)
    config = (second / "config.toml").read_text("utf-8")
    (second / "config.toml").write_text(config.replace("dropout = 0.5", "dropout = 0.6"), "utf-8")
    change_manifest(second, finished_utc="2126-01-01T00:00:00+00:00")
    sign(second)
    return first.parent


def test_the_list_is_newest_first_with_scores_and_changes(runs: Path) -> None:
    checksum = sha256_of(runs / "first" / "submission.csv")
    note(Entry("2126-01-02T00:00:00+00:00", "submission.csv", checksum, "runs/first", 0.2, "m", 1, "complete", 0.1234))
    config = (runs / "first" / "config.toml").read_text("utf-8")
    (runs / "first" / "config.toml").write_text(config.replace('loss = "student_t"\n', 'shape = "cone"\n'), "utf-8")
    second, first = past_runs()
    assert (second.name, first.name) == ("second", "first")
    assert first.cv_log_rmse == json.loads((runs / "first" / "metrics.json").read_text("utf-8"))["log_rmse"]["pooled"]
    assert first.low < first.cv_log_rmse < first.high
    # Every error is a tenth smaller, and so is each end.
    assert (second.low, second.high) == pytest.approx((0.9 * first.low, 0.9 * first.high))
    assert (first.public_score, second.public_score) == (0.1234, 0.1234)  # their prices are equal
    assert first.changes == []
    assert sorted(second.changes) == [
        "models.tiny.dropout 0.5 -> 0.6",
        "models.tiny.loss (no such setting) -> student_t",
        "models.tiny.shape cone -> (no such setting)",
    ]


@pytest.mark.parametrize("file", ["metrics.json", "oof.csv", "config.toml"])
def test_an_unreadable_run_is_named_and_left_out(runs: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    (runs / "second" / file).write_text("Id,log_price,prediction\n1,12,\n2,12,12\n", "utf-8")
    assert exit_code("runs") == 0
    output = capsys.readouterr()
    assert [line.split("\t")[0] for line in output.out.splitlines()] == ["run", "first"]
    (line,) = output.err.splitlines()
    assert line.startswith(f"houseprices: runs/second/{file}: ")


def test_two_runs_are_compared_house_by_house(runs: Path) -> None:
    comparison = compare_runs("first", str(runs / "second"))
    assert comparison.changes == ["models.tiny.dropout 0.5 -> 0.6"]
    rmse = comparison.scores.rmse
    assert rmse.second == pytest.approx(0.9 * rmse.first)
    assert rmse.high < 0, "every house is better"
    reverse = compare_runs("second", "first").scores.rmse
    assert (reverse.difference, reverse.low, reverse.high) == pytest.approx((-rmse.difference, -rmse.high, -rmse.low))
    assert exit_code("runs", "first", "second") == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("first",), 2, "there is one run to compare; accepted: two"),
        (("first", "first"), 1, "their settings and seed are equal; accepted: runs that differ"),
        (("first", "second"), 1, "their houses differ; accepted: two runs on the same train.csv"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    oof = pd.read_csv(runs / "second" / "oof.csv")
    oof["log_price"] += np.where(oof.index == 3, 0.01, 0)
    oof.to_csv(runs / "second" / "oof.csv", index=False)
    sign(runs / "second")
    assert exit_code("runs", *arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
