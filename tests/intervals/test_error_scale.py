import numpy as np
from conftest import FinishedRun

from houseprices.intervals.error_scale import error_features, fit_error_scale, fit_error_scales, scale_of_rows
from houseprices.preprocessing.house_array import house_array
from houseprices.runs.houses import read_run_houses
from houseprices.runs.read import read_run

N_ROWS = 4000


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Two features, and residuals whose logarithm of size grows with the first one."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(N_ROWS, 2))
    side = generator.choice([-1.0, 1.0], N_ROWS)
    return features, np.exp(features[:, 0]) * side * generator.uniform(0.9, 1.1, N_ROWS)


def test_it_finds_what_makes_residuals_large():
    features, residuals = planted()
    small, usual, large = fit_error_scale(features, residuals)(np.array([[-1.0, 0.0], [0.0, 3.0], [1.0, 0.0]]))
    np.testing.assert_allclose([small, usual, large], np.exp([-1, 0, 1]), rtol=0.1)


def test_an_odd_house_is_expected_no_further_off_than_the_rows_that_were_seen():
    features, residuals = planted()
    scale = fit_error_scale(features, residuals)
    assert scale(np.array([[50.0, 0.0]])) == scale(features).max()
    assert scale(np.array([[-50.0, 0.0]])) == scale(features).min()


def test_an_unknown_feature_counts_as_the_average():
    features, residuals = planted()
    features[::7, 1] = np.nan
    scale = fit_error_scale(features, residuals)
    known, unknown = scale(np.array([[0.3, np.nanmean(features[:, 1])], [0.3, np.nan]]))
    assert known == unknown


def test_a_feature_that_nobody_knows_changes_nothing():
    features, residuals = planted()
    unknown = np.column_stack([features, np.full(N_ROWS, np.nan)])
    scale = fit_error_scale(unknown, residuals)
    assert np.isfinite(scale.centre).all()
    np.testing.assert_allclose(scale(unknown), fit_error_scale(features, residuals)(features), rtol=1e-12)


def test_cheap_and_dear_houses_may_both_be_further_off_than_those_between(finished_run: FinishedRun):
    houses = house_array(read_run_houses(read_run(finished_run.folder))[0]).rows(np.zeros(3001, dtype=np.intp))
    log_price = np.linspace(10.5, 13.5, len(houses))
    features = error_features(log_price, np.full(len(houses), 0.01), houses)
    residuals = np.exp(2 * (log_price - 12) ** 2) - 0.02
    scale = fit_error_scale(features, residuals)(features)
    assert min(scale[0], scale[-1]) > 3 * scale[len(houses) // 2]


def test_a_folds_scale_ignores_the_residuals_of_its_own_rows_and_of_those_that_may_not_be_seen():
    features, residuals = planted()
    fold_of_row = np.stack([np.arange(N_ROWS) % 3, np.arange(N_ROWS) // 3 % 3])
    before = fit_error_scales(features, residuals, fold_of_row)
    for place, (repeat, fold) in enumerate(np.ndindex(2, 3)):
        inside = fold_of_row[repeat] == fold
        larger = np.where(inside, 100 * residuals, residuals)
        after = fit_error_scales(features, larger, fold_of_row)
        assert [one == other for one, other in zip(before, after, strict=True)] == [at == place for at in range(6)]
        blind = [fit_error_scales(features, errors, fold_of_row, ~inside) for errors in (residuals, larger)]
        assert blind[0] == blind[1]


def test_a_rows_scale_is_that_of_the_folds_that_held_it_out():
    features, residuals = planted()
    fold_of_row = np.stack([np.arange(N_ROWS) % 2, np.arange(N_ROWS) // 2 % 2])
    scales = [
        fit_error_scale(features[rows], residuals[rows] * (1 + place))
        for place, rows in enumerate(
            [fold_of_row[0] != 0, fold_of_row[0] != 1, fold_of_row[1] != 0, fold_of_row[1] != 1]
        )
    ]
    found = scale_of_rows(features, fold_of_row, scales)
    for row, (first, second) in enumerate(fold_of_row.T[:8]):
        expected = (scales[first](features[[row]]) + scales[2 + second](features[[row]])) / 2
        np.testing.assert_allclose(found[row], expected[0])


def test_a_saved_runs_scales_are_those_of_its_rows(finished_run: FinishedRun):
    run = read_run(finished_run.folder)
    training, _ = read_run_houses(run)
    features = error_features(run.out_of_fold["prediction"], run.out_of_fold["spread"], house_array(training))
    found = scale_of_rows(features, run.fold_of_row, run.error_scales)
    np.testing.assert_allclose(found, run.out_of_fold["error_scale"], rtol=1e-12)
