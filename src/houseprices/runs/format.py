"""The run folder's format: its files, the records in them, and the checks that need neither torch nor pandas."""

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from houseprices.cross_validation.metrics import LogRmse, Scores
from houseprices.errors import RunError
from houseprices.files import json_text, read_json, sha256_of

FORMAT_VERSION = 5

RUNS_FOLDER = Path("runs")
LATEST = RUNS_FOLDER / "latest"
"""A link to the newest run."""
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
"""The files of every run beside its manifest and its copies of train.csv and test.csv."""

CUSTOM_FEATURES = "custom_features.py"
"""A copy of the file of user-defined features, in a run that has them. It never runs unless the user names it."""

REPORT, INTERVALS = "report.html", "intervals.csv"
ABLATION, ABLATION_TABLE, ABLATION_NOTE = "ablation", "ablation.csv", "ablation.json"
"""Files that later commands add to a run's folder."""

EXACT_COLUMNS = ("log_price", "prediction", "error_scale")
"""Columns of oof.csv that are read back to the last bit."""

CURVE_COLUMNS: dict[str, type] = {
    **{"repeat": int, "fold": int, "model": str, "epoch": int},
    **dict.fromkeys(("training_log_rmse", "validation_log_rmse", "weight_norm"), float),
}

_ACCEPTED = "a folder that `houseprices cv` has written, or a run's name in runs/"
_STRICT = ConfigDict(extra="forbid")
_Record = TypeVar("_Record")


@dataclass(frozen=True)
class DataNote:
    """The kind of the houses, the SHA-256 of each of their files, and the features that no house has."""

    kind: Literal["kaggle", "sample", "other"]
    sha256: dict[str, str]
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Manifest:
    """manifest.json: what made the run, the SHA-256 of its other files, and what the reader of the tables noticed."""

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
    # Runs of earlier versions lack these.
    code_sha256: str | None = None
    step: Literal["compiled", "torch"] | None = None
    processor: dict[str, str] | None = None
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Metrics(Scores):
    """metrics.json: the scores, the kind of the houses, seconds by stage, and the noise of synthetic prices.

    `test_log_rmse` is the score on the test table's own prices, where it has any.
    """

    data: str
    seconds: dict[str, float]
    noise_floor: float | None = None
    test_log_rmse: float | None = None


@dataclass(frozen=True)
class PastMetrics:
    """The part of metrics.json that runs of every version have."""

    log_rmse: LogRmse
    data: str
    seconds: dict[str, float]


@dataclass(frozen=True, config=_STRICT)
class FoldRecord:
    """One fold in preprocessing.json; `features` comes from `HouseFeatures.to_dict`."""

    repeat: int
    fold: int
    log_price_mean: float
    log_price_std: float
    features: dict[str, Any]
    columns: dict[str, list[int]]


@dataclass(frozen=True, config=_STRICT)
class Preprocessing:
    """preprocessing.json: all that is fitted beside the networks."""

    format_version: int
    folds: list[FoldRecord]


def fold_columns(n_repeats: int) -> list[str]:
    """The columns of oof.csv with the fold of each row, one a repeat."""
    return ["fold", *(f"fold_{repeat}" for repeat in range(2, n_repeats + 1))]


def tensor_name(repeat: int, fold: int, model: str) -> str:
    """The name in members.safetensors of a model's (n_members, n_parameters), laid out as `BatchedMLP` does."""
    return f"{repeat}/{fold}/{model}"


def find_run(run: Path | None) -> Path:
    """The folder of a run: the newest one, a folder, or the folder in runs/ with that name.

    Raises:
        RunError: there is no such folder.
    """
    folder = run or LATEST
    for candidate in (folder, RUNS_FOLDER / folder):
        if candidate.is_dir():
            return candidate
    if run is None:
        raise RunError(f"{LATEST}: {NO_RUN_YET}")
    reason = "is a file" if folder.exists() else "no such folder"
    raise RunError(f"{folder}: {reason}; accepted: {_ACCEPTED}")


def check_run(run: Path | None) -> tuple[Path, Manifest]:
    """Find a run and check that it is whole, unaltered and of this version; return its folder and its manifest.

    Raises:
        RunError: it is not; names the file.
    """
    folder = find_run(run)
    file = folder / MANIFEST
    manifest = read_record(Manifest, file)
    for name in OUTPUTS:
        if name not in manifest.outputs_sha256:
            raise damaged(file, f"outputs_sha256 has no checksum of {name}")
        try:
            checksum = sha256_of(folder / name)
        except OSError as error:
            raise RunError(f"{folder / name}: {error.strerror}; accepted: {_ACCEPTED}") from None
        if checksum != manifest.outputs_sha256[name]:
            raise damaged(folder / name, "was truncated or altered since the run (its SHA-256 is not the manifest's)")
    return folder, manifest


def read_record(kind: type[_Record], file: Path, *, any_version: bool = False) -> _Record:
    """Read a JSON file that `write_record` wrote; with `any_version` one of another format version too.

    Raises:
        RunError: the file cannot be read, comes from another version or does not hold such a record.
    """
    content = read_json(file, RunError, _ACCEPTED)
    has_version = "format_version" in kind.__dataclass_fields__  # type: ignore[attr-defined]  # any dataclass
    version = content.get("format_version")
    if has_version and not any_version and version != FORMAT_VERSION:
        advice = "such a run can be listed and submitted; repeat it, or read it with the version that made it"
        raise RunError(f"{file}: format_version is {version!r}; accepted: {FORMAT_VERSION} ({advice})")
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise damaged(file, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def write_record(file: Path, record: Any) -> None:
    """Write a record as a JSON file."""
    file.write_text(record_text(record), "utf-8")


def record_text(record: Any, *, indent: int | None = 2) -> str:
    """The text of a record's JSON file."""
    return json_text(as_json(record), indent)


def as_json(record: Any) -> Any:
    """The record as dicts, lists and scalars; a field that is None is left out."""
    return TypeAdapter(type(record)).dump_python(record, exclude_none=True)


def damaged(file: Path, fault: str) -> RunError:
    """The error for a file that differs from what a run writes."""
    return RunError(f"{file}: {fault}; accepted: the file as the run wrote it")


def changes(
    before: dict[str, Any], after: dict[str, Any], absent: str = "(no such setting)", prefix: str = ""
) -> Iterator[str]:
    """Yield the differences of two trees of settings or conditions; a branch that came or went is one line.

    >>> list(changes({"seed": 0, "models": {"a": {}, "b": {}}}, {"seed": 1, "models": {"a": {"loss": "huber"}}}))
    ['seed 0 -> 1', 'models.a.loss (no such setting) -> huber', 'without models.b']
    """
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, absent), after.get(key, absent)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from changes(old, new, absent, f"{prefix}{key}.")
        elif isinstance(old, dict):
            yield f"without {prefix}{key}"
        elif isinstance(new, dict):
            yield f"with {prefix}{key}"
        elif old != new:
            yield f"{prefix}{key} {old} -> {new}"
