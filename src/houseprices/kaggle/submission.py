"""A submission's file in the forms that people have: read, checked, and written as Kaggle takes it."""

import hashlib
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from houseprices.data.containers import open_file, table_parts
from houseprices.data.forms import name_key
from houseprices.data.schema import ID, PRICE
from houseprices.data.table import logarithm_fault
from houseprices.errors import DataError

_MIN_PLAUSIBLE_MEDIAN_USD = 1000.0
_WHOLE_NUMBER = re.compile(r"([0-9]{1,18})(\.0*)?")
# Python's own float also takes 1_000 and digits of other scripts, which Kaggle need not.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Submission:
    """Prices by Id.

    Attributes:
        price_of_id: as text, in the order of the file.
        notice: how the file differs from Kaggle's form, one line; empty where it does not.
    """

    price_of_id: dict[int, str]
    notice: str

    @cached_property
    def content(self) -> bytes:
        """The CSV file in Kaggle's form."""
        rows = (f"{house},{price}\n" for house, price in self.price_of_id.items())
        return "".join([f"{ID},{PRICE}\n", *rows]).encode()

    @property
    def sha256(self) -> str:
        """The checksum of `content`."""
        return hashlib.sha256(self.content).hexdigest()


def read_submission(file: Path) -> Submission:
    """Read a file of Ids and prices; a nameless index, float Ids, other spellings and orders of columns are understood.

    Raises:
        DataError: one line a fault.
    """
    with open_file(file) as stream:
        [raw] = table_parts(stream, str(file), "test", sys.maxsize)
    header = [str(name) for name in raw.cells.columns]
    # pandas writes an index under no name, and reads it back under this one.
    named = [name for name in header if name.strip() and not name.startswith("Unnamed: ")]
    columns = [name_key(ID), name_key(PRICE)]
    if sorted(map(name_key, named)) != columns:
        raise DataError([f"{file}: the header is {','.join(header)!r}; accepted: {ID},{PRICE}"])
    cells = raw.cells[named].set_axis(list(map(name_key, named)), axis=1)
    ids, prices = (cells[name].str.strip() for name in columns)
    if raw.decimal_comma:
        prices = prices.str.replace(",", ".")
    price_of_id: dict[int, str] = {}
    faults = []
    for line, house, price in zip(raw.cells.index, ids, prices, strict=True):
        number = _WHOLE_NUMBER.fullmatch(house)
        if number is None:
            faults.append(f"{file}: {raw.place} {line}: {ID} is {house!r}; accepted: a whole number")
        elif int(number[1]) in price_of_id:
            faults.append(f"{file}: {raw.place} {line}: {ID} {house} stands here for the second time")
        elif not (_NUMBER.fullmatch(price) and 0 < float(price) < np.inf):
            faults.append(f"{file}: {raw.place} {line}: {PRICE} is {price!r}; accepted: a finite number above 0")
        else:
            price_of_id[int(number[1])] = price
    if faults:
        raise DataError(faults)
    price_usd = [float(price) for price in price_of_id.values()]
    if fault := logarithm_fault(price_usd):
        raise DataError([f"{file}: {fault}"])
    if (median := np.median(price_usd)) < _MIN_PLAUSIBLE_MEDIAN_USD:
        raise DataError([f"{file}: the median price is {median:g}; accepted: dollars, not thousands"])
    understood = list(raw.notices.values())
    if header != [ID, PRICE]:
        understood.append(f"the header {','.join(header)!r} is read as {ID},{PRICE}")
    if not ids.str.isdigit().all():
        understood.append(f"{ID} {ids[~ids.str.isdigit()].iloc[0]} is read as a whole number")
    return Submission(price_of_id, f"{file}: {'; '.join(understood)}" if understood else "")


def check_ids(file: Path, ids: Collection[int], test_ids: Collection[int]) -> None:
    """Check that a submission has each house of the test table; the order of rows is free, as it is at Kaggle.

    Raises:
        DataError: a house is missing, or none of the test table's.
    """
    expected = set(test_ids)
    for problem, houses in (
        ("no price for {} of the test table's Ids", [house for house in test_ids if house not in ids]),
        ("{} Ids are not in the test table", [house for house in ids if house not in expected]),
    ):
        if houses:
            shown = ", ".join(map(str, houses[:5])) + (", ..." if len(houses) > 5 else "")
            raise DataError([f"{file}: {problem.format(len(houses))}: {shown}"])
