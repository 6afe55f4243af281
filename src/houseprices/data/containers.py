"""A file in any container -> its cells as text, part by part, each row with the line it stands on.

A table is comma-separated text in Kaggle's files; elsewhere it is packed, separated by semicolons or tabs, or stored
as parquet. The standard library's CSV reader tells the line and the number of fields; pandas' would fill up a line
that was cut short.
"""

import codecs
import csv
import gzip
import io
import itertools
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import numpy as np
import pandas as pd

from houseprices.data.schema import ID, NOT_APPLICABLE
from houseprices.errors import DataError

Part = Literal["train", "test"]

_STEMS = ("{part}", "kaggle_house_pred_{part}")
_SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".tsv", ".txt", ".parquet")
_ACCEPTED = "accepted: a table with Kaggle's columns, as CSV (plain, .gz or .zip) or parquet"
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)
"""Errors of the packers for a damaged, encrypted or unknown archive, beside OSError."""


@dataclass(frozen=True)
class RawTable:
    """A table's cells as they stand in its file.

    Attributes:
        cells: text, indexed by the line or row that the messages name.
        source: what the messages call the table.
        place: what the messages call the index.
        needs_id: the table must have a column with Ids; the rows of a DataFrame are counted instead.
        decimal_comma: a comma in a number is a decimal comma.
        notices: what was understood to read the cells, {topic: line}.
    """

    cells: pd.DataFrame
    source: str
    place: Literal["line", "row"] = "line"
    needs_id: bool = True
    decimal_comma: bool = False
    notices: dict[str, str] = field(default_factory=dict)


def find_table(folder: Path, part: Part) -> Path | None:
    """Find the folder's training or test table: train.csv before any other form, then a packed one.

    Raises:
        DataError: two files could be the table.
    """
    files = {file.name.lower(): file for file in sorted(folder.iterdir()) if file.is_file()}
    if (plain := files.get(f"{part}.csv")) is not None:
        return plain
    found = [files[name] for name in _names(part) if name in files] or [
        file for name, file in files.items() if name.endswith(".zip") and _holds(file, part)
    ]
    if len(found) > 1:
        names = " and ".join(file.name for file in found[:2])
        raise DataError([f"{folder}: {names} could both be the {part} table; accepted: one of them, or {part}.csv"])
    return found[0] if found else None


def _names(part: Part) -> list[str]:
    return [stem.format(part=part) + suffix for stem in _STEMS for suffix in _SUFFIXES]


def _holds(archive: Path, part: Part) -> bool:
    try:
        with zipfile.ZipFile(archive) as content:
            return any(PurePosixPath(name).name.lower() in _names(part) for name in content.namelist())
    except (*_DAMAGED, OSError):
        return False


def open_file(path: Path) -> IO[bytes]:
    """Open a file to be read.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise DataError([f"{path}: {problem}; {_ACCEPTED}"]) from None


def table_parts(stream: IO[bytes], source: str, part: Part, rows_at_once: int) -> Iterator[RawTable]:
    """Yield the table of a stream part by part.

    Args:
        stream: the file's bytes, read once, forward.
        source: what the messages call it.
        part: which table of an archive.
        rows_at_once: rows of a part; parquet comes whole.

    Raises:
        DataError: the stream holds no table with at least one row.
    """
    notices: dict[str, str] = {}
    try:
        for _ in range(4):
            # A file is buffered already; a second buffer would close it when it goes.
            buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
            stream, magic = buffered, buffered.peek(4)[:4]
            if magic.startswith(b"\x1f\x8b"):
                stream = io.BufferedReader(gzip.GzipFile(fileobj=buffered, mode="rb"))
                notices["packed"] = "unpacked by gzip"
            elif magic == b"PK\x03\x04":
                archive = zipfile.ZipFile(io.BytesIO(buffered.read()))
                name = _member(archive, source, part)
                stream = archive.open(name)
                notices["packed"] = "read from the archive"
            elif magic[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                stream = io.BytesIO(buffered.read().decode("utf-16").encode())
                notices["encoding"] = "decoded from UTF-16"
            else:
                break
        if magic == b"PAR1":
            yield _parquet_table(stream, source)
        else:
            yield from _text_parts(stream, source, rows_at_once, notices)
    except DataError:
        raise
    except _DAMAGED as error:
        raise DataError([f"{source}: the file is damaged or encrypted ({error}); {_ACCEPTED}"]) from None
    except OSError as error:
        raise DataError([f"{source}: {error.strerror or error}; {_ACCEPTED}"]) from None


def _member(archive: zipfile.ZipFile, source: str, part: Part) -> str:
    """Name the archive's table: the one with a known name, else the only CSV file."""
    names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
    tables = [name for name in names if PurePosixPath(name).name.lower() in _names(part)]
    tables = tables or [name for name in names if name.lower().endswith((".csv", ".tsv", ".csv.gz"))]
    if len(tables) != 1:
        problem = f"the archive holds {' and '.join(tables[:2])}" if tables else "the archive holds no CSV file"
        raise DataError([f"{source}: {problem}; accepted: an archive with one {part}.csv"])
    return tables[0]


def _parquet_table(stream: IO[bytes], source: str) -> RawTable:
    try:
        frame = pd.read_parquet(io.BytesIO(stream.read()))
    except ImportError:
        raise DataError([f"{source}: no library for parquet; accepted: pip install pyarrow, or a CSV file"]) from None
    except Exception as error:  # each engine raises errors of its own
        problem = str(error).partition("\n")[0]
        raise DataError([f"{source}: no parquet that can be read ({problem}); {_ACCEPTED}"]) from None
    return frame_table(frame, source, needs_id=True)


def frame_table(frame: pd.DataFrame, source: str, *, needs_id: bool = False) -> RawTable:
    """Return the cells of a DataFrame as they would stand in Kaggle's CSV, rows counted from 0.

    Raises:
        DataError: there are no rows.
    """
    if len(frame) == 0:
        raise DataError([f"{source}: there are no rows (n_samples=0); accepted: a row a house"])
    frame = frame.reset_index(drop=frame.index.name != ID)

    def text(cell: object) -> str:
        return str(int(cell)) if isinstance(cell, float | np.floating) and float(cell).is_integer() else str(cell)

    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    texts = [
        [NOT_APPLICABLE if gap else text(cell) for cell, gap in zip(column, column.isna(), strict=True)]
        for column in columns
    ]
    cells = pd.DataFrame(dict(enumerate(texts)), index=frame.index, dtype="str")
    return RawTable(cells.set_axis([str(name) for name in frame.columns], axis=1), source, "row", needs_id)


# ---- text ----


def _text_parts(stream: IO[bytes], source: str, rows_at_once: int, notices: dict[str, str]) -> Iterator[RawTable]:
    lines = _lines(stream, source)
    n_skipped, first_line = 0, next(lines, "")
    while first_line and (not first_line.strip() or first_line.startswith("sep=")):
        n_skipped, first_line = n_skipped + 1, next(lines, "")
    if not first_line.strip():
        raise DataError([f"{source}: the file is empty; accepted: a header line and one line a house"])
    if n_skipped:
        notices["skipped"] = "lines above the header are skipped"
    delimiter = max(",;\t|", key=first_line.count)
    if delimiter != ",":
        name = {";": "semicolons", "\t": "tabs", "|": "bars"}[delimiter]
        notices["separator"] = f"the columns are separated by {name}, a comma in a number is a decimal comma"
    reader = csv.reader(itertools.chain([first_line], lines), delimiter=delimiter, strict=True)
    header: list[str] = []
    is_first_part = True
    while True:
        try:
            header = header or next(reader)
            records = ((n_skipped + reader.line_num, fields) for fields in reader if fields)
            rows = dict(itertools.islice(records, rows_at_once))
        except csv.Error as error:
            line = n_skipped + reader.line_num
            accepted = "accepted: a table separated by commas, semicolons or tabs"
            raise DataError([f"{source}: line {line}: {error}; {accepted}"]) from None
        if not rows:
            if is_first_part:
                raise DataError([f"{source}: there is a header but no rows; accepted: one line a house"])
            return
        if uneven := [line for line, fields in rows.items() if len(fields) != len(header)]:
            problem = f"line {uneven[0]} has {len(rows[uneven[0]])} fields"
            accepted = f"accepted: {len(header)}, as in the header{also('lines', uneven[1:])}"
            raise DataError([f"{source}: {problem}; {accepted}"])
        if repeated := [line for line, fields in rows.items() if fields == header]:
            notices["header"] = "lines that repeat the header are left out"
            rows = {line: fields for line, fields in rows.items() if line not in repeated}
        cells = pd.DataFrame(np.array(list(rows.values()), dtype=object), index=list(rows), columns=header)
        yield RawTable(cells, source, decimal_comma=delimiter != ",", notices=notices)
        is_first_part = False


def _lines(stream: IO[bytes], source: str) -> Iterator[str]:
    """Yield the stream's lines in UTF-8, without a byte order mark."""
    for number, line in enumerate(stream, 1):
        try:
            text = line.decode().removeprefix("\ufeff" if number == 1 else "")
        except UnicodeDecodeError:
            raise DataError([f"{source}: line {number} is not UTF-8 text; accepted: a CSV file in UTF-8"]) from None
        # A file may end its lines with a carriage return alone.
        yield from io.StringIO(text, newline="")


def also(places: str, others: Sequence[int]) -> str:
    """Name further lines or rows with the same fault.

    >>> also("lines", [7, 9]), also("lines", range(2, 50)), also("lines", [])
    (' (also lines 7, 9)', ' (also lines 2, 3, 4 and 45 more)', '')
    """
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f" (also {places} {', '.join(map(str, others[:3]))}{more})" if others else ""
