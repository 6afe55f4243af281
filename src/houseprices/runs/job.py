"""The main job from end to end: find the data, read it, cross-validate, write the run folder."""

import sys
import time
import warnings
from pathlib import Path
from typing import Any

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.engine.device import choose_device
from houseprices.console import training_progress
from houseprices.preprocessing.house_features import UnseenLevelWarning
from houseprices.runs.write import default_run_folder, new_run_folder, write_run
from houseprices.data.sample.write import NOISE_FLOOR
from houseprices.cross_validation.metrics import metrics
from houseprices.settings import Settings
from houseprices.data.source import TEST_FILE, TRAIN_FILE, Source, find_source
from houseprices.cross_validation.stopwatch import Stopwatch
from houseprices.data.table import read_houses


def run_main_job(
    data: Path | None, settings: Settings, run: Path | None = None, *, show: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Cross-validate on the folder's data and write a run folder.

    Args:
        data: folder with train.csv and test.csv; see `sources.find_source` for None.
        settings: of the job.
        run: the run folder; None for a new one in runs/.
        show: draw a progress bar on stderr.

    Returns:
        The run folder and the content of its metrics.json.

    Raises:
        DataError: a fault in the files.
        HousePricesError: no CUDA device where one is asked for.
        RunError: the run folder cannot be written.
    """
    device = choose_device(settings.device)
    stopwatch = Stopwatch()
    start = time.perf_counter()
    source = find_source(data)
    notice_of(source)
    run = run or default_run_folder()
    with new_run_folder(run) as staging:
        with stopwatch("reading"):
            train_houses = read_houses(source.folder / TRAIN_FILE, priced=True)
            test_houses = read_houses(source.folder / TEST_FILE, priced=False)
        n_fits = settings.folds.n_folds * settings.folds.n_repeats
        n_members = n_fits * sum(group.n_members for group in settings.groups.values())
        with warnings.catch_warnings(record=True) as caught, training_progress(n_members, show=show) as advance:
            warnings.simplefilter("always", UnseenLevelWarning)
            result = cross_validate(train_houses, test_houses, settings, device, on_trained=advance)
        for warning in caught:
            if issubclass(warning.category, UnseenLevelWarning):
                _notice(str(warning.message))
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        seconds = {**stopwatch.seconds, **result.seconds, "total": time.perf_counter() - start}
        scores = {**metrics(result), "data": source.kind, "seconds": seconds}
        if source.kind == "sample":
            scores["noise_floor"] = NOISE_FLOOR
        write_run(staging, result, settings, scores, source, str(device))
    return run, scores


def notice_of(source: Source) -> None:
    """Say on stderr what the houses are, if they are synthetic."""
    if source.kind == "sample":
        _notice(
            f"{source.folder} is a synthetic sample: its scores say nothing about Kaggle "
            f"(best possible log-RMSE {NOISE_FLOOR:.3f})."
        )


def _notice(text: str) -> None:
    print(f"houseprices: {text}", file=sys.stderr)
