"""The terminal: option types that several commands share, progress bars and notices on stderr, tables on stdout."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from houseprices.progress import Notice, Notify, Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

AsJson = Annotated[bool, Parameter(name="--json", negative="")]
Flag = Annotated[bool, Parameter(negative="")]
"""An option that is given or not, without a --no- of its own."""
Override = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""Name or value of a setting, such as --folds.n_folds or 5."""
ColumnsOfRun = Annotated[Path | None, Parameter(name="--columns")]
"""The file of a run's own columns."""
FileOrStream = Annotated[Path, Parameter(allow_leading_hyphen=True)]
"""A file's name, or - for the standard input or output."""

Row = Sequence[str]

_LONGEST_LINE = 480
"""A cell, a name or a server may be of any length."""


@contextmanager
def progress_bars(*, draw: bool | None = None) -> Iterator[Notify]:
    """Yield a job's `notify`: a notice becomes a line on stderr, a stage a bar there that goes when the block ends.

    Args:
        draw: whether to draw bars; None for whether stderr is a terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counted]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TimeRemainingColumn(),
    )
    shown = sys.stderr.isatty() if draw is None else draw
    # What is printed meanwhile goes above the bars, but not to the terminal if stdout is elsewhere.
    redirect = sys.stdout.isatty()
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=not shown, redirect_stdout=redirect) as bars:
        stages: dict[str, TaskID] = {}

        def notify(event: Progress | Notice) -> None:
            if isinstance(event, Notice):
                print_error(event.text)
                return
            if event.stage not in stages:
                for earlier in stages.values():
                    bars.update(earlier, visible=False)
                stages[event.stage] = bars.add_task(event.stage, total=event.n_total, counted="", left="")
            counted, left = _counted(event), "left" if event.n_total else ""
            bars.update(stages[event.stage], completed=event.n_done, total=event.n_total, counted=counted, left=left)

        yield notify


def print_error(text: str) -> None:
    """Print each line on stderr, under the program's name; the middle of a very long one is left out."""
    for line in text.splitlines():
        shown = line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 200]} ... {line[-195:]}"
        print(f"houseprices: {shown}", file=sys.stderr, flush=True)


def _counted(event: Progress) -> str:
    """Return the progress of a stage in figures; nothing where there is nothing to count."""
    from rich.filesize import decimal

    if event.in_bytes:
        whole = f" of {decimal(event.n_total)}" if event.n_total else ""
        return f"{decimal(event.n_done)}{whole}"
    if event.n_total:
        return f"{event.n_done}/{event.n_total}"
    return str(event.n_done) if event.n_done else ""


def in_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def print_table(title: str, headings: Row, *sections: Sequence[Row], words: Collection[str] = ()) -> None:
    """Print the rows under their headings, section by section.

    Args:
        title: shown above a table that is drawn.
        sections: rows of cells; where the table is drawn a gap sets a section apart from the next.
        words: headings of the columns that stand left; the others hold figures and stand right.
    """
    if not in_terminal():
        for row in (headings, *(row for rows in sections for row in rows)):
            print("\t".join(row))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if title:  # a table's own title would be broken to the table's width
        console.print(Text(title, style="italic"))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in words else "right")
    for rows in sections:
        for row in rows:
            # Text, so that brackets in a cell are brackets.
            table.add_row(*map(Text, row))
        table.add_section()
    console.print(table)
