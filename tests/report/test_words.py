"""Every feature has one theme and every code its words."""

import numpy as np
import pandas as pd
import pytest

from houseprices.data.schema import BY_NAME, FEATURES, NOT_APPLICABLE, Feature
from houseprices.report.themes import THEMES, WORDS, by_size, by_theme, effect_names, themes_of
from houseprices.report.words import level_words, value_words


def test_every_feature_stands_in_one_theme() -> None:
    named = [name for features in THEMES.values() for name in features]
    assert sorted(named) == sorted(BY_NAME)
    assert len(set(WORDS.values())) == len(FEATURES)
    places_of = themes_of(len(FEATURES))
    assert list(places_of) == list(THEMES)
    assert sorted(place for places in places_of.values() for place in places) == list(range(len(FEATURES)))


def test_the_themes_share_out_all_that_the_features_have() -> None:
    attributions = np.random.default_rng(0).normal(size=(5, len(FEATURES)))
    themes = by_theme(attributions)
    assert themes.shape == (5, len(THEMES))
    np.testing.assert_allclose(themes.sum(axis=1), attributions.sum(axis=1))
    age = list(THEMES).index("age")
    years = [list(BY_NAME).index(name) for name in ("YearBuilt", "YearRemodAdd")]
    np.testing.assert_allclose(themes[:, age], attributions[:, years].sum(axis=1))


def test_own_columns_are_a_theme_and_an_effect_of_their_own() -> None:
    n_effects = len(FEATURES) + 1
    assert effect_names(n_effects) == [*BY_NAME, "own columns"]
    assert list(themes_of(n_effects)) == [*THEMES, "own columns"]
    attributions = np.eye(n_effects)
    assert by_theme(attributions)[-1].tolist() == [0.0] * len(THEMES) + [1.0]


def test_effects_are_ordered_by_their_size_alone() -> None:
    assert by_size(np.array([0.1, -0.5, 0.3])) == [1, 2, 0]
    assert by_size(np.array([0.1, -0.5, 0.3]), among=[0, 2]) == [2, 0]


@pytest.mark.parametrize("feature", [feature for feature in FEATURES if feature.levels], ids=lambda one: one.name)
def test_every_level_has_words_of_its_own(feature: Feature) -> None:
    words = [level_words(feature.name, level) for level in feature.levels]
    assert len(set(words)) == len(words)
    coded = [level for level, text in zip(feature.levels, words, strict=True) if text == level]
    # What is spelt out already stays: Edwards, Gilbert, Sawyer, Veenker.
    assert NOT_APPLICABLE not in coded
    assert all(level.isalpha() and level.istitle() for level in coded)


def test_a_value_is_told_with_its_unit_and_a_gap_as_unknown() -> None:
    assert value_words("GrLivArea", 5642.0) == "5,642 sq ft"
    assert value_words("LotArea", 1234567.0) == "1,234,567 sq ft"
    assert value_words("YearBuilt", 1999.0) == "1999"
    assert value_words("MiscVal", 15500.0) == "$15,500"
    assert value_words("FullBath", 2.0) == "2"
    assert value_words("LotFrontage", float("nan")) == "unknown"
    assert value_words("GarageYrBlt", float("nan")) == "none or unknown"
    assert value_words("Electrical", pd.NA) == "unknown"
    assert value_words("Neighborhood", "Nowhere") == "Nowhere"
