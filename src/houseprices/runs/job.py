"""The main job from end to end: find the data, read it, cross-validate, write the run folder."""

import time
from pathlib import Path

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.metrics import scores_of
from houseprices.cross_validation.result import CrossValidation
from houseprices.cross_validation.stopwatch import Stopwatch
from houseprices.cross_validation.workers import device_of
from houseprices.data.sample.write import NOISE_FLOOR
from houseprices.data.source import DataKind, read_tables
from houseprices.progress import Notify, silent
from houseprices.runs.format import Metrics
from houseprices.runs.write import default_run_folder, new_run_folder, write_run
from houseprices.settings import Settings


def run_main_job(
    data: Path | None, settings: Settings, run: Path | None = None, notify: Notify = silent
) -> tuple[Path, Metrics]:
    """Cross-validate on the folder's data and write a run folder.

    Args:
        data: folder with train.csv and test.csv; see `source.read_tables` for None.
        settings: of the job.
        run: the run folder; None for a new one in runs/.
        notify: hears how many networks are trained, and what is odd about the houses.

    Returns:
        The run folder and the content of its metrics.json.

    Raises:
        DataError: a fault in the files.
        ResourceError: no CUDA device where one is asked for, or too little memory.
        RunError: the run folder cannot be written.
    """
    device = device_of(settings)
    stopwatch = Stopwatch()
    start = time.perf_counter()
    run = run or default_run_folder()
    with new_run_folder(run) as staging:
        with stopwatch("reading"):
            tables = read_tables(data, notify)
        result = cross_validate(tables.train, tables.test, settings, notify)
        seconds = {**stopwatch.seconds, **result.seconds, "total": time.perf_counter() - start}
        metrics = metrics_of(result, tables.kind, seconds)
        write_run(staging, result, settings, metrics, tables, device)
    return run, metrics


def metrics_of(result: CrossValidation, kind: DataKind, seconds: dict[str, float]) -> Metrics:
    """The content of metrics.json."""
    noise_floor = NOISE_FLOOR if kind == "sample" else None
    return Metrics(**vars(scores_of(result)), data=kind, seconds=seconds, noise_floor=noise_floor)
