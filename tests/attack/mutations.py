"""Corruptions of a good file: what a broken disk, an odd program or an attacker may make of it."""

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

import pandas as pd

CELLS = (
    "", "NA", "nan", "inf", "-inf", "1e308", "1e-308", "-1", "0", "0.5", "1e999", "1_000", "１２", "0x10", " ", "None",
    "True", "=1+1", "<script>alert(1)</script>", "'; drop table houses; --", "\x00", "\ud7ff", "a" * 5000, "9" * 400,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, float("nan"), float("inf"), "", "x" * 5000, [], {}, [[]], {"a": 0},
)  # fmt: skip
TOML_VALUES = (
    "-1", "0", "1e400", "nan", '"x"', "[]", "{}", "[[1]]", "true", "9" * 30, "1979-05-27", "[" * 5000, "''",
)  # fmt: skip

Mutation = Callable[[bytes, random.Random], bytes]


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Change some bytes."""
    corrupted = bytearray(content)
    for _ in range(rng.choice((1, 3, 30))):
        corrupted[rng.randrange(len(corrupted))] = rng.randrange(256)
    return bytes(corrupted)


def cut_or_doubled(content: bytes, rng: random.Random) -> bytes:
    """Leave out or double a part: the end, the beginning, or the middle."""
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return rng.choice(
        (content[:start], content[end:], content[:start] + content[end:], content[:end] + content[start:])
    )


def other_encoding(content: bytes, rng: random.Random) -> bytes:
    """Write the same text in another encoding, or packed."""
    text = content.decode("utf-8", "replace")
    return rng.choice((text.encode("utf-16"), b"\xef\xbb\xbf" + content, gzip.compress(content), text.encode("utf-7")))


def table_cells(content: bytes, rng: random.Random) -> bytes:
    """Put odd cells, columns or rows into a CSV file."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    for _ in range(rng.choice((1, 1, 5))):
        row = rng.randrange(len(rows))
        column = rng.randrange(max(1, len(rows[row])))
        match rng.randrange(8):
            case 0 if len(rows) > 2:
                del rows[row]
            case 1:
                rows.insert(row, list(rows[row]))
            case 2:
                rows[row] = rows[row][:column]
            case 3:
                value = rng.choice(CELLS)
                rows = [rows[0], *([*cells[:column], value, *cells[column + 1 :]] for cells in rows[1:])]
            case _ if rows[row]:
                rows[row][column] = rng.choice(CELLS)
    stream = io.StringIO()
    csv.writer(stream, lineterminator=rng.choice(("\n", "\r\n"))).writerows(rows)
    return stream.getvalue().encode("utf-8", "replace")


def json_values(content: bytes, rng: random.Random) -> bytes:
    """Put odd values into a JSON file, or leave an entry out."""
    tree = json.loads(content)
    for _ in range(rng.choice((1, 1, 4))):
        node: Any = tree
        while places := list(node) if isinstance(node, dict) else list(range(len(node))):
            place = rng.choice(places)
            if isinstance(node[place], dict | list) and rng.random() < 0.8:
                node = node[place]
                continue
            if isinstance(node, dict) and rng.random() < 0.3:
                del node[place]
            else:
                node[place] = rng.choice(VALUES)
            break
    return json.dumps(tree).encode()


def toml_lines(content: bytes, rng: random.Random) -> bytes:
    """Put an odd value or table into a TOML file."""
    lines = content.decode().splitlines()
    row = rng.randrange(len(lines))
    name, equals, _ = lines[row].partition("=")
    table = rng.choice(("[folds]", "[[models]]", "[models.'']", "= 1"))
    lines[row] = f"{name}= {rng.choice(TOML_VALUES)}" if equals else table
    return "\n".join(lines).encode()


ANY: tuple[Mutation, ...] = (flipped, cut_or_doubled, other_encoding)


# ---- forms of a table ----


def odd_cells(table: pd.DataFrame, rng: random.Random) -> pd.DataFrame:
    """Put odd text into some cells."""
    odd = table.copy()
    for _ in range(rng.choice((0, 1, 1, 3))):
        odd.iat[rng.randrange(len(odd)), rng.randrange(odd.shape[1])] = rng.choice(CELLS)
    return odd


def in_another_form(table: pd.DataFrame, rng: random.Random) -> bytes:
    """Write a table of text as another tool would."""
    separator, index, blank = rng.choice(",,,;\t|"), rng.random() < 0.2, "\n" * rng.choice((0, 0, 1))
    name = rng.choice(
        (str, str.lower, lambda name: f"X{name}" if name[0].isdigit() else name, lambda name: f" {name}.")
    )
    gap, quote = rng.choice(("NA", "NA", "", "?", "NaN", "null")), rng.choice(("", "", "'", " "))
    form = table.replace("NA", gap).map(lambda cell: f"{quote}{cell}{quote}").rename(columns=name)
    content = (blank + form.to_csv(index=index, sep=separator)).encode("utf-8", "replace")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("any.csv", content)
    return rng.choice((content, content, gzip.compress(content), packed.getvalue(), b"\xef\xbb\xbf" + content))
