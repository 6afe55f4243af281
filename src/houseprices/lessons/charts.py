"""How every chart of the lessons looks: a palette that colour-blind readers can tell apart, large type, no clutter."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, GRID, PAPER = "#1f2328", "#d0d7de", "#ffffff"

# Okabe and Ito (2008), in an order in which neighbours differ in lightness too.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)), "-")
"""Lines differ in their dashes as well as in colour."""

_STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": PAPER,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "path",
    # Ids that do not change from run to run.
    "svg.hashsalt": "houseprices",
}


@contextmanager
def chart_style() -> Iterator[None]:
    """Draw in the lessons' style within the block; matplotlib's settings are as before after it."""
    with mpl.rc_context(_STYLE):
        yield


def new_chart(x_label: str, y_label: str, width: float = 4.7, height: float = 3.3) -> tuple[Figure, Axes]:
    """One panel of the given inches; it makes no window and needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return figure, axes


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the line number `index`."""
    return {"color": PALETTE[index % len(PALETTE)], "linestyle": DASHES[index % len(DASHES)]}


def as_svg(figure: Figure) -> str:
    """The figure as SVG."""
    stream = StringIO()
    with chart_style():
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def as_png(figure: Figure) -> bytes:
    """The figure as PNG, sharp enough for print."""
    stream = BytesIO()
    with chart_style():
        figure.savefig(stream, format="png", dpi=200)
    return stream.getvalue()
