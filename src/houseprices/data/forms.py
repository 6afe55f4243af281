"""A table in any form in which people have it -> the same table as Kaggle spells it, and what was understood.

Other tools rename the columns, spell gaps and values otherwise, add an index and drop or add features. What can mean
one thing only is understood; what could mean two things is an error.
"""

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.containers import RawTable
from houseprices.data.schema import BY_NAME, FEATURES, ID, NOT_APPLICABLE, NUMBERS, PRICE
from houseprices.errors import DataError

MOST_MISSING = len(FEATURES) // 3
"""Features that a table may lack; with fewer of them it is another table."""

_GAPS = {"", "na", "nan", "n/a", "#n/a", "<na>", "?", "null", "none"}
_WHOLE = re.compile(r"(-?\d+)\.0+")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+")

_SIMILAR = 0.7
"""An unknown column whose name is at least this similar to a missing one's may be meant as it."""
_SHOWN = 5
"""Items of a list that a message shows."""


@dataclass(frozen=True)
class KaggleForm:
    """A table as Kaggle spells it.

    Attributes:
        cells: text: Id, the features that the table has, in Kaggle's order, and the price of a priced table.
        raw: what it was before.
        missing: features that the table lacks.
        price: the cells of a price column that an unpriced table has.
        notices: what was understood, {topic: line}.
    """

    cells: pd.DataFrame
    raw: RawTable
    missing: tuple[str, ...]
    price: pd.Series | None
    notices: dict[str, str]


def kaggle_form(raw: RawTable, *, priced: bool, absent: Collection[str] = ()) -> KaggleForm:
    """Understand the names and the cells of a table.

    Args:
        raw: the cells as they stand in their file.
        priced: the table must have prices; those of another table are set aside.
        absent: features that the table need not have and that are left out if it has them.

    Raises:
        DataError: a column has no name that could be understood, two have the same, or too many are missing.
    """
    notices = dict(raw.notices)
    position_of = _positions(raw, [ID, *BY_NAME, *([PRICE] if priced else [])], notices)
    missing = tuple(name for name in BY_NAME if name not in position_of and name not in absent)
    if unused := [name for name in absent if position_of.pop(name, None) is not None]:
        notices["absent"] = f"the training houses lack {_listed(unused)}: ignored"
    columns: dict[str, NDArray[np.object_]] = {}
    gaps: dict[str, None] = {}
    values: list[str] = []
    for name in (name for name in (ID, *BY_NAME, PRICE) if name in position_of):
        codes, texts = pd.factorize(raw.cells.iloc[:, position_of[name]].to_numpy(dtype=object))
        respelled = [_respelled(text, name, raw.decimal_comma) for text in texts]
        columns[name] = np.array(respelled, dtype=object)[codes]
        changed = [pair for pair in zip(texts, respelled, strict=True) if pair[0] != pair[1]]
        gaps |= dict.fromkeys(text for text, spelled in changed if spelled == NOT_APPLICABLE)
        values += [
            f"{text!r} for {name} {spelled}"
            for text, spelled in changed
            if spelled != NOT_APPLICABLE and not (name in NUMBERS and _WHOLE.fullmatch(text))
        ]
    if gaps:
        notices["gaps"] = f"gaps are spelled {_listed([repr(gap) for gap in gaps])}, read as NA"
    if values:
        notices["values"] = f"values with another spelling, such as {', '.join(values[:2])}"
    if not raw.needs_id and len(set(columns.get(ID, ()))) < len(raw.cells):
        columns = {**columns, ID: np.arange(len(raw.cells)).astype(str).astype(object)}
    table = pd.DataFrame(columns, index=raw.cells.index)
    price = None if priced else table.pop(PRICE) if PRICE in table else None
    return KaggleForm(table, raw, missing, price, notices)


# ---- names ----


def name_key(name: str) -> str:
    """Return what two spellings of a column's name have in common.

    >>> name_key("Year Remod/Add"), name_key("X1st.Flr.SF")
    ('yearremodadd', '1stflrsf')
    """
    key = re.sub(r"[^0-9a-z]", "", name.lower())
    return re.sub(r"^x(?=\d)", "", key)  # R's prefix for a name that begins with a digit


_NAME_OF_KEY = {name_key(name): name for name in (ID, *BY_NAME, PRICE)}
_ID_SUBSTITUTES = ("pid", "order")


def _positions(raw: RawTable, required: list[str], notices: dict[str, str]) -> dict[str, int]:
    """Find the position of each of Kaggle's columns; note what was understood or ignored."""
    names = [str(name) for name in raw.cells.columns]
    keys = [name_key(name) for name in names]
    substitutes = [key for key in _ID_SUBSTITUTES if key in keys]
    if name_key(ID) not in keys and substitutes:
        notices["id"] = f"{names[keys.index(substitutes[0])]} serves as Id"
        keys = [name_key(ID) if key == substitutes[0] else key for key in keys]
    positions: dict[str, list[int]] = {}
    unknown: dict[str, str] = {}
    for position, (name, key) in enumerate(zip(names, keys, strict=True)):
        if key in _NAME_OF_KEY:
            positions.setdefault(_NAME_OF_KEY[key], []).append(position)
        elif not name.strip() or name == "X" or name.startswith("Unnamed: ") or key in substitutes:
            # R and pandas read a column without a name back as X and Unnamed: 0.
            notices["index"] = "columns without a name, or with row numbers, are left out"
        else:
            unknown[key] = name
    faults = [
        f"{raw.source}: column {name} stands twice ({' and '.join(repr(names[position]) for position in where)}); "
        "accepted: once"
        for name, where in positions.items()
        if len(where) > 1
    ]
    faults += _missing_faults(raw, [name for name in required if name not in positions], unknown)
    if faults:
        raise DataError(faults)
    position_of = {name: position for name, [position] in positions.items()}
    renamed = [
        f"{names[position]!r} for {name}"
        for name, position in position_of.items()
        if names[position] != name and not (name == ID and "id" in notices)
    ]
    if renamed:
        notices["names"] = f"columns with another spelling, such as {', '.join(renamed[:2])}"
    if unknown:
        hint = "to use your own features: --columns FILE, see docs/settings.md"
        notices["unknown"] = f"unknown columns are ignored: {_listed(list(unknown.values()))} ({hint})"
    return position_of


def _missing_faults(raw: RawTable, missing: list[str], unknown: dict[str, str]) -> list[str]:
    """Describe the columns whose absence is a fault: too many, misspelt ones, Ids and prices."""
    features = [name for name in missing if name in BY_NAME]
    if len(features) > MOST_MISSING:
        accepted = f"accepted: a table with Kaggle's columns, at most {MOST_MISSING} of them missing"
        problem = f"{len(features)} of the {len(FEATURES)} features are missing ({_listed(features)})"
        return [f"{raw.source}: {problem}; {accepted}"]
    faults = []
    for name in missing:
        if name == ID and not raw.needs_id:
            continue
        similar = difflib.get_close_matches(name_key(name), unknown, n=1, cutoff=_SIMILAR)
        if similar:
            other = repr(unknown[similar[0]])
            accepted = f"accepted: the name {name}, or a table without {other}"
            faults.append(f"{raw.source}: column {name} is missing; is it {other}? {accepted}")
        elif name not in features:
            faults.append(f"{raw.source}: column {name} is missing; accepted: Kaggle's columns")
    return faults


def _listed(items: list[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


# ---- cells ----

_LEVELS = {
    feature.name: {level.lower(): level for level in (*feature.aliases, *feature.levels)}
    | ({"true": "Y", "false": "N"} if feature.levels == ("N", "Y") else {})
    for feature in FEATURES
}


def _respelled(text: str, name: str, decimal_comma: bool) -> str:
    """Return a cell of a column as Kaggle spells it."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if (level := _LEVELS.get(name, {}).get(text.lower())) is not None:
        return level
    if text.lower() in _GAPS:
        return NOT_APPLICABLE
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text) and not _THOUSANDS.fullmatch(text):
        text = text.replace(",", ".")
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text
