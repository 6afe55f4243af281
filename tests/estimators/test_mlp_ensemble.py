import itertools
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_friedman1
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from houseprices.estimators.mlp_ensemble import MLPEnsembleRegressor

FAST: dict[str, Any] = {
    "hidden": (16,), "learning_rate": 0.01, "epochs": 30, "members": 2, "folds": 2, "random_state": 0
}  # fmt: skip


@parametrize_with_checks([MLPEnsembleRegressor(**FAST), MLPEnsembleRegressor(**FAST | {"folds": 0, "members": 1})])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_friedman1(120, noise=0.5, random_state=0)  # noqa: N806  # scikit-learn's name
    return X, y


@pytest.fixture(scope="module")
def fitted(table) -> MLPEnsembleRegressor:
    return MLPEnsembleRegressor(**FAST | {"folds": 3}).fit(*table)


# ---- laws beside scikit-learn's ----


@pytest.mark.parametrize(
    ("n_rows", "settings"),
    [(120, FAST | {"folds": 3}), (339, {"hidden": (4,), "epochs": 2, "members": 1, "folds": 5, "random_state": 0})],
    ids=["folds of one size", "batches of 16 and of 17 rows"],
)
def test_internal_folds_are_those_of_cross_val_predict_bit_for_bit(n_rows, settings):
    X, y = make_friedman1(n_rows, noise=0.5, random_state=0)  # noqa: N806  # scikit-learn's name
    model = MLPEnsembleRegressor(**settings).fit(X, y)
    outside = cross_val_predict(clone(model).set_params(folds=0), X, y, cv=PredefinedSplit(model.fold_of_row_))
    np.testing.assert_array_equal(model.out_of_fold_prediction_, outside)


def test_the_order_of_the_rows_does_not_matter_and_weight_two_is_the_row_twice(fitted, table):
    X, y = table  # noqa: N806  # scikit-learn's name
    weights = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = clone(fitted).fit(X, y, sample_weight=weights)
    shuffled = np.random.default_rng(1).permutation(np.repeat(np.arange(len(y)), weights))
    repeated = clone(fitted).fit(X[shuffled], y[shuffled])
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    np.testing.assert_array_equal(weighted.fold_of_row_[shuffled], repeated.fold_of_row_)
    assert (weighted.fold_of_row_[weights == 0] == -1).all()
    assert np.isnan(weighted.out_of_fold_prediction_[weights == 0]).all()
    assert not np.array_equal(weighted.predict(X), fitted.predict(X))


def test_only_the_ratios_of_the_weights_matter_and_heavy_rows_are_fitted_better(fitted, table):
    X, y = table  # noqa: N806  # scikit-learn's name
    weights = np.where(np.arange(len(y)) < 60, 4.0, 0.25)
    one, other = (clone(fitted).fit(X, y, sample_weight=scale * weights) for scale in (1.0, 8.0))
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    better = np.abs(one.predict(X) - y)[:60].mean()
    assert better < np.abs(fitted.predict(X) - y)[:60].mean()


def test_scaling_and_shifting_columns_and_target_scales_and_shifts_the_prediction(fitted, table):
    X, y = table  # noqa: N806  # scikit-learn's name
    # Powers of two and an unchanged order of the rows: rounding is the same.
    scaled = clone(fitted).fit(X * 4, y * 8)
    np.testing.assert_allclose(scaled.predict(X * 4), 8 * fitted.predict(X), rtol=1e-9)
    np.testing.assert_array_equal(scaled.fold_of_row_, fitted.fold_of_row_)


def test_the_prediction_is_the_mean_of_all_networks_and_the_deviation_theirs(fitted, table):
    mean, std = fitted.predict(table[0], return_std=True)
    np.testing.assert_array_equal(mean, fitted.predict(table[0]))
    assert (std > 0).all()
    alone = MLPEnsembleRegressor(**FAST | {"folds": 0, "members": 1}).fit(*table)
    np.testing.assert_array_equal(alone.predict(table[0], return_std=True)[1], 0)


def test_a_rows_prediction_has_the_same_bits_alone_and_among_others(fitted, table):
    together = fitted.predict(table[0])
    alone = np.concatenate([fitted.predict(table[0][row : row + 1]) for row in (0, 50, 119)])
    np.testing.assert_array_equal(alone, together[[0, 50, 119]])


def test_intervals_cover_new_rows_and_lie_inside_each_other(fitted):
    X, y = make_friedman1(1000, noise=0.5, random_state=1)  # noqa: N806  # scikit-learn's name
    bounds = [fitted.predict_interval(X, coverage) for coverage in (0.5, 0.8, 0.9)]
    for (lower, upper), (lower_wide, upper_wide) in itertools.pairwise(bounds):
        assert (lower_wide <= lower).all()
        assert (upper <= upper_wide).all()
    shares = [((lower <= y) & (y <= upper)).mean() for lower, upper in bounds]
    np.testing.assert_allclose(shares, [0.5, 0.8, 0.9], atol=0.12)
    np.testing.assert_array_equal(np.mean(fitted.predict_interval(X), axis=0).shape, y.shape)


def test_the_number_of_threads_and_saving_change_nothing(fitted, table, tmp_path):
    threads = clone(fitted).set_params(n_jobs=2).fit(*table)
    np.testing.assert_array_equal(threads.predict(table[0]), fitted.predict(table[0]))
    loaded = joblib.load(*joblib.dump(fitted, tmp_path / "model.joblib"))
    np.testing.assert_array_equal(loaded.predict_interval(table[0]), fitted.predict_interval(table[0]))


def test_a_constant_column_and_a_fold_with_a_constant_target_do_no_harm(table):
    X = np.column_stack([table[0], np.full(120, 0.1)])  # noqa: N806  # scikit-learn's name
    with_constant = MLPEnsembleRegressor(**FAST).fit(X, table[1])
    moved = X.copy()
    moved[:, -1] = 1e6
    np.testing.assert_array_equal(with_constant.predict(X), with_constant.predict(moved))
    two = MLPEnsembleRegressor(**FAST).fit([[0.0], [1.0]], [3.0, 5.0])
    np.testing.assert_array_equal(two.out_of_fold_prediction_, [5.0, 3.0])


def test_it_learns(table):
    X, y = make_friedman1(300, noise=0.1, random_state=3)  # noqa: N806  # scikit-learn's name
    assert MLPEnsembleRegressor(random_state=0, folds=0).fit(X, y).score(*table) > 0.8


# ---- in scikit-learn's tools ----


def test_it_works_inside_pipelines_searches_and_transformed_targets(table):
    X, y = table  # noqa: N806  # scikit-learn's name
    inner = MLPEnsembleRegressor(**FAST | {"folds": 0, "members": 1, "epochs": 5})
    pipeline = make_pipeline(StandardScaler(), inner)
    search = GridSearchCV(pipeline, {"mlpensembleregressor__weight_decay": [0.0, 5.0]}, cv=2).fit(X, y)
    assert set(search.best_params_) == {"mlpensembleregressor__weight_decay"}
    logs = TransformedTargetRegressor(inner, func=np.log1p, inverse_func=np.expm1).fit(X, y)
    np.testing.assert_allclose(logs.predict(X), np.expm1(clone(inner).fit(X, np.log1p(y)).predict(X)))


def test_a_second_fit_forgets_the_folds_of_the_first(table):
    model = MLPEnsembleRegressor(**FAST).fit(*table).set_params(folds=0).fit(*table)
    assert not hasattr(model, "out_of_fold_prediction_")
    assert not hasattr(model, "predict_interval")


# ---- refused ----


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"hidden": (0,)}, "hidden: Input should be greater than or equal to 1, got 0"),
        ({"activation": "step"}, "activation: Input should be 'relu' or 'tanh', got 'step'"),
        ({"learning_rate": float("nan")}, "learning_rate: Input should be"),
        ({"batch_size": "all"}, "batch_size: Input should be a valid integer"),
        ({"members": 0}, "members must be a whole number of at least 1, got 0"),
        ({"members": 1.5}, "members must be a whole number of at least 1, got 1.5"),
        ({"folds": 1}, "folds must be 0 or a whole number of at least 2, got 1"),
        ({"device": "tpu"}, "device must be auto, cpu or cuda, got 'tpu'"),
        ({"hidden": 64}, "hidden must be a sequence of whole numbers, got 64"),
    ],
)
def test_a_parameter_out_of_range_is_named(table, changes, what):
    with pytest.raises(ValueError, match=r"^\w") as error:
        MLPEnsembleRegressor(**FAST | changes).fit(*table)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_data_that_cannot_be_learnt_from_are_refused(table, fitted):
    """Beside what scikit-learn's own checks hold."""
    X, y = table  # noqa: N806  # scikit-learn's name
    model, third = MLPEnsembleRegressor(**FAST), np.arange(120) == 3
    with pytest.raises(ValueError, match=r"y is constant, 7; there is nothing to learn"):
        model.fit(X, np.full(120, 7.0))
    with pytest.raises(ValueError, match="Negative values"):
        model.fit(X, y, sample_weight=np.where(third, -1.0, 1.0))
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        model.fit(X, y, sample_weight=third)
    with pytest.raises(ValueError, match="coverage must be between 0 and 1"):
        fitted.predict_interval(X, coverage=90)
    with pytest.raises(AttributeError, match="predict_interval"):
        MLPEnsembleRegressor(folds=0).predict_interval(X)
