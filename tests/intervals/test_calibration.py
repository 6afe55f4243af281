"""A run's intervals: nested, made without the row's own fold, and those of another library."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import FinishedRun

from houseprices.intervals.cv_plus import cv_plus_intervals
from houseprices.runs.read import SavedRun, read_run


@pytest.fixture(scope="module")
def run(finished_run: FinishedRun) -> SavedRun:
    return read_run(finished_run.folder)


def intervals(run: SavedRun) -> tuple[np.ndarray, np.ndarray]:
    """Those of the training rows, and those of the test houses."""
    _, test = run.houses()
    of_test = run.calibration.intervals(*run.predict_folds(test), (0.5, 0.8))
    return run.calibration.training_intervals((0.5, 0.8)), of_test


def test_an_interval_lies_inside_those_of_higher_coverage(run: SavedRun) -> None:
    found = intervals(run)
    for ends in found:
        assert (ends[:, 0] <= ends[:, 1]).all()
        assert (ends[0, 0] >= ends[1, 0]).all()
        assert (ends[0, 1] <= ends[1, 1]).all()
        widths = ends[1, 1] - ends[1, 0]
        assert widths.max() > 1.05 * widths.min()


@pytest.mark.parametrize("n_folds", [2, 3])
def test_a_rows_interval_ignores_the_prices_of_its_fold(run: SavedRun, n_folds: int) -> None:
    calibration = replace(run.calibration, fold_of_row=run.fold_of_row % n_folds)
    held_out = calibration.fold_of_row[0] == 1
    dearer = calibration.residuals + np.where(held_out, np.linspace(0.1, 3, len(held_out)), 0.0)
    before = calibration.training_intervals((0.5, 0.8))
    after = replace(calibration, residuals=dearer).training_intervals((0.5, 0.8))
    assert np.isfinite(before).all()
    np.testing.assert_allclose(after[:, :, held_out], before[:, :, held_out])
    assert (after[:, :, ~held_out] != before[:, :, ~held_out]).any()


def test_cv_plus_agrees_with_mapie() -> None:
    mapie = pytest.importorskip("mapie.regression", reason="the second opinion on intervals, a development dependency")
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import PredefinedSplit

    generator = np.random.default_rng(0)
    x, new = generator.normal(size=(60, 3)), generator.normal(size=(25, 3))
    y = x @ [1.0, -2.0, 0.5] + generator.normal(size=60)
    folds = generator.permutation(60) % 5
    theirs = mapie.CrossConformalRegressor(
        LinearRegression(), confidence_level=[0.5, 0.9], method="plus", cv=PredefinedSplit(folds)
    )
    _, expected = theirs.fit_conformalize(x, y).predict_interval(new)
    models = [LinearRegression().fit(x[folds != fold], y[folds != fold]) for fold in range(5)]
    residuals = y - np.array([models[fold].predict(row[None])[0] for fold, row in zip(folds, x, strict=True)])
    ours = cv_plus_intervals([model.predict(new) for model in models], folds, residuals, [0.5, 0.9])
    np.testing.assert_allclose(ours, expected.transpose(2, 1, 0), rtol=1e-10)


def test_without_scales_all_intervals_of_a_fold_have_one_width() -> None:
    ends = cv_plus_intervals(np.zeros((2, 3)), [0, 1] * 10, pd.Series(np.arange(20.0)).to_numpy(), [0.5])
    assert np.ptp(ends[0, 1] - ends[0, 0]) == 0
