"""Lessons -> one HTML page that needs no network: formulas and charts as SVG in the page's own colours."""

import itertools
import re
from collections.abc import Sequence

import jinja2

from houseprices.charts import page_colours
from houseprices.lessons.content import Block, Chart, Lesson
from houseprices.lessons.formula_drawing import draw_formula
from houseprices.lessons.highlighting import STYLE, highlight_python
from houseprices.lessons.markup import to_html
from houseprices.lessons.terminal import formatter

OPENING = (
    "A short course on weight decay and dropout, for whoever has just trained a linear regression by stochastic "
    "gradient descent (SGD), as after the first chapters of Dive into Deep Learning (d2l.ai), called the textbook "
    "here. It follows the textbook's own examples, and then asks what has been learnt since.",
    "Every table and figure, and what the text says of them, was computed when this page was made, by the code that it "
    "shows; what others found is quoted with its source. Where chance has a say, an experiment is repeated with "
    "other seeds (a seed fixes all random numbers), and a mean over seeds stands as `mean ± half the width of its 95% "
    "interval`. Such an interval is made so that in 19 of 20 experiments it holds the mean that endlessly many seeds "
    "would have: a difference whose interval holds zero may be chance.",
    "Read the lessons in this order: each uses words of those before it. A lesson opens with its question and ends "
    "with three exercises; answer them before you unfold what comes out. A command beside an answer runs the lesson "
    "with other options, and writes its own page. Code is folded where the text can be followed without it.",
)


def render_page(title: str, lessons: Sequence[Lesson], seconds: Sequence[float]) -> str:
    """The page, whole in one string; that of several lessons opens with what the course is.

    Args:
        title: of the page.
        lessons: in order.
        seconds: that each lesson took to run.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("houseprices.lessons", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "prose": to_html,
        "python": highlight_python,
        "formula": lambda formula: draw_formula(formula.latex, formula.plain),
        "slug": lambda text: re.sub(r"\W+", "-", text.lower()).strip("-"),
        "cell": lambda cell, digits: formatter(digits)(cell),
        "is_number": lambda cell: isinstance(cell, int | float),
        # Numbers, such as an interval, and short names.
        "is_one_line": lambda cell: len(str(cell)) < 16 or not any(map(str.isalpha, str(cell))),
        "kind": lambda block: type(block).__name__,
    }
    return environment.get_template("page.html.jinja").render(
        title=title,
        course=len(lessons) > 1,
        opening=OPENING,
        lessons=[(lesson, _grouped(lesson), took) for lesson, took in zip(lessons, seconds, strict=True)],
        titles={lesson.name: lesson.title for lesson in lessons},
        notices=[notice for lesson in lessons for notice in lesson.notices],
        colours=page_colours(),
        code_style=STYLE,
    )


def _grouped(lesson: Lesson) -> list[list[Block]]:
    """The blocks, neighbouring charts as one group."""
    return [
        group
        for is_chart, run in itertools.groupby(lesson.blocks, lambda block: isinstance(block, Chart))
        for group in ([list(run)] if is_chart else [[block] for block in run])
    ]
