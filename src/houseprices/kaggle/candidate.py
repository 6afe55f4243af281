"""Which CSV to submit, and what the run that wrote it says about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from houseprices.errors import RunError, SettingsError, SubmissionError
from houseprices.files import read_json, sha256_of
from houseprices.runs.write import LATEST, RUNS_FOLDER

_SUBMISSION = "submission.csv"
_ACCEPTED = "a folder that `houseprices cv` has written"


@dataclass(frozen=True)
class Candidate:
    """A CSV that may be submitted.

    Attributes:
        file: the CSV.
        sha256: of the file.
        run: the run folder that wrote it; None if unknown.
        cv_log_rmse: the run's pooled out-of-fold score.
        code_version: that the run was made with.
    """

    file: Path
    sha256: str
    run: Path | None = None
    cv_log_rmse: float | None = None
    code_version: str = ""


def find_candidate(run: Path | None, file: Path | None) -> Candidate:
    """The CSV to submit and what its run says about it.

    Raises:
        SettingsError: both are given.
        RunError: there is no run, or its files do not belong together.
        SubmissionError: the run was trained on the synthetic sample.
    """
    if run and file:
        raise SettingsError("--run and --file are both given; accepted: one of them")
    if file:
        if not file.is_file():
            raise SubmissionError(f"{file}: no such file; accepted: a CSV file with Id,SalePrice")
        sha256 = sha256_of(file)
        # A run knows its own CSV again by the checksum, wherever a copy of it lies.
        for manifest_file in (file.parent / "manifest.json", *sorted(RUNS_FOLDER.glob("*/manifest.json"))):
            if manifest_file.is_file():
                manifest = read_json(manifest_file, RunError, _ACCEPTED)
                if manifest.get("outputs_sha256", {}).get(_SUBMISSION) == sha256:
                    return _from_run(_short(manifest_file.parent), file, sha256, manifest)
        return Candidate(file, sha256)
    if run is None:
        run = RUNS_FOLDER / LATEST
        if not run.exists():
            raise RunError(f"{run}: there is no run yet; `make cv` makes one, or name a CSV with --file (FILE=)")
    if not run.is_dir():
        raise RunError(f"{run}: no such run; accepted: {_ACCEPTED}")
    run = _short(run)
    file = run / _SUBMISSION
    manifest = read_json(run / "manifest.json", RunError, _ACCEPTED)
    if not file.is_file():
        raise RunError(f"{file}: no such file; accepted: {_ACCEPTED}")
    sha256 = sha256_of(file)
    if manifest.get("outputs_sha256", {}).get(_SUBMISSION) != sha256:
        raise RunError(
            f"{file}: changed since the run wrote it; to submit it without a CV score, copy it and use --file"
        )
    return _from_run(run, file, sha256, manifest)


def _from_run(run: Path, file: Path, sha256: str, manifest: dict[str, Any]) -> Candidate:
    if manifest.get("data", {}).get("kind") == "sample":
        raise SubmissionError(
            f"{run}: trained on the synthetic sample, whose houses Kaggle does not know; "
            "`make download` brings Kaggle's files, `make cv` trains on them"
        )
    try:
        cv_log_rmse = float(read_json(run / "metrics.json", RunError, _ACCEPTED)["log_rmse"]["pooled"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{run / 'metrics.json'}: no log_rmse.pooled; accepted: as `houseprices cv` writes it") from None
    return Candidate(_short(file), sha256, _short(run), cv_log_rmse, str(manifest.get("code_version", "")))


def _short(path: Path) -> Path:
    """Relative to the working directory where it lies in there: the ledger is shared, absolute paths are not."""
    absolute = path.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path
