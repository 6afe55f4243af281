"""A file in any container -> its cells as text, part by part, each row with the line it stands on.

A table is comma-separated text in Kaggle's files; elsewhere it is packed, separated by semicolons or tabs, or stored
as parquet. The standard library's CSV reader tells the line and the number of fields; pandas' would fill up a line
that was cut short.
"""

import csv
import gzip
import io
import itertools
import struct
import zipfile
import zlib
from collections.abc import Iterator
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
"""What the packers raise for a damaged, encrypted or unknown archive, beside OSError."""


@dataclass(frozen=True)
class RawTable:
    """A table's cells as they stand in its file.

    Attributes:
        cells: text, indexed by the line or row that the messages name.
        source: what the messages call the table.
        place: what the messages call the index.
        needs_id: the table must have a column with Ids; the rows of a DataFrame are counted instead.
        decimal_comma: a comma in a number is a decimal comma.
        notices: what had to be understood to read the cells, {topic: line}.
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
    except FileNotFoundError:
        raise DataError([f"{path}: no such file; {_ACCEPTED}"]) from None
    except OSError as error:
        raise DataError([f"{path}: {error.strerror}; {_ACCEPTED}"]) from None


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
        for _ in range(3):
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
            else:
                break
        if magic == b"PAR1":
            yield _parquet_table(stream.read(), source)
        else:
            yield from _text_parts(stream, source, rows_at_once, notices)
    except DataError:
        raise
    except _DAMAGED as error:
        raise DataError([f"{source}: the archive is damaged or encrypted ({error}); {_ACCEPTED}"]) from None
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


def _parquet_table(content: bytes, source: str) -> RawTable:
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except ImportError:
        raise DataError([f"{source}: no library for parquet; accepted: pip install pyarrow, or a CSV file"]) from None
    except Exception as error:  # each engine raises errors of its own
        problem = str(error).partition("\n")[0]
        raise DataError([f"{source}: no parquet that can be read ({problem}); {_ACCEPTED}"]) from None
    return RawTable(frame_cells(frame), source, "row", notices={"packed": "read as parquet"})


def frame_table(frame: pd.DataFrame, source: str) -> RawTable:
    """Return the cells of a DataFrame as they would stand in Kaggle's CSV, rows counted from 0.

    Raises:
        DataError: there are no rows.
    """
    if len(frame) == 0:
        raise DataError([f"{source}: there are no rows (n_samples=0); accepted: a DataFrame with a row a house"])
    return RawTable(frame_cells(frame), source, "row", needs_id=False)


def frame_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of a DataFrame as text: gaps as NA, whole numbers without a decimal point."""
    frame = frame.reset_index(drop=frame.index.name != ID)

    def text_of(cell: object) -> str:
        if isinstance(cell, float | np.floating) and float(cell).is_integer():
            return str(int(cell))
        return str(cell)

    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    texts = [
        [NOT_APPLICABLE if gap else text_of(cell) for cell, gap in zip(column, column.isna(), strict=True)]
        for column in columns
    ]
    table = pd.DataFrame(dict(enumerate(texts)), index=frame.index, dtype="str")
    return table.set_axis([str(name) for name in frame.columns], axis=1)


# ---- text ----


def _text_parts(stream: IO[bytes], source: str, rows_at_once: int, notices: dict[str, str]) -> Iterator[RawTable]:
    lines = _lines(stream, source)
    n_blank, first_line = 0, next(lines, "")
    while first_line and not first_line.strip():
        n_blank, first_line = n_blank + 1, next(lines, "")
    if not first_line.strip():
        raise DataError([f"{source}: the file is empty; accepted: a header line and one line a house"])
    if n_blank:
        notices["blank"] = "blank lines above the header are skipped"
    delimiter = max(",;\t|", key=first_line.count)
    if delimiter != ",":
        name = {";": "semicolons", "\t": "tabs", "|": "bars"}[delimiter]
        notices["separator"] = f"the columns are separated by {name}, a comma in a number is a decimal comma"
    reader = csv.reader(itertools.chain([first_line], lines), delimiter=delimiter, strict=True)
    header: list[str] = []
    n_parts = 0
    while True:
        try:
            header = header or next(reader)
            records = ((n_blank + reader.line_num, fields) for fields in reader if fields)
            rows = dict(itertools.islice(records, rows_at_once))
        except csv.Error as error:
            line = n_blank + reader.line_num
            raise DataError([f"{source}: line {line}: {error}; accepted: a comma-separated table"]) from None
        if not rows:
            if n_parts == 0:
                raise DataError([f"{source}: there is a header but no rows; accepted: one line a house"])
            return
        uneven = [(line, len(fields)) for line, fields in rows.items() if len(fields) != len(header)]
        if uneven:
            accepted = f"accepted: {len(header)}, as in the header"
            raise DataError([f"{source}: line {line} has {n_fields} fields; {accepted}" for line, n_fields in uneven])
        cells = pd.DataFrame(np.array(list(rows.values()), dtype=object), index=list(rows), columns=header)
        yield RawTable(cells, source, decimal_comma=delimiter != ",", notices=notices)
        n_parts += 1


def _lines(stream: IO[bytes], source: str) -> Iterator[str]:
    """Yield the stream's lines in UTF-8, without a byte order mark."""
    n_bytes = 0
    try:
        for line in stream:
            text = line.decode()
            # A file may end its lines with a carriage return alone.
            yield from io.StringIO(text if n_bytes else text.removeprefix("\ufeff"), newline="")
            n_bytes += len(line)
    except UnicodeDecodeError as error:
        byte = n_bytes + error.start
        raise DataError([f"{source}: byte {byte} is not UTF-8 text; accepted: a CSV file in UTF-8"]) from None
