"""Themes share out every feature and every effect, and each level has words of its own."""

import numpy as np
import pytest

from houseprices.data.schema import BY_NAME, FEATURES, THEMES, Feature
from houseprices.report.words import CUSTOM_FEATURES, by_theme, effect_names, level_words, theme_positions


@pytest.mark.parametrize("n_effects", [79, 80])
def test_themes_partition_the_effects_and_share_out_all_of_them(n_effects: int) -> None:
    positions = theme_positions(n_effects)
    assert sorted(position for theme in positions.values() for position in theme) == list(range(n_effects))
    assert list(positions) == [*THEMES, *[CUSTOM_FEATURES][: n_effects - 79]]
    assert effect_names(n_effects) == [*BY_NAME, *[CUSTOM_FEATURES][: n_effects - 79]]
    attributions = np.random.default_rng(0).normal(size=(5, n_effects))
    themes = by_theme(attributions)
    np.testing.assert_allclose(themes.sum(axis=1), attributions.sum(axis=1))
    years = [effect_names(n_effects).index(name) for name in ("YearBuilt", "YearRemodAdd")]
    np.testing.assert_allclose(themes[:, list(positions).index("age")], attributions[:, years].sum(axis=1))


@pytest.mark.parametrize(
    "feature", [feature for feature in FEATURES if feature.levels], ids=lambda feature: feature.name
)
def test_every_level_has_words_of_its_own(feature: Feature) -> None:
    words = [level_words(feature.name, level) for level in feature.levels]
    assert len(set(words)) == len(words)
