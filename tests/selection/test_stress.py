"""Rare houses are held out, and nothing of them is trained on."""

import json

import numpy as np
import pytest

from houseprices.cli import main
from houseprices.cross_validation.metrics import log_rmse
from houseprices.preprocessing.houses import POSITION, HouseArray, house_array
from houseprices.selection.held_out import batches_of, predict_held_out
from houseprices.selection.stress import distance_to_neighbors, rare_sets, stress_recipe
from houseprices.settings import Settings


@pytest.fixture
def town(houses) -> tuple[HouseArray, np.ndarray]:
    return house_array(houses.drop(columns="SalePrice")), np.log(houses["SalePrice"].to_numpy(dtype=np.float64))


def test_rare_houses_are_held_out_and_all_others_are_trained_on(town, houses):
    array, log_price = town
    sets = rare_sets(array, log_price)
    assert {name: len(one.held_out) for name, one in sets.items()} == {
        "far from neighbours": 5,
        "unfinished sales": (houses["SaleCondition"] == "Partial").sum(),
        "cheapest twentieth": 3,
        "dearest twentieth": 3,
    }
    for one in sets.values():
        assert not set(one.training) & set(one.held_out)
        np.testing.assert_array_equal(np.sort(np.concatenate([one.training, one.held_out])), np.arange(len(houses)))
    assert (houses["SaleCondition"].iloc[sets["unfinished sales"].held_out] == "Partial").all()
    cheap, dear = sets["cheapest twentieth"], sets["dearest twentieth"]
    assert log_price[cheap.held_out].max() <= log_price[cheap.training].min()
    assert log_price[dear.held_out].min() >= log_price[dear.training].max()


def test_a_house_like_no_other_is_the_furthest_and_twins_are_near(town):
    array, _ = town
    values = array.values.copy()
    values[:6] = values[0]
    values[9, [POSITION[name] for name in ("LotArea", "GrLivArea", "1stFlrSF", "WoodDeckSF")]] *= 20
    distances = distance_to_neighbors(HouseArray(values))
    assert distances.argmax() == 9
    np.testing.assert_allclose(distances[:6], 0, atol=1e-3)
    assert distances[6:].min() > 0.1


def test_a_set_without_a_house_is_left_out(town):
    array, log_price = town
    values = array.values.copy()
    values[:, POSITION["SaleCondition"]] = 0
    assert "unfinished sales" not in rare_sets(HouseArray(values), log_price)


def test_held_out_prices_move_no_prediction(town, fast_settings: Settings):
    array, log_price = town
    sets = list(rare_sets(array, log_price).values())
    for one in sets:
        moved = log_price.copy()
        moved[one.held_out] += 1
        [before], [after] = (
            predict_held_out(batches_of([fast_settings], array, prices, [one]), fast_settings, None)
            for prices in (log_price, moved)
        )
        np.testing.assert_array_equal(before["tiny"][0], after["tiny"][0])


def test_the_figures_are_those_of_the_errors(town, fast_settings):
    array, log_price = town
    found = stress_recipe(fast_settings, array, log_price, None)
    sets = rare_sets(array, log_price)
    assert list(found) == list(sets)
    for name, one in sets.items():
        assert list(found[name].scores) == ["committee", "median", "ridge"]
        error = np.median(log_price[one.training]) - log_price[one.held_out]
        score = found[name].scores["median"]
        assert (score.log_rmse, score.bias, score.largest) == pytest.approx(
            (log_rmse(error, np.zeros_like(error)), error.mean(), np.abs(error).max())
        )
    assert found["cheapest twentieth"].scores["median"].bias > 0 > found["dearest twentieth"].scores["median"].bias


def test_a_committee_is_shown_with_its_groups(data_folder, fast_config, place, capsys):
    second = "".join(fast_config.read_text().partition("[models.tiny]")[1:]).replace("tiny", "relu")
    fast_config.write_text(fast_config.read_text() + second + 'activation = "relu"\n')
    command = ["stress", "--data", str(data_folder), "--config", str(fast_config)]
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as exit_info:
            main([*command, *more])
        assert exit_info.value.code == 0
    *rows, last = capsys.readouterr().out.splitlines()
    predictors = ["committee", "group tiny", "group relu", "median", "ridge"]
    assert [row.split("\t")[2] for row in rows] == ["predicted by", *predictors * 4]
    found = json.loads(last)
    shown = {tuple(row.split("\t")[:3]): row.split("\t")[3] for row in rows[1:]}
    for name, one in found.items():
        for by, score in one["scores"].items():
            assert shown[name, str(one["n_rows"]), by] == f"{score['log_rmse']:.4f}"
