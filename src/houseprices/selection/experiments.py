"""docs/experiments.csv: every look at houses held out, a line each; and the predictions of the recipes looked at."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from houseprices.data.source import DataKind
from houseprices.errors import RunError
from houseprices.files import replacing
from houseprices.selection.gate import Judgement

Floats = NDArray[np.float64]

EXPERIMENTS = Path("docs/experiments.csv")
GATE_FOLDER = Path("runs/gate")
"""Where predictions are kept, of recipes and of batches of networks; not under version control."""

FIGURES = ("whole", "bulk", "median")
_KEY = ("data", "rule", "counted_from", "candidate")
COLUMNS = (
    "date", "data", "change", "rule", "incumbent", "counted_from", "candidate",
    *(f"{figure}_{part}" for figure in FIGURES for part in ("first", "second", "difference", "low", "high")),
    "won_whole", "won_bulk", "verdict",
)  # fmt: skip
"""`counted_from` is the recipe that figures are differences from: the incumbent, or for a simplification the last
incumbent that was none. Recipes are named by `held_out.digest_of`."""

Line = dict[str, str]


@dataclass(frozen=True)
class Recipe:
    """A recipe that was looked at.

    Attributes:
        digest: its name, see `held_out.digest_of`.
        prediction: (n_halvings, n_rows) log prices of held-out houses.
        log_price: (n_rows,) the true ones.
        settings: as TOML.
    """

    digest: str
    prediction: Floats
    log_price: Floats
    settings: str


def look_of(
    data: DataKind, change: str, rule: str, incumbent: str, counted_from: str, candidate: str, found: Judgement,
    verdict: str,
) -> Line:  # fmt: skip
    """The line of a look made today."""
    figures = {
        f"{figure}_{part}": f"{value:.5f}" for figure in FIGURES for part, value in vars(getattr(found, figure)).items()
    }
    return {
        "date": datetime.now(UTC).date().isoformat(), "data": data, "change": " ".join(change.split()), "rule": rule,
        "incumbent": incumbent, "counted_from": counted_from, "candidate": candidate, **figures,
        "won_whole": f"{found.won_whole:g}", "won_bulk": f"{found.won_bulk:g}", "verdict": verdict,
    }  # fmt: skip


def read_looks(log: Path) -> list[Line]:
    """All looks, oldest first; none if there is no log yet.

    Raises:
        RunError: it cannot be read, or has other columns.
    """
    if not log.exists():
        return []
    try:
        with log.open(encoding="utf-8", newline="") as stream:
            table = csv.DictReader(stream, strict=True)
            looks = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{log}: {getattr(error, 'strerror', None) or error}; accepted: a CSV of looks") from None
    if tuple(table.fieldnames or ()) != COLUMNS or any(None in look or None in look.values() for look in looks):
        raise RunError(f"{log}: is no log of looks; accepted: a CSV with the columns {', '.join(COLUMNS)}")
    return looks


def add_look(log: Path, look: Line) -> int:
    """Write the look as the last line, unless it is there already: to look again at the same shows nothing new.

    Returns:
        Its number among the looks at houses of its kind, from 1 on.

    Raises:
        RunError: the log cannot be read or written.
    """
    GATE_FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(GATE_FOLDER / ".lock"):
        looks = read_looks(log)
        alike = [one for one in looks if one["data"] == look["data"]]
        for number, one in enumerate(alike, start=1):
            if all(one[name] == look[name] for name in _KEY):
                return number
        with replacing(log, durable=True) as (fresh,), fresh.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows([*looks, look])
    return len(alike) + 1


def origin_of(looks: Sequence[Line], incumbent: str) -> str:
    """The last incumbent that was no simplification: what a simplification of the incumbent is counted from."""
    for look in reversed(looks):
        if look["candidate"] == incumbent and look["verdict"] == "adopted" and look["rule"] == "simplification":
            return look["counted_from"]
    return incumbent


def keep_recipe(recipe: Recipe) -> None:
    """Keep what the recipe predicted, unless it is kept already."""
    file = _file(recipe.digest)
    if not file.exists():
        with replacing(file) as (fresh,):
            np.savez_compressed(
                fresh, prediction=recipe.prediction.astype(np.float32), log_price=recipe.log_price,
                settings=np.array(recipe.settings),
            )  # fmt: skip


def read_recipe(digest: str) -> Recipe:
    """A kept recipe.

    Raises:
        RunError: it is not kept.
    """
    file = _file(digest)
    try:
        with np.load(file, allow_pickle=False) as kept:
            prediction, log_price = kept["prediction"].astype(np.float64), np.asarray(kept["log_price"])
            return Recipe(digest, prediction, log_price, str(kept["settings"]))
    except (OSError, ValueError, KeyError):
        raise RunError(
            f"{file}: the predictions of an earlier recipe are not kept here; accepted: those of `houseprices compare`"
        ) from None


def _file(digest: str) -> Path:
    return GATE_FOLDER / "recipes" / f"{digest}.npz"
