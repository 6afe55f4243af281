"""A run beside the same one computed again."""

from pathlib import Path
from typing import TYPE_CHECKING

from houseprices.console.tables import print_table

if TYPE_CHECKING:
    from houseprices.runs.verify import Verification


def print_verification(run: Path, found: "Verification") -> None:
    """A line an output, what has changed since the run, and what follows from both."""
    rows = [(one.file, f"{one.largest:.1e}" if one.place else "equal", one.place) for one in found.differences]
    headings = ("output", "difference", "the largest one")
    print_table(f"{run}, computed again", headings, rows, words=("output", "the largest one"))
    print(f"houses: {found.data}")
    print("since the run: " + ("; ".join(found.conditions) or "no other code, library, device or processor"))
    if found.equal:
        print("verified: every value is the same to the last bit")
    elif not found.unexplained:
        print("verified: nothing differs by more than rounding in float32 makes under these conditions")
