"""Attributions are complete."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import FinishedRun

from houseprices.cli import main
from houseprices.cross_validation.fold_model import mean_over_folds
from houseprices.data.schema import BY_NAME
from houseprices.report.attributions import explain_new, explain_out_of_fold
from houseprices.report.themes import THEMES, WORDS
from houseprices.runs.read import SavedRun, read_run


@pytest.fixture(scope="module")
def run(finished_run: FinishedRun) -> SavedRun:
    return read_run(finished_run.folder)


@pytest.fixture(scope="module")
def tables(run: SavedRun) -> tuple[pd.DataFrame, pd.DataFrame]:
    return run.houses()


def test_attributions_of_new_houses_sum_to_prediction_minus_baseline(
    run: SavedRun, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    training, test = tables
    found = explain_new(run, training, test)
    assert found.attributions.shape == (len(test), 79)
    np.testing.assert_allclose(found.attributions.sum(axis=1), found.prediction - found.baseline, atol=1e-4)
    np.testing.assert_allclose(found.prediction, mean_over_folds(run.predict_folds(test)[0]), atol=1e-6)
    submission = pd.read_csv(run.folder / "submission.csv")["SalePrice"]
    np.testing.assert_allclose(np.exp(found.prediction), submission, rtol=1e-5)


def test_attributions_of_training_houses_explain_their_out_of_fold_predictions(
    run: SavedRun, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    found = explain_out_of_fold(run, tables[0])
    np.testing.assert_allclose(found.attributions.sum(axis=1), found.prediction - found.baseline, atol=1e-4)
    np.testing.assert_allclose(found.prediction, run.out_of_fold["prediction"], atol=1e-6)
    alone = explain_out_of_fold(run, tables[0], [7])
    np.testing.assert_allclose(alone.attributions[0], found.attributions[7], atol=1e-6)


def test_a_linear_network_is_explained_by_its_weights_times_the_distance_from_the_average_house(
    run: SavedRun, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    # The exact answer for a linear function, without captum: weight x (input - average), column by column.
    training, test = tables
    fold = run.folds[0]
    network = fold.networks["tiny"]
    hidden = network.matrices()[:2]
    before = [weights.clone() for weights in hidden]
    try:
        for weights in hidden:
            weights.zero_()
        path = network.matrices()[2].mean(dim=0)[:, 0].numpy()
        inside = training.iloc[np.flatnonzero(run.fold_of_row[0] != 0)]
        columns = fold.columns["tiny"]
        inputs, average = fold.features.transform(test), fold.features.transform(inside).mean(axis=0)
        by_column = fold.log_price_std * path * (inputs - average)[:, columns]
        expected = by_column @ fold.features.raw_shares()[columns]
        single = replace(run, folds=[fold])
        np.testing.assert_allclose(explain_new(single, training, test).attributions, expected, atol=1e-5)
    finally:
        with torch.no_grad():
            for weights, old in zip(hidden, before, strict=True):
                weights.copy_(old)


def explain(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as error:
        main(["explain", *arguments])
    return error.value.code


def test_explain_tells_the_way_from_the_average_house_to_the_price(
    finished_run: FinishedRun, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    submission = pd.read_csv(finished_run.folder / "submission.csv")
    house, price = int(submission["Id"][3]), submission["SalePrice"][3]
    folder = tmp_path / "run"
    shutil.copytree(finished_run.folder, folder)
    assert explain("--run", str(folder), "--id", str(house)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t") == ["theme and features", "value", "effect", "price so far"]
    assert lines[1].startswith("average house")
    themes = [line.split("\t") for line in lines[2:-1] if not line.startswith("  ")]
    features = [line.split("\t")[0].strip() for line in lines[2:-1] if line.startswith("  ")]
    assert {theme for theme, *_ in themes} == set(THEMES)
    assert set(features) <= set(WORDS.values())
    assert themes[-1][-1] == f"${price:,.0f}"
    sizes = [abs(float(effect.strip("%").replace("−", "-"))) for _, _, effect, _ in themes]
    assert sizes[0] == max(sizes)
    figure = Path(lines[-1])
    assert figure.read_text("utf-8").lstrip().startswith("<?xml")
    assert figure.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_explain_as_json_shares_out_the_whole_way_among_themes_and_features(
    finished_run: FinishedRun, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run.folder, folder)
    house = int(pd.read_csv(folder / "train.csv")["Id"][5])
    assert explain("--run", str(folder), "--id", str(house), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    way = told["predicted_log_price"] - told["average_log_price"]
    assert sum(theme["log_price"] for theme in told["themes"]) == pytest.approx(way, abs=1e-4)
    for theme in told["themes"]:
        assert sum(one["log_price"] for one in theme["features"]) == pytest.approx(theme["log_price"], abs=1e-6)
    names = [one["feature"] for theme in told["themes"] for one in theme["features"]]
    assert sorted(names) == sorted(BY_NAME)
    assert told["out_of_fold"]


def test_explain_names_the_ids_that_there_are(
    finished_run: FinishedRun, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    assert explain("--run", str(finished_run.folder), "--id", "99999") == 1
    assert "has no house with Id 99999; accepted: 1 to 48 of train.csv" in capsys.readouterr().err
    assert explain("--run", "nowhere", "--id", "1") == 1
    assert capsys.readouterr().err.startswith("houseprices: nowhere: no such folder")
    assert explain("--run", str(finished_run.folder), "--id", "one") == 2
