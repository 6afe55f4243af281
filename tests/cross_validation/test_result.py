"""How a cross-validation's predictions are put together, by hand."""

import numpy as np

from houseprices.cross_validation.result import mean_prediction, spread_of_repeats

TWO_MEMBERS = np.array([[[12.0, 11.0], [12.2, 11.4]], [[12.4, 11.0], [12.6, 11.2]]])
ONE_MEMBER = np.array([[[13.0, 10.0]], [[13.4, 10.4]]])
GROUPS = {"two": TWO_MEMBERS, "one": ONE_MEMBER}
"""(n_repeats, n_members, n_rows)"""


def test_the_prediction_is_the_mean_over_members_and_repeats_then_over_groups():
    np.testing.assert_allclose(mean_prediction(GROUPS), [(12.3 + 13.2) / 2, (11.15 + 10.2) / 2])


def test_the_spread_is_that_of_the_repeats_whose_members_and_groups_are_averaged_before():
    first, second = np.array([(12.1 + 13.0) / 2, (11.2 + 10.0) / 2]), np.array([(12.5 + 13.4) / 2, (11.1 + 10.4) / 2])
    np.testing.assert_allclose(spread_of_repeats(GROUPS), np.abs(first - second) / 2)


def test_a_single_repeat_has_no_spread():
    np.testing.assert_array_equal(spread_of_repeats({"two": TWO_MEMBERS[:1]}), [0, 0])
