"""Custom features learn from training rows alone and are scaled like numbers; a fault in their file is one line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprices.errors import ColumnsError
from houseprices.preprocessing.columns import BLOCKS, CUSTOM
from houseprices.preprocessing.custom_features import CustomFile, read_custom_file
from houseprices.preprocessing.features import HouseFeatures
from houseprices.preprocessing.houses import house_array

FUNCTION = """
import pandas as pd
def features(houses):
    return pd.DataFrame({"built": houses["YearBuilt"], "big": houses["LotArea"] > 9000}, index=houses.index)
"""
TRANSFORMER = """
class Features:
    def fit(self, houses, log_price):
        self.mean = log_price.mean()
        return self
    def transform(self, houses):
        return houses[["OverallQual"]].astype("float64").fillna(0) - self.mean
"""


def custom(source: str) -> CustomFile:
    return CustomFile(Path("mine.py"), source.encode())


def returning(expression: str) -> str:
    """Return a file whose function returns the expression."""
    return f"import numpy as np\nimport pandas as pd\ndef features(houses):\n    return {expression}\n"


def test_custom_columns_stand_last_and_are_scaled_like_the_number_that_they_copy(houses, log_price):
    features = HouseFeatures(BLOCKS, custom=custom(FUNCTION)).fit(houses, log_price)
    names, matrix = list(features.get_feature_names_out()), features.transform(houses)
    assert names[-2:] == ["custom: built", "custom: big"]
    np.testing.assert_array_equal(matrix[:, -2], matrix[:, names.index("YearBuilt")])
    np.testing.assert_array_equal(matrix[:, :-2], HouseFeatures(BLOCKS).fit(houses).transform(houses))
    assert features.block_columns([CUSTOM]).tolist() == [len(names) - 2, len(names) - 1]
    assert len(features.block_columns([*BLOCKS, CUSTOM])) == matrix.shape[1]
    # Their attributions go to an effect of their own.
    shares = features.raw_shares()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(shares[:-2, :79], HouseFeatures(BLOCKS).fit(houses).raw_shares())
    np.testing.assert_array_equal(shares[:, 79], np.arange(len(names)) >= len(names) - 2)


def test_a_class_gets_the_training_rows_with_their_gaps_and_their_log_prices(houses, log_price, capsys):
    source = (
        "class Features:\n"
        "    def fit(self, houses, log_price):\n"
        "        print(houses.to_csv(), log_price.to_csv())\n"
        "        houses['LotArea'] = 0.0\n"
        "    def transform(self, houses):\n"
        "        return houses[['LotArea']] + 0\n"
    )
    training = houses.iloc[::2]
    fitted = custom(source).fit(house_array(training), log_price[::2])
    prices = pd.Series(log_price[::2], training.index, name="log_price")
    assert capsys.readouterr().out == f"{training.to_csv()} {prices.to_csv()}\n"
    # What the file does to its table has no effect elsewhere.
    np.testing.assert_array_equal(fitted.transform(house_array(training))[:, 0], training["LotArea"])


def test_the_file_is_executed_again_for_each_fit_and_may_define_dataclasses_with_quoted_types(
    houses, log_price, capsys
):
    quoted = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    a: int\n"
    for _ in range(2):
        fitted = custom(quoted + "print('executed')\n" + FUNCTION).fit(house_array(houses), log_price)
        assert fitted.names == ["built", "big"]
    assert capsys.readouterr().out == "executed\n" * 2


@pytest.mark.parametrize("source", [FUNCTION, TRANSFORMER])
def test_saved_scaling_and_a_fit_on_the_same_rows_have_the_same_bits(houses, log_price, source):
    features = HouseFeatures(custom=custom(source)).fit(houses, log_price)
    saved = json.loads(json.dumps(features.to_dict()))
    again = HouseFeatures.from_dict(saved, custom(source).fit(house_array(houses), log_price))
    np.testing.assert_array_equal(again.transform(houses), features.transform(houses))
    assert again.to_dict() == saved
    with pytest.raises(ValueError, match="custom features without a file"):
        HouseFeatures.from_dict(saved)


def test_a_file_that_computes_other_numbers_than_in_the_run_is_refused(houses, log_price):
    array = house_array(houses)
    saved = HouseFeatures(custom=custom(TRANSFORMER)).fit(houses, log_price).to_dict()
    with pytest.raises(ColumnsError, match=r"^mine\.py: column OverallQual: has other numbers than in the run; acc"):
        HouseFeatures.from_dict(saved, custom(TRANSFORMER).fit(array, log_price + 1))
    with pytest.raises(ColumnsError, match=r"^mine\.py: returns the columns built, big after OverallQual; accepted: "):
        HouseFeatures.from_dict(saved, custom(FUNCTION).fit(array, log_price))


WRONG = {
    "no python": ("def features(:\n", "mine.py: line 1: invalid syntax"),
    "null byte": ("\0", "null bytes; accepted: Python"),
    "fails at import": ("import absent_library\n", "mine.py: line 1: ModuleNotFoundError: No module named 'absent_lib"),
    "exits": ("raise SystemExit(3)\n", "mine.py: line 1: SystemExit: 3; accepted: code that runs"),
    "nothing": ("x = 1\n", "mine.py: has neither a function features and a class Features; accepted: one of the two"),
    "old name": ("def columns(houses): ...\n", "class Features (columns is now called features, and Columns Features)"),
    "both": (FUNCTION + TRANSFORMER, "mine.py: has both a function features and a class Features; accepted: one of"),
    "no function": ("features = 1\n", "mine.py: features: TypeError: 'int' object is not callable"),
    "no fit": ("class Features:\n    transform = print\n", "mine.py: Features: has no method fit; accepted: fit(hou"),
    "fit takes less": (
        "class Features:\n    def fit(self, houses): ...\n    transform = fit\n",
        "mine.py: Features.fit: TypeError: Features.fit() takes 2 positional arguments but 3 were given; accepted: ",
    ),
    "two lines": ("def features(houses):\n    raise ValueError('a\\nb')\n", "line 2, features: ValueError: a b"),
    "unknown column": (returning("houses[['Area']]"), "mine.py: line 4, features: KeyError: "),
    "series": (returning("houses['LotArea']"), "mine.py: returns Series; accepted: a DataFrame of finite numbers"),
    "short": (returning("houses[['LotArea']].iloc[1:]"), "mine.py: returns 47 rows for 48 houses; accepted: a Data"),
    "index": (returning("houses[['LotArea']].iloc[::-1]"), "mine.py: returns rows with another index (Id); acc"),
    "no columns": (returning("houses[[]]"), "mine.py: returns the columns (none); accepted: "),
    "twice": (returning("houses[['LotArea', 'LotArea']]"), "mine.py: returns the columns LotArea, LotArea; accepted"),
    "words": (returning("houses[['Street']]"), "mine.py: column Street: has the type category; accepted: numbers or"),
    "complex": (returning("houses[['LotArea']] * 1j"), "mine.py: column LotArea: has the type complex128; accepted"),
    "infinite": (returning("houses[['LotArea']] * np.inf"), " has inf (and 47 more); accepted: a finite number for"),
    "whole table": (returning("houses[['LotArea']] - houses['LotArea'].mean()"), "mine.py: column LotArea: house "),
    "ranks": (returning("houses[['LotArea']].rank()"), "by itself; Features.fit may learn from all training rows"),
    "other names": (returning("houses[['LotArea']].add_prefix(str(len(houses)))"), "returns the columns 24LotArea aft"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_fault_of_a_file_is_one_line(houses, log_price, case):
    source, message = WRONG[case]
    with pytest.raises(ColumnsError) as error:
        custom(source).fit(house_array(houses), log_price)
    text = str(error.value)
    assert message in text
    assert text.startswith("mine.py: ")
    assert "; accepted: " in text
    assert "\n" not in text


def test_new_houses_are_checked_like_training_rows(houses, log_price):
    frontage = "houses[['LotFrontage']].fillna(0)"
    fitted = custom(returning(f"{frontage} / ({frontage} != 12345)")).fit(house_array(houses), log_price)
    odd = houses.assign(LotFrontage=houses["LotFrontage"].mask(houses.index == houses.index[7], 12345.0))
    with pytest.raises(ColumnsError, match=rf"^mine\.py: column LotFrontage: house {houses.index[7]} has inf; acc"):
        fitted.transform(house_array(odd))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    for path, reason in ((tmp_path / "absent.py", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ColumnsError, match=f"{reason}.*; accepted: a Python file") as error:
            read_custom_file(path)
        assert str(error.value).startswith(f"{path}: ")
