"""The houses that the scores are measured on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from houseprices.data.schema import PRICE
from houseprices.data.source import TEST_FILE, TRAIN_FILE, find_source
from houseprices.data.table import read_houses

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
    """Read the folder's houses; see `source.find_source` for None."""
    folder = find_source(data).folder
    train, test = read_houses(folder / TRAIN_FILE, priced=True), read_houses(folder / TEST_FILE, priced=False)
    log_price = np.log(train[PRICE].to_numpy(dtype=np.float64))
    return Houses(folder, train, test, log_price, ~train.index.isin(UNUSUAL))
