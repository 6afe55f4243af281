"""Raw CSV -> typed, checked table.

The typed table has `Id` as its index; numbers as float64 with NaN for a gap; ordinal and nominal features as
categories whose levels are the schema's, where the level "NA" says that the house has none of it and NaN is a gap.
"""

import csv
import difflib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from houseprices.consistency import resolve_contradictions
from houseprices.errors import DataError
from houseprices.schema import BY_NAME, FEATURES, ID, NOT_APPLICABLE, PRICE, Feature

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
    raw = _read_text(path)
    _check_columns(raw, path, priced)
    _check_cells(raw, path, priced)
    houses = pd.DataFrame({feature.name: _typed(raw[feature.name], feature) for feature in FEATURES})
    houses.index = pd.Index(raw[ID].astype("int64"), name=ID)
    houses = resolve_contradictions(houses)
    if priced:
        houses[PRICE] = raw[PRICE].astype("float64").to_numpy()
    return houses


def _read_text(path: Path) -> pd.DataFrame:
    """The file's cells as text, indexed by the line they end on; raises DataError where it is no table."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError([f"{path}: no such file; accepted: a CSV file with Kaggle's columns"]) from None
    except OSError as error:
        raise DataError([f"{path}: {error.strerror}; accepted: a CSV file with Kaggle's columns"]) from None
    except UnicodeDecodeError as error:
        raise DataError([f"{path}: byte {error.start} is not UTF-8 text; accepted: a CSV file in UTF-8"]) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        rows = dict((reader.line_num, fields) for fields in reader if fields)  # noqa: C402  # line_num moves on
    except csv.Error as error:
        raise DataError([f"{path}: line {reader.line_num}: {error}; accepted: a comma-separated table"]) from None
    if not header:
        raise DataError([f"{path}: the file is empty; accepted: a header line and one line a house"])
    for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and delimiter in header[0]:
            raise DataError([f"{path}: the columns are separated by {name}; accepted: commas"])
    if not rows:
        raise DataError([f"{path}: there is a header but no rows; accepted: one line a house"])
    uneven = [(line, len(fields)) for line, fields in rows.items() if len(fields) != len(header)]
    if uneven:
        accepted = f"accepted: {len(header)}, as in the header"
        raise DataError([f"{path}: line {line} has {n_fields} fields; {accepted}" for line, n_fields in uneven])
    return pd.DataFrame(rows.values(), index=list(rows), columns=header, dtype="str")


def _check_columns(raw: pd.DataFrame, path: Path, priced: bool) -> None:
    required = [ID, *BY_NAME, *([PRICE] if priced else [])]
    extra = [str(column) for column in raw.columns if column not in required]
    faults = [f"{path}: column {column} stands twice" for column in raw.columns[raw.columns.duplicated()].unique()]
    for column in required:
        if column not in raw.columns:
            near = difflib.get_close_matches(column, extra, n=1)
            hint = f"; is it the column {near[0]!r}?" if near else ""
            faults.append(f"{path}: column {column} is missing{hint}")
    for column in extra:
        if column == PRICE:
            faults.append(f"{path}: column {PRICE} is present; accepted: a test file has no prices")
        else:
            near = difflib.get_close_matches(column, required, n=1)
            hint = f"the nearest is {near[0]}" if near else "Id and the 79 features of the data description"
            faults.append(f"{path}: column {column!r} is unknown; accepted: {hint}")
    if faults:
        raise DataError(faults)


def _check_cells(raw: pd.DataFrame, path: Path, priced: bool) -> None:
    """Check all cells at once with one pandera schema over the text; the file's line stands in each fault."""
    import pandera.pandas as pandera

    def check(accepts: Any, accepted: str) -> pandera.Check:
        return pandera.Check(accepts, error=accepted)

    columns = {
        ID: pandera.Column(
            checks=[
                check(lambda cells: cells.str.fullmatch("[0-9]{1,18}"), "a whole number"),
                check(lambda cells: ~cells.str.lstrip("0").duplicated(), "each Id once"),
            ]
        )
    }
    for feature in FEATURES:
        columns[feature.name] = pandera.Column(checks=check(*_acceptance(feature)))
    if priced:
        columns[PRICE] = pandera.Column(
            checks=check(lambda cells: _in_range(cells, 0, np.inf) & (_as_number(cells) > 0), "a price above 0 dollars")
        )
    try:
        pandera.DataFrameSchema(columns).validate(raw, lazy=True)
    except pandera.errors.SchemaErrors as error:
        # A cell that fails two checks is named once, by the first.
        cases = error.failure_cases.drop_duplicates(["column", "index"]).sort_values("index", kind="stable")
        raise DataError([_fault(case, raw, path) for case in cases.itertuples()]) from None


def _fault(case: Any, raw: pd.DataFrame, path: Path) -> str:
    line = int(case.index)
    house, value = str(raw.at[line, ID]), raw.at[line, case.column]
    return f"{path}: line {line} (Id {house}), column {case.column}: {value!r}; accepted: {case.check}"


def _acceptance(feature: Feature) -> tuple[Any, str]:
    """Which cells a feature accepts, and the words for it."""
    if feature.kind == "number":
        bounds = f"from {feature.low:g} to {feature.high:g}" if np.isfinite(feature.high) else f"from {feature.low:g}"

        def accepts_number(cells: pd.Series) -> Any:
            return cells.isin(_GAP_WORDS) | _in_range(cells, feature.low, feature.high)

        return accepts_number, f"a number {bounds}, or NA"

    accepted = {*feature.levels, *feature.aliases, *_GAP_WORDS}

    def accepts_level(cells: pd.Series) -> Any:
        return cells.isin(accepted)

    return accepts_level, "one of " + ", ".join(dict.fromkeys((*feature.levels, NOT_APPLICABLE)))


def _as_number(cells: pd.Series) -> pd.Series:
    return pd.to_numeric(cells, errors="coerce").astype("float64")


def _in_range(cells: pd.Series, low: float, high: float) -> pd.Series:
    numbers = _as_number(cells)
    # Infinity lies between two infinities, and is no number of square feet.
    return numbers.between(low, high) & ~numbers.isin([np.inf, -np.inf])


def _typed(cells: pd.Series, feature: Feature) -> pd.Series:
    if feature.kind == "number":
        return _as_number(cells)
    return as_levels(cells.replace(feature.aliases), feature.levels, ordered=feature.kind == "ordinal")


def as_levels(cells: pd.Series, levels: Sequence[str], *, ordered: bool) -> pd.Series:
    """Text -> categories of the given levels; text that is no level, an empty one say, becomes a gap."""
    known = cells.where(cells.isin(levels))
    return known.astype(pd.CategoricalDtype(list(levels), ordered=ordered))
