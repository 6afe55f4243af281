"""What a lesson is made of: paragraphs, formulas, tables, charts and the engine's source, in reading order.

In the text of paragraphs and captions, `backquotes` mark code and $dollars$ a short formula, in plain characters so
that it reads well in a terminal too.
"""

import ast
import inspect
import shlex
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from houseprices.charts import Drawing, finish
from houseprices.errors import SettingsError
from houseprices.lessons.markup import to_plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Heading:
    """Opens a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """One thought."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A displayed formula: LaTeX for the page, plain characters for the terminal."""

    latex: str
    plain: str


@dataclass(frozen=True)
class Source:
    """The code of a function or a class as the package runs it; `folded` hides it until it is asked for."""

    code: Callable[..., Any]
    folded: bool = True

    @property
    def text(self) -> str:
        """The source, without docstrings, which the paragraphs tell at more length."""
        source = textwrap.dedent(inspect.getsource(self.code))
        lines: list[str] = source.splitlines(keepends=True)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
                told = node.body[0]
                end = told.end_lineno or told.lineno
                # A class's docstring is set off by an empty line.
                end += end < len(lines) and not lines[end].strip()
                lines[told.lineno - 1 : end] = [""] * (end - told.lineno + 1)
        return "".join(lines)


@dataclass(frozen=True)
class Named:
    """A formula under its name, beside the code that computes it."""

    name: str
    formula: Formula
    source: Source


@dataclass(frozen=True)
class Table:
    """Numbers that are shown and written to <name>.csv, there with all their digits."""

    name: str
    caption: str
    content: "pd.DataFrame"
    digits: int = 4


@dataclass(frozen=True)
class Chart:
    """A figure, written to <name>.svg and <name>.png; its data, if given, to <name>.csv.

    `wide` gives it the page's whole width.
    """

    name: str
    caption: str
    figure: "Figure"
    content: "pd.DataFrame | None" = None
    wide: bool = False

    @cached_property
    def drawing(self) -> Drawing:
        """The figure, finished."""
        caption = to_plain(self.caption)
        return finish(self.figure, self.name, caption, caption)


@dataclass(frozen=True)
class Exercise:
    """A question, the command that answers it, and the answer, folded.

    Attributes:
        command: what stands after `houseprices`.
    """

    question: str
    command: str
    answer: str


Block = Heading | Paragraph | Formula | Source | Named | Table | Chart


@dataclass(frozen=True)
class Lesson:
    """A chapter.

    Attributes:
        name: as on the command line.
        title: as on the page.
        question: what it answers.
        look_at: what to look at on the way.
        blocks: in reading order; neighbouring charts stand side by side where there is room.
        exercises: three, at the end.
        following: the name of the next lesson; None after the last.
        notices: what must be known before all else, such as that the data are synthetic.
        given: options that this lesson was run with and its exercises' commands need too; None and 0 are the defaults.
    """

    name: str
    title: str
    question: str
    look_at: str
    blocks: list[Block]
    exercises: list[Exercise]
    following: str | None
    notices: list[str] = field(default_factory=list)
    given: Mapping[str, object] = field(default_factory=dict)

    def command_of(self, exercise: Exercise) -> str:
        """As it is to be typed: an option that the exercise sets is its own."""
        named = exercise.command.split()
        given = [
            f"{option} {shlex.quote(str(value))}"
            for option, value in self.given.items()
            if value not in (None, 0) and option not in named
        ]
        return " ".join(["houseprices", exercise.command, *given])

    @property
    def reading_minutes(self) -> int:
        """At 150 words a minute, a minute a chart or table, half a minute a piece of code."""
        texts = [self.question, self.look_at, *(one.question + " " + one.answer for one in self.exercises)]
        texts += [block.text for block in self.blocks if isinstance(block, Paragraph)]
        n_words = sum(len(text.split()) for text in texts)
        n_shown = sum(isinstance(block, Chart | Table) for block in self.blocks)
        n_codes = sum(isinstance(block, Source | Named) for block in self.blocks)
        return round(n_words / 150 + n_shown + n_codes / 2)


def require(holds: bool, name: str, accepted: str, got: object) -> None:
    """Refuse an option's value.

    Raises:
        SettingsError: it does not hold.
    """
    if not holds:
        raise SettingsError(f"{name} must be {accepted}, got {got}")
