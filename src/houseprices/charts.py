"""One look for all figures: panels that can be read on a telephone, as SVG for the page and as SVG and PNG files."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart; the page swaps them for brighter ones in the dark.
INK, MUTED, GRID, PAPER = "#1c2024", "#5c6370", "#e1e4e8", "#fdfdfe"
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREEN: "--green",
    PURPLE: "--purple",
}

_WIDTH_INCHES, _HEIGHT_INCHES = 4.6, 3.5
_INCHES_A_LETTER = 0.08
_PNG_DOTS_PER_INCH = 130


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        name: of the files in figures/.
        title: what it shows, in a few words.
        alt: what a reader who cannot see it should know.
        svg: the file's text.
        png: the file's bytes.
    """

    name: str
    title: str
    alt: str
    svg: str
    png: bytes

    def write(self, folder: Path) -> None:
        """Write name.svg and name.png."""
        (folder / f"{self.name}.svg").write_text(self.svg, "utf-8")
        (folder / f"{self.name}.png").write_bytes(self.png)

    @property
    def inline(self) -> str:
        """The SVG for the page: no size or colours of its own, no id that another figure might have."""
        return _inline(self.svg, self.name, self.alt)


def draw(name: str, title: str, alt: str, paint: Callable[["Axes"], object], height: float = _HEIGHT_INCHES) -> Drawing:
    """Let `paint` fill one pair of axes, and save the figure in both formats; the same content gives the same bytes."""
    from matplotlib.figure import Figure

    with _look(name):
        figure = Figure(figsize=(_WIDTH_INCHES, height))
        axes = figure.add_subplot()
        paint(axes)
        # Margins from the labels' lengths: matplotlib's own layout would double the time.
        longest = max((len(label.get_text()) for label in axes.get_yticklabels()), default=0)
        left = 0.3 + 0.4 * bool(axes.get_ylabel()) + _INCHES_A_LETTER * longest if longest else 0.85
        figure.subplots_adjust(left / _WIDTH_INCHES, 0.62 / height, 0.965, 1 - 0.15 / height)
        return Drawing(name, title, alt, _svg(figure), _png(figure))


@contextmanager
def _look(name: str) -> Iterator[None]:
    import matplotlib

    look: Any = {
        "font.family": "DejaVu Sans",
        "font.size": 10.5,
        "axes.labelsize": 10.5,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "legend.fontsize": 10,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        # A dollar sign in a label is a dollar sign.
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
    }
    with matplotlib.rc_context(look):
        yield


def _svg(figure: "Figure") -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _shorter(buffer.getvalue())


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=_PNG_DOTS_PER_INCH, metadata={"Software": None}, pil_kwargs={"compress_level": 4}
    )
    return buffer.getvalue()


def _shorter(svg: str) -> str:
    """The same picture in a third of the bytes: coordinates to a hundredth of a point, one style a series of marks."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # In tags only: a label says 0.1183 and means it.
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d{3,}", _hundredths, tag[0]), svg)

    def one_style(marks: re.Match[str]) -> str:
        styles = set(re.findall(r'<use [^>]*style="([^"]*)"', marks[0]))
        if len(styles) != 1:
            return marks[0]
        bare = re.sub(r'(<use [^>]*?) style="[^"]*"', r"\1", marks[0])
        return f'<g style="{styles.pop()}">{bare}</g>'

    svg = re.sub(r"(?:\s*<use [^>]*/>){2,}", one_style, svg)
    return re.sub(r"\n\s+", "\n", svg.replace("xlink:href", "href"))


def _hundredths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _inline(svg: str, name: str, alt: str) -> str:
    from markupsafe import escape

    svg = svg[svg.index("<svg") :]
    view = re.search(r'viewBox="[^"]*"', svg)
    body = svg[svg.index(">") + 1 :]
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(href="#|url\(#)', rf"\1{name}-", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    # The page's own typeface, not matplotlib's.
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    return f'<svg {view[0] if view else ""} role="img" aria-label="{escape(alt)}">{body}'


def dollar_ticks(axis: Any, low: float, high: float, n_ticks: int = 5) -> None:
    """A few round prices on a logarithmic axis."""
    import numpy as np
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    round_prices = np.array(
        [step * 10.0**power for power in range(3, 8) for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]
    )
    inside = round_prices[(round_prices >= low) & (round_prices <= high)]
    wanted = np.geomspace(low, high, n_ticks + 2)[1:-1]
    ticks = (
        sorted({float(inside[np.abs(np.log(inside / price)).argmin()]) for price in wanted}) if len(inside) else [low]
    )
    # Labels that would touch go.
    least = np.log(high / low) / (n_ticks + 3)
    ticks = [tick for index, tick in enumerate(ticks) if index == 0 or np.log(tick / ticks[index - 1]) > least]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(thousands)


def dollars(value: float) -> str:
    """A price as people write it.

    >>> dollars(181500.4)
    '$181,500'
    """
    return f"${value:,.0f}"


def thousands(value: float, _place: int | None = None) -> str:
    """A price on an axis.

    >>> thousands(250000)
    '$250k'
    """
    return f"${value / 1000:,.0f}k"


def percent(log_difference: float) -> str:
    """A difference of log prices as a change of the price.

    >>> percent(0.1), percent(-0.1)
    ('+10.5%', '−9.5%')
    """
    import math

    change = 100 * math.expm1(log_difference)
    return f"{change:+.1f}%".replace("-", "−")
