import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def log_price(raw_train: pd.DataFrame) -> np.ndarray:
    """Log prices of `houses`, (48,)."""
    return np.log(raw_train["SalePrice"].astype("float64").to_numpy())


@pytest.fixture
def houses(houses: pd.DataFrame) -> pd.DataFrame:
    """The typed table without prices, (48, 79)."""
    return houses.drop(columns="SalePrice")
