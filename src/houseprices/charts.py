"""One look for every figure and page: the palette, the style of charts, and figures as SVG, PNG and part of a page."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1c2024", "#5c6370", "#e1e4e8", "#fdfdfe"
# Okabe and Ito (2008): colour-blind readers tell them apart.
BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY)
"""Colours of the lines of one chart, in an order in which neighbours differ in lightness too."""
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)), "-")

# A page's variables: in the light, where figures have these very colours, and in the dark.
_VARIABLES = {
    "ink": (INK, "#e8eaed"),
    "muted": (MUTED, "#a3abb7"),
    "grid": (GRID, "#333a44"),
    "paper": (PAPER, "#1b2027"),
    "blue": (BLUE, "#56b4e9"),
    "orange": (ORANGE, "#f0883e"),
    "green": (GREEN, "#2fc49b"),
    "purple": (PURPLE, "#dc9cc0"),
    "yellow": (YELLOW, "#f2b93b"),
    "sky": (SKY, "#b0e0ff"),
    "ground": ("#f3f4f6", "#12161b"),
    "banner": ("#fff1cc", "#4a3a10"),
    "banner-ink": ("#5a3d00", "#ffe3a1"),
}

_WIDTH_INCHES, _HEIGHT_INCHES = 4.6, 3.5
_INCHES_A_LETTER = 0.08
_RIGHT_INCHES = 0.24  # half of a tick's label at the end of an axis, such as 0.1125
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

    def inline(self, prefix: str = "") -> "Markup":
        """The SVG for a page: no size of its own, the page's colours and typeface.

        Args:
            prefix: put before its ids, where figures of a page share a name.
        """
        return _inline(self.svg, f"{prefix}{self.name}", self.alt)


def draw(name: str, title: str, alt: str, plot: Callable[["Axes"], object], height: float = _HEIGHT_INCHES) -> Drawing:
    """Let `plot` fill one pair of axes of so many inches, and finish the figure."""
    from matplotlib.figure import Figure

    with chart_style():
        figure = Figure(figsize=(_WIDTH_INCHES, height))
        axes = figure.add_subplot()
        plot(axes)
        # Margins from the labels' lengths: matplotlib's own layout would double the time.
        longest = max((len(label.get_text()) for label in axes.get_yticklabels()), default=0)
        left = 0.3 + 0.4 * bool(axes.get_ylabel()) + _INCHES_A_LETTER * longest if longest else 0.85
        figure.subplots_adjust(
            left / _WIDTH_INCHES, 0.62 / height, 1 - _RIGHT_INCHES / _WIDTH_INCHES, 1 - 0.15 / height
        )
    return finish(figure, name, title, alt)


def new_chart(
    x_label: str, y_label: str, width: float = _WIDTH_INCHES, height: float = _HEIGHT_INCHES
) -> tuple["Figure", "Axes"]:
    """One panel of the given inches, to be filled in `chart_style`; matplotlib finds its margins."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=x_label, ylabel=y_label)
    return figure, axes


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of a chart's line number `index`: lines differ in both."""
    return {"color": SERIES[index % len(SERIES)], "linestyle": _DASHES[index % len(_DASHES)]}


def finish(figure: "Figure", name: str, title: str, alt: str) -> Drawing:
    """The figure in both formats; the same content gives the same bytes."""
    with chart_style(name):
        return Drawing(name, title, alt, _svg(figure), _png(figure))


@contextmanager
def chart_style(name: str = "") -> Iterator[None]:
    """Draw in the package's style within the block; matplotlib's settings are as before after it.

    Args:
        name: of the figure, from which its ids are made.
    """
    import matplotlib

    look: Any = {
        "font.family": "DejaVu Sans",
        "font.size": 10.5,
        "axes.labelsize": 10.5,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "legend.fontsize": 10,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
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


def _inline(svg: str, name: str, alt: str) -> "Markup":
    from markupsafe import Markup

    svg = svg[svg.index("<svg") :]
    view = re.search(r'viewBox="[^"]*"', svg)
    body = svg[svg.index(">") + 1 :]
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(href="#|url\(#)', rf"\1{name}-", body)
    for variable, (colour, _) in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    # The page's own typeface, not matplotlib's.
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    opening = Markup('<svg {} role="img" aria-label="{}">').format(Markup(view[0] if view else ""), alt)
    return opening + Markup(body)


def page_colours() -> str:
    """The palette as a style sheet's variables, dark where the reader's screen is."""
    light, dark = (" ".join(f"--{name}: {pair[i]};" for name, pair in _VARIABLES.items()) for i in (0, 1))
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
    )


def log_ticks(axis: Any, steps: Sequence[float] = (1.0,)) -> None:
    """Ticks of a logarithmic axis, in plain characters: 0.15, 10⁻⁴.

    Args:
        steps: multiples of the powers of ten that may have a tick.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(lambda value, _place: _number(value))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(LogLocator(subs=()))


def _number(value: float) -> str:
    if 1e-4 < value < 1e5:
        return f"{value:g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    times = "" if mantissa == "1" else f"{mantissa}·"
    return times + "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
