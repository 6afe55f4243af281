"""Commands that choose settings: compare and tune."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.types import PositiveFloat, PositiveInt

from houseprices.cli.terminal import AsJson, Flag, Override, print_table
from houseprices.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from houseprices.selection.comparison import Comparison
    from houseprices.selection.corrected import CorrectedLooks
    from houseprices.selection.gate import PairedDifference
    from houseprices.selection.kinds import Kind
    from houseprices.selection.search import SearchResult
    from houseprices.selection.stress import StressedSet


def tune(
    *settings: Override,
    trials: PositiveInt = 100,
    timeout: PositiveFloat | None = None,
    storage: Path = Path("runs/tune/search.journal"),
    data: Path | None = None,
    config: Path | None = None,
    space: Path | None = None,
    batch: PositiveInt = 8,
    keep: PositiveInt = 5,
    max_correlation: float = 0.95,
    show: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Search for better recipes, many networks at once, and say what the best is worth after the choosing.

    The same command goes on where it was stopped. Ten halvings of the houses score each trial, as in `compare`.

    Args:
        settings: Any setting of the base, as for `cv`, e.g. --workers 2 or --ray HOST:PORT.
        trials: In all, those of earlier calls with the same storage among them.
        timeout: Seconds, after which no trials are begun any more.
        storage: Optuna's journal of the search; what the trials predicted is kept beside it.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file whose first group has what is not varied.
        space: TOML file with the ranges and choices of what is varied.
        batch: Trials that are asked for at once; more keep more machines busy, and learn less of each other.
        keep: Trials in the committee, at most.
        max_correlation: Errors of any two trials in the committee correlate less than that.
        show: Print the search so far; train and write nothing.
        as_json: Print the figures as JSON on stdout.
    """
    from houseprices.settings import load_settings, parse_overrides

    base = load_settings(config, parse_overrides(settings))
    if not 0 < max_correlation <= 1:
        raise SettingsError(f"max-correlation is {max_correlation}; accepted: above 0, up to 1")

    from dataclasses import asdict

    from houseprices.cli.terminal import listening
    from houseprices.selection import search
    from houseprices.selection.search_space import DEFAULT_SPACE, read_space

    if show:
        if settings or config or space:
            raise SettingsError(
                "--show stands beside settings; accepted: --show [--storage FILE] [--data DIR] [--json]"
            )
        with listening() as notify:
            found = search.show(data, storage, notify)
    else:
        varied = read_space(space or DEFAULT_SPACE)
        try:
            with listening() as notify:
                found = search.search(
                    data,
                    base,
                    varied,
                    trials,
                    storage=storage,
                    batch=batch,
                    timeout=timeout or float("inf"),
                    n_kept=keep,
                    max_correlation=max_correlation,
                    notify=notify,
                )
        except KeyboardInterrupt:
            kept = f"the trials so far are kept in {storage}"
            raise KeyboardInterrupt(f"interrupted; {kept}, and the same command goes on") from None
    if as_json:
        print(json.dumps(asdict(found), default=str))
    else:
        print_search(found)


def print_comparison(comparison: "Comparison") -> None:
    """The figures of both recipes, the second one's kinds, and the verdict."""
    judgement = comparison.judgement
    figures = {"whole": judgement.whole, "bulk": judgement.bulk, "median |error|": judgement.median}
    if comparison.without:
        figures["whole without the Ids named"] = comparison.without
    won = [
        (f"halvings won, {name}", "", f"{share:.0%}", "", "")
        for name, share in (("whole", judgement.won_whole), ("bulk", judgement.won_bulk))
    ]
    headings = ("log price", f"first {comparison.counted_from}", f"second {comparison.second}", "difference", "95%")
    print_table("Halves held out", headings, figure_rows(figures), won, words=("log price",))
    _print_kinds(comparison.kinds)
    print("largest changes of a squared error: " + ", ".join(f"Id {id_} {by:+.3f}" for id_, by in comparison.largest))
    reasons = "; ".join(comparison.objections)
    print(f"look {comparison.look}: {comparison.verdict}" + (f", for {reasons}" if reasons else ""))


def _print_kinds(kinds: "dict[str, Kind]") -> None:
    """A row a kind; if there are several, also what is lost without each, and which ones err alike."""
    several = len(kinds) > 1
    rows = [
        (
            *(name, str(kind.n_members), *(f"{score:.4f}" for score in (kind.whole, kind.bulk, kind.median))),
            *([f"{kind.bulk_without:.4f}"] if several else []),
        )
        for name, kind in kinds.items()
    ]
    headings = ("kind", "networks", "whole", "bulk", "median |error|", *(["bulk without it"] * several))
    print_table("Kinds of the second", headings, rows, words=("kind",))
    if several:
        rows = [
            (name, *("" if other == name else f"{kind.correlation[other]:.3f}" for other in kinds))
            for name, kind in kinds.items()
        ]
        print_table("Correlation of their errors, in the bulk", ("kind", *kinds), rows, words=("kind",))


def print_corrected(found: "CorrectedLooks") -> None:
    """The score of the recipe that the looks have brought, as it was found and corrected for the choice."""
    rows = [
        (name, f"{score.whole:.4f}", f"{score.bulk:.4f}")
        for name, score in (
            (f"first {found.first}", found.first_score),
            (f"adopted {found.adopted}", found.naive),
            ("adopted, corrected for the choice", found.corrected),
        )
    ]
    print_table("Halves held out", ("log-RMSE", "whole", "bulk"), rows, words=("log-RMSE",))
    print("chosen on other houses: " + ", ".join(f"{name} {share:.0%}" for name, share in found.chosen.items()))
    missing = f"; without the looks {', '.join(map(str, found.missing))}, whose predictions are not kept here"
    print(f"{found.n_looks} looks replayed" + (missing if found.missing else ""))


def figure_rows(figures: "Mapping[str, PairedDifference]") -> list[tuple[str, ...]]:
    """By name, the figure of the first and of the second, their difference and its interval."""
    return [
        (name, f"{of.first:.4f}", f"{of.second:.4f}", f"{of.difference:+.4f}", f"[{of.low:+.4f}, {of.high:+.4f}]")
        for name, of in figures.items()
    ]


def print_search(found: "SearchResult") -> None:
    """The scores, as they look and corrected for the choice; the best trial's settings; what mattered; what is next."""
    rows = [
        (f"best of {found.n_trials} trials: {found.best}", found.naive),
        ("best, corrected for the choice", found.corrected),
    ]
    if found.committee:
        members = ", ".join(map(str, found.committee.trials))
        rows += [(f"committee of {members}", found.committee.naive)]
        rows += [("committee, corrected for the choice", found.committee.corrected)]
    rows += [("each half's mean price", found.constant)]
    headings = ("log-RMSE on halves held out", "whole", "bulk")
    print_table(
        "Search", headings, [(name, f"{of.whole:.4f}", f"{of.bulk:.4f}") for name, of in rows], words=headings[:1]
    )
    print(f"trial {found.best}, chosen on {found.share:.0%} of other draws of houses:")
    for name, value in found.settings.items():
        print(f"  {name} = {json.dumps(value)}")
    if found.importances:
        ranked = ", ".join(f"{name} {share:.0%}" for name, share in found.importances.items() if share >= 0.01)
        print(f"share of the scores' variance: {ranked}")
    if found.n_diverged:
        print(f"{found.n_diverged} trials diverged and have no score")
    if found.committee:
        print(f"next: houseprices cv --config {found.committee.file}")
        print(f"      houseprices compare --against {found.committee.file}: the gate, on the halves it was chosen on")
    else:
        print(f"next: houseprices tune --storage {found.storage}: goes on, and trains the committee")


def print_stress(found: "dict[str, StressedSet]") -> None:
    """A section for each set of rare houses, a row for each predictor: errors of the log price."""
    sections = [
        [
            (name, str(one.n_rows), by, f"{score.log_rmse:.4f}", f"{score.bias:+.4f}", f"{score.largest:.3f}")
            for by, score in one.scores.items()
        ]
        for name, one in found.items()
    ]
    headings = ("held out", "houses", "predicted by", "log-RMSE", "bias", "largest")
    print_table("Rare houses held out", headings, *sections, words=("held out", "predicted by"))


def compare(
    *settings: Override,
    data: Path | None = None,
    config: Path | None = None,
    against: Path | None = None,
    columns: Path | None = None,
    simplification: Flag = False,
    without_id: tuple[int, ...] = (),
    change: str | None = None,
    log: Path = Path("docs/experiments.csv"),
    corrected: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Judge two settings house by house on repeated halves: is the second better than the first?

    Each look is a line in a log. No network is trained twice: its predictions are kept in runs/gate.

    Args:
        settings: Settings of the second, as for `cv`, e.g. --models.tanh.dropout 0.3; folds play no part here. Those
            that say where networks train (--workers, --device, --ray) are of both.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file of the first.
        against: TOML file of the second; without it the first one's, changed by the settings given here.
        columns: As of `cv`, for the second alone.
        simplification: The second is the simpler one and need only be no worse.
        without_id: Houses left out of a further figure; may be repeated.
        change: What is new in the second, in words for the log; without it the files and settings given.
        log: The CSV of all looks.
        corrected: Compare nothing; print the score of what the log's looks at Kaggle's houses have brought, corrected
            for the choice among so many.
        as_json: Print the figures as JSON on stdout.
    """
    from dataclasses import asdict

    if corrected:
        if settings or data or config or against or simplification or without_id or change or columns:
            raise SettingsError("--corrected stands beside other options; accepted: --corrected [--log FILE] [--json]")
        _correct_looks(log, as_json)
        return
    from houseprices.settings import WHERE, load_settings, parse_overrides, with_custom_features

    overrides = parse_overrides(settings)
    where = {name: overrides.pop(name) for name in WHERE if name in overrides}
    first = load_settings(config, where)
    second = with_custom_features(load_settings(against or config, overrides | where), columns)
    new = [f"{config or 'default'} -> {against}"] if against else [str(config)] if config else []
    new += [f"--columns {columns}"] if columns else []
    new += [f"--{name} {value}" for name, value in overrides.items()]

    from houseprices.cli.terminal import listening
    from houseprices.selection.comparison import compare

    with listening() as notify:
        found = compare(
            data,
            first,
            second,
            change=change or " ".join(new),
            log=log,
            simplification=simplification,
            without_ids=without_id,
            notify=notify,
        )
    if as_json:
        print(json.dumps({**asdict(found), "verdict": found.verdict}))
    else:
        print_comparison(found)


def _correct_looks(log: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from houseprices.cli.terminal import listening
    from houseprices.selection.corrected import correct_looks

    with listening() as notify:
        found = correct_looks(log, notify=notify)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print_corrected(found)


def stress(
    *settings: Override,
    data: Path | None = None,
    config: Path | None = None,
    as_json: AsJson = False,
) -> None:
    """Hold out rare houses, train on the rest: far from their neighbours, sold unfinished, cheapest, dearest.

    No network is trained twice: its predictions are kept in runs/gate.

    Args:
        settings: Any setting, as for `cv`; folds play no part here.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file with settings.
        as_json: Print the figures as JSON on stdout.
    """
    from dataclasses import asdict

    from houseprices.settings import load_settings, parse_overrides

    recipe = load_settings(config, parse_overrides(settings))

    from houseprices.cli.terminal import listening
    from houseprices.selection.stress import stress

    with listening() as notify:
        found = stress(data, recipe, notify)
    if as_json:
        print(json.dumps({name: asdict(one) for name, one in found.items()}))
    else:
        print_stress(found)
