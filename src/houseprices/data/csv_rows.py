"""The bytes of a CSV file -> its cells as text, part by part, each row with the line it stands on.

The standard library's reader tells the line and the number of fields; pandas' would fill up a line that was cut short.
"""

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from houseprices.errors import DataError


def open_csv(path: Path) -> BinaryIO:
    """Open a file to be read; raises DataError where it cannot be."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise DataError([f"{path}: no such file; accepted: a CSV file with Kaggle's columns"]) from None
    except OSError as error:
        raise DataError([f"{path}: {error.strerror}; accepted: a CSV file with Kaggle's columns"]) from None


def text_parts(stream: BinaryIO, source: str, rows_at_once: int) -> Iterator[pd.DataFrame]:
    """Yield the cells as text, indexed by the line they end on.

    Raises:
        DataError: the stream is no comma-separated table of UTF-8 text with at least one row.
    """
    reader = csv.reader(_lines(stream, source), strict=True)
    header: list[str] = []
    n_parts = 0
    while True:
        try:
            header = header or next(reader, [])
            records = ((reader.line_num, fields) for fields in reader if fields)
            rows = dict(itertools.islice(records, rows_at_once))
        except csv.Error as error:
            raise DataError([f"{source}: line {reader.line_num}: {error}; accepted: a comma-separated table"]) from None
        if n_parts == 0:
            _check_table(header, rows, source)
        elif not rows:
            return
        uneven = [(line, len(fields)) for line, fields in rows.items() if len(fields) != len(header)]
        if uneven:
            accepted = f"accepted: {len(header)}, as in the header"
            raise DataError([f"{source}: line {line} has {n_fields} fields; {accepted}" for line, n_fields in uneven])
        yield pd.DataFrame(rows.values(), index=list(rows), columns=header, dtype="str")
        n_parts += 1


def _check_table(header: list[str], rows: dict[int, list[str]], source: str) -> None:
    if not header:
        raise DataError([f"{source}: the file is empty; accepted: a header line and one line a house"])
    for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and delimiter in header[0]:
            raise DataError([f"{source}: the columns are separated by {name}; accepted: commas"])
    if not rows:
        raise DataError([f"{source}: there is a header but no rows; accepted: one line a house"])


def _lines(stream: BinaryIO, source: str) -> Iterator[str]:
    """The stream's lines in UTF-8, without a byte order mark."""
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
    except OSError as error:
        raise DataError([f"{source}: {error.strerror}; accepted: a CSV file with Kaggle's columns"]) from None
