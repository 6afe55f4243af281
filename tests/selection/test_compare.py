"""A comparison by the command line: what is trained, noted, printed and refused."""

import csv
import json
from pathlib import Path

import pytest

from houseprices.cli import main
from houseprices.selection.acceptance import PairedDifference, PairedScores
from houseprices.selection.compare import PREDICTIONS, Comparison

OPTION = ("--models.tiny.dropout", "0.3")
LOG = Path("runs/compare.csv")


@pytest.fixture
def compared(place, data_folder, fast_config, capsys):
    """Compare by the command line: the figures as JSON."""

    def run(*arguments: str) -> dict:
        assert exit_code(data_folder, fast_config, *arguments, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return run


def exit_code(data: Path, config: Path, *arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        main(["compare", "--data", str(data), "--config", str(config), *arguments])
    return exit_info.value.code


def noted(log: Path = LOG) -> list[dict[str, str]]:
    with log.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_trial_is_noted_once_with_the_figures_printed(compared):
    comparison = compared(*OPTION)
    [line] = noted()
    assert line["change"].endswith(" ".join(OPTION))
    assert (line["data"], line["rule"]) == ("other", "improvement")
    assert (line["first"], line["second"]) == (comparison["first"], comparison["second"])
    for figure, of_figure in comparison["scores"].items():
        for part, value in of_figure.items():
            assert float(line[f"{figure}_{part}"]) == pytest.approx(value, abs=1e-5)
    assert line["verdict"] == comparison["verdict"] == ("rejected" if comparison["reasons"] else "accepted")
    assert compared(*OPTION) == comparison
    assert noted() == [line]
    assert sorted(path.name for path in Path().iterdir()) == ["runs"]


def test_trials_are_counted_by_the_kind_of_data(compared):
    assert compared(*OPTION)["trial"] == 1
    assert compared("--models.tiny.dropout", "0.4", "--change", "more  dropout")["trial"] == 2
    assert [line["change"] for line in noted()][1] == "more dropout"
    LOG.write_text(LOG.read_text().replace(",other,", ",kaggle,"))
    assert compared("--models.tiny.dropout", "0.45")["trial"] == 1
    assert compared(*OPTION, "--simplification", "--log", "other.csv")["rule"] == "simplification"
    assert len(noted()) == 3
    assert len(noted(Path("other.csv"))) == 1


def test_the_settings_that_differ_are_named(compared):
    changes = compared(*OPTION, "--models.tiny.epochs", "3", "--workers", "1", "--folds.n_folds", "4")["changes"]
    assert changes == ["models.tiny.dropout 0.5 -> 0.3", "models.tiny.epochs 2 -> 3"]


@pytest.mark.parametrize(
    ("trimmed", "rmse", "rule", "begins", "ends"),
    [
        ((-0.003, -0.001), (-0.003, -0.001), "improvement", "The second is better", "use it."),
        ((-0.001, 0.0001), (-0.001, 0.0001), "simplification", "The second is simpler and not worse", "use it."),
        ((-0.001, 0.001), (-0.001, 0.001), "improvement", "No significant difference", "keep the first."),
        ((0.001, 0.003), (0.001, 0.003), "improvement", "The second is worse", "keep the first."),
        ((-0.001, 0.001), (0.001, 0.003), "improvement", "The second is worse", "keep the first."),
        ((-0.003, -0.001), (0.001, 0.003), "improvement", "The second is better on most houses", "keep the first."),
    ],
)
def test_the_conclusion_follows_from_the_intervals(trimmed, rmse, rule, begins, ends):
    of_trimmed, of_rmse = (PairedDifference(0.1, 0.1, (low + high) / 2, low, high) for low, high in (trimmed, rmse))
    reasons = [] if ends == "use it." else ["a reason"]
    scores = PairedScores(of_rmse, of_trimmed, of_rmse)
    conclusion = Comparison(1, rule, "", "", [], scores, reasons, []).conclusion
    assert conclusion.startswith(begins)
    assert conclusion.endswith(ends)


def test_the_conclusion_is_printed_before_a_table_of_80_columns(data_folder, fast_config, place, capsys, monkeypatch):
    monkeypatch.setattr("houseprices.cli.terminal.in_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert exit_code(data_folder, fast_config, "--models.tiny.dropout", "0") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(": keep the first.")
    assert lines[1].strip() == "models.tiny.dropout 0.5 -> 0.0"
    [rmse] = [line for line in lines if line.startswith("RMSE")]
    assert len(rmse.split()) == 6  # first, second, difference, and both ends of the interval, on one line
    assert lines[-1] == "trial 1 in runs/compare.csv: rejected"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "both settings train the same networks"),
        (["--folds.n_folds", "2"], "both settings train the same networks"),
        (["--against", "nowhere.toml"], "nowhere.toml: No such file"),
    ],
)
def test_settings_that_cannot_be_compared_are_one_line(arguments, message, data_folder, fast_config, place, capsys):
    assert exit_code(data_folder, fast_config, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not LOG.exists()


def test_a_file_that_is_no_log_is_left_alone(data_folder, fast_config, place, capsys):
    Path("notes.csv").write_text("a,b\n1,2\n")
    assert exit_code(data_folder, fast_config, *OPTION, "--log", "notes.csv") == 1
    assert "notes.csv: is no log of trials" in capsys.readouterr().err
    assert Path("notes.csv").read_text() == "a,b\n1,2\n"
    assert not PREDICTIONS.exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("learning_rate", "1e30", "training diverged"), ("hidden", "[2000000, 2000000]", "GB of memory")],
)
def test_a_network_that_cannot_be_trained_is_one_line_and_no_trial(
    option, value, message, data_folder, fast_config, place, capsys
):
    assert exit_code(data_folder, fast_config, f"--models.tiny.{option}", value) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not LOG.exists()
