"""Figures as SVG images in one style, and the marks and ticks that several of them share."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.report.words import level_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

Floats = NDArray[np.float64]

INK, MUTED, GRID = "#1c2024", "#5c6370", "#e1e4e8"
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"

HEIGHT_INCHES = 3.3
_N_PARTS, _N_FOR_MEDIAN = 8, 3
_WIDTH_INCHES = 4.6
_SVG_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        title: the figure's subject, in a few words.
        alt: the text for a reader who cannot see it.
        svg: the image.
    """

    title: str
    alt: str
    svg: bytes

    @property
    def url(self) -> str:
        """The image itself as a data: URL."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode()


def draw(title: str, alt: str, plot: Callable[["Axes"], object], height: float = HEIGHT_INCHES) -> Drawing:
    """Let `plot` fill one pair of axes. The same content gives the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    style = resources.files("houseprices.report") / "template" / "chart.mplstyle"
    with resources.as_file(style) as file, matplotlib.rc_context(fname=file):
        figure = Figure(figsize=(_WIDTH_INCHES, height))
        plot(figure.add_subplot())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=_SVG_METADATA)
    return Drawing(title, alt, buffer.getvalue())


def height_for(n_lines: int) -> float:
    """Inches for so many named lines, one above the other."""
    return 0.27 * n_lines + 0.75


def plot_dots(axes: "Axes", x: Floats, y: Floats) -> None:
    """A dot a house."""
    axes.scatter(x, y, s=7, linewidths=0, alpha=0.45, color=BLUE, rasterized=True)


def plot_cloud(axes: "Axes", x: Floats, y: Floats) -> None:
    """A dot a house, and the median of y in each eighth of the houses by x; at each x, if there are only a few."""
    plot_dots(axes, x, y)
    axes.axhline(0, color=MUTED, linewidth=1)
    dots = pd.DataFrame({"x": x, "y": y})
    few = dots["x"].nunique() <= 2 * _N_PARTS
    dots["part"] = dots["x"] if few else pd.qcut(dots["x"], _N_PARTS, duplicates="drop")
    parts = dots.groupby("part", observed=True)
    medians = parts.median()[parts.size() >= _N_FOR_MEDIAN]
    axes.plot(medians["x"], medians["y"], color=ORANGE, linewidth=2.2, marker="o", markersize=4)


def split_by_level(levels: pd.Series, values: Floats, *, ordered: bool) -> dict[str, Floats]:
    """Split the values by level, in words: in the levels' own order, or else by their medians."""
    text = levels.map(lambda level: f"{level:g}" if isinstance(level, float) else str(level)).to_numpy()
    names = levels.cat.categories.astype("str") if levels.dtype == "category" else sorted(set(text), key=float)
    split = {level_words(str(levels.name), name): values[text == name] for name in names if (text == name).any()}
    return split if ordered else dict(sorted(split.items(), key=lambda item: float(np.median(item[1]))))


def plot_quantiles(axes: "Axes", values_of_level: Mapping[str, Floats]) -> None:
    """Median, middle half and middle 90% of each level's values, with their number in brackets."""
    for line, values in enumerate(values_of_level.values()):
        low, left, middle, right, high = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
        axes.plot([low, high], [line, line], color=BLUE, linewidth=1.2, solid_capstyle="butt")
        axes.plot([left, right], [line, line], color=BLUE, linewidth=6, alpha=0.45, solid_capstyle="butt")
        axes.plot(middle, line, "o", color=BLUE, markersize=5)
    axes.axvline(0, color=MUTED, linewidth=1)
    name_lines(axes, [f"{level}  ({len(values)})" for level, values in values_of_level.items()])


def name_lines(axes: "Axes", names: Sequence[str]) -> None:
    """A name beside each line, from the bottom up, and no grid between them."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.grid(axis="y", visible=False)


def log_ticks(axis: "Axis", steps: Sequence[float], text: str = "{:g}") -> None:
    """Label a logarithmic axis at `steps` times the powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(lambda value, _position: text.format(value))
    axis.set_minor_locator(NullLocator())


def price_ticks(axis: "Axis") -> None:
    """Label a logarithmic axis at round prices."""
    log_ticks(axis, (1.0, 2.0, 5.0), "${:,.0f}")
