"""Heat maps over weight decay x dropout."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from houseprices.charts import ORANGE, Drawing, draw
from houseprices.selection.ablation import Ablation, grid_of
from houseprices.settings import ModelSettings, Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = (
    ("validation_log_rmse", "Validation log-RMSE", "{:.4f}"),
    ("gap", "Gap: validation − training", "{:.3f}"),
    ("weight_norm", "Weight norm", "{:.1f}"),
)


def ablation_figures(ablation: Ablation, settings: Settings) -> Iterator[Drawing]:
    """A map of each figure, with the best cell and the place of the settings' own group marked."""
    grid = grid_of(ablation.table)
    best = grid.iloc[int(grid["validation_log_rmse"].argmin())]
    group = settings.models.get(ablation.note.group)
    for column, title, form in _PANELS:
        table = grid.pivot(index="dropout", columns="weight_decay", values=column)

        def plot(axes: "Axes", table: pd.DataFrame = table, form: str = form) -> None:
            _heat_map(axes, table, form)
            _mark(axes, table, best, group)

        low, high = table.to_numpy().min(), table.to_numpy().max()
        yield draw(
            f"ablation_{column}",
            title,
            f"{title} over weight decay and dropout, from {form.format(low)} to {form.format(high)}; validation error "
            f"is lowest at weight decay {best['weight_decay']:g} and dropout {best['dropout']:g}.",
            plot,
        )


def _heat_map(axes: "Axes", table: pd.DataFrame, form: str) -> None:
    values = table.to_numpy()
    # A cell far off must not wash out the differences among the others.
    mesh = axes.pcolormesh(values, cmap="cividis_r", vmin=values.min(), vmax=np.quantile(values, 0.75))
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = mesh.cmap(mesh.norm(value))
        ink = "#ffffff" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else "#000000"
        text = form.format(value + 0.0)  # + 0.0: no "-0.000"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, fontsize=7.5)
    axes.set_xticks(np.arange(table.shape[1]) + 0.5, [f"{x:g}" for x in table.columns])
    axes.set_yticks(np.arange(len(table)) + 0.5, [f"{x:g}" for x in table.index])
    axes.set(xlabel="weight decay", ylabel="dropout rate")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _mark(axes: "Axes", table: pd.DataFrame, best: Any, group: ModelSettings | None) -> None:
    """A frame around the best cell, and a circle where the group is; between two cells, if the grid lacks it."""
    from matplotlib.patches import Ellipse, Rectangle

    row, column = list(table.index).index(best["dropout"]), list(table.columns).index(best["weight_decay"])
    axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor=ORANGE, linewidth=3, clip_on=False))
    if group is not None:
        x = np.interp(group.weight_decay, table.columns, np.arange(table.shape[1]) + 0.5)
        y = np.interp(group.dropout, table.index, np.arange(len(table)) + 0.5)
        # White on black is seen on every colour of the map.
        for colour, width in (("#000000", 4.0), ("#ffffff", 1.8)):
            axes.add_patch(Ellipse((x, y), 0.98, 0.72, fill=False, edgecolor=colour, linewidth=width, clip_on=False))
