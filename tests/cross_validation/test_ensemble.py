"""Ensembles by hand: the mean over networks, then over models, then over folds."""

import math

import numpy as np
import pytest

from houseprices.cross_validation.ensemble import FoldPredictions, OutOfFold, ensemble_mean

RNG = np.random.default_rng(0)


def test_models_have_the_same_weight_whatever_their_number_of_networks():
    many, single = np.array([[12.0, 11.0], [12.2, 11.0], [12.4, 11.3]]), np.array([[13.0, 10.0]])
    np.testing.assert_allclose(ensemble_mean({"many": many, "single": single}), [(12.2 + 13) / 2, (11.1 + 10) / 2])
    np.testing.assert_array_equal(ensemble_mean({"single": single}), [13.0, 10.0])


def test_repeats_are_averaged_each_by_itself():
    by_model = {"first": RNG.normal(12, 1, size=(2, 3, 5)), "second": RNG.normal(12, 1, size=(2, 1, 5))}
    for repeat, mean in enumerate(ensemble_mean(by_model)):
        alone = ensemble_mean({name: predictions[repeat] for name, predictions in by_model.items()})
        np.testing.assert_array_equal(mean, alone)


@pytest.mark.parametrize("n_networks", [1, 2, 9, 40])
def test_a_rows_mean_has_the_same_bits_whatever_rows_stand_beside_it(n_networks):
    predictions = RNG.normal(12, 1, size=(n_networks, 30))
    together = ensemble_mean({"first": predictions, "second": predictions[:1]})
    alone = [ensemble_mean({"first": predictions[:, [row]], "second": predictions[:1, [row]]}) for row in range(30)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    folds = FoldPredictions(predictions[None], predictions[None])
    single = FoldPredictions(predictions[None, :, :1], predictions[None, :, :1])
    np.testing.assert_array_equal(folds.mean[:1], single.mean)


def test_all_folds_of_all_repeats_have_the_same_weight():
    log_price = RNG.normal(12, 1, size=(2, 3, 5))
    np.testing.assert_allclose(FoldPredictions(log_price, log_price).mean, log_price.mean(axis=(0, 1)))


def test_a_training_rows_interval_grows_with_its_error_scale_and_the_residuals_of_other_folds():
    n_rows = 60
    fold_of_row, residuals = np.arange(n_rows)[None] % 3, RNG.normal(0, 0.1, n_rows)
    scale = RNG.uniform(0.05, 0.2, n_rows)
    known = OutOfFold(np.arange(n_rows), 12 + residuals, fold_of_row, np.full(n_rows, 12.0), scale)
    widths = np.diff(known.intervals([0.8])[0], axis=0)[0]
    for fold in range(3):
        held_out = fold_of_row[0] == fold
        reach = np.sort(np.abs(residuals / scale)[~held_out])[math.ceil(0.8 * 41) - 1]
        np.testing.assert_allclose(widths[held_out], 2 * reach * scale[held_out])
