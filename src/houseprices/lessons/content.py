"""What a lesson is made of: paragraphs, formulas, tables, charts and the engine's source, in reading order.

In the text of paragraphs and captions, `backquotes` mark code and $dollars$ a short formula, in plain characters so
that it reads well in a terminal too.
"""

import inspect
import textwrap
from collections.abc import Callable
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
    """The code of a function as the package runs it."""

    function: Callable[..., Any]

    @property
    def text(self) -> str:
        """The source, without the docstring, which the paragraphs tell at more length."""
        code = textwrap.dedent(inspect.getsource(self.function))
        docstring = self.function.__doc__
        return code.replace(f'    """{docstring}"""\n', "") if docstring else code


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


Block = Heading | Paragraph | Formula | Source | Table | Chart


@dataclass(frozen=True)
class Lesson:
    """A chapter.

    Attributes:
        name: as on the command line.
        title: as on the page.
        blocks: in reading order; neighbouring charts stand side by side where there is room.
        notices: what must be known before all else, such as that the data are synthetic.
    """

    name: str
    title: str
    blocks: list[Block]
    notices: list[str] = field(default_factory=list)


def require(holds: bool, name: str, accepted: str, got: object) -> None:
    """Refuse an option's value.

    Raises:
        SettingsError: it does not hold.
    """
    if not holds:
        raise SettingsError(f"{name} must be {accepted}, got {got}")
