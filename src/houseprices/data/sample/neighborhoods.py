"""What is typical of each neighbourhood of the synthetic town, as data."""

from typing import NamedTuple

from houseprices.data.sample.draws import Column, Houses, by_level


class Neighborhood(NamedTuple):
    """What is typical of a neighbourhood: its share in percent, years, sqft, shares of some types, zoning weights."""

    percent: float
    year: float
    year_sd: float
    quality: float
    living_sqft: float
    lot_sqft: float
    p_two_storey: float
    p_townhouse: float
    zones: str


NEIGHBORHOODS = {
    "Blmngtn": Neighborhood(1.2, 2005, 1.5, 7.2, 1480, 3200, 0.02, 0.94, "RL: 94, RM: 6"),
    "Blueste": Neighborhood(0.3, 1980, 2, 6.0, 1350, 1700, 0.80, 0.98, "RM: 90, RL: 10"),
    "BrDale": Neighborhood(1.1, 1971, 1.5, 5.7, 1130, 1700, 0.98, 0.99, "RM: 100"),
    "BrkSide": Neighborhood(4.0, 1930, 12, 5.1, 1200, 6300, 0.10, 0.00, "RM: 52, RL: 48"),
    "ClearCr": Neighborhood(1.9, 1967, 17, 5.9, 1750, 17500, 0.29, 0.00, "RL: 100"),
    "CollgCr": Neighborhood(10.3, 2001, 7, 6.7, 1490, 9300, 0.37, 0.07, "RL: 93, RM: 7"),
    "Crawfor": Neighborhood(3.5, 1941, 21, 6.3, 1700, 11300, 0.38, 0.06, "RL: 90, RM: 6, RH: 4"),
    "Edwards": Neighborhood(6.8, 1955, 24, 5.1, 1220, 9000, 0.14, 0.07, "RL: 90, RM: 8, RH: 2"),
    "Gilbert": Neighborhood(5.4, 2000, 6, 6.6, 1600, 9900, 0.75, 0.00, "RL: 100"),
    "IDOTRR": Neighborhood(2.5, 1923, 13, 4.8, 1130, 7900, 0.14, 0.00, "RM: 76, C (all): 24"),
    "MeadowV": Neighborhood(1.2, 1972, 3, 4.5, 1060, 2000, 0.47, 0.98, "RM: 100"),
    "Mitchel": Neighborhood(3.4, 1982, 13, 5.6, 1230, 9900, 0.08, 0.08, "RL: 90, RM: 10"),
    "NAmes": Neighborhood(15.4, 1960, 9, 5.4, 1240, 9500, 0.10, 0.01, "RL: 99, RH: 1"),
    "NPkVill": Neighborhood(0.6, 1976, 1.5, 6.0, 1300, 2400, 0.55, 0.98, "RL: 100"),
    "NWAmes": Neighborhood(5.0, 1976, 7, 6.3, 1650, 11000, 0.40, 0.00, "RL: 100"),
    "NoRidge": Neighborhood(2.8, 1995, 3, 7.9, 2350, 12000, 0.80, 0.00, "RL: 100"),
    "NridgHt": Neighborhood(5.3, 2007, 2.5, 8.2, 1860, 11500, 0.34, 0.28, "RL: 99, RM: 1"),
    "OldTown": Neighborhood(7.7, 1921, 21, 5.4, 1370, 7800, 0.28, 0.00, "RM: 84, RL: 15, C (all): 1"),
    "SWISU": Neighborhood(1.7, 1926, 10, 5.4, 1620, 7700, 0.28, 0.00, "RL: 80, RH: 20"),
    "Sawyer": Neighborhood(5.1, 1966, 10, 5.1, 1140, 9600, 0.08, 0.00, "RL: 97, RM: 3"),
    "SawyerW": Neighborhood(4.0, 1990, 11, 6.3, 1580, 9300, 0.42, 0.12, "RL: 92, RH: 8"),
    "Somerst": Neighborhood(5.9, 2006, 3, 7.3, 1560, 8500, 0.55, 0.30, "FV: 76, RL: 24"),
    "StoneBr": Neighborhood(1.7, 2002, 7, 8.1, 1750, 7200, 0.28, 0.45, "RL: 100"),
    "Timber": Neighborhood(2.6, 2000, 10, 7.1, 1680, 12700, 0.26, 0.00, "RL: 100"),
    "Veenker": Neighborhood(0.8, 1978, 8, 6.7, 1480, 11200, 0.10, 0.25, "RL: 100"),
}


def typical(houses: Houses, field: str) -> Column:
    """A field of `Neighborhood` for each house."""
    return by_level(houses["Neighborhood"], {name: getattr(n, field) for name, n in NEIGHBORHOODS.items()})
