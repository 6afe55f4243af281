"""The run folder's format: its files, what stands in them, and the checks of each that need neither torch nor pandas.

`write` writes what is declared here and `read` reads it back. A file that was altered, or that
another version wrote, is refused.
"""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from houseprices.cross_validation.metrics import Scores
from houseprices.errors import RunError
from houseprices.files import json_text, read_json, sha256_of

FORMAT_VERSION = 4

RUNS_FOLDER = Path("runs")
LATEST = RUNS_FOLDER / "latest"
"""Points to the newest run."""
NO_RUN_YET = "there is no run yet; `make cv` makes one"

MANIFEST = "manifest.json"
SETTINGS = "config.toml"
METRICS = "metrics.json"
CURVES = "curves.csv"
OUT_OF_FOLD = "oof.csv"
SUBMISSION = "submission.csv"
MEMBERS = "members.safetensors"
PREPROCESSING = "preprocessing.json"
OUTPUTS = (SETTINGS, METRICS, CURVES, OUT_OF_FOLD, SUBMISSION, MEMBERS, PREPROCESSING)
"""What every run writes beside its manifest and a copy of its train.csv and test.csv."""

OWN_COLUMNS = "own_columns.py"
"""A copy of the file of own columns, where a run has them; the manifest holds its checksum. It is never run from here
unless the user names it."""

REPORT, FIGURES, INTERVALS = "report.html", "figures", "intervals.csv"
EXPLANATIONS = "explanations"
ABLATION, ABLATION_TABLE, ABLATION_NOTE = "ablation", "ablation.csv", "ablation.json"
RECIPE = "recipe.csv"
"""What later commands, or the user, may add to a run's folder."""

EXACT_COLUMNS = ("log_price", "prediction", "error_scale")
"""Columns of oof.csv whose numbers are read back to the last bit."""

CURVE_COLUMNS = ("repeat", "fold", "model", "epoch", "training_log_rmse", "validation_log_rmse", "weight_norm")

_ACCEPTED = "a whole run folder as `houseprices cv` writes it"
_STRICT = ConfigDict(extra="forbid")
_Record = TypeVar("_Record")


@dataclass(frozen=True)
class DataNote:
    """Which houses: kaggle, sample or other, and the SHA-256 of each file."""

    kind: Literal["kaggle", "sample", "other"]
    sha256: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """manifest.json: with what the run was made, and the SHA-256 of each of its other files."""

    format_version: int
    code_version: str
    data: DataNote
    outputs_sha256: dict[str, str]
    python: str
    libraries: dict[str, str]
    device: str
    seconds: dict[str, float]
    argv: list[str]
    finished_utc: str
    # Runs from before these were noted have none.
    step: Literal["compiled", "torch"] | None = None
    processor: dict[str, str] | None = None


@dataclass(frozen=True)
class Metrics(Scores):
    """metrics.json: the scores, the kind of the houses, seconds by stage, and the noise of synthetic prices."""

    data: str
    seconds: dict[str, float]
    noise_floor: float | None = None


@dataclass(frozen=True, config=_STRICT)
class FoldRecord:
    """One fold in preprocessing.json; `features` is what `HouseFeatures.to_dict` gives."""

    repeat: int
    fold: int
    log_price_mean: float
    log_price_std: float
    features: dict[str, Any]
    columns: dict[str, list[int]]


@dataclass(frozen=True, config=_STRICT)
class Preprocessing:
    """preprocessing.json: what is fitted beside the networks."""

    format_version: int
    folds: list[FoldRecord]


def fold_columns(n_repeats: int) -> list[str]:
    """The columns of oof.csv that hold each repeat's folds."""
    return ["fold", *(f"fold_{repeat}" for repeat in range(2, n_repeats + 1))]


def tensor_name(repeat: int, fold: int, group: str) -> str:
    """Of a group's (n_members, n_parameters) in members.safetensors, laid out as `BatchedMLP` does."""
    return f"{repeat}/{fold}/{group}"


def find_run(run: Path | None) -> Path:
    """The folder of a run: the newest one, a folder, or the folder in runs/ with that name.

    Raises:
        RunError: there is no such folder.
    """
    if run is None and not LATEST.exists():
        raise RunError(f"{LATEST}: {NO_RUN_YET}")
    folder = run or LATEST
    for candidate in (folder, RUNS_FOLDER / folder):
        if candidate.is_dir():
            return candidate
    reason = "is a file" if folder.exists() else "no such folder"
    raise RunError(f"{folder}: {reason}; accepted: {_ACCEPTED}")


def check_run(folder: Path) -> Manifest:
    """Check that the folder is a whole run of this version, unaltered; return its manifest.

    Raises:
        RunError: it is not; names the file.
    """
    if folder == LATEST and not folder.exists():
        raise RunError(f"{folder}: {NO_RUN_YET}")
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise RunError(f"{folder}: {what}; accepted: {_ACCEPTED}")
    file = folder / MANIFEST
    manifest = read_record(Manifest, file)
    for name in OUTPUTS:
        if name not in manifest.outputs_sha256:
            raise damaged(file, f"outputs_sha256 has no checksum of {name}")
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            raise RunError(f"{folder / name}: {error.strerror}; accepted: {_ACCEPTED}") from None
        if found != manifest.outputs_sha256[name]:
            raise damaged(folder / name, "was truncated or altered since the run (its SHA-256 is not the manifest's)")
    return manifest


def read_record(kind: type[_Record], file: Path, *, any_version: bool = False) -> _Record:
    """Read a JSON file that `write_record` wrote.

    Args:
        kind: a record of this module or one like it; its format_version, if it has one, must be this version's.
        file: where it is.
        any_version: take a file of another version too, if all that the record declares stands there.

    Raises:
        RunError: the file cannot be read, is of another version or holds something else.
    """
    content = read_json(file, RunError, _ACCEPTED)
    if "format_version" in kind.__dataclass_fields__ and not any_version:  # type: ignore[attr-defined]  # of any dataclass
        check_version(file, content.get("format_version"))
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise damaged(file, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def write_record(file: Path, record: Any) -> None:
    """Write a record as a JSON file."""
    file.write_text(record_text(record), "utf-8")


def record_text(record: Any, *, indent: int | None = 2) -> str:
    """The record as the text of a JSON file."""
    return json_text(as_json(record), indent)


def as_json(record: Any) -> Any:
    """The record as JSON's kinds; a field that is None is left out."""
    if is_dataclass(record):
        values = ((field.name, getattr(record, field.name)) for field in fields(record))
        return {name: as_json(value) for name, value in values if value is not None}
    if isinstance(record, dict):
        return {name: as_json(value) for name, value in record.items()}
    return [as_json(one) for one in record] if isinstance(record, list | tuple) else record


def check_version(file: Path, version: object) -> None:
    """Refuse a file of another version than this one.

    Raises:
        RunError: it is one.
    """
    if version != FORMAT_VERSION:
        raise RunError(
            f"{file}: format_version is {version!r}; accepted: {FORMAT_VERSION}, as this version of houseprices writes"
            " it (make the run anew, or read it with the version that made it)"
        )


def damaged(file: Path, what: str) -> RunError:
    """The error for a file that is not as a run wrote it."""
    return RunError(f"{file}: {what}; accepted: the file as the run wrote it")
