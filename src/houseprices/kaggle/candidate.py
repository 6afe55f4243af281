"""Which CSV to submit, and what the run that wrote it says about it."""

from dataclasses import dataclass
from pathlib import Path

from houseprices.errors import RunError, SettingsError, SubmissionError
from houseprices.files import sha256_of
from houseprices.runs.format import (
    MANIFEST,
    METRICS,
    RUNS_FOLDER,
    SUBMISSION,
    Manifest,
    PastMetrics,
    find_run,
    read_record,
)


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
    """The CSV to submit and what its run says about it; a run of an earlier version will do.

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
        for folder in (file.parent, *(found.parent for found in sorted(RUNS_FOLDER.glob(f"*/{MANIFEST}")))):
            if (folder / MANIFEST).is_file():
                manifest = _manifest(folder)
                if manifest.outputs_sha256.get(SUBMISSION) == sha256:
                    return _from_run(_short(folder), file, sha256, manifest)
        return Candidate(file, sha256)
    run = _short(find_run(run))
    manifest = _manifest(run)
    file = run / SUBMISSION
    if not file.is_file():
        raise RunError(f"{file}: no such file; accepted: a folder that `houseprices cv` has written")
    sha256 = sha256_of(file)
    if manifest.outputs_sha256.get(SUBMISSION) != sha256:
        raise RunError(
            f"{file}: changed since the run wrote it; to submit it without a CV score, copy it and use --file"
        )
    return _from_run(run, file, sha256, manifest)


def _manifest(folder: Path) -> Manifest:
    return read_record(Manifest, folder / MANIFEST, any_version=True)


def _from_run(run: Path, file: Path, sha256: str, manifest: Manifest) -> Candidate:
    if manifest.data.kind == "sample":
        raise SubmissionError(
            f"{run}: trained on the synthetic sample, whose houses Kaggle does not know; "
            "`make download` brings Kaggle's files, `make cv` trains on them"
        )
    cv_log_rmse = read_record(PastMetrics, run / METRICS).log_rmse.pooled
    return Candidate(_short(file), sha256, _short(run), cv_log_rmse, manifest.code_version)


def _short(path: Path) -> Path:
    """Relative to the working directory where it lies in there: the ledger is shared, absolute paths are not."""
    absolute = path.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path
