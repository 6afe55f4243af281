"""Any table of houses -> typed, checked table.

The typed table has `Id` as its index; numbers as float64 with NaN for a gap; ordinal and nominal features as
categories whose levels are the schema's, where the level "NA" says that the house has none of it and NaN is a gap.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Set
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from houseprices.data.containers import RawTable, also, frame_table, open_file, table_parts
from houseprices.data.contradictions import resolve_contradictions
from houseprices.data.forms import KaggleForm, kaggle_form
from houseprices.data.schema import (
    FEATURES,
    HIGHEST_PRICE_USD,
    ID,
    LOWEST_PRICE_USD,
    NOT_APPLICABLE,
    PRICE,
    Feature,
)
from houseprices.errors import DataError
from houseprices.progress import Notice, Notify, silent

Fault = tuple[list[int], str, str]
"""Faulty cells: their rows, their column and what is accepted."""


def read_houses(
    source: Path | pd.DataFrame, *, priced: bool, absent: Collection[str] = (), notify: Notify = silent
) -> pd.DataFrame:
    """Read a table of houses in any form, check every cell against the schema and resolve its known contradictions.

    Args:
        source: a file in a form that `data.containers` reads, or a DataFrame, whose Id may be missing.
        priced: the table must have prices, as train.csv; those of another table are ignored.
        absent: features that the training houses lack: gaps in every row.
        notify: called with a notice for each thing that was understood.

    Returns:
        (n_rows, 79) or, priced, (n_rows, 80); index Id, columns in the schema's order, SalePrice in dollars last.

    Raises:
        DataError: with every fault of the table.
    """
    if isinstance(source, pd.DataFrame):
        return next(_typed_parts([frame_table(source, "X")], priced, absent, notify))
    with open_file(source) as stream:
        return next(house_parts(stream, str(source), priced=priced, absent=absent, notify=notify))


def house_parts(
    stream: IO[bytes],
    source: str,
    *,
    priced: bool,
    rows_at_once: int = sys.maxsize,
    absent: Collection[str] = (),
    notify: Notify = silent,
) -> Iterator[pd.DataFrame]:
    """Read a table of any length part by part, each as `read_houses` would.

    Args:
        stream: the file's bytes; they are read once, forward.
        source: what the messages call it.
        priced, absent, notify: as for `read_houses`; a thing understood is one notice, however many parts there are.
        rows_at_once: rows of a part.

    Raises:
        DataError: with every fault of the first part that has any.
    """
    raws = table_parts(stream, source, "train" if priced else "test", rows_at_once)
    yield from _typed_parts(raws, priced, absent, notify)


def _typed_parts(
    raws: Iterable[RawTable], priced: bool, absent: Collection[str], notify: Notify
) -> Iterator[pd.DataFrame]:
    earlier_ids: set[int] = set()
    topics: set[str] = set()
    for raw in raws:
        form = kaggle_form(raw, priced=priced, absent=absent)
        if form.missing:
            accepted = "accepted: a table with the features of the training houses"
            raise DataError([f"{raw.source}: column {name} is missing; {accepted}" for name in form.missing])
        if form.price is not None and raw.place == "line":
            form.notices["price"] = f"the column {PRICE} is ignored"
        for topic in (topic for topic in form.notices if topic not in topics):
            notify(Notice(f"{raw.source}: {form.notices[topic]}"))
        topics |= form.notices.keys()
        houses = typed_houses(form, priced=priced, earlier_ids=earlier_ids)
        earlier_ids.update(houses.index)
        yield houses


def typed_houses(form: KaggleForm, *, priced: bool, earlier_ids: Set[int] = frozenset()) -> pd.DataFrame:
    """Type and check a table in Kaggle's spelling, as `read_houses` describes; missing features are gaps.

    Raises:
        DataError: with every fault of the cells.
    """
    faults: list[Fault] = []
    cells = form.cells
    ids = _typed_ids(cells[ID], earlier_ids, faults)
    columns = {feature.name: _typed(cells.get(feature.name), feature, len(cells), faults) for feature in FEATURES}
    if priced:
        price = _numbers(cells[PRICE])
        accepted = f"a price from {LOWEST_PRICE_USD:.12g} to {HIGHEST_PRICE_USD:.12g} dollars"
        _note(~((price >= LOWEST_PRICE_USD) & (price <= HIGHEST_PRICE_USD)), PRICE, accepted, faults)
    if faults:
        raise _cell_faults(form, faults)
    if priced and (fault := logarithm_fault(price)):
        raise DataError([f"{form.raw.source}: {fault}"])
    houses = resolve_contradictions(pd.DataFrame(columns, index=pd.Index(ids, name=ID)))
    if priced:
        houses[PRICE] = price
    return houses


def logarithm_fault(prices: ArrayLike) -> str:
    """Describe prices that all lie between 9 and 16, as logarithms always do and dollars never; "" for others."""
    values = np.asarray(prices, dtype=np.float64)
    if len(values) == 0 or not ((values >= 9) & (values <= 16)).all():
        return ""
    prices_usd = f"all prices lie from {values.min():.4g} to {values.max():.4g}"
    return f"column {PRICE}: {prices_usd} and look like logarithms; accepted: dollars"


# ---- cells ----


def _cell_faults(form: KaggleForm, faults: list[Fault]) -> DataError:
    """Return a line for each faulty column: its first faulty cell as it stood in the file, and where others are."""
    cells, place = form.cells, form.raw.place
    lines, counts = [], []
    for rows, column, accepted in sorted(faults, key=lambda fault: fault[0][0]):
        first, *others = (int(cells.index[row]) for row in rows)
        cell = f"{place} {first} (Id {cells[ID].iloc[rows[0]]}), column {column}: {cells[column].iloc[rows[0]]!r}"
        lines.append(f"{form.raw.source}: {cell}; accepted: {accepted}{also(f'{place}s', others)}")
        counts.append(f"{column} {len(rows)}")
    return DataError(lines, counts)


def _note(faulty: NDArray[np.bool_], column: str, accepted: str, faults: list[Fault]) -> None:
    if faulty.any():
        faults.append((np.flatnonzero(faulty).tolist(), column, accepted))


def _typed_ids(cells: pd.Series, earlier_ids: Set[int], faults: list[Fault]) -> NDArray[np.int64]:
    is_id = cells.str.fullmatch("[0-9]{1,18}").to_numpy(dtype=bool)
    ids = cells.where(is_id, "-1").astype("int64")
    repeated = (ids.duplicated() | ids.map(earlier_ids.__contains__)).to_numpy(dtype=bool)
    _note(~is_id, ID, "a whole number", faults)
    _note(is_id & repeated, ID, "each Id once", faults)
    return np.asarray(ids, dtype=np.int64)


def _typed(cells: pd.Series | None, feature: Feature, n_rows: int, faults: list[Fault]) -> ArrayLike:
    """Type a column; a feature that the table lacks is a gap in each of its rows."""
    if feature.kind == "number":
        return np.full(n_rows, np.nan) if cells is None else _typed_numbers(cells, feature, faults)
    dtype = pd.CategoricalDtype(list(feature.levels), ordered=feature.kind == "ordinal")
    if cells is None:
        return pd.Categorical.from_codes(np.full(n_rows, -1), dtype=dtype)
    rows, texts = pd.factorize(cells.to_numpy(dtype=object))
    code_of = {level: code for code, level in enumerate(feature.levels)}
    gap, unknown = -1, -2
    code_of = {NOT_APPLICABLE: gap} | code_of | {alias: code_of[level] for alias, level in feature.aliases.items()}
    codes = np.array([code_of.get(text, unknown) for text in texts])[rows]
    accepted = "one of " + ", ".join(dict.fromkeys((*feature.levels, NOT_APPLICABLE)))
    _note(codes == unknown, feature.name, accepted, faults)
    return pd.Categorical.from_codes(np.maximum(codes, gap), dtype=dtype)


def _typed_numbers(cells: pd.Series, feature: Feature, faults: list[Fault]) -> NDArray[np.float64]:
    numbers = _numbers(cells)
    fits = (numbers >= feature.low) & (numbers <= feature.high)
    if feature.whole:
        fits &= np.where(fits, numbers, 0) % 1 == 0
    is_gap = (cells == NOT_APPLICABLE).to_numpy(dtype=bool)
    kind = "a whole number" if feature.whole else "a number"
    accepted = f"{kind} from {feature.low:.12g} to {feature.high:.12g}, or NA"
    _note(~(fits | is_gap), feature.name, accepted, faults)
    return numbers


def _numbers(cells: pd.Series) -> NDArray[np.float64]:
    return pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
