"""What differs between two trees of settings, or of what else a run notes."""

from collections.abc import Iterator
from typing import Any


def changes(
    before: dict[str, Any], after: dict[str, Any], absent: str = "(no such setting)", prefix: str = ""
) -> Iterator[str]:
    """What differs between two trees; a whole branch that came or went is one line.

    A run notes every setting that its version has, so one that stands on one side alone is of another version.

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
