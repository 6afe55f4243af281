"""The scores are what a hand calculation gives, over every row."""

import math

import numpy as np
import pytest

from houseprices.cross_validation.ensemble import OutOfFold, ensemble_mean
from houseprices.cross_validation.metrics import Scores, scores_of

LOG_PRICE = np.array([12.0, 11.0, 13.0, 12.5, 11.5])
FOLD_OF_ROW = np.array([0, 1, 0, 1, 0])


def scored(by_model: dict[str, np.ndarray], fold_of_row: np.ndarray, training: np.ndarray) -> Scores:
    prediction = ensemble_mean(by_model).mean(axis=0)
    out_of_fold = OutOfFold(np.arange(1, 6), LOG_PRICE, fold_of_row, prediction, np.ones(5))
    return scores_of(out_of_fold, by_model, training, {"median": np.full(5, 12.0), "ridge": LOG_PRICE + 0.5})


@pytest.fixture
def scores() -> Scores:
    """Two models of two networks and one; their mean errors are 0.1, 0, -0.2, 0.3, 0 in the rows' order."""
    first = np.array([[0.3, 0.0, -0.4, 0.2, 0.2], [0.1, -0.2, 0.0, 0.2, -0.2]])
    second = np.array([[0.0, 0.1, -0.2, 0.4, 0.0]])
    models = {"first": (LOG_PRICE + first)[None], "second": (LOG_PRICE + second)[None]}
    return scored(models, FOLD_OF_ROW[None], np.array([[0.03, 0.04]]))


def test_scores_of_all_rows_of_folds_of_training_rows_and_of_baselines_are_those_by_hand(scores: Scores) -> None:
    by_hand = math.sqrt((0.1**2 + 0 + 0.2**2 + 0.3**2 + 0) / 5)
    assert scores.log_rmse.pooled == pytest.approx(by_hand)
    fold_0, fold_1 = math.sqrt((0.1**2 + 0.2**2) / 3), math.sqrt(0.3**2 / 2)
    assert [fold.log_rmse for fold in scores.by_fold] == pytest.approx([fold_0, fold_1])
    assert [fold.n_rows for fold in scores.by_fold] == [3, 2]
    assert scores.log_rmse.fold_mean == pytest.approx((fold_0 + fold_1) / 2)
    assert scores.log_rmse.fold_std == pytest.approx(abs(fold_0 - fold_1) / 2)
    assert scores.log_rmse.train == pytest.approx(math.sqrt((0.03**2 + 0.04**2) / 2))
    assert scores.baselines == pytest.approx({"median": math.sqrt((0 + 1 + 1 + 0.25 + 0.25) / 5), "ridge": 0.5})
    assert (scores.n_members, scores.n_rows) == (3 * 2, 5)


def test_model_scores_are_those_of_its_mean_and_of_its_single_networks(scores: Scores) -> None:
    models = scores.models
    singles = [math.sqrt((0.09 + 0.16 + 0.04 + 0.04) / 5), math.sqrt((0.01 + 0.04 + 0.04 + 0.04) / 5)]
    assert models["first"].pooled == pytest.approx(math.sqrt((0.04 + 0.01 + 0.04 + 0.04) / 5))
    assert models["first"].member_mean == pytest.approx(sum(singles) / 2)
    assert models["first"].member_std == pytest.approx((singles[0] - singles[1]) / 2)
    assert models["second"].member_std == 0
    assert models["second"].pooled == models["second"].member_mean


def test_repeats_are_averaged_before_they_are_scored() -> None:
    errors = np.array([[[0.4, 0.0, 0.0, 0.0, 0.0]], [[-0.2, 0.0, 0.0, 0.0, 0.0]]])
    folds = np.stack([FOLD_OF_ROW, 1 - FOLD_OF_ROW])
    scores = scored({"only": LOG_PRICE + errors}, folds, np.array([[0.1, 0.1], [0.1, 0.1]]))
    assert scores.log_rmse.pooled == pytest.approx(0.1 / math.sqrt(5))
    assert scores.models["only"].pooled == pytest.approx(0.1 / math.sqrt(5))
    assert scores.models["only"].member_mean == pytest.approx(0.3 / math.sqrt(5))
    assert [(fold.repeat, fold.fold) for fold in scores.by_fold] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [fold.log_rmse for fold in scores.by_fold] == pytest.approx([0.4 / math.sqrt(3), 0, 0, 0.2 / math.sqrt(3)])


def test_a_row_without_a_prediction_cannot_be_left_out() -> None:
    errors = np.array([[[0.1, 0.0, np.nan, 0.0, 0.0]]])
    scores = scored({"only": LOG_PRICE + errors}, FOLD_OF_ROW[None], np.array([[0.1, 0.1]]))
    assert math.isnan(scores.log_rmse.pooled)
