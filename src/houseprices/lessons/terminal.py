"""A lesson as text: paragraphs folded to the line, tables, and where the charts are."""

import math
import textwrap
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from houseprices.lessons.content import Chart, Formula, Heading, Lesson, Named, Paragraph, Table
from houseprices.lessons.markup import to_plain

_WIDTH = 100


def lesson_text(lesson: Lesson, folder: Path) -> str:
    """All of the lesson but the engine's source, which the page shows."""
    lines = [lesson.title.upper(), ""]
    for opening in (f"The question. {lesson.question}", f"Look at {lesson.look_at}"):
        lines += [textwrap.fill(to_plain(opening), _WIDTH), ""]
    for block in lesson.blocks:
        match block:
            case Heading(text):
                lines += [text, "-" * len(text)]
            case Paragraph(text):
                lines += [textwrap.fill(to_plain(text), _WIDTH), ""]
            case Formula(plain=plain):
                lines += [f"    {plain}", ""]
            case Named(name, formula):
                lines += [f"    {to_plain(name)}: {formula.plain}", ""]
            case Table(caption=caption, content=content, digits=digits):
                lines += [to_plain(caption), _aligned(content, digits), ""]
            case Chart(name=name, caption=caption):
                lines += [f"[{to_plain(caption)} {folder / name}.svg]", ""]
    lines += ["Exercises", "---------"]
    for number, exercise in enumerate(lesson.exercises, start=1):
        lines += [textwrap.fill(f"{number}. {to_plain(exercise.question)}", _WIDTH)]
        lines += [
            f"   {lesson.command_of(exercise)}",
            textwrap.fill(f"Answer: {to_plain(exercise.answer)}", _WIDTH),
            "",
        ]
    if lesson.following:
        lines += [f"Next: houseprices lesson {lesson.following}", ""]
    return "\n".join(lines)


def formatter(digits: int) -> Callable[[object], str]:
    """How a cell is written: numbers between 0.001 and a million in full, others in powers of ten.

    >>> formatter(2)(1234.5), formatter(2)(1.5e-9), formatter(2)(0.0), formatter(0)("a"), formatter(0)(float("nan"))
    ('1,234.50', '1.5e-09', '0', 'a', '–')
    """

    def text(cell: object) -> str:
        if not isinstance(cell, float):
            return str(cell)
        if math.isnan(cell):
            return "–"
        if cell == 0 or cell == float("inf"):
            return f"{cell:g}"
        return f"{cell:,.{digits}f}" if 1e-3 <= abs(cell) < 1e6 else f"{cell:.2g}"

    return text


def _aligned(content: pd.DataFrame, digits: int) -> str:
    return content.to_string(index=False, na_rep="–", formatters=[formatter(digits)] * content.shape[1])
