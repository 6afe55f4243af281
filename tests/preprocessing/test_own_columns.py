"""Own columns learn from training rows alone, are scaled like other numbers, and a fault in their file is one line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprices.errors import ColumnsError
from houseprices.preprocessing.blocks import ALL_COLUMNS, BLOCKS, OWN, block_indices, raw_shares
from houseprices.preprocessing.house_array import house_array
from houseprices.preprocessing.house_features import HouseFeatures
from houseprices.preprocessing.own_columns import ColumnsFile, read_columns_file

FUNCTION = """
import pandas as pd
def columns(houses):
    return pd.DataFrame({"built": houses["YearBuilt"], "big": houses["LotArea"] > 9000}, index=houses.index)
"""
LEARNER = """
class Columns:
    def fit(self, houses, log_price):
        self.mean = log_price.mean()
        return self
    def transform(self, houses):
        return houses[["OverallQual"]].astype("float64").fillna(0) - self.mean
"""


def of(source: str) -> ColumnsFile:
    return ColumnsFile(Path("mine.py"), source.encode())


def gives(expression: str) -> str:
    """A file whose function gives the expression."""
    return f"import numpy as np\nimport pandas as pd\ndef columns(houses):\n    return {expression}\n"


@pytest.fixture
def log_price(houses: pd.DataFrame) -> np.ndarray:
    return np.log(houses["SalePrice"].to_numpy())


def test_own_columns_stand_last_and_are_scaled_as_the_number_that_they_copy(houses, log_price):
    features = HouseFeatures(own=of(FUNCTION)).fit(houses, log_price)
    names = list(features.get_feature_names_out())
    assert names[len(ALL_COLUMNS) :] == ["own: built", "own: big"]
    matrix = features.transform(houses)
    np.testing.assert_array_equal(matrix[:, names.index("own: built")], matrix[:, names.index("YearBuilt")])
    np.testing.assert_array_equal(matrix[:, : len(ALL_COLUMNS)], HouseFeatures().fit(houses).transform(houses))
    assert names[len(ALL_COLUMNS) :] == [names[index] for index in block_indices((OWN,), features.n_own)]
    assert len(block_indices((*BLOCKS, OWN), features.n_own)) == matrix.shape[1]


def test_own_columns_are_credited_wholly_and_to_nothing_else():
    shares = raw_shares(2)
    assert shares.shape == (len(ALL_COLUMNS) + 2, 80)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(shares[:-2, :79], raw_shares())
    assert (shares[-2:, 79] == 1).all()


def test_a_class_is_given_the_training_rows_and_their_log_prices_as_they_were_read(houses, log_price):
    seen = (
        "class Columns:\n"
        "    def fit(self, houses, log_price):\n"
        "        self.seen = houses.copy(), log_price.copy()\n"
        "        houses['LotArea'] = 0.0\n"
        "    def transform(self, houses):\n"
        "        return houses[['LotArea']] + 0\n"
    )
    training = houses.iloc[::2]
    own = of(seen).fit(house_array(training), log_price[::2])
    table, prices = own.compute.__self__.seen
    pd.testing.assert_frame_equal(table, training.drop(columns="SalePrice"))
    assert prices.index.equals(training.index)
    np.testing.assert_array_equal(prices, log_price[::2])
    # What the file does to its table is its own business.
    np.testing.assert_array_equal(own.transform(house_array(training))[:, 0], training["LotArea"])


def test_nothing_is_carried_from_one_fit_to_the_next(houses, log_price):
    counting = "calls = []\n" + gives("(calls.append(1), houses[['LotArea']])[1]")
    file, array = of(counting), house_array(houses)
    first, second = file.fit(array, log_price), file.fit(array, log_price)
    assert first.compute.__globals__["calls"] is not second.compute.__globals__["calls"]


def test_dataclasses_with_quoted_types_are_accepted(houses, log_price):
    quoted = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    a: int\n"
    assert of(quoted + FUNCTION).fit(house_array(houses), log_price).names == ("built", "big")


@pytest.mark.parametrize("source", [FUNCTION, LEARNER])
def test_saved_scales_and_a_fit_on_the_same_rows_give_the_same_bits(houses, log_price, source):
    features = HouseFeatures(own=of(source)).fit(houses, log_price)
    saved = json.loads(json.dumps(features.to_dict()))
    again = HouseFeatures.from_dict(saved, of(source).fit(house_array(houses), log_price))
    np.testing.assert_array_equal(again.transform(houses), features.transform(houses))
    assert again.to_dict() == saved
    with pytest.raises(ValueError, match="own columns without a file"):
        HouseFeatures.from_dict(saved)


def test_a_file_that_gives_other_numbers_than_it_gave_is_refused(houses, log_price):
    array = house_array(houses)
    saved = HouseFeatures(own=of(LEARNER)).fit(houses, log_price).to_dict()
    with pytest.raises(ColumnsError, match=r"^mine\.py: column OverallQual: has other numbers than in the run; acc"):
        HouseFeatures.from_dict(saved, of(LEARNER).fit(array, log_price + 1))
    with pytest.raises(ColumnsError, match=r"^mine\.py: gives the columns built, big after OverallQual; accepted: "):
        HouseFeatures.from_dict(saved, of(FUNCTION).fit(array, log_price))


WRONG = {
    "no python": ("def columns(:\n", "mine.py: line 1: invalid syntax; accepted: Python"),
    "null byte": ("\0", "null bytes; accepted: Python"),
    "fails at import": ("import absent_library\n", "mine.py: line 1: ModuleNotFoundError: No module named 'absent_lib"),
    "leaves": ("raise SystemExit(3)\n", "mine.py: line 1: SystemExit: 3; accepted: code that runs"),
    "nothing": ("x = 1\n", "mine.py: has neither a function columns and a class Columns; accepted: one of the two"),
    "both": (FUNCTION + LEARNER, "mine.py: has both a function columns and a class Columns; accepted: one of the two"),
    "no fit": ("class Columns:\n    transform = print\n", "mine.py: Columns: has no method fit; accepted: fit(houses"),
    "fit takes less": (
        "class Columns:\n    def fit(self, houses): ...\n    transform = fit\n",
        "mine.py: Columns.fit: TypeError: Columns.fit() takes 2 positional arguments but 3 were given; accepted: ",
    ),
    "two lines": ("def columns(houses):\n    raise ValueError('a\\nb')\n", "mine.py: line 2, columns: ValueError: a b"),
    "unknown column": (gives("houses[['Area']]"), "mine.py: line 4, columns: KeyError: "),
    "series": (gives("houses['LotArea']"), "mine.py: columns: gives Series; accepted: a DataFrame of numbers"),
    "none": ("class Columns:\n    fit = lambda *_: 0\n    def transform(self, houses): ...\n", "transform: gives None"),
    "short": (gives("houses[['LotArea']].iloc[1:]"), "mine.py: columns: gives 47 rows for 48 houses; accepted: a Data"),
    "index": (gives("houses[['LotArea']].iloc[::-1]"), "mine.py: columns: gives its rows another index (Id)"),
    "no columns": (gives("houses[[]]"), "mine.py: columns: gives no columns; accepted: "),
    "twice": (gives("houses[['LotArea', 'LotArea']]"), "mine.py: columns: gives column LotArea twice; accepted: each"),
    "words": (gives("houses[['Street']]"), "mine.py: column Street: has the type category; accepted: numbers or truth"),
    "complex": (gives("houses[['LotArea']] * 1j"), "mine.py: column LotArea: has the type complex128; accepted"),
    "NaN": (gives("houses[['LotArea']].replace(houses['LotArea'].iloc[3], np.nan)"), "mine.py: column LotArea: house "),
    "infinite": (gives("houses[['LotArea']] * np.inf"), " has inf (and 47 more); accepted: a finite number for"),
    "whole table": (gives("houses[['LotArea']] - houses['LotArea'].mean()"), "learnt of many belongs in Columns.fit"),
    "ranks": (gives("houses[['LotArea']].rank()"), "mine.py: column LotArea: house "),
    "other names": (gives("houses[['LotArea']].add_prefix(str(len(houses)))"), "gives the columns 24LotArea after"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_file_is_one_line(houses, log_price, case):
    source, told = WRONG[case]
    with pytest.raises(ColumnsError) as error:
        of(source).fit(house_array(houses), log_price)
    text = str(error.value)
    assert told in text
    assert text.startswith("mine.py: ")
    assert "; accepted: " in text
    assert "\n" not in text


def test_new_houses_are_checked_like_the_training_rows(houses, log_price):
    array = house_array(houses)
    own = of(gives("houses[['LotFrontage']].fillna(0) / (houses[['LotFrontage']].fillna(0) != 12345)")).fit(
        array, log_price
    )
    odd = houses.assign(LotFrontage=houses["LotFrontage"].mask(houses.index == houses.index[7], 12345.0))
    with pytest.raises(ColumnsError, match=rf"^mine\.py: column LotFrontage: house {houses.index[7]} has inf; acc"):
        own.transform(house_array(odd))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    for path, reason in ((tmp_path / "absent.py", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ColumnsError, match=f"{reason}.*; accepted: a Python file") as error:
            read_columns_file(path)
        assert str(error.value).startswith(f"{path}: ")
