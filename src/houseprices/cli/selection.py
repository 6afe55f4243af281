"""Commands that choose settings: compare and tune."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.types import PositiveInt

from houseprices.cli.terminal import AsJson, Flag, Override, print_table, progress_bars
from houseprices.errors import SettingsError

if TYPE_CHECKING:
    from houseprices.selection.acceptance import PairedScores
    from houseprices.selection.bias_correction import CorrectedLog
    from houseprices.selection.compare import Comparison
    from houseprices.selection.tune import SearchResult


def compare(
    *settings: Override,
    data: Path | None = None,
    config: Path | None = None,
    against: Path | None = None,
    columns: Path | None = None,
    simplification: Flag = False,
    change: str | None = None,
    log: Path = Path("runs/compare.csv"),
    corrected: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Acceptance test: is the second of two settings better, on 10 repeats of 2-fold cross-validation?

    Each comparison is a trial, a line in a log. No network is trained twice: runs/compare keeps its predictions.

    Args:
        settings: Settings of the second, as for `cv`, e.g. --models.tanh.dropout 0.3; folds play no part here. Those
            that say where networks train (--workers, --device, --ray) are of both.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file of the first.
        against: TOML file of the second; without it the first one's, changed by the settings given here.
        columns: As of `cv`, for the second alone.
        simplification: The second is the simpler one and need only be no worse.
        change: What is new in the second, in words for the log; without it the files and settings given.
        log: CSV file of all trials.
        corrected: Compare nothing; print the score that the log's trials on Kaggle's houses have led to, corrected for
            the selection among so many.
        as_json: Print the figures as JSON on stdout.
    """
    if corrected:
        if settings or data or config or against or simplification or change or columns:
            raise SettingsError("--corrected stands beside other options; accepted: --corrected [--log FILE] [--json]")
        from houseprices.selection.bias_correction import correct_log

        with progress_bars() as notify:
            outcome = correct_log(log, notify=notify)
        print(json.dumps(asdict(outcome))) if as_json else print_corrected(outcome)
        return
    from houseprices.selection import compare as job
    from houseprices.settings import WHERE, load_settings, parse_overrides, with_custom_features

    overrides = parse_overrides(settings)
    where = {name: overrides.pop(name) for name in WHERE if name in overrides}
    first = load_settings(config, where)
    second = with_custom_features(load_settings(against or config, overrides | where), columns)
    options = [f"{config or 'default'} -> {against}"] if against else [str(config)] if config else []
    options += [f"--columns {columns}"] if columns else []
    options += [f"--{name} {value}" for name, value in overrides.items()]
    with progress_bars() as notify:
        change = change or " ".join(options)
        comparison = job.compare(
            data, first, second, change=change, log=log, simplification=simplification, notify=notify
        )
    if as_json:
        print(json.dumps({**asdict(comparison), "verdict": comparison.verdict}))
    else:
        print_comparison(comparison)
        print(f"trial {comparison.trial} in {log}: {comparison.verdict}")


def print_comparison(comparison: "Comparison") -> None:
    """The conclusion, the settings that differ, and the figures behind it."""
    print(comparison.conclusion)
    for change in comparison.changes:
        print(f"  {change}")
    headings = ("log price", "first", "second", "difference", "95% interval")
    print_table("", headings, score_rows(comparison.scores), words=headings[:1])
    largest = ", ".join(f"Id {house} {change:+.3f}" for house, change in comparison.largest)
    print(f"largest changes of a squared error: {largest}")


def score_rows(scores: "PairedScores") -> list[tuple[str, ...]]:
    """Return a row for each figure: of the first, of the second, their difference and its interval."""
    figures = {"RMSE": scores.rmse, "trimmed RMSE": scores.trimmed, "median error": scores.median}
    return [
        (name, f"{of.first:.4f}", f"{of.second:.4f}", f"{of.difference:+.4f}", f"[{of.low:+.4f}, {of.high:+.4f}]")
        for name, of in figures.items()
    ]


def print_corrected(corrected: "CorrectedLog") -> None:
    """The score of the settings that the trials have led to, as chosen and corrected for selection."""
    scores = {
        f"first {corrected.first}": corrected.first_score,
        f"accepted {corrected.accepted}": corrected.accepted_score,
        "accepted, corrected for selection": corrected.corrected,
    }
    rows = [(name, f"{score.rmse:.4f}", f"{score.trimmed:.4f}") for name, score in scores.items()]
    print_table("", ("10 x 2-fold cross-validation", "RMSE", "trimmed"), rows, words=("10 x 2-fold cross-validation",))
    shares = ", ".join(f"{key} {share:.0%}" for key, share in corrected.chosen.items())
    print(f"chosen on resampled houses: {shares}")
    missing = f"; without {', '.join(map(str, corrected.missing))}, whose predictions are not kept here"
    print(f"{corrected.n_trials} trials replayed" + (missing if corrected.missing else ""))


def tune(
    *settings: Override,
    trials: PositiveInt = 100,
    storage: Path = Path("runs/tune/search.journal"),
    data: Path | None = None,
    config: Path | None = None,
    space: Path | None = None,
    batch: PositiveInt = 8,
    keep: PositiveInt = 5,
    show: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Search for better settings with Optuna; the best trial and an ensemble are corrected for selection bias.

    The same command goes on where it was interrupted. Trials are scored on the folds that `compare` uses.

    Args:
        settings: Any setting of the base, as for `cv`, e.g. --workers 2 or --ray HOST:PORT.
        trials: In all, those of earlier calls with the same storage among them.
        storage: Optuna's journal of the search; predictions and found settings are kept beside it.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file whose first model has what is not varied.
        space: TOML file with the ranges and choices of what is varied.
        batch: Trials that are asked for at once; more keep more machines busy, and learn less of each other.
        keep: Trials in the ensemble, at most.
        show: Print the search so far; train and write nothing.
        as_json: Print the figures as JSON on stdout.
    """
    from houseprices.selection import tune as job
    from houseprices.selection.search_space import DEFAULT_SPACE, read_space
    from houseprices.settings import load_settings, parse_overrides

    if show and (settings or config or space or data):
        raise SettingsError("--show stands beside other options; accepted: --show [--storage FILE] [--json]")
    base, dimensions = load_settings(config, parse_overrides(settings)), read_space(space or DEFAULT_SPACE)
    try:
        with progress_bars() as notify:
            result = (
                job.show(storage, notify)
                if show
                else job.tune(
                    data, base, dimensions, trials, storage=storage, batch=batch, max_ensemble=keep, notify=notify
                )
            )
    except KeyboardInterrupt:
        kept = f"the trials so far are kept in {storage}"
        raise KeyboardInterrupt(f"interrupted; {kept}, and the same command goes on") from None
    if as_json:
        recommended = result.recommended and result.recommended.name
        print(json.dumps({**asdict(result), "recommended": recommended}, default=str))
    else:
        print_search(result)


def print_search(result: "SearchResult") -> None:
    """The recommendation, the scores as found and corrected for selection, and the best trial's settings."""
    print(f"{_recommendation(result)}")
    scores = {f"best of {result.n_trials} trials, one network a fold": (result.score, result.corrected)}
    for finalist in result.finalists:
        trials = f" ({', '.join(map(str, finalist.trials))})" if finalist.trials else ""
        scores[f"{finalist.name}{trials}"] = (finalist.score, finalist.corrected)
    rows = [
        (name, *(f"{value:.4f}" for value in (score.rmse, score.trimmed, corrected.rmse, corrected.trimmed)))
        for name, (score, corrected) in scores.items()
    ]
    headings = ("10 x 2-fold", "RMSE", "trimmed", "corrected", "trimmed")
    print_table("", headings, rows, words=headings[:1])
    print(f"trial {result.best}, chosen on {result.share:.0%} of the resamples of houses:")
    for name, value in result.settings.items():
        print(f"  {name} = {json.dumps(value)}")
    if result.n_failed:
        print(f"{result.n_failed} trials failed and have no score")


def _recommendation(result: "SearchResult") -> str:
    recommended = result.recommended
    make = Path("Makefile").is_file()
    if not recommended:
        again = f'make tune ARGS="--storage {result.storage}"' if make else "houseprices tune with the same options"
        return f"The search is not finished; next: {again}"
    if not recommended.config:
        return f"Nothing found is better than the base (RMSE {recommended.corrected.rmse:.4f}): keep it."
    options = f"--against {recommended.config}"
    command = f'make compare ARGS="{options}"' if make else f"houseprices compare {options}"
    score = f"RMSE {recommended.corrected.rmse:.4f}, the base {result.finalists[0].score.rmse:.4f}"
    return f"The {recommended.name} is best ({score}).\nnext: {command}"
