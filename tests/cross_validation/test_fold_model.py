"""How log prices of members, models and folds are put together."""

import numpy as np

from houseprices.cross_validation.fold_model import combine, mean_over_folds


def test_groups_count_alike_whatever_their_number_of_members():
    many, one = np.array([[12.0, 11.0], [12.2, 11.0], [12.4, 11.3]]), np.array([[13.0, 10.0]])
    np.testing.assert_allclose(combine({"many": many, "one": one}), [(12.2 + 13) / 2, (11.1 + 10) / 2])


def test_a_single_network_is_its_own_ensemble():
    np.testing.assert_array_equal(combine({"only": np.array([[12.5, 11.25]])}), [12.5, 11.25])


def test_all_folds_of_all_repeats_count_alike():
    of_folds = np.random.default_rng(0).normal(12, 1, size=(2, 3, 5))
    np.testing.assert_allclose(mean_over_folds(of_folds), of_folds.mean(axis=(0, 1)))
