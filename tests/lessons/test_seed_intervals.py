import numpy as np
import pytest

from houseprices.lessons.seed_intervals import mean_interval


def test_the_interval_is_students():
    # Student (1908), additional hours of sleep; interval of the paired difference as in any textbook's worked example.
    more_sleep = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    found = mean_interval(more_sleep)
    assert found.mean == pytest.approx(1.58)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((0.7001, 2.4599), abs=1e-4)
    assert found.excludes_zero


def test_it_holds_the_truth_nineteen_times_in_twenty():
    draws = np.random.default_rng(0).normal(size=(4000, 4))
    missed = np.mean([mean_interval(draw).excludes_zero for draw in draws])
    assert missed == pytest.approx(0.05, abs=4.5 * (0.05 * 0.95 / 4000) ** 0.5)


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="two values or more, got 1"):
        mean_interval([1.0])


def test_both_numbers_are_scaled_and_signed():
    assert mean_interval([0.01, 0.03]).text(1, scale=100, sign=True) == "+2.0 ± 12.7"
