"""Lessons -> a folder with a page, and a folder a lesson with its figures and numbers; whole or not at all."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from houseprices.errors import HousePricesError
from houseprices.files import read_json, replacing, write_json
from houseprices.lessons.content import Chart, Lesson, Table
from houseprices.lessons.page import render_page

LESSONS_FOLDER = Path("lessons")
PAGE = "index.html"

_NOTE = "lesson.json"
"""Names the files that were written, so that another run replaces what is ours and nothing else."""


@contextmanager
def new_lesson_folder(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder to write into; it takes the place of `folder` if the block ends well, else it vanishes.

    Raises:
        HousePricesError: the folder holds what no lesson wrote, or cannot be written: at once, before any work.
    """
    _check_replaceable(folder)
    with replacing(folder, error=HousePricesError) as (staging,):
        staging.mkdir()
        yield staging
        files = sorted(str(path.relative_to(staging)) for path in staging.rglob("*") if path.is_file())
        write_json(staging / _NOTE, {"files": files})
        _check_replaceable(folder)


def _check_replaceable(folder: Path) -> None:
    accepted = "accepted: a new folder, or one of an earlier lesson"
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise HousePricesError(f"{folder}: exists and is no folder; {accepted}")
    if not folder.exists():
        return
    try:
        ours = {_NOTE, *read_json(folder / _NOTE, HousePricesError, "as a lesson writes it")["files"]}
    except (HousePricesError, TypeError, KeyError):
        ours = set()
    others = [
        name for path in folder.rglob("*") if path.is_file() and (name := str(path.relative_to(folder))) not in ours
    ]
    if others:
        raise HousePricesError(f"{folder / min(others)}: no lesson wrote this; {accepted}")


def write_lessons(staging: Path, title: str, lessons: Sequence[Lesson], seconds: Sequence[float]) -> None:
    """Write the page, and the figures and numbers; those of several lessons in a folder each.

    Args:
        staging: of `new_lesson_folder`.
        title: of the page.
        lessons: in order.
        seconds: that each lesson took to run.
    """
    for lesson in lessons:
        folder = staging / lesson.name if len(lessons) > 1 else staging
        folder.mkdir(exist_ok=True)
        for block in lesson.blocks:
            if isinstance(block, Chart):
                block.drawing.write(folder)
            if isinstance(block, Chart | Table) and block.content is not None:
                block.content.to_csv(folder / f"{block.name}.csv", index=False)
    (staging / PAGE).write_text(render_page(title, lessons, seconds), "utf-8")
