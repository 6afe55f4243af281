"""A run's summary fits 80 columns, says over what each spread is, and what comes next."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from houseprices.cli.train import print_summary
from houseprices.cross_validation.metrics import FoldScore, LogRmse, ModelScore
from houseprices.runs.format import FORMAT_VERSION, DataNote, Manifest, Metrics, write_record


def metrics(n_folds: int, n_repeats: int, models: int = 1, *, data: str = "kaggle", spread: float = 0.003) -> Metrics:
    scores = [FoldScore(repeat, fold, 146, 0.1 + 0.01 * fold + 0.001 * repeat, 0.08)
              for repeat in range(n_repeats) for fold in range(n_folds)]  # fmt: skip
    by_model = {f"model{number}": ModelScore(0.11, 0.12, spread) for number in range(models)}
    whole = LogRmse(pooled=0.1107, fold_mean=0.1093, fold_std=0.0161, train=0.0812)
    return Metrics(whole, scores, by_model, {"median": 0.4, "ridge": 0.12}, 9, 1460, data=data, seconds={"total": 3.0})


Show = Callable[[Metrics], list[str]]


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Show:
    """Prints in a terminal of 80 columns and returns the lines, without colours."""

    run = Path("runs/one")
    monkeypatch.chdir(tmp_path)
    run.mkdir(parents=True)
    made = Manifest(FORMAT_VERSION, "1", DataNote("other", {}), {}, "3", {}, "cpu", {}, [], "now", "compiled")
    write_record(run / "manifest.json", made)

    def printed(of: Metrics) -> list[str]:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "80")
        print_summary(run, of)
        return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()

    return printed


@pytest.mark.parametrize(("n_folds", "n_repeats"), [(10, 5), (5, 1), (10, 8), (3, 30)])
def test_the_table_has_a_row_a_fold_and_the_score_stays_in_sight(show: Show, n_folds: int, n_repeats: int) -> None:
    lines = show(metrics(n_folds, n_repeats, models=3))
    assert len(lines) < 36
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "baseline: median" in text
    assert "baseline: ridge" in text
    if 1 < n_repeats <= 8:
        last = [line.split() for line in lines if line.split()[:1] == [str(n_folds)]]
        assert last == [
            [str(n_folds), *(f"{0.1 + 0.01 * (n_folds - 1) + 0.001 * repeat:.4f}" for repeat in range(n_repeats))]
        ]


def test_one_model_has_no_row_and_several_show_the_spread_of_their_networks(show: Show) -> None:
    assert "model0" not in "\n".join(show(metrics(5, 2)))
    several = "\n".join(show(metrics(5, 2, models=2)))
    assert several.count("0.1200 ± 0.0030") == 2
    alone = "\n".join(show(metrics(5, 1, models=2, spread=0.0)))
    assert "± 0.0000" not in alone


def test_the_last_line_names_what_comes_next(show: Show) -> None:
    assert show(metrics(5, 1))[-1] == "next: `make report` shows why on one page; `make submit` sends it to Kaggle"
    of_sample = show(metrics(5, 1, data="sample"))
    assert "make submit" not in of_sample[-1]
    assert max(map(len, of_sample)) <= 80
