"""Attributions of a house sum to its price, feature by feature and theme by theme."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import FinishedRun, exit_code

from houseprices.cross_validation.ensemble import Ensemble
from houseprices.data.schema import BY_NAME
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import Architecture
from houseprices.report.attributions import explain_new, explain_out_of_fold, integrated_gradients
from houseprices.runs.read import SavedRun, read_run


@pytest.fixture(scope="module")
def run(finished_run: FinishedRun) -> SavedRun:
    return read_run(finished_run.folder)


def test_attributions_of_new_houses_sum_to_the_submitted_price(run: SavedRun) -> None:
    training, test = run.houses()
    explanation = explain_new(run, training, test)
    assert explanation.attributions.shape == (len(test), 79)
    submission = pd.read_csv(run.folder / "submission.csv")["SalePrice"]
    total = explanation.baseline + explanation.attributions.sum(axis=1)
    np.testing.assert_allclose(total, np.log(submission), atol=1e-4)


def test_attributions_of_training_houses_sum_to_their_out_of_fold_predictions(run: SavedRun) -> None:
    training, _ = run.houses()
    explanation = explain_out_of_fold(run, training)
    total = explanation.baseline + explanation.attributions.sum(axis=1)
    np.testing.assert_allclose(total, run.ensemble.out_of_fold.prediction, atol=1e-4)
    alone = explain_out_of_fold(run, training, [7])
    np.testing.assert_allclose(alone.attributions[0], explanation.attributions[7], atol=1e-6)
    folds, known = run.ensemble.folds, run.ensemble.out_of_fold
    repeated = Ensemble(
        [*folds, *(replace(fold, repeat=1) for fold in folds)],
        replace(known, fold_of_row=np.repeat(known.fold_of_row, 2, axis=0)),
    )
    twice = explain_out_of_fold(replace(run, ensemble=repeated), training, [7])
    np.testing.assert_allclose(twice.attributions, alone.attributions, atol=1e-6, err_msg="two equal repeats")


def test_a_linear_network_is_explained_by_its_weights_times_the_distance_from_the_average_house() -> None:
    network = BatchedMLP(Architecture(d_in=3, hidden=(), activation="relu", linear_path=False), seeds=[0, 1])
    generator = np.random.default_rng(0)
    inputs, average = (generator.normal(size=(n, 3)).astype(np.float32) for n in (4, 1))
    with torch.no_grad():
        weights = network.matrices()[0].mean(dim=0)[:, 0].numpy()
    expected = (inputs - average) * weights
    np.testing.assert_allclose(integrated_gradients(network, inputs, average), expected, atol=1e-6)


def test_explain_as_json_sums_features_to_themes_and_themes_to_the_price(
    finished_run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    house = int(pd.read_csv(finished_run.folder / "train.csv")["Id"][5])
    assert exit_code("explain", "--run", str(finished_run.folder), "--id", str(house), "--json") == 0
    explanation = json.loads(capsys.readouterr().out)
    difference = explanation["predicted_log_price"] - explanation["average_log_price"]
    assert sum(theme["log_price"] for theme in explanation["themes"]) == pytest.approx(difference, abs=1e-4)
    for theme in explanation["themes"]:
        assert sum(feature["log_price"] for feature in theme["features"]) == pytest.approx(theme["log_price"], abs=1e-6)
    names = [feature["feature"] for theme in explanation["themes"] for feature in theme["features"]]
    assert sorted(names) == sorted(BY_NAME)
    assert explanation["out_of_fold"]


def test_explain_names_the_ids_that_there_are(finished_run: FinishedRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("explain", "--run", str(finished_run.folder), "--id", "99999") == 1
    assert "has no house with Id 99999; accepted: 1 to 48 of train.csv" in capsys.readouterr().err
