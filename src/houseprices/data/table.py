"""Raw CSV -> typed, checked table.

The typed table has `Id` as its index; numbers as float64 with NaN for a gap; ordinal and nominal features as
categories whose levels are the schema's, where the level "NA" says that the house has none of it and NaN is a gap.
"""

import difflib
import sys
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from houseprices.data.contradictions import resolve_contradictions
from houseprices.data.csv_rows import open_csv, text_parts
from houseprices.data.schema import (
    BY_NAME,
    FEATURES,
    HIGHEST_PRICE_USD,
    ID,
    LOWEST_PRICE_USD,
    NOT_APPLICABLE,
    PRICE,
    Feature,
)
from houseprices.errors import DataError

_GAP_WORDS = (NOT_APPLICABLE, "")


def read_houses(path: Path, *, priced: bool) -> pd.DataFrame:
    """Read one of Kaggle's CSV files, check every cell against the schema and resolve its known contradictions.

    A byte order mark, CRLF line ends and the columns' order do not matter.

    Args:
        path: the CSV file.
        priced: whether the file must have the column SalePrice (train.csv) or must not have it (test.csv).

    Returns:
        (n_rows, 79) or, priced, (n_rows, 80); index Id, columns in the schema's order, SalePrice in dollars last.

    Raises:
        DataError: with every fault of the file, one line each.
    """
    with open_csv(path) as stream:
        return next(house_parts(stream, str(path), priced=priced, rows_at_once=sys.maxsize))


def house_parts(stream: BinaryIO, source: str, *, priced: bool, rows_at_once: int) -> Iterator[pd.DataFrame]:
    """Read a CSV file of any length part by part, each as `read_houses` would.

    Args:
        stream: the file's bytes; they are read once, forward.
        source: what the messages call it.
        priced: as for `read_houses`.
        rows_at_once: rows of a part.

    Raises:
        DataError: with every fault of the first part that has any.
    """
    earlier_ids: set[int] = set()
    for raw in text_parts(stream, source, rows_at_once):
        houses = typed_houses(raw, source, priced=priced, earlier_ids=earlier_ids)
        earlier_ids.update(houses.index)
        yield houses


def typed_houses(
    raw: pd.DataFrame,
    source: str,
    *,
    priced: bool,
    place: str = "line",
    earlier_ids: Set[int] = frozenset(),
) -> pd.DataFrame:
    """Check a table of text and type it, as `read_houses` describes.

    Args:
        raw: the cells as in the CSV; the index tells where a row stands.
        source: what the messages call the table.
        priced: as for `read_houses`.
        place: what the messages call the index.
        earlier_ids: Ids that may not stand again.

    Raises:
        DataError: with every fault of the table, one line each.
    """
    _check_columns(raw, source, priced)
    _check_cells(raw, source, priced, place, earlier_ids)
    houses = pd.DataFrame({feature.name: _typed(raw[feature.name], feature) for feature in FEATURES})
    houses.index = pd.Index(raw[ID].astype("int64"), name=ID)
    houses = resolve_contradictions(houses)
    if priced:
        houses[PRICE] = raw[PRICE].astype("float64").to_numpy()
    return houses


_FEW = 5
"""Missing columns that are told one by one; more are another table, and one line."""


def _check_columns(raw: pd.DataFrame, source: str, priced: bool) -> None:
    required = [ID, *BY_NAME, *([PRICE] if priced else [])]
    extra = [str(column) for column in raw.columns if column not in required]
    faults = [f"{source}: column {column} stands twice" for column in raw.columns[raw.columns.duplicated()].unique()]
    missing = [column for column in required if column not in raw.columns]
    near_to = {column: difflib.get_close_matches(column, extra, n=1) for column in missing}
    if len(missing) > _FEW and not any(near_to.values()):
        shown = ", ".join(missing[:_FEW])
        faults.append(f"{source}: {len(missing)} columns are missing ({shown}, ...); accepted: Kaggle's columns")
        missing = []
    for column in missing:
        hint = f"; is it the column {near_to[column][0]!r}?" if near_to[column] else ""
        faults.append(f"{source}: column {column} is missing{hint}")
    for column in extra:
        if column == PRICE:
            faults.append(f"{source}: column {PRICE} is present; accepted: a test file has no prices")
        else:
            near = difflib.get_close_matches(column, required, n=1)
            hint = f"the nearest is {near[0]}" if near else "Id and the 79 features of the data description"
            faults.append(f"{source}: column {column!r} is unknown; accepted: {hint}")
    if faults:
        raise DataError(faults)


def _check_cells(raw: pd.DataFrame, source: str, priced: bool, place: str, earlier_ids: Set[int]) -> None:
    """Check all cells at once with one pandera schema over the text; the row's place stands in each fault."""
    import pandera.pandas as pandera

    def check(accepts: Any, accepted: str) -> pandera.Check:
        return pandera.Check(accepts, error=accepted)

    columns = {
        ID: pandera.Column(
            checks=[
                check(_is_id, "a whole number"),
                check(lambda cells: ~_repeated(cells, earlier_ids), "each Id once"),
            ]
        )
    }
    for feature in FEATURES:
        columns[feature.name] = pandera.Column(checks=check(*_acceptance(feature)))
    if priced:
        columns[PRICE] = pandera.Column(
            checks=check(
                lambda cells: _as_number(cells).between(LOWEST_PRICE_USD, HIGHEST_PRICE_USD),
                f"a price from {LOWEST_PRICE_USD:.12g} to {HIGHEST_PRICE_USD:.12g} dollars",
            )
        )
    try:
        pandera.DataFrameSchema(columns).validate(raw, lazy=True)
    except pandera.errors.SchemaErrors as error:
        # A cell that fails two checks is named once, by the first.
        cases = error.failure_cases.drop_duplicates(["column", "index"]).sort_values("index", kind="stable")
        raise DataError([_fault(case, raw, source, place) for case in cases.itertuples()]) from None


def _is_id(cells: pd.Series) -> Any:
    return cells.str.fullmatch("[0-9]{1,18}")


def _repeated(cells: pd.Series, earlier_ids: Set[int]) -> Any:
    ids = cells.where(_is_id(cells), "-1").astype("int64")
    return (ids.duplicated() | ids.map(earlier_ids.__contains__)) & (ids >= 0)


def _fault(case: Any, raw: pd.DataFrame, source: str, place: str) -> str:
    row = int(case.index)
    house, value = str(raw.at[row, ID]), raw.at[row, case.column]
    return f"{source}: {place} {row} (Id {house}), column {case.column}: {value!r}; accepted: {case.check}"


def _acceptance(feature: Feature) -> tuple[Any, str]:
    """Which cells a feature accepts, and the words for it."""
    if feature.kind == "number":

        def accepts_number(cells: pd.Series) -> Any:
            numbers = _as_number(cells)
            fits = numbers.between(feature.low, feature.high) & ~(feature.whole & (numbers % 1 != 0))
            return cells.isin(_GAP_WORDS) | fits

        kind = "a whole number" if feature.whole else "a number"
        return accepts_number, f"{kind} from {feature.low:.12g} to {feature.high:.12g}, or NA"

    accepted = {*feature.levels, *feature.aliases, *_GAP_WORDS}

    def accepts_level(cells: pd.Series) -> Any:
        return cells.isin(accepted)

    return accepts_level, "one of " + ", ".join(dict.fromkeys((*feature.levels, NOT_APPLICABLE)))


def _as_number(cells: pd.Series) -> pd.Series:
    return pd.to_numeric(cells, errors="coerce").astype("float64")


def _typed(cells: pd.Series, feature: Feature) -> pd.Series:
    if feature.kind == "number":
        return _as_number(cells)
    return as_levels(cells.replace(to_replace=feature.aliases), feature.levels, ordered=feature.kind == "ordinal")


def as_levels(cells: pd.Series, levels: Sequence[str], *, ordered: bool) -> pd.Series:
    """Text -> categories of the given levels; text that is no level, an empty one say, becomes a gap."""
    known = cells.where(cells.isin(levels))
    return known.astype(pd.CategoricalDtype(list(levels), ordered=ordered))
