"""Effects and values in plain words: features and their themes, values with units, dollars and percent."""

import calendar
import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, FEATURES, THEMES

Floats = NDArray[np.float64]

CUSTOM_FEATURES = "custom features"
"""The effect, and the theme, of all user-defined features together."""

_FORMATS = {"sqft": "{:,.10g} sq ft", "feet": "{:,.10g} ft", "usd": "${:,.10g}", "year": "{:g}", "rating": "{:g} of 10"}


def effect_names(n_effects: int) -> list[str]:
    """Name each of n_effects attributions: the 79 features, then the custom features as one, where a run has some."""
    return [*BY_NAME, CUSTOM_FEATURES][:n_effects]


def theme_positions(n_effects: int) -> dict[str, list[int]]:
    """Map each theme to the positions of its effects among n_effects."""
    positions: dict[str, list[int]] = {theme: [] for theme in THEMES}
    for position, feature in enumerate(FEATURES):
        positions[feature.theme].append(position)
    return positions | ({CUSTOM_FEATURES: [len(FEATURES)]} if n_effects > len(FEATURES) else {})


def by_theme(attributions: Floats) -> Floats:
    """Sum (n_rows, n_effects) attributions to (n_rows, n_themes), in the order of `theme_positions`."""
    positions = theme_positions(attributions.shape[1]).values()
    return np.stack([attributions[:, theme].sum(axis=1) for theme in positions], axis=1)


def meaning(effect: str) -> str:
    """Translate a feature's name; themes and custom features are plain words already.

    >>> meaning("GrLivArea"), meaning("age")
    ('living area', 'age')
    """
    return BY_NAME[effect].meaning if effect in BY_NAME else effect


def level_words(name: str, level: str) -> str:
    """Translate a level of a feature; one that the data description does not have stays as it is.

    >>> level_words("KitchenQual", "TA"), level_words("PoolQC", "NA")
    ('typical', 'no pool')
    """
    return BY_NAME[name].level_meanings.get(level, level)


def value_words(name: str, value: object) -> str:
    """Say a feature's value with its unit; a gap is "unknown", and custom features have no single value.

    >>> value_words("LotArea", 9550.0), value_words("MoSold", 5.0), value_words("OverallQual", 7.0)
    ('9,550 sq ft', 'May', '7 of 10')
    >>> value_words("LotFrontage", pd.NA), value_words("GarageYrBlt", pd.NA), value_words("YearBuilt", 1999.0)
    ('unknown', 'none or unknown', '1999')
    """
    if name not in BY_NAME:
        return "all together"
    feature = BY_NAME[name]
    if pd.isna(value):  # type: ignore[call-overload]  # a scalar
        return "none or unknown" if feature.na_means else "unknown"
    if not isinstance(value, float | int):
        return level_words(name, str(value))
    if feature.unit == "month":
        return calendar.month_name[int(value)]
    return _FORMATS.get(feature.unit, "{:,.10g}").format(value)


def dollars(price_usd: float) -> str:
    """Format a price.

    >>> dollars(181500.4)
    '$181,500'
    """
    return f"${price_usd:,.0f}"


def percent(log_difference: float) -> str:
    """Format a difference of log prices as a change of the price.

    >>> percent(0.1), percent(-0.1)
    ('+10.5%', '−9.5%')
    """
    return f"{100 * math.expm1(log_difference):+.1f}%".replace("-", "−")
