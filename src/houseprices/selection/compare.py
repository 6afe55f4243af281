"""A comparison of two settings: trained on the same folds, judged by the acceptance test, noted in a log of trials."""

import csv
import tomllib
import zipfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from houseprices.data.source import read_tables
from houseprices.errors import RunError, SettingsError
from houseprices.files import replacing
from houseprices.progress import Notify, silent
from houseprices.runs.format import changes
from houseprices.selection.acceptance import (
    PairedDifference,
    PairedScores,
    missing_regularisers,
    paired_scores,
    score_reasons,
)
from houseprices.selection.held_out import log_price_of, predict_held_out
from houseprices.settings import WHERE, Settings, dump_settings

Floats = NDArray[np.float64]

FOLDER = Path("runs/compare")
PREDICTIONS = FOLDER / "predictions"
"""Cached predictions of models; see `held_out`."""

COLUMNS = (
    *("date", "data", "change", "rule", "first", "second"),
    *(f"{figure}_{part}" for figure in PairedScores.__annotations__ for part in PairedDifference.__annotations__),
    "verdict",
)
"""Columns of the log; first and second are the keys of the candidates, see `predict_held_out`."""


@dataclass(frozen=True)
class Comparison:
    """The second candidate against the first.

    Attributes:
        trial: number of the comparison among those of the same data in the log, from 1 on.
        rule: improvement or simplification.
        first, second: keys of the candidates.
        changes: the settings that differ, a line each.
        reasons: against the second candidate; it is accepted if there is none.
        largest: the five houses whose squared error changes most: Id and change, mean over repeats.
    """

    trial: int
    rule: str
    first: str
    second: str
    changes: list[str]
    scores: PairedScores
    reasons: list[str]
    largest: list[tuple[int, float]]

    @property
    def verdict(self) -> Literal["accepted", "rejected"]:
        """As the log has it."""
        return "rejected" if self.reasons else "accepted"

    @property
    def conclusion(self) -> str:
        """Return one sentence: better, worse or no significant difference, and what to do."""
        rmse, trimmed = self.scores.rmse, self.scores.trimmed
        interval = f"trimmed RMSE {trimmed.difference:+.4f}, 95% interval {trimmed.low:+.4f} to {trimmed.high:+.4f}"
        if not self.reasons:
            verdict = "better" if self.rule == "improvement" or trimmed.high < 0 else "simpler and not worse"
            return f"The second is {verdict} ({interval}): use it."
        if trimmed.high < 0:
            return f"The second is better on most houses ({interval}), but {'; '.join(self.reasons)}: keep the first."
        if trimmed.low > 0 or rmse.low > 0:
            figure = interval if trimmed.low > 0 else f"RMSE {rmse.difference:+.4f}, more than zero in its interval"
            return f"The second is worse ({figure}): keep the first."
        return f"No significant difference ({interval}): keep the first."


def compare(
    data: Path | None,
    first: Settings,
    second: Settings,
    *,
    change: str,
    log: Path,
    simplification: bool = False,
    notify: Notify = silent,
) -> Comparison:
    """Judge the second settings against the first on the houses of a folder, and add the trial to the log.

    Args:
        data: as for `read_tables`.
        first, second: the candidates; their own folds play no part.
        change: what is new in the second, in words.
        log: a CSV of trials, made if there is none.
        simplification: the second is simpler than the first and need only be no worse.

    Raises:
        DataError: a fault in the files, or training diverged.
        SettingsError: both candidates train the same networks.
        RunError: the log or the predictions cannot be read or written.
    """
    tables = read_tables(data, notify)
    read_log(log)  # a file that is no log is refused before anything is trained
    (old_key, before), (new_key, after) = predict_held_out([first, second], tables.train, PREDICTIONS, notify)
    if old_key == new_key:
        raise SettingsError("both settings train the same networks; accepted: settings that differ in a model")
    log_price = log_price_of(tables.train)
    old, new = _compared_settings(first), _compared_settings(second)
    for key, prediction, settings in ((old_key, before, old), (new_key, after, new)):
        keep_candidate(key, prediction, log_price, regularised=not missing_regularisers(settings["models"]))
    scores = paired_scores(before, after, log_price)
    reasons = score_reasons(scores.rmse, scores.trimmed, simplification=simplification)
    squared_change = ((after - log_price) ** 2 - (before - log_price) ** 2).mean(axis=0)
    comparison = Comparison(
        trial=0,
        rule="simplification" if simplification else "improvement",
        first=old_key,
        second=new_key,
        changes=list(changes(old, new)),
        scores=scores,
        reasons=reasons + missing_regularisers(new["models"]),
        largest=[
            (int(tables.train.index[row]), float(squared_change[row]))
            for row in np.argsort(-np.abs(squared_change))[:5]
        ],
    )
    return replace(comparison, trial=log_trial(log, comparison, tables.kind, change))


def _compared_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings as in a file, but for the folds and where networks train."""
    tree = tomllib.loads(dump_settings(settings))
    return {name: value for name, value in tree.items() if name not in (*WHERE, "folds")}


def log_trial(log: Path, comparison: Comparison, data: str, change: str) -> int:
    """Add a comparison to the log, unless the same one is there: repeated, it shows nothing new.

    Returns:
        Its number among the trials on data of its kind, from 1 on.

    Raises:
        RunError: the log cannot be read or written.
    """
    line = {
        **{"date": datetime.now(UTC).date().isoformat(), "data": data, "change": " ".join(change.split())},
        **{name: getattr(comparison, name) for name in ("rule", "first", "second", "verdict")},
    }
    for name, figure in asdict(comparison.scores).items():
        line |= {f"{name}_{part}": f"{value:.5f}" for part, value in figure.items()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(FOLDER / ".lock"):
        lines = read_log(log)
        alike = [earlier for earlier in lines if earlier["data"] == data]
        for number, earlier in enumerate(alike, start=1):
            if all(earlier[name] == line[name] for name in ("rule", "first", "second")):
                return number
        with replacing(log, durable=True) as (fresh,), fresh.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows([*lines, line])
    return len(alike) + 1


def read_log(log: Path) -> list[dict[str, str]]:
    """Read all trials, oldest first; none if there is no log yet.

    Raises:
        RunError: the file cannot be read, or has other columns.
    """
    if not log.exists():
        return []
    try:
        with log.open(encoding="utf-8", newline="") as stream:
            table = csv.DictReader(stream, strict=True)
            lines = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{log}: {getattr(error, 'strerror', None) or error}; accepted: a CSV of trials") from None
    if tuple(table.fieldnames or ()) != COLUMNS or any(None in line or None in line.values() for line in lines):
        raise RunError(f"{log}: is no log of trials; accepted: a CSV with the columns {', '.join(COLUMNS)}")
    return lines


def keep_candidate(key: str, prediction: Floats, log_price: Floats, *, regularised: bool) -> None:
    """Keep what `compare --corrected` needs of a candidate of the log, unless it is there."""
    if read_candidate(key) is None:
        with replacing(FOLDER / "candidates" / f"{key}.npz") as (fresh,):
            single = prediction.astype(np.float32)
            np.savez_compressed(fresh, prediction=single, log_price=log_price, regularised=regularised)


def read_candidate(key: str) -> dict[str, Floats] | None:
    """Read what `keep_candidate` kept, by name; None if it is not here, or of an earlier version."""
    try:
        with np.load(FOLDER / "candidates" / f"{key}.npz", allow_pickle=False) as content:
            return {name: content[name].astype(np.float64) for name in ("prediction", "log_price", "regularised")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
