"""A typed table as one matrix of numbers: what the features are computed from, many times over, fold by fold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, FEATURES, ID, Feature

Floats = NDArray[np.float64]

POSITION = {feature.name: index for index, feature in enumerate(FEATURES)}
"""Each feature's column in `values`."""


@dataclass(frozen=True)
class HouseArray:
    """Houses as numbers.

    Attributes:
        values: (n_rows, 79) in the order of `schema.FEATURES`; numbers, and for levels their places in the schema;
            NaN for a gap. Columns lie whole in memory, since they are what is computed with.
        ids: (n_rows,) the houses' Ids; None for 0, 1, ..
    """

    values: Floats
    ids: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> Floats:
        """Return a feature's (n_rows,) column."""
        column: Floats = self.values[:, POSITION[name]]
        return column

    def codes(self, name: str) -> NDArray[np.intp]:
        """Return the (n_rows,) places of a feature's levels; -1 for a gap."""
        column = self[name]
        return np.where(np.isnan(column), -1.0, column).astype(np.intp)

    def rows(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "HouseArray":
        """Return some of the houses."""
        return HouseArray(self.values.T[:, rows].T, None if self.ids is None else self.ids[rows])


def house_array(houses: "pd.DataFrame | HouseArray") -> HouseArray:
    """The numbers of a table typed as by `table.read_houses`; an array passes as it is."""
    if isinstance(houses, HouseArray):
        return houses
    values = np.empty((len(houses), len(FEATURES)), order="F")
    for name, position in POSITION.items():
        if BY_NAME[name].kind == "number":
            values[:, position] = houses[name].to_numpy()
        else:
            cells = houses[name].array
            if tuple(cells.categories) != BY_NAME[name].levels:
                cells = cells.set_categories(BY_NAME[name].levels)
            values[:, position] = np.where(cells.codes < 0, np.nan, cells.codes)
    return HouseArray(values, houses.index.to_numpy())


def house_table(houses: HouseArray) -> pd.DataFrame:
    """The (n_rows, 79) typed table that `house_array` had: its way back."""

    def column(feature: Feature) -> Any:
        if feature.kind == "number":
            return houses[feature.name]
        codes, levels, is_ordered = houses.codes(feature.name), list(feature.levels), feature.kind == "ordinal"
        return pd.Categorical.from_codes(codes, levels, is_ordered)  # type: ignore[call-overload]  # its types want lists

    index = pd.RangeIndex(len(houses)) if houses.ids is None else houses.ids
    return pd.DataFrame({feature.name: column(feature) for feature in FEATURES}, pd.Index(index, name=ID))
