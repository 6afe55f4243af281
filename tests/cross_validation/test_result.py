"""How a cross-validation's predictions are put together, by hand."""

import numpy as np

from houseprices.cross_validation.result import mean_prediction

TWO_MEMBERS = np.array([[[12.0, 11.0], [12.2, 11.4]], [[12.4, 11.0], [12.6, 11.2]]])
ONE_MEMBER = np.array([[[13.0, 10.0]], [[13.4, 10.4]]])
GROUPS = {"two": TWO_MEMBERS, "one": ONE_MEMBER}
"""(n_repeats, n_members, n_rows)"""


def test_the_prediction_is_the_mean_over_members_and_repeats_then_over_groups():
    np.testing.assert_allclose(mean_prediction(GROUPS), [(12.3 + 13.2) / 2, (11.15 + 10.2) / 2])
