"""Fills gaps from the training houses of the same neighbourhood."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.schema import FEATURES, NOT_APPLICABLE, Feature


class NeighborhoodImputer:
    """One rule for every feature: what is usual among the training houses of the neighbourhood, else among all.

    Usual is the median of a number, the median level of an ordinal and the most frequent level of a nominal feature;
    of two in the middle the lower, so that a filler is a value that some house has. "The house has none" never fills
    a gap: where NA is meant, the table has the level NA already. A garage without a known year counts as old as its
    house.

    Attributes:
        fillers_: per feature, {neighbourhood: filler} with the filler of all training houses under "".
    """

    ALL = ""

    def __init__(self) -> None:
        self.fillers_: dict[str, dict[str, Any]] = {}

    def fit(self, houses: pd.DataFrame) -> Self:
        """Learn the fillers from the training houses, (n_rows, 79), typed as by `table.read_houses`."""
        neighborhood = houses["Neighborhood"].cat
        rows_of = {self.ALL: np.arange(len(houses))}
        for code, level in enumerate(neighborhood.categories):
            rows_of[str(level)] = np.flatnonzero(neighborhood.codes == code)
        for feature in FEATURES:
            values = _values(houses[feature.name], feature)
            fillers = {place: _usual(values[rows], feature) for place, rows in rows_of.items()}
            self.fillers_[feature.name] = {
                place: filler for place, filler in fillers.items() if filler is not None or place == self.ALL
            }
        return self

    def transform(self, houses: pd.DataFrame) -> pd.DataFrame:
        """Return a copy without gaps; a house whose neighbourhood is a gap is filled as any house."""
        houses = houses.copy()
        houses["GarageYrBlt"] = houses["GarageYrBlt"].fillna(houses["YearBuilt"])
        neighborhood = houses["Neighborhood"].astype("str")
        for feature in FEATURES:
            gaps = houses[feature.name].isna()
            if gaps.any():
                fillers = self.fillers_[feature.name]
                default = fillers[self.ALL]
                if default is None:
                    default = 0.0 if feature.kind == "number" else feature.levels[len(feature.levels) // 2]
                fill = [fillers.get(place, default) for place in neighborhood[gaps]]
                houses.loc[gaps, feature.name] = pd.Series(fill, houses.index[gaps], dtype=houses[feature.name].dtype)
        return houses


def _values(column: pd.Series, feature: Feature) -> NDArray[np.float64]:
    """Numbers, or the codes of the levels; NaN for gaps and for "the house has none"."""
    if feature.kind == "number":
        return column.to_numpy(dtype="float64")
    codes = column.cat.codes.to_numpy().astype("float64")
    return np.where(column.isna() | (column == NOT_APPLICABLE), np.nan, codes)


def _usual(values: NDArray[np.float64], feature: Feature) -> float | str | None:
    """The filler that these values suggest; None if all are gaps."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    if feature.kind == "number":
        return float(_lower_median(known))
    code = np.bincount(known.astype(int)).argmax() if feature.kind == "nominal" else int(_lower_median(known))
    return feature.levels[code]


def _lower_median(known: NDArray[np.float64]) -> float:
    middle = (len(known) - 1) // 2
    return float(np.partition(known, middle)[middle])
