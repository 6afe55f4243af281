"""Fills gaps from the training houses of the same neighbourhood."""

from typing import Any, Self

import numpy as np
import pandas as pd

from houseprices.schema import BY_NAME, FEATURES, NOMINALS, NOT_APPLICABLE, NUMBERS, ORDINALS


class NeighborhoodImputer:
    """One rule for every feature: what is usual among the training houses of the neighbourhood, else among all.

    Usual is the median of a number, the median level of an ordinal and the most frequent level of a nominal feature.
    "The house has none" never fills a gap: where NA is meant, the table has the level NA already. A garage without a
    known year counts as old as its house.

    Attributes:
        fillers_: per feature, {neighbourhood: filler} with the filler of all training houses under "".
    """

    ALL = ""

    def __init__(self) -> None:
        self.fillers_: dict[str, dict[str, Any]] = {}

    def fit(self, houses: pd.DataFrame) -> Self:
        """Learn the fillers from the training houses, (n_rows, 79), typed as by `table.read_houses`."""
        neighborhood = houses["Neighborhood"].astype("str").to_numpy()
        for feature in FEATURES:
            column = houses[feature.name]
            if feature.kind == "number":
                known = pd.Series(column.to_numpy(), dtype="float64").dropna()
            else:
                codes = column.cat.codes.to_numpy().astype("float64")
                absent = column.isna() | (column == NOT_APPLICABLE)
                known = pd.Series(np.where(absent, np.nan, codes)).dropna()
            usual = _most_frequent if feature.kind == "nominal" else _lower_median
            fallback = 0.0 if feature.kind == "number" else (len(feature.levels) - 1) // 2
            fillers = {self.ALL: usual(known) if len(known) else fallback}
            for name, group in known.groupby(neighborhood[known.index]):
                fillers[str(name)] = usual(group)
            if feature.kind != "number":
                fillers = {name: feature.levels[int(code)] for name, code in fillers.items()}
            self.fillers_[feature.name] = fillers
        return self

    def transform(self, houses: pd.DataFrame) -> pd.DataFrame:
        """Return a copy without gaps; a house whose neighbourhood is a gap is filled as any house."""
        houses = houses.copy()
        houses["GarageYrBlt"] = houses["GarageYrBlt"].fillna(houses["YearBuilt"])
        neighborhood = houses["Neighborhood"].astype("str")
        for name in (*NUMBERS, *ORDINALS, *NOMINALS):
            gaps = houses[name].isna()
            if gaps.any():
                fillers = self.fillers_[name]
                fill = [fillers.get(place, fillers[self.ALL]) for place in neighborhood[gaps]]
                houses.loc[gaps, name] = pd.Series(fill, index=houses.index[gaps], dtype=_dtype(name))
        return houses


def _dtype(name: str) -> Any:
    feature = BY_NAME[name]
    if feature.kind == "number":
        return "float64"
    return pd.CategoricalDtype(list(feature.levels), ordered=feature.kind == "ordinal")


def _lower_median(values: "pd.Series[float]") -> float:
    return float(values.quantile(0.5, interpolation="lower"))


def _most_frequent(values: "pd.Series[float]") -> float:
    return float(values.mode().iloc[0])
