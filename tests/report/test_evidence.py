"""Conclusions: outlying folds, the ensemble without a model, the best cell, coverage and the expected score."""

import numpy as np
import pandas as pd
import pytest

from houseprices.cross_validation.ensemble import OutOfFold
from houseprices.report.conclusions import best_cell, outlying_folds, without_each_model
from houseprices.report.evidence import coverage_by_price, expected_score
from houseprices.selection.ablation import Ablation, AblationNote
from houseprices.settings import Settings

N_ROWS, N_FOLDS = 200, 4


@pytest.mark.parametrize("n_bad", [0, 1, 2])
def test_the_houses_behind_an_outlying_fold_are_named_with_their_share_of_its_squared_error(n_bad: int) -> None:
    fold_of_row = np.stack([np.arange(N_ROWS) % N_FOLDS, np.arange(N_ROWS) // 50])
    errors = np.random.default_rng(0).normal(scale=0.1, size=(2, N_ROWS)).clip(-0.15, 0.15)
    bad = [7, 11][:n_bad]
    errors[1, bad] = [1.2, 1.0][:n_bad]
    log_price = np.full(N_ROWS, 12.0)
    known = OutOfFold(np.arange(1, N_ROWS + 1), log_price, fold_of_row, log_price, np.ones(N_ROWS))
    outlying = outlying_folds(known, 12.0 + errors)
    assert len(outlying) == min(1, n_bad)
    for fold in outlying:
        assert (fold.repeat, fold.fold) == (1, 0)
        assert fold.houses["Id"].tolist() == [8, 12][:n_bad]
        squares = errors[1, :50] ** 2
        assert fold.log_rmse == pytest.approx(np.sqrt(squares.mean()))
        np.testing.assert_allclose(fold.houses["share"], squares[bad] / squares.sum())
        assert fold.without == pytest.approx(np.sqrt(np.delete(squares, bad).mean()))
        np.testing.assert_allclose(fold.houses["predicted_usd"], np.exp(12.0 + errors[1, bad]))


def test_an_ensemble_is_worse_without_its_good_model_and_better_without_its_bad_one() -> None:
    generator = np.random.default_rng(0)
    log_price = generator.normal(12, 0.4, size=N_ROWS)
    good, bad = (log_price + generator.normal(scale=scale, size=(2, N_ROWS)) for scale in (0.05, 0.5))
    without = without_each_model({"good": good, "bad": bad}, log_price)
    assert without["good"].low > 0 > without["bad"].high
    assert without["good"].first == pytest.approx(without["bad"].first)
    expected = np.sqrt(np.mean((good.mean(axis=0) - log_price) ** 2))
    assert without["bad"].second == pytest.approx(expected)
    assert without_each_model({"good": good}, log_price) == {}


def test_the_best_cell_is_compared_fold_by_fold() -> None:
    above_best = {(0.0, 0.0): 0.02, (0.0, 0.5): 0.001, (1.0, 0.0): 0.0, (1.0, 0.5): 0.03}
    table = pd.DataFrame([(*cell, fold) for cell in above_best for fold in range(5)])
    table.columns = pd.Index(["weight_decay", "dropout", "fold"])
    noise = np.random.default_rng(0).normal(scale=0.01, size=5)[table["fold"]]
    above = np.array([*above_best.values()]).repeat(5)
    # The folds agree on every cell but one.
    noise += np.where(above == 0.001, 0.01 * (table["fold"] - 2), 0)
    table = table.assign(seed=0, n_rows=10, weight_norm=1.0, training_log_rmse=0.1)
    table["validation_log_rmse"] = 0.1 + above + noise
    note = AblationNote(**dict.fromkeys(AblationNote.__dataclass_fields__))  # type: ignore[arg-type]  # is not read
    best = best_cell(Ablation(table, note), Settings())
    assert (best.weight_decay, best.dropout) == (1.0, 0.0)
    difference, low, high = best.against["without both"]
    assert difference == pytest.approx(0.02, abs=1e-4)
    assert 0 < low <= difference <= high
    assert (best.n_cells, best.n_as_good) == (4, 1)


def test_the_expected_score_lies_around_the_cross_validated_one() -> None:
    residuals = np.random.default_rng(1).normal(scale=0.1, size=1000)
    low, middle, high = expected_score(residuals, 1000)
    assert low < middle < high
    assert middle == pytest.approx(np.sqrt((residuals**2).mean()), abs=0.001)
    # The RMSE of n normal errors has a standard error of about scale / sqrt(2 n); it counts twice here.
    assert (high - low) / 2 == pytest.approx(1.645 * np.sqrt(2) * 0.1 / np.sqrt(2000), rel=0.1)


def test_coverage_is_counted_in_bands_of_equally_many_houses() -> None:
    prices = np.random.default_rng(0).permutation(np.arange(1.0, 9.0)) * 1e5
    inside = prices > 3e5
    rows = pd.DataFrame({"price_usd": prices, "lower_90": 1.0, "upper_90": 2.0} | dict.fromkeys(
        ("inside_50", "inside_80", "inside_90"), inside))  # fmt: skip
    bands = coverage_by_price(rows)
    assert bands["n_rows"].tolist() == [2, 2, 2, 2]
    assert bands["inside_90"].tolist() == [0.0, 0.5, 1.0, 1.0]
    assert bands.index[0] == "$100k–200k"
