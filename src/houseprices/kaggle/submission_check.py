"""A submission's CSV against the test file, before anything is uploaded."""

import csv
import math
import re
from pathlib import Path

from houseprices.data.schema import ID, PRICE
from houseprices.errors import DataError

_LARGEST_FILE_BYTES = 10_000_000
_LEAST_PLAUSIBLE_MEDIAN_USD = 1000.0

_WHOLE_NUMBER = re.compile("[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def read_test_ids(test_file: Path) -> list[int]:
    """The Ids that Kaggle expects.

    Raises:
        DataError: the file is missing or has no column of whole Ids.
    """
    if not test_file.is_file():
        raise DataError(
            [f"{test_file}: no such file, and without it no submission can be checked; run `make download`"]
        )
    try:
        with test_file.open(newline="", encoding="utf-8-sig") as stream:
            texts = [row[ID] for row in csv.DictReader(stream)]
        if not all(map(_WHOLE_NUMBER.fullmatch, texts)):
            raise ValueError
    except (KeyError, TypeError, ValueError, csv.Error):
        raise DataError(
            [f"{test_file}: accepted: Kaggle's {test_file.name}, with a whole number as Id in each row"]
        ) from None
    if not texts:
        raise DataError([f"{test_file}: there are no rows; accepted: Kaggle's {test_file.name}"])
    return [int(text) for text in texts]


def check_submission(file: Path, test_ids: list[int]) -> int:
    """Check header, Ids and prices; the rows' order is free, as it is at Kaggle.

    Returns:
        The number of rows.

    Raises:
        DataError: every fault, one line each.
    """
    if not file.is_file():
        raise DataError([f"{file}: no such file; accepted: a CSV file with {ID},{PRICE}"])
    if file.stat().st_size > _LARGEST_FILE_BYTES:
        raise DataError([f"{file}: larger than {_LARGEST_FILE_BYTES / 1e6:.0f} MB; accepted: {len(test_ids)} rows"])
    try:
        # utf-8, not utf-8-sig: to Kaggle a byte order mark is part of the first column's name.
        rows = list(csv.reader(file.read_text("utf-8").splitlines()))
    except UnicodeDecodeError as error:
        raise DataError([f"{file}: byte {error.start} is not UTF-8 text; accepted: {ID},{PRICE}"]) from None
    except csv.Error as error:
        raise DataError([f"{file}: {error}; accepted: {ID},{PRICE}"]) from None
    if not rows:
        raise DataError([f"{file}: the file is empty; accepted: the header {ID},{PRICE} and one line a house"])
    if rows[0] != [ID, PRICE]:
        raise DataError([f"{file}: the header is {','.join(rows[0])!r}; accepted: {ID},{PRICE}"])
    prices: dict[int, float] = {}
    faults = []
    expected = set(test_ids)
    for line, row in enumerate(rows[1:], start=2):
        fault = _fault(row, expected, prices)
        if fault:
            faults.append(f"{file}: line {line}: {fault}")
    missing = [house for house in test_ids if house not in prices]
    if missing and not faults:
        shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        faults.append(f"{file}: no price for {len(missing)} of the test file's Ids: {shown}")
    if faults:
        raise DataError(faults)
    median = sorted(prices.values())[len(prices) // 2]
    if median < _LEAST_PLAUSIBLE_MEDIAN_USD:
        raise DataError([f"{file}: the median price is {median:g}; accepted: dollars, not logarithms or thousands"])
    return len(prices)


def _fault(row: list[str], expected: set[int], prices: dict[int, float]) -> str:
    """What is wrong with a row, "" if nothing; a price is noted in `prices`."""
    if len(row) != 2:
        return f"{len(row)} fields; accepted: 2, {ID} and {PRICE}"
    if not _WHOLE_NUMBER.fullmatch(row[0]):
        return f"{ID} is {row[0]!r}; accepted: a whole number"
    house = int(row[0])
    if house not in expected:
        return f"{ID} {house} is not in the test file"
    if house in prices:
        return f"{ID} {house} stands here for the second time"
    # Python's own float also takes 1_000 and digits of other scripts, which Kaggle need not.
    price = float(row[1]) if _NUMBER.fullmatch(row[1]) else math.nan
    prices[house] = price
    if not (math.isfinite(price) and price > 0):
        return f"{PRICE} is {row[1]!r}; accepted: a finite number above 0"
    return ""
