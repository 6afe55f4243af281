"""When a house was built, remodelled and sold, and how it was sold."""

import numpy as np

from houseprices.data.sample.draws import Column, Houses, pick, whole
from houseprices.data.sample.neighborhoods import typical

_FIRST_YEAR, _FIRST_REMODEL_YEAR = 1872, 1950
_ERA_STARTS = (1946, 1961, 1986)
"""Weights by era have four columns: before 1946, to 1960, to 1985, since."""


def era_of(houses: Houses) -> Column:
    """The era that each house was built in, 0 to 3: the column of weights by era."""
    return np.searchsorted(_ERA_STARTS, houses["YearBuilt"], side="right")


def draw_years(rng: np.random.Generator, houses: Houses) -> Houses:
    """Built no later than sold, remodelled in between; the records of remodelling begin in 1950."""
    n_rows = len(houses["Neighborhood"])
    everyone = np.zeros(n_rows)
    sold = pick(rng, everyone, "2006: 314, 2007: 329, 2008: 304, 2009: 338, 2010: 175").astype(np.int64)
    # The records end in July 2010.
    months = "1: 3 3, 2: 3 3, 3: 6 6, 4: 8 8, 5: 12 12, 6: 15 15, 7: 14 3, 8: 7 0, 9: 4 0, 10: 5 0, 11: 5 0, 12: 4 0"
    built = whole(typical(houses, "year") + typical(houses, "year_sd") * rng.standard_normal(n_rows))
    # Draws before the first year are mirrored at it, so that it doesn't collect them; draws after the sale mean new.
    built = np.minimum(_FIRST_YEAR + np.abs(built - _FIRST_YEAR), sold)
    earliest = np.maximum(built, _FIRST_REMODEL_YEAR)
    later = earliest + np.floor((sold - earliest + 1) * np.sqrt(rng.random(n_rows))).astype(np.int64)
    is_remodelled = rng.random(n_rows) < 0.25 + 0.35 * np.minimum((sold - built) / 60, 1)
    return {
        "YrSold": sold,
        "MoSold": pick(rng, sold == 2010, months).astype(np.int64),
        "YearBuilt": built,
        "YearRemodAdd": np.where(is_remodelled, later, earliest),
    }


def draw_sale(rng: np.random.Generator, houses: Houses) -> Houses:
    """How it was sold: a house sold in the year it was built is mostly new, and a new one's assessment partial."""
    n_rows = len(houses["YrSold"])
    is_new = (houses["YearBuilt"] == houses["YrSold"]) & (rng.random(n_rows) < 0.95)
    kinds = (
        "WD: 95 0, COD: 3.2 0, ConLD: 0.7 0, ConLI: 0.4 0, ConLw: 0.4 0, CWD: 0.3 0, Oth: 0.2 0, Con: 0.2 0, New: 0 1"
    )
    kind = pick(rng, is_new, kinds)
    is_forced = np.isin(kind, ("COD", "Oth"))
    # Columns: an ordinary sale, a forced one, a new house.
    conditions = (
        "Normal: 91.5 45 1, Abnorml: 5.6 55 0, Family: 1.6 0 0, Alloca: 0.9 0 0, AdjLand: 0.3 0 0, Partial: 0.1 0 99"
    )
    return {"SaleType": kind, "SaleCondition": pick(rng, is_forced + 2 * is_new, conditions)}
