"""What a look through the gate has found."""

from typing import TYPE_CHECKING

from houseprices.console.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from houseprices.studies.comparison import Comparison
    from houseprices.studies.gate import PairedDifference


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
    kinds = [
        (name, str(kind.n_members), f"{kind.whole:.4f}", f"{kind.bulk:.4f}", f"{kind.median:.4f}")
        for name, kind in comparison.kinds.items()
    ]
    headings = ("kind", "networks a half", "whole", "bulk", "median |error|")
    print_table("Kinds of the second", headings, kinds, words=("kind",))
    print("largest changes of a squared error: " + ", ".join(f"Id {id_} {by:+.3f}" for id_, by in comparison.largest))
    reasons = "; ".join(comparison.objections)
    print(f"look {comparison.look}: {comparison.verdict}" + (f", for {reasons}" if reasons else ""))


def figure_rows(figures: "Mapping[str, PairedDifference]") -> list[tuple[str, ...]]:
    """By name, the figure of the first and of the second, their difference and its interval."""
    return [
        (name, f"{of.first:.4f}", f"{of.second:.4f}", f"{of.difference:+.4f}", f"[{of.low:+.4f}, {of.high:+.4f}]")
        for name, of in figures.items()
    ]
