"""Past runs: their scores, the settings that differ from run to run, and a comparison of two, house by house."""

import itertools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from houseprices.data.schema import ID
from houseprices.errors import RunError
from houseprices.kaggle.ledger import read_ledger
from houseprices.progress import Notice, Notify, silent
from houseprices.runs.format import (
    LATEST,
    MANIFEST,
    METRICS,
    OUT_OF_FOLD,
    RUNS_FOLDER,
    SETTINGS,
    SUBMISSION,
    Manifest,
    PastMetrics,
    changes,
    check_run,
    damaged,
    read_record,
)

if TYPE_CHECKING:
    from houseprices.selection.acceptance import PairedScores

Floats = NDArray[np.float64]

_N_RESAMPLES = 1000


@dataclass(frozen=True)
class PastRun:
    """A run in the list.

    Attributes:
        name: of its folder in runs/.
        finished_utc: when, to the second.
        data: kaggle, sample or other.
        sha256: of each file of its houses, by name.
        cv_log_rmse: over every training row, out of fold.
        low, high: its 95% bootstrap interval over houses.
        seconds: that it took.
        public_score: on the leaderboard; None if it was not submitted or has no score.
        changes: settings that differ from the run before it, "folds.n_folds 10 -> 5".
    """

    name: str
    finished_utc: str
    data: str
    sha256: dict[str, str]
    cv_log_rmse: float
    low: float
    high: float
    seconds: float
    public_score: float | None
    changes: list[str]


@dataclass(frozen=True)
class RunComparison:
    """Two runs on the same houses, out of fold.

    Attributes:
        names: of the first and the second.
        changes: settings of the second that differ from the first.
        scores: of the second against the first.
    """

    names: tuple[str, str]
    changes: list[str]
    scores: "PairedScores"


def past_runs(notify: Notify = silent) -> list[PastRun]:
    """List the runs in runs/, newest first; runs of an earlier version are among them.

    Args:
        notify: is called with each folder that cannot be read; these are left out.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    scores = {entry.sha256: entry.public_score for entry in read_ledger() if entry.public_score is not None}
    runs: list[tuple[PastRun, dict[str, Any]]] = []
    for file in RUNS_FOLDER.glob(f"*/{MANIFEST}"):
        if file.parent != LATEST:
            try:
                runs.append((_read(file.parent, scores), _settings(file.parent)))
            except RunError as error:
                notify(Notice(f"{error}; left out"))
    runs.sort(key=lambda run: (run[0].finished_utc, run[0].name))
    for (_, before), (run, settings) in itertools.pairwise(runs):
        run.changes.extend(changes(before, settings))
    return [run for run, _ in reversed(runs)]


def compare_runs(first: str, second: str) -> RunComparison:
    """Compare two runs' out-of-fold predictions house by house.

    Args:
        first, second: names in runs/, or folders.

    Raises:
        RunError: a run cannot be read, or the two are of other houses or of equal settings and seed.
    """
    from houseprices.selection.acceptance import paired_scores

    folders = [check_run(Path(name))[0] for name in (first, second)]
    before, after = (_out_of_fold(folder) for folder in folders)
    settings = [_settings(folder) for folder in folders]
    names = folders[0].resolve().name, folders[1].resolve().name
    if not (np.array_equal(before[ID], after[ID]) and np.allclose(before["log_price"], after["log_price"], atol=1e-9)):
        raise RunError(f"{names[0]}, {names[1]}: their houses differ; accepted: two runs on the same train.csv")
    if settings[0] == settings[1]:
        raise RunError(f"{names[0]}, {names[1]}: their settings and seed are equal; accepted: runs that differ in one")
    scores = paired_scores(before["prediction"][None], after["prediction"][None], before["log_price"])
    return RunComparison(names, list(changes(settings[0], settings[1])), scores)


def _read(folder: Path, public_scores: dict[str, float]) -> PastRun:
    manifest = read_record(Manifest, folder / MANIFEST, any_version=True)
    metrics = read_record(PastMetrics, folder / METRICS)
    columns = _out_of_fold(folder)
    low, high = _interval((columns["prediction"] - columns["log_price"]) ** 2)
    return PastRun(
        name=folder.name,
        finished_utc=manifest.finished_utc,
        data=metrics.data,
        sha256=manifest.data.sha256,
        cv_log_rmse=metrics.log_rmse.pooled,
        low=low,
        high=high,
        seconds=metrics.seconds.get("total", 0.0),
        public_score=public_scores.get(manifest.outputs_sha256.get(SUBMISSION, "")),
        changes=[],
    )


def _interval(squares: Floats) -> tuple[float, float]:
    """Compute the 95% bootstrap interval of the RMSE over houses; equal errors give equal figures."""
    n_rows = len(squares)
    counts = np.random.default_rng(0).multinomial(n_rows, np.full(n_rows, 1 / n_rows), size=_N_RESAMPLES)
    low, high = np.quantile(np.sqrt(counts @ squares / n_rows), (0.025, 0.975))
    return float(low), float(high)


def _settings(folder: Path) -> dict[str, Any]:
    file = folder / SETTINGS
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(file, str(error)) from None


def _out_of_fold(folder: Path) -> dict[str, Floats]:
    """Read Id, log_price and prediction of oof.csv, without the second that pandas takes to load."""
    file = folder / OUT_OF_FOLD
    try:
        table = np.genfromtxt(file, delimiter=",", names=True, encoding="utf-8")
        columns = {name: table[name] for name in (ID, "log_price", "prediction")}
    except (OSError, ValueError) as error:
        raise damaged(file, " ".join(str(error).split())) from None
    if table.size < 2 or not all(np.isfinite(column).all() for column in columns.values()):
        raise damaged(file, "rows are missing, or a cell is no number")
    return columns
