"""Fills gaps from the training houses of the same neighbourhood."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from houseprices.data.schema import BY_NAME, FEATURES, NOMINALS, NOT_APPLICABLE, Feature
from houseprices.preprocessing.house_array import POSITION, Floats, HouseArray

_PLACES = (*BY_NAME["Neighborhood"].levels, "")
"""The neighbourhoods and, last, "" for all of them together."""


class NeighborhoodImputer:
    """One rule for every feature: what is usual among the training houses of the neighbourhood, else among all.

    Usual is the median of a number, the median level of an ordinal and the most frequent level of a nominal feature;
    of two in the middle the lower, so that a filler is a value that some house has. "The house has none" never fills
    a gap: where NA is meant, the table has the level NA already. A garage without a known year counts as old as its
    house. A feature that is a gap in every training house is filled with zero or its middle level.

    Attributes:
        fillers_: (n_neighborhoods + 1, 79), the last row for a house whose neighbourhood is a gap.
    """

    fillers_: Floats

    def fit(self, houses: HouseArray) -> Self:
        """Learn the fillers from the training houses."""
        known = _without_none(houses)
        neighborhood = houses.codes("Neighborhood")
        self.fillers_ = np.stack(
            [
                *(_usual(known[neighborhood == code]) for code in range(len(_PLACES) - 1)),
                _usual(known),
            ]
        )
        of_all = np.where(np.isnan(self.fillers_[-1]), [_guess(feature) for feature in FEATURES], self.fillers_[-1])
        self.fillers_ = np.where(np.isnan(self.fillers_), of_all, self.fillers_)
        return self

    def transform(self, houses: HouseArray) -> HouseArray:
        """Return the houses without gaps."""
        values = houses.values.copy(order="K")
        garage, house = POSITION["GarageYrBlt"], POSITION["YearBuilt"]
        values[:, garage] = np.where(np.isnan(values[:, garage]), values[:, house], values[:, garage])
        rows, columns = np.nonzero(np.isnan(values))
        # Code -1, a neighbourhood that is a gap itself, takes the last row.
        values[rows, columns] = self.fillers_[houses.codes("Neighborhood")[rows], columns]
        return HouseArray(values)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return {feature: {neighbourhood: filler}}, with the filler of all training houses under ""."""
        return {
            feature.name: {
                place: filler if feature.kind == "number" else feature.levels[int(filler)]
                for place, filler in zip(_PLACES, self.fillers_[:, column].tolist(), strict=True)
            }
            for column, feature in enumerate(FEATURES)
        }

    @classmethod
    def from_dict(cls, fillers: dict[str, dict[str, Any]]) -> Self:
        """The imputer that `to_dict` described."""
        imputer = cls()
        imputer.fillers_ = np.empty((len(_PLACES), len(FEATURES)))
        for column, feature in enumerate(FEATURES):
            of_place = fillers[feature.name]
            for row, place in enumerate(_PLACES):
                filler = of_place[place]
                imputer.fillers_[row, column] = filler if feature.kind == "number" else feature.levels.index(filler)
        return imputer


def _without_none(houses: HouseArray) -> Floats:
    """The values, with a gap where the house has none."""
    none = [feature.levels.index(NOT_APPLICABLE) if NOT_APPLICABLE in feature.levels else -1 for feature in FEATURES]
    return np.where(houses.values == none, np.nan, houses.values)


def _usual(values: Floats) -> Floats:
    """(n_rows, 79) -> (79,): what these houses suggest; NaN where all have a gap."""
    usual = np.full(values.shape[1], np.nan)
    n_known = (~np.isnan(values)).sum(axis=0)
    for name in NOMINALS:
        column = POSITION[name]
        if n_known[column]:
            known = values[:, column][~np.isnan(values[:, column])]
            usual[column] = np.bincount(known.astype(np.intp)).argmax()
    # Sorting puts gaps last.
    ordered = np.sort(values, axis=0)
    for column in _HAVE_MEDIANS:
        if n_known[column]:
            usual[column] = ordered[(n_known[column] - 1) // 2, column]
    return usual


_HAVE_MEDIANS: NDArray[np.intp] = np.array([POSITION[f.name] for f in FEATURES if f.kind != "nominal"])


def _guess(feature: Feature) -> float:
    return 0.0 if feature.kind == "number" else float(len(feature.levels) // 2)
