"""What a search has found."""

import json
from typing import TYPE_CHECKING

from houseprices.console.tables import print_table

if TYPE_CHECKING:
    from houseprices.selection.search import SearchResult


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
