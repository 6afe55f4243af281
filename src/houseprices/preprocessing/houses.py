"""A typed table as one matrix of numbers, and the rule that fills its gaps."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, FEATURES, ID, NOMINALS, NOT_APPLICABLE, Feature

Floats = NDArray[np.float64]

POSITION = {feature.name: index for index, feature in enumerate(FEATURES)}
"""Each feature's column in `HouseArray.values`."""


@dataclass(frozen=True)
class HouseArray:
    """Houses as numbers.

    Attributes:
        values: (n_rows, 79) in the order of `schema.FEATURES`: numbers, and levels by their positions in the schema;
            NaN for a gap. Each column is contiguous in memory, since formulas work on columns.
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
        """Return the (n_rows,) positions of a feature's levels in the schema; -1 for a gap."""
        column = self[name]
        return np.where(np.isnan(column), -1.0, column).astype(np.intp)

    def rows(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "HouseArray":
        """Return some of the houses."""
        return HouseArray(self.values.T[:, rows].T, None if self.ids is None else self.ids[rows])


def house_array(houses: "pd.DataFrame | HouseArray") -> HouseArray:
    """Convert a table typed by `table.read_houses`; an array is returned unchanged."""
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
    """Convert back to the (n_rows, 79) typed table."""

    def column(feature: Feature) -> Any:
        if feature.kind == "number":
            return houses[feature.name]
        codes, levels, is_ordered = houses.codes(feature.name), list(feature.levels), feature.kind == "ordinal"
        return pd.Categorical.from_codes(codes, levels, is_ordered)  # type: ignore[call-overload]  # its types want lists

    index = pd.RangeIndex(len(houses)) if houses.ids is None else houses.ids
    return pd.DataFrame({feature.name: column(feature) for feature in FEATURES}, pd.Index(index, name=ID))


_NEIGHBORHOODS = BY_NAME["Neighborhood"].levels
_NOMINAL_POSITIONS = [POSITION[name] for name in NOMINALS]
_NOT_APPLICABLE_CODES = [
    feature.levels.index(NOT_APPLICABLE) if NOT_APPLICABLE in feature.levels else -1 for feature in FEATURES
]
_LAST_RESORT = [0.0 if feature.kind == "number" else float(len(feature.levels) // 2) for feature in FEATURES]


class NeighborhoodImputer:
    """Fill gaps with typical values of the neighbourhood's training rows, or of all training rows if it has none.

    The typical value is the median of a number, the median level of an ordinal and the most frequent level of a
    nominal feature. Of two middle values the lower is taken, so that every filler is a value that some house has.
    The level NA ("the house has none") never fills a gap: where NA is an answer, it is not a gap. A garage of unknown
    year is as old as its house. A feature without any known training value is filled with zero or its middle level.

    Attributes:
        fillers_: (n_neighborhoods + 1, 79), the last row for houses whose neighbourhood is a gap.
    """

    fillers_: Floats

    def fit(self, houses: HouseArray) -> Self:
        """Compute the fillers from the training rows."""
        known = np.where(houses.values == _NOT_APPLICABLE_CODES, np.nan, houses.values)
        neighborhood = houses.codes("Neighborhood")
        overall = _typical(known)
        overall = np.where(np.isnan(overall), _LAST_RESORT, overall)
        of_neighborhoods = [_typical(known[neighborhood == code]) for code in range(len(_NEIGHBORHOODS))]
        fillers = np.stack([*of_neighborhoods, overall])
        self.fillers_ = np.where(np.isnan(fillers), overall, fillers)
        return self

    def transform(self, houses: HouseArray) -> HouseArray:
        """Return the houses without gaps."""
        values = houses.values.copy(order="K")
        garage, house = POSITION["GarageYrBlt"], POSITION["YearBuilt"]
        values[:, garage] = np.where(np.isnan(values[:, garage]), values[:, house], values[:, garage])
        rows, columns = np.nonzero(np.isnan(values))
        # Code -1, a neighbourhood that is a gap itself, indexes the last row.
        values[rows, columns] = self.fillers_[houses.codes("Neighborhood")[rows], columns]
        return HouseArray(values)

    def to_dict(self) -> dict[str, list[float]]:
        """Return {feature: fillers by neighbourhood in the schema's order, then overall}; levels by position."""
        return {name: self.fillers_[:, position].tolist() for name, position in POSITION.items()}

    @classmethod
    def from_dict(cls, fillers: dict[str, list[float]]) -> Self:
        """Restore an imputer from `to_dict`."""
        imputer = cls()
        columns = [np.array(fillers[name], np.float64).reshape(len(_NEIGHBORHOODS) + 1) for name in POSITION]
        imputer.fillers_ = np.stack(columns, axis=1)
        return imputer


def _typical(values: Floats) -> Floats:
    """Return the (79,) typical values of (n_rows, 79) houses; NaN where all have a gap."""
    if not len(values):
        return np.full(len(FEATURES), np.nan)
    n_known = (~np.isnan(values)).sum(axis=0)
    # Sorting puts gaps last. Where nothing is known the index is -1, a gap.
    typical: Floats = np.sort(values, axis=0)[(n_known - 1) // 2, np.arange(len(FEATURES))]
    for position in _NOMINAL_POSITIONS:
        if n_known[position]:
            known = values[:, position][~np.isnan(values[:, position])]
            typical[position] = np.bincount(known.astype(np.intp)).argmax()
    return typical
