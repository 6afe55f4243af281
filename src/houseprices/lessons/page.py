"""Lessons -> one HTML page that needs no network: formulas as MathML, charts as SVG in the page's own colours."""

import itertools

import jinja2

from houseprices.charts import page_colours
from houseprices.lessons.content import Block, Chart, Lesson
from houseprices.lessons.markup import to_html, to_mathml
from houseprices.lessons.terminal import formatter


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
        "mathml": lambda latex: to_mathml(latex, block=True),
        "cell": lambda cell, digits: formatter(digits)(cell),
        "is_number": lambda cell: isinstance(cell, int | float),
        "kind": lambda block: type(block).__name__,
    }
    return environment.get_template("page.html.jinja").render(
        title=title,
        lessons=[(lesson, _grouped(lesson)) for lesson in lessons],
        notices=[notice for lesson in lessons for notice in lesson.notices],
        colours=page_colours(),
    )


def _grouped(lesson: Lesson) -> list[list[Block]]:
    """The blocks, neighbouring charts as one group."""
    return [
        group
        for is_chart, run in itertools.groupby(lesson.blocks, lambda block: isinstance(block, Chart))
        for group in ([list(run)] if is_chart else [[block] for block in run])
    ]
