"""The one way to print a table: drawn in a terminal, tab-separated where another program reads it."""

import sys
from collections.abc import Collection, Sequence

Row = Sequence[str]


def in_terminal() -> bool:
    """Whether a person reads stdout."""
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
