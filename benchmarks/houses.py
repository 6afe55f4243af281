"""The houses that the scores are measured on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from houseprices.data.schema import PRICE
from houseprices.data.source import read_tables

UNUSUAL = (524, 1299)
"""Two huge houses sold unfinished, whose errors hang on whether a fold holds both of them."""


@dataclass(frozen=True)
class Houses:
    """Typed training and test houses; (n_rows,) log prices, and which rows are not `UNUSUAL`."""

    folder: Path
    train: pd.DataFrame
    test: pd.DataFrame
    log_price: np.ndarray
    usual: np.ndarray


def find_houses(data: Path | None) -> Houses:
    """Read the folder's houses; see `source.read_tables` for None."""
    tables = read_tables(data)
    log_price = np.log(tables.train[PRICE].to_numpy(dtype=np.float64))
    return Houses(tables.folder, tables.train, tables.test, log_price, ~tables.train.index.isin(UNUSUAL))
