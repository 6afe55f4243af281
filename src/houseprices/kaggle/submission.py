"""A submission's CSV file in the forms that people have: read, checked, and written as Kaggle takes it."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from houseprices.data.csv_rows import open_csv, text_parts
from houseprices.data.schema import ID, PRICE
from houseprices.errors import DataError

_MIN_PLAUSIBLE_MEDIAN_USD = 1000.0
_LOG_PRICES = (9.0, 16.0)
"""The logarithms of 8,100 and of 8.9 million dollars."""

_MAX_ROWS = 1_000_000
_WHOLE_NUMBER = re.compile(r"([0-9]{1,18})(\.0*)?")
# Python's own float also takes 1_000 and digits of other scripts, which Kaggle need not.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Submission:
    """Prices by Id.

    Attributes:
        price_of_id: as text, in the order of the file.
        understood: how the file differs from Kaggle's form, one line; empty where it does not.
    """

    price_of_id: dict[int, str]
    understood: str

    @cached_property
    def content(self) -> bytes:
        """The CSV file in Kaggle's form."""
        return "\n".join(
            [f"{ID},{PRICE}", *(f"{house},{price}" for house, price in self.price_of_id.items()), ""]
        ).encode()

    @property
    def sha256(self) -> str:
        """The checksum of `content`."""
        return hashlib.sha256(self.content).hexdigest()


def read_submission(file: Path) -> Submission:
    """Read a file of Ids and prices; a nameless index, float Ids, other cases and orders of columns are understood.

    Raises:
        DataError: the columns are others, a cell is no Id or no price, an Id stands twice, or the prices are not
            dollars; one line a fault.
    """
    if not file.is_file():
        raise DataError([f"{file}: no such file; accepted: a CSV file with {ID},{PRICE}"])
    with open_csv(file) as stream:
        table = pd.concat(text_parts(stream, str(file), _MAX_ROWS)).map(str.strip)
    header = [str(name) for name in table.columns]
    table.columns = [name.strip().lower() for name in header]
    unnamed = [name for name in table.columns if not name or name.startswith("unnamed:")]
    table = table.drop(columns=unnamed)
    if sorted(table.columns) != [ID.lower(), PRICE.lower()]:
        raise DataError([f"{file}: the header is {','.join(header)!r}; accepted: {ID},{PRICE}"])
    ids, prices = table[ID.lower()], table[PRICE.lower()]
    price_of_id: dict[int, str] = {}
    faults = []
    for line, house, price in zip(table.index, ids, prices, strict=True):
        number = _WHOLE_NUMBER.fullmatch(house)
        if number is None:
            faults.append(f"{file}: line {line}: {ID} is {house!r}; accepted: a whole number")
        elif int(number[1]) in price_of_id:
            faults.append(f"{file}: line {line}: {ID} {house} stands here for the second time")
        elif not (_NUMBER.fullmatch(price) and 0 < float(price) < np.inf):
            faults.append(f"{file}: line {line}: {PRICE} is {price!r}; accepted: a finite number above 0")
        else:
            price_of_id[int(number[1])] = price
    if faults:
        raise DataError(faults)
    _check_dollars(file, np.array([float(price) for price in prices]))
    differences = []
    if header != [ID, PRICE]:
        differences.append(f"the header {','.join(header)!r} is read as {ID},{PRICE}")
    if not ids.str.isdigit().all():
        differences.append(f"{ID} {ids[~ids.str.isdigit()].iloc[0]} is read as a whole number")
    return Submission(price_of_id, f"{file}: {'; '.join(differences)}" if differences else "")


def _check_dollars(file: Path, price: np.ndarray) -> None:
    low, high = _LOG_PRICES
    if ((price >= low) & (price <= high)).all():
        raise DataError(
            [f"{file}: all prices lie between {low:g} and {high:g} and look like logarithms; accepted: dollars"]
        )
    if np.median(price) < _MIN_PLAUSIBLE_MEDIAN_USD:
        raise DataError([f"{file}: the median price is {np.median(price):g}; accepted: dollars, not thousands"])


def check_ids(file: Path, ids: Collection[int], test_ids: Collection[int]) -> None:
    """Check that a submission has each house of the test file; the order of rows is free, as it is at Kaggle.

    Raises:
        DataError: a house is missing, or none of the test file's.
    """
    expected = set(test_ids)
    for problem, houses in (
        ("no price for {} of the test file's Ids", [house for house in test_ids if house not in ids]),
        ("{} Ids are not in the test file", [house for house in ids if house not in expected]),
    ):
        if houses:
            shown = ", ".join(map(str, houses[:5])) + (", ..." if len(houses) > 5 else "")
            raise DataError([f"{file}: {problem.format(len(houses))}: {shown}"])
