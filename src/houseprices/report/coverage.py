"""How many houses the intervals hold, by price and by neighbourhood; every row's interval was made without its fold."""

import numpy as np
import pandas as pd

from houseprices.report.words import level_words


def coverage_by_price(rows: pd.DataFrame, n_bands: int = 4) -> pd.DataFrame:
    """The share of houses inside each interval in bands of equally many houses by actual price.

    Returns:
        band (its prices), n_rows, inside_50, inside_80, inside_90, width_90 (median ratio of the ends).
    """
    order = rows["price_usd"].rank(method="first")
    band = np.minimum(((order - 1) * n_bands // len(rows)).astype(int), n_bands - 1)
    edges = rows["price_usd"].groupby(band).agg(["min", "max"])
    grouped = rows.assign(width_90=rows["upper_90"] / rows["lower_90"]).groupby(band)
    table = grouped[[name for name in rows.columns if name.startswith("inside_")]].mean()
    table.insert(0, "band", [f"${low / 1000:,.0f}k–{high / 1000:,.0f}k" for low, high in edges.to_numpy()])
    table.insert(1, "n_rows", grouped.size())
    table["width_90"] = grouped["width_90"].median()
    return table.reset_index(drop=True)


def coverage_by_neighborhood(rows: pd.DataFrame, neighborhood: pd.Series) -> pd.DataFrame:
    """The same by neighbourhood, lowest coverage of the 90% interval first.

    Returns:
        Neighborhood, n_rows, inside_50, inside_80, inside_90, error (standard error of inside_90), width_90.
    """
    by = neighborhood.astype("str").map(lambda code: level_words("Neighborhood", code)).to_numpy()
    grouped = rows.assign(width_90=rows["upper_90"] / rows["lower_90"]).groupby(by)
    table = grouped[[name for name in rows.columns if name.startswith("inside_")]].mean()
    table.insert(0, "n_rows", grouped.size())
    # Of the share that is aimed at: the measured one would give a neighbourhood of six, all inside, no error at all.
    table["error"] = np.sqrt(0.9 * 0.1 / table["n_rows"])
    table["width_90"] = grouped["width_90"].median()
    return table.sort_values("inside_90", kind="stable").rename_axis("Neighborhood").reset_index()
