"""Runs lessons and writes them into one folder."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from houseprices.charts import chart_style
from houseprices.engine.device import single_threads
from houseprices.lessons.content import Lesson
from houseprices.lessons.writing import LESSONS_FOLDER, PAGE, new_lesson_folder, write_lessons
from houseprices.progress import Notice, Notify, Progress, silent


@dataclass(frozen=True)
class FinishedLesson:
    """A lesson, and how long it took."""

    lesson: Lesson
    seconds: float


def run_lessons(
    lessons: Mapping[str, Callable[[], Lesson]], to: Path | None = None, notify: Notify = silent
) -> tuple[Path, list[FinishedLesson]]:
    """Run the lessons one after the other and write the folder, whole or not at all.

    Args:
        lessons: what makes each, by its name.
        to: the folder; None for one in lessons/, with the lesson's name or that of all.
        notify: hears which lesson runs, and what must be known of it.

    Returns:
        The page, and what stands on it.

    Raises:
        HousePricesError: the folder holds what no lesson wrote, or cannot be written; or as a lesson.
    """
    folder = to or LESSONS_FOLDER / (next(iter(lessons)) if len(lessons) == 1 else "all")
    done = []
    with single_threads(), new_lesson_folder(folder) as staging:
        for n_done, (name, make_lesson) in enumerate(lessons.items()):
            notify(Progress(f"lesson {name}", n_done, len(lessons)))
            start = time.perf_counter()
            with chart_style():
                lesson = make_lesson()
            done.append(FinishedLesson(lesson, time.perf_counter() - start))
            for notice in lesson.notices:
                notify(Notice(notice))
        only = done[0].lesson.title if len(done) == 1 else None
        title = only or "From norms to house prices: weight decay and dropout at work"
        write_lessons(staging, title, [one.lesson for one in done], [one.seconds for one in done])
    return folder / PAGE, done
