import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from houseprices.cross_validation.fold import assign_folds
from houseprices.cross_validation.intervals import cv_plus_intervals, out_of_fold_intervals
from houseprices.errors import SettingsError

N_ROWS, N_FOLDS, N_NEW = 30, 3, 4
FOLDS = np.arange(N_ROWS) % N_FOLDS
COVERAGES = [0.5, 0.8, 0.9]

numbers = st.floats(-100, 100)
residual_arrays = arrays(np.float64, N_ROWS, elements=numbers)
prediction_arrays = arrays(np.float64, (N_FOLDS, N_NEW), elements=numbers)


def by_definition(predictions: np.ndarray, residuals: np.ndarray, coverage: float) -> tuple[float, float]:
    """The paper's formula for one new row, by sorting."""
    n_rows = len(residuals)
    centre = predictions[FOLDS]
    lower = sorted(centre - np.abs(residuals))
    upper = sorted(centre + np.abs(residuals))
    rank = int(np.ceil(round(coverage * (n_rows + 1), 6)))
    return lower[n_rows + 1 - rank - 1], upper[rank - 1]


@given(prediction_arrays, residual_arrays)
def test_the_ends_are_the_papers_order_statistics_widened_to_the_mean_prediction(predictions, residuals):
    intervals = cv_plus_intervals(predictions, FOLDS, residuals, COVERAGES)
    for index, coverage in enumerate(COVERAGES):
        for new in range(N_NEW):
            lower, upper = by_definition(predictions[:, new], residuals, coverage)
            mean = predictions[:, new].mean()
            assert intervals[index, :, new] == pytest.approx([min(lower, mean), max(upper, mean)])


@pytest.mark.parametrize(("coverage", "n_needed"), [(0.75, 3), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_an_interval_is_infinite_until_there_are_rows_enough(coverage, n_needed):
    for n_rows, finite in ((n_needed, True), (n_needed - 1, False)):
        intervals = cv_plus_intervals([[0.0]], np.zeros(n_rows, dtype=int), np.ones(n_rows), [coverage])
        assert (np.isfinite(intervals) == finite).all()


def test_repeats_of_the_same_folds_change_nothing_and_other_folds_average():
    rng = np.random.default_rng(0)
    predictions, residuals = rng.normal(size=(N_FOLDS, N_NEW)), rng.normal(size=N_ROWS)
    once = cv_plus_intervals(predictions, FOLDS, residuals, COVERAGES)
    twice = cv_plus_intervals([predictions, predictions], [FOLDS, FOLDS], residuals, COVERAGES)
    np.testing.assert_allclose(once, twice)
    shifted = cv_plus_intervals([predictions, predictions + 2], [FOLDS, FOLDS], residuals, COVERAGES)
    np.testing.assert_allclose(shifted, once + 1)


def test_a_row_with_twice_the_scale_has_an_interval_of_twice_the_width():
    rng = np.random.default_rng(0)
    scale_of_row, scales = rng.uniform(0.5, 2, N_ROWS), np.tile([1.0, 2.0, 1.0, 2.0], (N_FOLDS, 1))
    residuals = rng.normal(size=N_ROWS)
    normalised = cv_plus_intervals(
        np.zeros((N_FOLDS, N_NEW)), FOLDS, residuals, COVERAGES, scales=scales, scale_of_row=scale_of_row
    )
    np.testing.assert_allclose(normalised[..., 1::2], 2 * normalised[..., ::2])
    plain = cv_plus_intervals(np.zeros((N_FOLDS, N_NEW)), FOLDS, residuals / scale_of_row, COVERAGES)
    np.testing.assert_allclose(normalised[..., ::2], plain[..., ::2])


def test_chunks_of_new_rows_leave_no_seam(monkeypatch):
    rng = np.random.default_rng(0)
    predictions, residuals = rng.normal(size=(N_FOLDS, 11)), rng.normal(size=N_ROWS)
    whole = cv_plus_intervals(predictions, FOLDS, residuals, COVERAGES)
    monkeypatch.setattr("houseprices.cross_validation.intervals.CELLS_AT_ONCE", 4 * N_ROWS)
    np.testing.assert_array_equal(cv_plus_intervals(predictions, FOLDS, residuals, COVERAGES), whole)


def covered_share(intervals: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return ((intervals[:, 0] <= targets) & (targets <= intervals[:, 1])).mean(axis=1)


@pytest.mark.parametrize("n_repeats", [1, 2])
def test_coverage_on_new_exchangeable_rows_is_about_nominal(n_repeats):
    """Least squares on 200 simulated rows, 40 times over: 4,000 new rows, whose share has a standard error < 0.01."""
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        inputs = np.column_stack([np.ones(300), rng.normal(size=(300, 5))])
        targets = inputs @ rng.normal(size=6) + rng.standard_t(4, size=300)
        folds = assign_folds(200, 5, n_repeats, seed)
        predictions = np.empty((n_repeats, 5, 300))
        for repeat, fold in np.ndindex(n_repeats, 5):
            training = folds[repeat] != fold
            fitted = np.linalg.lstsq(inputs[:200][training], targets[:200][training])[0]
            predictions[repeat, fold] = inputs @ fitted
        out_of_fold = np.mean([predictions[r, folds[r], np.arange(200)] for r in range(n_repeats)], axis=0)
        residuals = targets[:200] - out_of_fold
        new = cv_plus_intervals(predictions[:, :, 200:], folds, residuals, COVERAGES)
        own = out_of_fold_intervals(out_of_fold, folds, residuals, COVERAGES)
        covered.append([covered_share(new, targets[200:]), covered_share(own, targets[:200])])
    np.testing.assert_allclose(np.mean(covered, axis=0), [COVERAGES, COVERAGES], atol=0.025)


def test_cv_plus_agrees_with_mapie():
    mapie = pytest.importorskip("mapie.regression", reason="a second implementation of CV+, a development dependency")
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


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, 1.5, float("nan")])
def test_a_coverage_outside_0_and_1_is_refused_and_so_are_residuals_of_diverged_networks(coverage):
    with pytest.raises(SettingsError, match="coverage must be between 0 and 1"):
        cv_plus_intervals([[0.0]], [0, 0], [1.0, 1.0], [coverage])
    with pytest.raises(SettingsError, match="coverage must be between 0 and 1"):
        out_of_fold_intervals([0.0, 0.0], [0, 1], [1.0, 1.0], [coverage])
    with pytest.raises(ValueError, match="residuals must be finite"):
        cv_plus_intervals([[0.0]], [0, 0], [1.0, np.nan], [0.5])
