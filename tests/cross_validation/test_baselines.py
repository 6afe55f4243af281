import numpy as np

from houseprices.cross_validation.baselines import baseline_predictions

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.standard_normal((80, 20)).astype(np.float32)
WEIGHTS = GENERATOR.standard_normal(20)


def test_the_median_is_that_of_the_training_rows():
    guess = baseline_predictions(INPUTS[:50], np.arange(50.0), INPUTS[50:])["median"]
    assert guess.tolist() == [24.5] * 30


def test_ridge_hardly_shrinks_where_there_is_no_noise_and_does_where_there_is_nothing_else():
    log_price = 12 + INPUTS @ WEIGHTS
    guess = baseline_predictions(INPUTS[:50], log_price[:50], INPUTS[50:])["ridge"]
    assert np.abs(guess - log_price[50:]).max() < 0.02 * log_price.std()

    noise = GENERATOR.standard_normal(50)
    guess = baseline_predictions(INPUTS[:50], noise, INPUTS[50:])["ridge"]
    least_squares = INPUTS[50:] @ np.linalg.lstsq(INPUTS[:50], noise)[0]
    assert guess.std() < 0.7 * least_squares.std()


def test_without_a_column_ridge_predicts_the_mean():
    guess = baseline_predictions(INPUTS[:50, :0], np.arange(50.0), INPUTS[50:, :0])["ridge"]
    assert guess.tolist() == [24.5] * 30
