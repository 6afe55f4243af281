"""Lessons -> one HTML page that needs no network: formulas as MathML, charts as SVG in the page's own colours."""

import itertools
import re

import jinja2
from markupsafe import Markup

from houseprices.lessons.charts import GRID, INK, PALETTE, PAPER, as_svg
from houseprices.lessons.content import Block, Chart, Lesson
from houseprices.lessons.markup import to_html, to_mathml, to_plain
from houseprices.lessons.terminal import formatter

# The same hues, lighter on a dark ground.
_DARK_PALETTE = ("#4ba3e3", "#f0803c", "#2fc49a", "#e39ac4", "#f2b93b", "#8fd0f5")


def render_page(title: str, lessons: list[Lesson]) -> str:
    """The page, whole in one string."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("houseprices.lessons", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "prose": to_html,
        "plain": to_plain,
        "mathml": lambda latex: to_mathml(latex, block=True),
        "cell": lambda cell, digits: formatter(digits)(cell),
        "is_number": lambda cell: isinstance(cell, int | float),
        "kind": lambda block: type(block).__name__,
    }
    names = itertools.count()
    environment.filters["chart"] = lambda chart: _inline(chart, f"c{next(names)}")
    colours = {"ink": INK, "grid": GRID, "paper": PAPER} | {f"line-{i}": colour for i, colour in enumerate(PALETTE)}
    return environment.get_template("page.html.jinja").render(
        title=title,
        lessons=[(lesson, _grouped(lesson)) for lesson in lessons],
        notices=[notice for lesson in lessons for notice in lesson.notices],
        light=colours,
        dark={f"line-{i}": colour for i, colour in enumerate(_DARK_PALETTE)},
    )


def _grouped(lesson: Lesson) -> list[list[Block]]:
    """The blocks, neighbouring charts as one group."""
    return [
        group
        for is_chart, run in itertools.groupby(lesson.blocks, lambda block: isinstance(block, Chart))
        for group in ([list(run)] if is_chart else [[block] for block in run])
    ]


def _inline(chart: Chart, prefix: str) -> Markup:
    """The chart as an element of the page: its colours follow the page's, its ids are its own."""
    svg = as_svg(chart.figure)
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    names = {INK: "ink", GRID: "grid", PAPER: "paper"} | {colour: f"line-{i}" for i, colour in enumerate(PALETTE)}
    for colour, name in names.items():
        svg = svg.replace(colour, f"var(--{name})")
    label = Markup('<svg role="img" aria-label="{}"').format(to_plain(chart.caption))
    return Markup(svg.replace("<svg", str(label), 1))
