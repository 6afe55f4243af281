import json
from dataclasses import replace

import numpy as np
import pytest

from houseprices.cli import main
from houseprices.studies.comparison import compare, out_of_fold_of_seeds, paired_difference

TRUTH = np.random.default_rng(0).normal(size=400)


def guesses(error: float, seed: int = 1) -> np.ndarray:
    """Out-of-fold predictions of two seeds with independent errors of this size."""
    return TRUTH + error * np.random.default_rng(seed).normal(size=(2, len(TRUTH)))


def test_equal_predictions_differ_by_nothing():
    same = guesses(0.1)
    difference = paired_difference(same, same, TRUTH)
    assert (difference.low, difference.difference, difference.high) == (0.0, 0.0, 0.0)
    assert difference.verdict == "no difference"


def test_the_score_is_the_mean_over_seeds_of_the_pooled_error():
    first = np.stack([TRUTH + 0.1, TRUTH + 0.3])
    assert paired_difference(first, first, TRUTH).first == pytest.approx(0.2)


def test_a_clear_gain_is_found_and_turns_its_sign_when_the_two_change_places():
    one, other = guesses(0.2), guesses(0.1, seed=2)
    there, back = paired_difference(one, other, TRUTH), paired_difference(other, one, TRUTH)
    assert there.verdict == "better"
    assert back.verdict == "worse"
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))


def test_a_gain_that_rests_on_one_house_is_no_gain():
    first, second = guesses(0.1), guesses(0.1)
    first[:, 7] += 0.5
    difference = paired_difference(first, second, TRUTH)
    assert difference.difference < 0
    assert difference.verdict == "no difference"


def test_pairing_narrows_the_interval():
    """Errors that both share cancel; as independent errors they would not."""
    shared = guesses(0.2)
    small = 0.01 * np.random.default_rng(5).normal(size=shared.shape)
    paired = paired_difference(shared, shared + small, TRUTH)
    unpaired = paired_difference(shared, guesses(0.2, seed=9), TRUTH)
    assert paired.high - paired.low < 0.2 * (unpaired.high - unpaired.low)


def test_the_interval_covers_the_true_difference_of_independent_draws():
    """95% intervals over 200 fresh problems; 5 standard errors below 95% would be 87%."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        truth = np.zeros(150)
        first, second = 0.3 * rng.normal(size=(1, 150)), 0.2 * rng.normal(size=(1, 150))
        found = paired_difference(first, second, truth, n_draws=300)
        covered += found.low <= 0.2 - 0.3 <= found.high
    assert covered >= 0.87 * 200


def test_seeds_change_the_folds_and_equal_seeds_do_not(houses, raw_test, fast_settings):
    unpriced = houses.drop(columns="SalePrice").iloc[:5]
    found = out_of_fold_of_seeds(houses, unpriced, fast_settings, [0, 1, 0])
    assert found.shape == (3, len(houses))
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])
    other = out_of_fold_of_seeds(houses, unpriced, replace(fast_settings, seed=1), [0])
    np.testing.assert_array_equal(other[0], found[0])


def test_all_cross_validations_are_told_of_as_one_stage(data_folder, fast_settings):
    told = []
    more = replace(fast_settings, groups={"tiny": replace(fast_settings.groups["tiny"], n_members=3)})
    compare(data_folder, fast_settings, more, n_seeds=2, tell=told.append)
    counts = [one.n_done for one in told]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 2 * 3 * (2 + 3))
    assert {(one.stage, one.n_total) for one in told} == {("training networks", counts[-1])}


# ---- the command ----


def compared(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        main(["compare", *arguments])
    return exit_info.value.code


def test_settings_compared_with_themselves_differ_by_nothing(data_folder, fast_config, capsys):
    assert compared("--data", str(data_folder), "--config", str(fast_config), "--seeds", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["overall"]["difference"] == found["overall"]["low"] == found["overall"]["high"] == 0
    assert found["without"] is None


def test_an_option_changes_the_second_settings_and_the_figures_are_those_of_cv(data_folder, fast_config, place, capsys):
    data, config = ["--data", str(data_folder)], ["--config", str(fast_config)]
    option = ["--groups.tiny.learning_rate", "0.05"]
    assert compared(*data, *config, "--seeds", "1", "--without-id", "3", "--json", *option) == 0
    found = json.loads(capsys.readouterr().out)
    for name, options in (("first", []), ("second", option)):
        with pytest.raises(SystemExit):
            main(["cv", *data, *config, "--json", *options])
        assert found["overall"][name] == pytest.approx(json.loads(capsys.readouterr().out)["log_rmse"]["pooled"])
    assert found["without"]["first"] != found["overall"]["first"]
    assert len(found["largest"]) == 5


def test_the_verdict_is_printed(data_folder, fast_config, capsys):
    assert compared("--data", str(data_folder), "--config", str(fast_config), "--seeds", "1") == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith("difference +0.0000 [+0.0000, +0.0000]: no difference (every row)")
    assert last.startswith("largest changes of a squared error: Id ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--folds.n_folds", "2"], "both settings must have the same folds"),
        (["--seeds", "0"], "seeds must be at least 1, got 0"),
        (["--without-id", "99999"], "no house has the Id 99999"),
        (["--against", "nowhere.toml"], "nowhere.toml: No such file"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_2(arguments, told, data_folder, fast_config, place, capsys):
    assert compared("--data", str(data_folder), "--config", str(fast_config), *arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
