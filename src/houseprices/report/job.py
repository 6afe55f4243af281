"""Writes a run's page, figures and intervals into its folder."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

from houseprices.errors import ResourceError
from houseprices.progress import Notify, Progress, silent
from houseprices.report.waterfall import get_ready, waterfalls
from houseprices.runs.format import FIGURES, INTERVALS, REPORT

_N_RENDERERS = min(4, max(1, (os.cpu_count() or 1) - 1))
"""Processes that draw beside this one, which has a core's work of its own: with two on two cores all waits for it."""


def write_report(folder: Path, notify: Notify = silent, columns: Path | None = None) -> Path:
    """Write report.html, figures/ and intervals.csv into the run folder, all or none; return the page's path.

    Args:
        folder: the run's.
        notify: hears what is computed and drawn.
        columns: the file of the run's own columns, see `read_run`.

    Raises:
        RunError: the folder is missing, incomplete, altered or of another version, or cannot be written.
        ColumnsError: its own columns fail.
        ResourceError: a process that draws was killed.
        LedgerError: the ledger cannot be read.
    """
    # The waterfalls take longer than all other figures. The processes that draw them start while this one imports
    # torch, and draw while it computes and draws the rest.
    with _renderers() as renderers:
        from houseprices.files import replacing
        from houseprices.report.attributions import explain_out_of_fold
        from houseprices.report.evidence import gather, intervals_table, worst_rows
        from houseprices.report.page import render
        from houseprices.runs.read import read_run

        notify(Progress("reading the run"))
        run = read_run(folder, columns)
        houses, test_houses = run.houses()
        notify(Progress("explaining the predictions"))
        worst = worst_rows(run)
        drawn = waterfalls(houses.iloc[worst], explain_out_of_fold(run, houses, worst), renderers.map)
        evidence = gather(run, houses, test_houses)
        notify(Progress("drawing figures"))
        page, drawings = render(evidence, drawn)
    targets = (folder / REPORT, folder / FIGURES, folder / INTERVALS)
    with replacing(*targets) as (page_file, figures, intervals_file):
        page_file.write_text(page, "utf-8")
        figures.mkdir()
        for drawing in drawings:
            drawing.write(figures)
        intervals_table(evidence.run, evidence.test_intervals).to_csv(intervals_file, index=False, float_format="%.2f")
    return folder / REPORT


@contextmanager
def _renderers() -> Iterator[ProcessPoolExecutor]:
    executor = ProcessPoolExecutor(_N_RENDERERS, multiprocessing.get_context("spawn"), get_ready)
    try:
        with _deaf_to_ctrl_c():
            executor.submit(int)  # the first task starts all processes
        yield executor
    except BrokenProcessPool:
        raise ResourceError("a process that draws was killed; accepted: a machine with enough memory") from None
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that the block starts are deaf to Ctrl-C from their first moment; this one hears it at the end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its own start would end the deafness
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
