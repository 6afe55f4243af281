"""Ids and log prices -> the CSV that Kaggle accepts."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.data.schema import ID, PRICE
from houseprices.errors import DataError


def submission_table(ids: NDArray[np.int64], log_price: NDArray[np.float64]) -> pd.DataFrame:
    """One row a house, in the given order: Id and SalePrice in dollars, rounded to cents.

    Raises:
        DataError: a price is not finite and positive; names the houses.

    >>> submission_table(np.array([1461]), np.log(np.array([169000.0])))
         Id  SalePrice
    0  1461   169000.0
    """
    with np.errstate(over="ignore"):
        price_usd = np.exp(log_price).round(2)
    bad = ~(np.isfinite(price_usd) & (price_usd > 0))
    if bad.any():
        accepted = "accepted: a finite price above 0 dollars (training diverged? lower the learning rate)"
        faults = zip(ids[bad], price_usd[bad], strict=True)
        raise DataError([f"submission: Id {house}, SalePrice: {price}; {accepted}" for house, price in faults])
    return pd.DataFrame({ID: ids, PRICE: price_usd})
