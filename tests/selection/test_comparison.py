"""A look through the gate: what is trained, noted, kept and refused; by the command line."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from houseprices.cli import main
from houseprices.data.schema import PRICE
from houseprices.preprocessing.houses import house_array
from houseprices.selection.comparison import PREDICTIONS, compare, predict_halves
from houseprices.selection.gate import N_HALVINGS

OPTION = ("--models.tiny.dropout", "0.3")


@pytest.fixture
def looked(place, data_folder, fast_config, capsys):
    """Make a look by the command line: the figures as JSON."""

    def look(*arguments: str) -> dict:
        assert compared(data_folder, fast_config, *arguments, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return look


def compared(data: Path, config: Path, *arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        main(["compare", "--data", str(data), "--config", str(config), *arguments])
    return exit_info.value.code


def noted(log: str = "docs/experiments.csv") -> list[dict[str, str]]:
    with Path(log).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_house_is_predicted_in_every_halving_as_the_mean_over_members_and_groups(houses, fast_settings):
    group = fast_settings.models["tiny"]
    recipe = replace(fast_settings, models={"tiny": group, "relu": replace(group, activation="relu")})
    log_price = np.log(houses[PRICE].to_numpy(dtype=np.float64))
    [found] = predict_halves([recipe], house_array(houses.drop(columns=PRICE)), log_price, None)
    assert found.prediction.shape == (N_HALVINGS, len(houses))
    np.testing.assert_allclose(found.prediction, np.mean(list(found.by_model.values()), axis=0), rtol=1e-12)
    assert not np.array_equal(found.by_model["tiny"], found.by_model["relu"])


def test_a_look_is_noted_once_with_the_figures_shown(looked):
    found = looked(*OPTION)
    [line] = noted()
    assert (line["change"], line["data"], line["rule"]) == (
        f"{line['change'].split()[0]} {' '.join(OPTION)}",
        "other",
        "improvement",
    )
    assert (line["incumbent"], line["candidate"]) == (found["first"], found["second"])
    assert float(line["bulk_difference"]) == pytest.approx(found["judgement"]["bulk"]["difference"], abs=1e-5)
    assert line["verdict"] == found["verdict"] == ("rejected" if found["objections"] else "adopted")
    assert looked(*OPTION) == found
    assert noted() == [line]


def test_looks_are_counted_by_kind_of_houses(looked):
    assert looked(*OPTION)["look"] == 1
    assert looked("--models.tiny.dropout", "0.4", "--change", "more  dropout")["look"] == 2
    assert [line["change"] for line in noted()][1] == "more dropout"
    text = Path("docs/experiments.csv").read_text()
    Path("docs/experiments.csv").write_text(text.replace(",other,", ",kaggle,"))
    assert looked("--models.tiny.dropout", "0.45")["look"] == 1


def test_the_incumbent_is_not_trained_again(data_folder, fast_settings, place):
    def look(dropout: float) -> int:
        told = []
        second = replace(fast_settings, models={"tiny": replace(fast_settings.models["tiny"], dropout=dropout)})
        compare(data_folder, fast_settings, second, change="", log=Path("log.csv"), notify=told.append)
        return told[-1].n_done if told else 0

    assert [look(0.3), look(0.4), look(0.3)] == [2 * 4 * 2 * N_HALVINGS, 4 * 2 * N_HALVINGS, 0]
    assert len(list(PREDICTIONS.iterdir())) == 3 * 2 * N_HALVINGS


def test_a_simplification_is_counted_from_the_last_incumbent_that_was_none(
    data_folder, fast_config, looked, place, capsys
):
    """So that many small losses do not add up unseen."""
    found = looked(*OPTION, "--simplification")
    assert found["counted_from"] == found["first"]
    log, simpler, simplest = Path("docs/experiments.csv"), Path("simpler.toml"), Path("simplest.toml")
    log.write_text(log.read_text().replace(",rejected", ",adopted"))
    simpler.write_text(fast_config.read_text() + "dropout = 0.3\n")
    simplest.write_text(fast_config.read_text() + "dropout = 0.4\n")
    for rule, counted_from in (["--simplification"], found["first"]), ([], found["second"]):
        assert compared(data_folder, simpler, "--against", str(simplest), "--json", *rule) == 0
        after = json.loads(capsys.readouterr().out)
        assert (after["first"], after["counted_from"]) == (found["second"], counted_from)
        assert noted()[-1]["counted_from"] == counted_from
        before = found["judgement"]["whole"]["first" if rule else "second"]
        assert after["judgement"]["whole"]["first"] == pytest.approx(before)


def test_the_verdict_is_printed(data_folder, fast_config, place, capsys):
    assert compared(data_folder, fast_config, "--models.tiny.dropout", "0", "--without-id", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines[1:5]] == [
        "whole", "bulk", "median |error|", "whole without the Ids named",
    ]  # fmt: skip
    assert lines[-2].startswith("largest changes of a squared error: Id ")
    assert lines[-1].startswith("look 1: rejected, for ")
    assert "models.tiny.dropout is 0" in lines[-1]


def test_of_several_kinds_it_is_shown_how_each_errs(data_folder, fast_config, place, capsys):
    both = Path("both.toml")
    second = "".join(fast_config.read_text().partition("[models.tiny]")[1:]).replace("tiny", "relu")
    both.write_text(fast_config.read_text() + second + 'activation = "relu"\n')
    assert compared(data_folder, fast_config, "--against", str(both)) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    [start] = [place for place, row in enumerate(rows) if row == ["kind", "tiny", "relu"]]
    assert (rows[start + 1][:2], rows[start + 2][::2]) == (["tiny", ""], ["relu", ""])
    assert rows[start + 1][2] == rows[start + 2][1]
    assert rows[start - 3][-1] == "bulk without it"
    assert (rows[start - 2][-1], rows[start - 1][-1]) == (rows[start - 1][3], rows[start - 2][3])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the recipes train the very same networks"),
        (["--folds.n_folds", "2"], "the recipes train the very same networks"),
        ([*OPTION, "--without-id", "99999"], "no house has the Id 99999"),
        (["--against", "nowhere.toml"], "nowhere.toml: No such file"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_2(arguments, told, data_folder, fast_config, place, capsys):
    assert compared(data_folder, fast_config, *arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert list(place.iterdir()) == []


def test_a_log_of_something_else_is_left_alone(data_folder, fast_config, place, capsys):
    Path("notes.csv").write_text("a,b\n1,2\n")
    assert compared(data_folder, fast_config, *OPTION, "--log", "notes.csv") == 1
    assert "notes.csv: is no log of looks" in capsys.readouterr().err
    assert Path("notes.csv").read_text() == "a,b\n1,2\n"


def test_training_that_diverges_is_one_line_and_no_look(data_folder, fast_config, place, capsys):
    assert compared(data_folder, fast_config, "--models.tiny.learning_rate", "1e30") == 1
    assert "training diverged" in capsys.readouterr().err
    assert not Path("docs").exists()
