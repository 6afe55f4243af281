"""What a look through the gate has found."""

from typing import TYPE_CHECKING

from houseprices.console.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from houseprices.selection.comparison import Comparison
    from houseprices.selection.corrected import CorrectedLooks
    from houseprices.selection.gate import PairedDifference
    from houseprices.selection.kinds import Kind


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
