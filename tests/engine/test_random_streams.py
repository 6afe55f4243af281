import numpy as np
import pytest

from houseprices.engine.random_streams import RandomStreams


def test_noise_is_standard_normal_and_moves_no_other_stream():
    plain, noisy = (RandomStreams(0, np.arange(100), batch_size=50) for _ in range(2))
    noise = np.stack([noisy.input_noise(400) for _ in range(5)])
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size)
    assert abs(noise.std() - 1) < 4 / np.sqrt(2 * noise.size)
    assert len(np.unique(noise)) > 0.9 * noise.size
    assert np.array_equal(plain.next_rows(), noisy.next_rows())
    assert np.array_equal(plain.input_keep_mask(7, 0.5), noisy.input_keep_mask(7, 0.5))


def test_every_pass_shows_each_row_once_in_a_new_order():
    rows = np.arange(100, 110)
    stream = RandomStreams(0, rows, batch_size=4)
    shown = np.concatenate([stream.next_rows() for _ in range(5)])
    first, second = shown[:10], shown[10:]
    assert sorted(first) == sorted(second) == list(rows)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("rate", [0.0, 0.15, 0.5, 0.99])
@pytest.mark.parametrize("of", ["keep_mask", "input_keep_mask"])
def test_units_are_dropped_at_the_rate_each_for_itself(of, rate):
    stream = RandomStreams(0, np.arange(10), batch_size=500)
    dropped = ~getattr(stream, of)(400, rate)
    standard_error = np.sqrt(rate * (1 - rate) / dropped.size)
    assert abs(dropped.mean() - rate) <= 4 * standard_error + 1 / 2**16
    # Rows and units each have the binomial's spread: no row and no unit is favoured.
    for axis in (0, 1):
        expected = np.sqrt(rate * (1 - rate) / dropped.shape[axis])
        assert dropped.mean(axis=axis).std() == pytest.approx(expected, rel=0.25, abs=1e-12)


def test_masks_differ_from_step_to_step_and_from_seed_to_seed():
    one, other = (RandomStreams(seed, np.arange(10), batch_size=8) for seed in (0, 1))
    first = one.keep_mask(50, 0.5)
    assert not np.array_equal(first, one.keep_mask(50, 0.5))
    assert not np.array_equal(first, other.keep_mask(50, 0.5))


def test_the_order_of_the_rows_ignores_how_many_masks_are_drawn_and_the_units_those_of_the_inputs():
    plain, dropping = (RandomStreams(0, np.arange(10), batch_size=4) for _ in range(2))
    for _ in range(5):
        plain.keep_mask(7, 0.5)
        assert np.array_equal(plain.next_rows(), dropping.next_rows())
    inputs = [dropping.input_keep_mask(7, 0.5) for _ in range(6)]
    units = [dropping.keep_mask(7, 0.5) for _ in range(6)]
    assert np.array_equal(plain.keep_mask(7, 0.5), units[5])
    assert not np.array_equal(inputs, units)
