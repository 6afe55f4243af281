"""The synthetic town: houses drawn aspect by aspect, each given those drawn before it.

Shares and typical values are rounded from the public descriptions of Ames and from Kaggle's training file.
"""

import numpy as np
import pandas as pd

from houseprices.data.sample.building import draw_building, draw_floors, draw_quality, draw_shell
from houseprices.data.sample.draws import Houses, pick
from houseprices.data.sample.grounds import draw_extras, draw_garage, draw_lot
from houseprices.data.sample.history import draw_sale, draw_years
from houseprices.data.sample.interior import draw_basement, draw_rooms, draw_services
from houseprices.data.sample.neighborhoods import NEIGHBORHOODS
from houseprices.data.schema import FEATURES


def draw_houses(rng: np.random.Generator, n_rows: int) -> pd.DataFrame:
    """Complete houses, without Id, price or true gaps: (n_rows, 79), columns in Kaggle's order."""
    town = ", ".join(f"{name}: {neighborhood.percent}" for name, neighborhood in NEIGHBORHOODS.items())
    houses: Houses = {"Neighborhood": pick(rng, np.zeros(n_rows), town)}
    for draw_aspect in (
        draw_years,
        draw_building,
        draw_quality,
        draw_shell,
        draw_floors,
        draw_lot,
        draw_basement,
        draw_rooms,
        draw_services,
        draw_garage,
        draw_extras,
        draw_sale,
    ):
        houses |= draw_aspect(rng, houses)
    # GarageYrBlt is the one number without a value where the house has none.
    return pd.DataFrame({feature.name: houses[feature.name] for feature in FEATURES}).astype({"GarageYrBlt": "Int64"})
