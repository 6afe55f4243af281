"""Bars of the jobs that still draw themselves; this module goes once they all tell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def training_progress(n_members: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that moves the bar by a number of members; the bar goes when the block ends."""
    columns = (
        TextColumn("training networks"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not show) as progress:
        task = progress.add_task("training", total=n_members)
        yield lambda trained: progress.advance(task, trained)


@contextmanager
def waiting(what: str, *, show: bool) -> Iterator[None]:
    """Draw a spinner with the seconds gone by while the block runs."""
    columns = (SpinnerColumn(), TextColumn(what), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not show) as progress:
        progress.add_task(what, total=None)
        yield
