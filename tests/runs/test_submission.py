"""The submission holds each house once, in the given order, at a price that Kaggle accepts."""

import numpy as np
import pytest

from houseprices.errors import DataError
from houseprices.runs.write import submission_table


def test_ids_keep_their_order_and_each_its_own_price() -> None:
    ids = np.array([1470, 1461, 1465])
    table = submission_table(ids, np.log([100_000.0, 250_000.0, 90_000.0]))
    assert list(table.columns) == ["Id", "SalePrice"]
    assert table["Id"].tolist() == [1470, 1461, 1465]
    assert table["SalePrice"].tolist() == [100_000.0, 250_000.0, 90_000.0]


def test_prices_are_dollars_and_whole_cents() -> None:
    log_price = np.random.default_rng(0).normal(12, 0.4, 200)
    price_usd = submission_table(np.arange(200), log_price)["SalePrice"].to_numpy()
    np.testing.assert_allclose(price_usd, np.exp(log_price), atol=0.005, rtol=0)
    np.testing.assert_allclose(price_usd * 100, np.rint(price_usd * 100), rtol=1e-12)


@pytest.mark.parametrize(
    ("log_price", "price"),
    [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "0.0"), (800.0, "inf"), (-800.0, "0.0"), (-7.0, "0.0")],
)
def test_a_price_that_is_not_finite_and_positive_is_refused_by_id(log_price: float, price: str) -> None:
    with pytest.raises(DataError, match=f"Id 1463, SalePrice: {price}; accepted: a finite price above 0 dollars"):
        submission_table(np.array([1461, 1463, 1462]), np.array([12.0, log_price, 11.0]))


def test_all_refused_houses_are_named_and_no_other() -> None:
    with pytest.raises(DataError) as error:
        submission_table(np.array([11, 12, 13, 14]), np.array([12.0, np.nan, np.inf, 11.0]))
    message = str(error.value)
    assert "Id 12, SalePrice: nan" in message
    assert "Id 13, SalePrice: inf" in message
    assert "Id 11" not in message
    assert "Id 14" not in message
