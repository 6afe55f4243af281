"""A valid file is read as it stands; a corrupted one is refused with each fault's file, line, column and value."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import N_ROWS, Writer

from houseprices.data.schema import BY_NAME, FEATURES, ID, NOT_APPLICABLE, PRICE
from houseprices.data.table import house_parts, read_houses
from houseprices.errors import DataError


def faults_of(file: Path, *, priced: bool = True) -> list[str]:
    with pytest.raises(DataError) as error:
        read_houses(file, priced=priced)
    return error.value.faults


def one_fault(file: Path, *, priced: bool = True) -> str:
    faults = faults_of(file, priced=priced)
    assert len(faults) == 1, faults
    return faults[0]


def rewrite(file: Path, lines: list[str]) -> Path:
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


# ---- a valid file ----


def test_the_typed_table_has_the_schemas_columns_and_the_files_rows(
    houses: pd.DataFrame, raw_train: pd.DataFrame
) -> None:
    assert list(houses.columns) == [*BY_NAME, PRICE]
    assert houses.index.name == ID
    assert houses.index.tolist() == raw_train[ID].astype(int).tolist()
    assert houses[PRICE].tolist() == raw_train[PRICE].astype(float).tolist()
    for feature in FEATURES:
        levels = pd.CategoricalDtype(list(feature.levels), feature.kind == "ordinal")
        assert houses[feature.name].dtype == (np.float64 if feature.kind == "number" else levels)


def test_cells_are_read_as_they_stand(houses: pd.DataFrame, raw_train: pd.DataFrame) -> None:
    """The sample's records contradict themselves nowhere, so nothing but its true gaps may differ from the text."""
    for feature in FEATURES:
        text, typed = raw_train[feature.name], houses[feature.name]
        is_gap = (text == "NA") & (NOT_APPLICABLE not in feature.levels)
        assert typed.isna().to_numpy().tolist() == is_gap.tolist(), feature.name
        known = text[~is_gap.to_numpy()]
        expected = known.astype(float).tolist() if feature.kind == "number" else known.tolist()
        assert typed[~is_gap.to_numpy()].tolist() == expected, feature.name


@pytest.mark.parametrize(
    ("column", "alias", "level"),
    [(feature.name, *pair) for feature in FEATURES for pair in feature.aliases.items()],
)
def test_an_alias_is_read_as_the_level_that_it_stands_for(
    column: str, alias: str, level: str, raw_train: pd.DataFrame, write_csv: Writer
) -> None:
    raw_train.loc[[0, 1], column] = [alias, level]
    typed = read_houses(write_csv(raw_train), priced=True)[column]
    assert typed.iloc[0] == typed.iloc[1] == level


def test_a_table_read_in_parts_is_the_table_and_an_id_may_not_stand_again_in_a_later_part(
    raw_test: pd.DataFrame, write_csv: Writer
) -> None:
    file = write_csv(raw_test, "test.csv")
    with file.open("rb") as stream:
        parts = list(house_parts(stream, "test.csv", priced=False, rows_at_once=7))
    assert [len(part) for part in parts] == [7, 7, 6]
    pd.testing.assert_frame_equal(pd.concat(parts), read_houses(file, priced=False))
    file = write_csv(pd.concat([raw_test, raw_test.iloc[:1]]), "test.csv")
    with file.open("rb") as stream, pytest.raises(DataError, match="accepted: each Id once"):
        list(house_parts(stream, "test.csv", priced=False, rows_at_once=len(raw_test)))


# ---- a corrupted cell ----

AREA, PRICE_USD = "a number from 20 to 100000000000, or NA", "a price from 1 to 100000000000 dollars"


@pytest.mark.parametrize(
    ("column", "value", "accepted"),
    [
        *((("LotArea", value, AREA)) for value in ("big", "9.04", "inf", "-inf", "9,600", "True", "0x10")),
        ("GrLivArea", "1e999", "a number from 10 to 10000000, or NA"),
        ("GarageArea", "-1", "a number from 0 to 10000000, or NA"),
        ("OverallQual", "11", "a whole number from 1 to 10, or NA"),
        ("MoSold", "6.7", "a whole number from 1 to 12, or NA"),
        ("YearBuilt", "19995", "a whole number from 1000 to 2100, or NA"),
        ("Street", "paved", "one of Grvl, Pave, NA"),
        ("PavedDrive", "True", "one of N, P, Y, NA"),
        ("ExterQual", "Best", "one of Po, Fa, TA, Gd, Ex, NA"),
        ("MSSubClass", "21", "one of 20, 30, 40, 45, 50, 60, 70, 75, 80, 85, 90, 120, 150, 160, 180, 190, NA"),
        *(((PRICE, value, PRICE_USD)) for value in ("0", "-200000", "NA", "inf", "cheap", "1e-300", "1e308")),
        *(((ID, value, "a whole number")) for value in ("NA", "x7", "-4", "4.5")),
    ],
)
def test_a_refused_cell_is_named_with_file_line_id_column_value_and_what_is_accepted(
    column: str, value: str, accepted: str, raw_train: pd.DataFrame, write_csv: Writer
) -> None:
    raw_train.loc[3, column] = value
    file = write_csv(raw_train)
    house = raw_train.loc[3, ID]
    # Line 1 is the header, so row 3 stands in line 5.
    assert one_fault(file) == f"{file}: line 5 (Id {house}), column {column}: {value!r}; accepted: {accepted}"


@pytest.mark.parametrize("spelling", ["{}", "0{}", "{}.0"])
def test_an_id_that_stands_twice_is_named_where_it_stands_again(
    spelling: str, raw_train: pd.DataFrame, write_csv: Writer
) -> None:
    raw_train.loc[3, ID] = spelling.format(raw_train.loc[1, ID])
    fault = one_fault(write_csv(raw_train))
    assert re.search(r"train\.csv: line 5 .*column Id: .*; accepted: each Id once$", fault)


def test_all_faults_are_reported_at_once_in_the_files_order(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    for row, column, value in ((7, "MSZoning", "RX"), (2, "LotArea", "big"), (0, "Street", "Dirt"), (7, PRICE, "0")):
        raw_train.loc[row, column] = value
    file = write_csv(raw_train)
    lines = file.read_text("utf-8").splitlines()
    faults = faults_of(rewrite(file, [*lines[:5], "", "", *lines[5:]]))
    named = [re.search(r"line (\d+) .*column (\w+):", fault) for fault in faults]
    assert [(match[1], match[2]) for match in named if match] == [
        ("2", "Street"),
        ("4", "LotArea"),
        ("11", "MSZoning"),
        ("11", PRICE),
    ]


# ---- corrupted columns and no table at all ----


@pytest.mark.parametrize("column", [ID, PRICE, "LotArea"])
def test_a_missing_column_is_named(column: str, raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train.drop(columns=column))
    assert one_fault(file).startswith(f"{file}: column {column} is missing; accepted: ")


@pytest.mark.parametrize("name", ["", "absent.csv", "absent/train.csv"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    reason = "no such file" if name else "Is a directory"
    assert one_fault(tmp_path / name).startswith(f"{tmp_path / name}: {reason}; accepted: a table with Kaggle's col")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty; accepted: a header line and one line a house"),
        (b"\n \n", "the file is empty; accepted: a header line and one line a house"),
        (b"\xef\xbb\xbf", "the file is empty; accepted: a header line and one line a house"),
        (b"Id,LotArea\n", "there is a header but no rows; accepted: one line a house"),
        (b"\xff\xfeI\x00d", "the file is damaged or encrypted ('utf-16-le' codec can't decode"),
        (b"Id,Street\n7,Pav\xe9\n", "line 2 is not UTF-8 text; accepted: a CSV file in UTF-8"),
        (b'Id,Street\n7,"Pa\n', "line 2: unexpected end of data; accepted: a table separated by commas, semicolons"),
        (b"Id,Street\n1,2\n1\n1\n", "line 3 has 1 fields; accepted: 2, as in the header (also lines 4)"),
        (b"PK\x03\x04 no archive", "the file is damaged or encrypted (File is not a zip file); accepted: "),
        (b"\x1f\x8b no gzip", "Unknown compression method; accepted: "),
        (b"PAR1 no parquet", "no library for parquet; accepted: pip install pyarrow, or a CSV file"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(content: bytes, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_bytes(content)
    assert one_fault(file).startswith(f"{file}: {fault}")


@pytest.mark.parametrize("line", [2, N_ROWS + 1])
@pytest.mark.parametrize("n_fields", [1, 40, 80, 82])
def test_a_line_with_another_number_of_fields_is_named(
    line: int, n_fields: int, raw_train: pd.DataFrame, write_csv: Writer
) -> None:
    file = write_csv(raw_train)
    lines = file.read_text("utf-8").splitlines()
    lines[line - 1] = ",".join([*lines[line - 1].split(","), "7"][:n_fields])
    fault = one_fault(rewrite(file, lines))
    assert fault == f"{file}: line {line} has {n_fields} fields; accepted: 81, as in the header"
