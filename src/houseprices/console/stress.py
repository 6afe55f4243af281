"""What a stress test has found."""

from typing import TYPE_CHECKING

from houseprices.console.tables import print_table

if TYPE_CHECKING:
    from houseprices.selection.stress import StressedSet


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
