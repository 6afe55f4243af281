"""A synthetic Ames: Kaggle's columns, levels and gaps, a price function that is known, a noise that is known.

No row comes from the real data. A model's log-RMSE on the sample can be held against `NOISE_FLOOR`, the best that any
model can expect: `town.py` draws the houses, `price.py` prices them, this module adds noise and gaps.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from houseprices.data.sample.price import log_price
from houseprices.data.sample.town import draw_houses
from houseprices.data.schema import ID, PRICE
from houseprices.errors import SettingsError

__all__ = ["NOISE_FLOOR", "Sample", "draw_sample", "log_price", "write_sample"]

NOISE_FLOOR: float = 0.10
"""Standard deviation of the noise in the log price: the best log-RMSE that any model can expect."""

_GAPS = {"MasVnrType": 0.005, "Electrical": 0.001}
"""Share of rows with a true gap; a gap in MasVnrType takes MasVnrArea along, and LotFrontage has a rule of its own."""
_TEST_GAPS = dict.fromkeys(
    ("MSZoning", "Utilities", "Exterior1st", "Exterior2nd", "KitchenQual", "Functional", "SaleType"), 0.001
)


@dataclass(frozen=True)
class Sample:
    """A synthetic competition.

    Attributes:
        train: (n_rows, 81): Id, the 79 features and SalePrice in whole dollars, as in Kaggle's train.csv.
        test: (n_test_rows, 80): the same without SalePrice; its Ids follow on.
        noise: standard deviation of the log price's noise.

    The level NA, "the house has none", is the text "NA"; a true gap is a missing value, and so is GarageYrBlt where
    there is no garage. On disk all of them read NA. MSSubClass is text: its digits are a code.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    noise: float


def draw_sample(n_rows: int = 1460, n_test_rows: int = 1459, seed: int = 0) -> Sample:
    """Draw a sample; the same arguments give the same rows.

    The two parts have a random stream each, so the training rows don't depend on `n_test_rows`.

    Raises:
        SettingsError: a number of rows is below 1, or the seed below 0.
    """
    for name, value, lowest in (("n_rows", n_rows, 1), ("n_test_rows", n_test_rows, 1), ("seed", seed, 0)):
        if value < lowest:
            raise SettingsError(f"{name} must be at least {lowest}, got {value}")
    train_rng, test_rng = np.random.default_rng(seed).spawn(2)
    train = draw_houses(train_rng, n_rows)
    noisy_log_price = log_price(train) + train_rng.normal(0, NOISE_FLOOR, n_rows)
    train = _with_gaps(train_rng, train, _GAPS)
    train[PRICE] = np.rint(np.exp(noisy_log_price)).astype(np.int64)
    test = _with_gaps(test_rng, draw_houses(test_rng, n_test_rows), _GAPS | _TEST_GAPS)
    train.insert(0, ID, np.arange(1, n_rows + 1))
    test.insert(0, ID, np.arange(n_rows + 1, n_rows + n_test_rows + 1))
    return Sample(train, test, NOISE_FLOOR)


def write_sample(folder: Path, n_rows: int = 1460, n_test_rows: int = 1459, seed: int = 0) -> Sample:
    """Write train.csv, test.csv and sample_submission.csv in Kaggle's layout; each appears whole or not at all.

    The sample submission prices each test house at the median of the training prices.

    Raises:
        SettingsError: as `draw_sample`.
    """
    sample = draw_sample(n_rows, n_test_rows, seed)
    submission = pd.DataFrame({ID: sample.test[ID], PRICE: float(sample.train[PRICE].median())})
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("train", sample.train), ("test", sample.test), ("sample_submission", submission)):
        path = folder / f"{name}.csv"
        part = folder / f".{name}.{os.getpid()}.part"
        try:
            table.to_csv(part, index=False, na_rep="NA", lineterminator="\n")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return sample


def _with_gaps(rng: np.random.Generator, houses: pd.DataFrame, shares: dict[str, float]) -> pd.DataFrame:
    """A copy with true gaps: the frontage, more often where the lot is irregular, and `shares` of other columns."""
    n_rows = len(houses)
    gapped = houses.astype({"LotFrontage": "Int64", "MasVnrArea": "Int64"})
    p_frontage = np.where(houses["LotShape"] == "Reg", 0.10, 0.30)
    gapped.loc[rng.random(n_rows) < p_frontage, "LotFrontage"] = pd.NA
    for name, share in shares.items():
        rows = rng.random(n_rows) < share
        gapped.loc[rows, [name, "MasVnrArea"] if name == "MasVnrType" else [name]] = pd.NA
    return gapped
