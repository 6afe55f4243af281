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
from houseprices.data.schema import BY_NAME, FEATURES, ID, NOT_APPLICABLE, PRICE, Feature
from houseprices.errors import DataError

MOST_MISSING = len(FEATURES) // 3
"""Features that a table may lack; with fewer of them it is another table."""

_ID_SUBSTITUTES = ("pid", "order")
_GAPS = {"", "na", "nan", "n/a", "#n/a", "<na>", "?", "null", "none"}
_BOOLEANS = {"true": "Y", "false": "N"}
_WHOLE = re.compile(r"(-?\d+)\.0+")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+")
Cells = NDArray[np.object_]

_SIMILAR = 0.7
"""An unknown column whose name is at least this similar to a missing one's may be meant as it."""
_SHOWN = 5


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
    required = [ID, *BY_NAME, *([PRICE] if priced else [])]
    position_of = _positions(raw, required, notices)
    missing = tuple(name for name in BY_NAME if name not in position_of and name not in absent)
    if unused := [name for name in absent if name in position_of]:
        notices["absent"] = f"the training houses lack {_listed(unused)}: ignored"
    spellings = _Spellings(raw.decimal_comma)
    cells = {
        name: spellings.respelled(name, raw.cells.iloc[:, position_of[name]].to_numpy(dtype=object))
        for name in (ID, *BY_NAME, PRICE)
        if name in position_of and name not in absent
    }
    notices |= spellings.notices()
    if not raw.needs_id and len(set(cells.get(ID, ()))) < len(raw.cells):
        cells = {ID: np.arange(len(raw.cells)).astype(str).astype(object)} | {
            name: column for name, column in cells.items() if name != ID
        }
    if {"MasVnrType", "MasVnrArea"} <= cells.keys():
        # Many tools read the word None as a gap; without an area there is no veneer.
        without = (cells["MasVnrType"] == NOT_APPLICABLE) & (cells["MasVnrArea"] == "0")
        if without.any():
            cells["MasVnrType"] = np.where(without, "None", cells["MasVnrType"])
            if raw.place == "line":
                notices["veneer"] = "MasVnrType is missing beside an area of 0; read as None"
    table = pd.DataFrame(cells, index=raw.cells.index)
    price = None if priced else table.get(PRICE)
    return KaggleForm(table.drop(columns=PRICE) if price is not None else table, raw, missing, price, notices)


# ---- names ----


def name_key(name: str) -> str:
    """Return what two spellings of a column's name have in common.

    >>> name_key("Year Remod/Add"), name_key("X1st.Flr.SF")
    ('yearremodadd', '1stflrsf')
    """
    key = re.sub(r"[^0-9a-z]", "", name.lower())
    return re.sub(r"^x(?=\d)", "", key)  # R's prefix for a name that begins with a digit


def _positions(raw: RawTable, required: list[str], notices: dict[str, str]) -> dict[str, int]:
    """Find the position of each of Kaggle's columns; note what was understood or ignored."""
    names = [str(name) for name in raw.cells.columns]
    keys = [name_key(name) for name in names]
    known = {name_key(name): name for name in (ID, *BY_NAME, PRICE)}
    positions: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        if key in known:
            positions.setdefault(known[key], []).append(position)
    others = dict.fromkeys(name for name, key in zip(names, keys, strict=True) if key not in known)
    for substitute in _ID_SUBSTITUTES:
        if ID not in positions and substitute in keys:
            positions[ID] = [position for position, key in enumerate(keys) if key == substitute]
            notices["id"] = f"{names[positions[ID][0]]} serves as Id"
            others = {name: None for name in others if name_key(name) not in _ID_SUBSTITUTES}
    nameless = [name for name in others if not name.strip() or name.startswith("Unnamed: ")]
    unknown = [name for name in others if name not in nameless]
    faults = []
    for name, where in positions.items():
        if len(where) > 1:
            spelled = " and ".join(dict.fromkeys(repr(names[position]) for position in where))
            faults.append(f"{raw.source}: column {name} stands twice ({spelled}); accepted: once")
    faults += _missing_faults(raw, [name for name in required if name not in positions], unknown)
    if faults:
        raise DataError(faults)
    spellings = {name: names[where[0]] for name, where in positions.items()}
    renamed = [f"{spelled!r} for {name}" for name, spelled in spellings.items() if spelled not in (name, *others)]
    if "id" in notices:
        renamed = [text for text in renamed if not text.endswith(f" for {ID}")]
    if renamed:
        notices["names"] = f"columns with another spelling, such as {', '.join(renamed[:2])}"
    if nameless:
        notices["index"] = "a column without a name, such as an index, is left out"
    if unknown:
        hint = "features of your own: --columns FILE, docs/columns.md"
        notices["unknown"] = f"unknown columns are ignored: {_listed(unknown)} ({hint})"
    return {name: where[0] for name, where in positions.items()}


def _missing_faults(raw: RawTable, missing: list[str], unknown: list[str]) -> list[str]:
    """Describe the columns whose absence is a fault: too many, misspelt ones, Ids and prices."""
    features = [name for name in missing if name in BY_NAME]
    if len(features) > MOST_MISSING:
        shown = ", ".join(features[:_SHOWN])
        accepted = f"accepted: a table with Kaggle's columns, at most {MOST_MISSING} of them missing"
        return [f"{raw.source}: {len(features)} of the {len(FEATURES)} features are missing ({shown}, ...); {accepted}"]
    faults = []
    spelled = {name_key(name): name for name in unknown}
    for name in missing:
        if name == ID and not raw.needs_id:
            continue
        near = difflib.get_close_matches(name_key(name), spelled, n=1, cutoff=_SIMILAR)
        if near:
            other = spelled[near[0]]
            accepted = f"accepted: the name {name}, or a table without {other!r}"
            faults.append(f"{raw.source}: column {name} is missing; is it {other!r}? {accepted}")
        elif name not in features:
            faults.append(f"{raw.source}: column {name} is missing; accepted: Kaggle's columns")
    return faults


def _listed(items: list[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


# ---- cells ----


class _Spellings:
    """The spellings that were read as another one."""

    def __init__(self, decimal_comma: bool) -> None:
        self._decimal_comma = decimal_comma
        self._gaps: dict[str, None] = {}
        self._values: list[str] = []

    def respelled(self, name: str, cells: Cells) -> Cells:
        """Return a column's (n_rows,) cells as Kaggle spells them."""
        codes, texts = pd.factorize(cells)
        feature = BY_NAME.get(name)
        fresh = [_respelled(text, feature, self._decimal_comma) for text in texts]
        for text, spelled in zip(texts, fresh, strict=True):
            if text != spelled:
                self._note(name, feature, text, spelled)
        return np.array(fresh, dtype=object)[codes]

    def _note(self, name: str, feature: Feature | None, text: str, spelled: str) -> None:
        if spelled == NOT_APPLICABLE:
            self._gaps[text] = None
        elif feature is None or feature.kind != "number" or not _WHOLE.fullmatch(text):
            self._values.append(f"{text!r} for {name} {spelled}")

    def notices(self) -> dict[str, str]:
        """Return one line on the gaps and one on the values."""
        notices = {}
        if self._gaps:
            notices["gaps"] = f"gaps are spelled {_listed([repr(gap) for gap in self._gaps])}, read as NA"
        if self._values:
            notices["values"] = f"values with another spelling, such as {', '.join(self._values[:2])}"
        return notices


def _respelled(text: str, feature: Feature | None, decimal_comma: bool) -> str:
    """Return a cell as Kaggle spells it; None for the feature of an Id or a price."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if feature is not None and (text in feature.levels or text in feature.aliases):
        return text
    if text.lower() in _GAPS:
        return NOT_APPLICABLE
    if feature is not None and feature.levels == ("N", "Y"):
        return _BOOLEANS.get(text.lower(), text)
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text) and not _THOUSANDS.fullmatch(text):
        text = text.replace(",", ".")
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text
