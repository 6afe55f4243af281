"""A valid file is read as it stands; a spoilt one is refused with each fault's file, line, column and value."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import N_ROWS, Writer

from houseprices.data.schema import BY_NAME, FEATURES, ID, NOT_APPLICABLE, PRICE
from houseprices.data.table import read_houses
from houseprices.errors import DataError


def faults_of(file: Path, *, priced: bool = True) -> list[str]:
    with pytest.raises(DataError) as error:
        read_houses(file, priced=priced)
    return error.value.faults


def one_fault(file: Path, *, priced: bool = True) -> str:
    faults = faults_of(file, priced=priced)
    assert len(faults) == 1, faults
    return faults[0]


def lines_of(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()


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
        if feature.kind == "number":
            assert houses[feature.name].dtype == np.float64
        else:
            assert houses[feature.name].dtype == pd.CategoricalDtype(feature.levels, feature.kind == "ordinal")


def test_a_test_file_has_no_price(raw_test: pd.DataFrame, write_csv: Writer) -> None:
    assert list(read_houses(write_csv(raw_test), priced=False).columns) == list(BY_NAME)


def test_cells_are_read_as_they_stand(houses: pd.DataFrame, raw_train: pd.DataFrame) -> None:
    """The sample's records contradict themselves nowhere, so nothing but its true gaps may differ from the text."""
    for feature in FEATURES:
        text, typed = raw_train[feature.name], houses[feature.name]
        is_gap = (text == "NA") & (NOT_APPLICABLE not in feature.levels)
        assert typed.isna().to_numpy().tolist() == is_gap.tolist(), feature.name
        kept = ~is_gap.to_numpy()
        if feature.kind == "number":
            assert typed[kept].tolist() == text[kept].astype(float).tolist(), feature.name
        else:
            assert typed[kept].tolist() == text[kept].tolist(), feature.name


@pytest.mark.parametrize("spoil", ["byte order mark", "CRLF", "both", "no last line end", "quoted cells"])
def test_encoding_marks_and_line_ends_do_not_matter(
    spoil: str, raw_train: pd.DataFrame, houses: pd.DataFrame, write_csv: Writer
) -> None:
    file = write_csv(raw_train, "other.csv")
    if spoil == "quoted cells":
        raw_train.to_csv(file, index=False, quoting=1)
    content = file.read_bytes()
    if spoil in ("CRLF", "both"):
        content = content.replace(b"\n", b"\r\n")
    if spoil in ("byte order mark", "both"):
        content = b"\xef\xbb\xbf" + content
    if spoil == "no last line end":
        content = content.rstrip(b"\n")
    file.write_bytes(content)
    pd.testing.assert_frame_equal(read_houses(file, priced=True), houses)


def test_the_order_of_columns_does_not_matter(raw_train: pd.DataFrame, houses: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train[raw_train.columns[::-1]], "reversed.csv")
    pd.testing.assert_frame_equal(read_houses(file, priced=True), houses)


ALIASES = [
    (feature.name, alias, level)
    for feature in FEATURES
    if feature.kind != "number"
    for alias, level in feature.aliases.items()
]


@pytest.mark.parametrize(("column", "alias", "level"), ALIASES)
def test_an_alias_is_read_as_the_level_that_it_stands_for(
    column: str, alias: str, level: str, raw_train: pd.DataFrame, write_csv: Writer
) -> None:
    raw_train.loc[[0, 1], column] = [alias, level]
    typed = read_houses(write_csv(raw_train), priced=True)[column]
    assert typed.iloc[0] == typed.iloc[1] == level


def test_none_is_a_level_of_the_masonry_veneer_and_na_a_gap(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    raw_train.loc[[0, 1], "MasVnrType"] = ["None", "NA"]
    raw_train.loc[[0, 1], "MasVnrArea"] = ["0", "NA"]
    veneer = read_houses(write_csv(raw_train), priced=True)["MasVnrType"]
    assert veneer.iloc[0] == "None"
    assert pd.isna(veneer.iloc[1])


def test_na_is_an_answer_about_an_alley_and_an_empty_cell_a_gap(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    raw_train.loc[[0, 1, 2], "Alley"] = ["NA", "Grvl", ""]
    raw_train.loc[[0, 1], "LotFrontage"] = ["NA", ""]
    typed = read_houses(write_csv(raw_train), priced=True)
    assert typed["Alley"].iloc[:2].tolist() == ["NA", "Grvl"]
    assert pd.isna(typed["Alley"].iloc[2])
    assert typed["LotFrontage"].iloc[:2].isna().all()


# ---- a spoilt cell ----

AREA, PRICE_USD = "a number from 1 to 100000000000, or NA", "a price from 1 to 100000000000 dollars"


@pytest.mark.parametrize(
    ("column", "value", "accepted"),
    [
        ("LotArea", "big", AREA),
        ("LotArea", "0", AREA),
        ("LotArea", "inf", AREA),
        ("LotArea", "-inf", AREA),
        ("LotArea", "nan", AREA),
        ("LotArea", "9,600", AREA),
        ("GrLivArea", "1e999", "a number from 1 to 10000000, or NA"),
        ("GarageArea", "-1", "a number from 0 to 10000000, or NA"),
        ("TotalBsmtSF", "1e308", "a number from 0 to 10000000, or NA"),
        ("OverallQual", "11", "a whole number from 1 to 10, or NA"),
        ("OverallQual", "5.5", "a whole number from 1 to 10, or NA"),
        ("MoSold", "13", "a whole number from 1 to 12, or NA"),
        ("MoSold", "6.7", "a whole number from 1 to 12, or NA"),
        ("BedroomAbvGr", "0.5", "a whole number from 0 to 2000, or NA"),
        ("YearBuilt", "19995", "a whole number from 1000 to 2100, or NA"),
        ("Street", "Pavd", "one of Grvl, Pave, NA"),
        ("Street", "pave", "one of Grvl, Pave, NA"),
        ("Street", " Pave", "one of Grvl, Pave, NA"),
        ("PavedDrive", "None", "one of N, P, Y, NA"),
        ("ExterQual", "Best", "one of Po, Fa, TA, Gd, Ex, NA"),
        ("MSSubClass", "21", "one of 20, 30, 40, 45, 50, 60, 70, 75, 80, 85, 90, 120, 150, 160, 180, 190, NA"),
        ("SalePrice", "0", PRICE_USD),
        ("SalePrice", "-200000", PRICE_USD),
        ("SalePrice", "", PRICE_USD),
        ("SalePrice", "NA", PRICE_USD),
        ("SalePrice", "inf", PRICE_USD),
        ("SalePrice", "cheap", PRICE_USD),
        ("SalePrice", "1e-300", PRICE_USD),
        ("SalePrice", "1e308", PRICE_USD),
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


@pytest.mark.parametrize("value", ["", "NA", "x7", "-4", "4.0", " 4"])
def test_an_id_that_is_no_whole_number_is_named(value: str, raw_train: pd.DataFrame, write_csv: Writer) -> None:
    raw_train.loc[3, ID] = value
    fault = one_fault(write_csv(raw_train))
    assert "train.csv: line 5" in fault
    assert fault.endswith(f"column Id: {value!r}; accepted: a whole number")


@pytest.mark.parametrize("spelling", ["{}", "0{}"])
def test_an_id_that_stands_twice_is_named_where_it_stands_again(
    spelling: str, raw_train: pd.DataFrame, write_csv: Writer
) -> None:
    raw_train.loc[3, ID] = spelling.format(raw_train.loc[1, ID])
    fault = one_fault(write_csv(raw_train))
    assert "train.csv: line 5" in fault
    assert fault.endswith(f"column Id: {raw_train.loc[3, ID]!r}; accepted: each Id once")


def test_all_faults_are_reported_at_once_in_the_files_order(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    raw_train.loc[7, "MSZoning"] = "RX"
    raw_train.loc[2, "LotArea"] = "big"
    raw_train.loc[0, "Street"] = "Dirt"
    raw_train.loc[7, "SalePrice"] = "0"
    faults = faults_of(write_csv(raw_train))
    assert len(faults) == 4
    for fault, line in zip(faults, (2, 4, 9, 9), strict=True):
        assert f"line {line} (" in fault
    assert {fault.partition("column ")[2].partition(":")[0] for fault in faults[2:]} == {"MSZoning", "SalePrice"}


def test_very_many_faults_are_counted_and_the_first_ones_shown(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    raw_train["LotArea"] = "big"
    with pytest.raises(DataError) as error:
        read_houses(write_csv(raw_train), priced=True)
    assert len(error.value.faults) == N_ROWS
    lines = str(error.value).splitlines()
    assert len(lines) == DataError.SHOWN + 1
    assert lines[-1] == f"and {N_ROWS - DataError.SHOWN} more faults"


def test_blank_lines_are_left_out_and_still_counted(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    raw_train.loc[3, "Street"] = "Dirt"
    file = write_csv(raw_train)
    lines = lines_of(file)
    rewrite(file, [*lines[:2], "", "", *lines[2:]])
    assert "line 7 (" in one_fault(file)


# ---- spoilt columns ----


@pytest.mark.parametrize("column", [ID, PRICE, "LotArea", "SaleCondition"])
def test_a_missing_column_is_named(column: str, raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train.drop(columns=column))
    assert one_fault(file).startswith(f"{file}: column {column} is missing")


def test_a_misspelt_column_is_named_with_the_one_it_may_be(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train.rename(columns={"Neighborhood": "Neighbourhood"}))
    missing, unknown = faults_of(file)
    assert missing == f"{file}: column Neighborhood is missing; is it the column 'Neighbourhood'?"
    assert unknown == f"{file}: column 'Neighbourhood' is unknown; accepted: the nearest is Neighborhood"


def test_an_extra_column_is_named(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    fault = one_fault(write_csv(raw_train.assign(Colour="red")))
    assert "column 'Colour' is unknown" in fault
    assert "accepted: Id and the 79 features" in fault


def test_a_column_that_stands_twice_is_refused(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    assert "LotArea" in one_fault(write_csv(pd.concat([raw_train, raw_train[["LotArea"]]], axis=1)))


def test_prices_in_a_test_file_are_refused(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train, "test.csv")
    fault = one_fault(file, priced=False)
    assert fault == f"{file}: column SalePrice is present; accepted: a test file has no prices"


def test_all_faulty_columns_are_reported_at_once(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    spoilt = raw_train.drop(columns=["Street", PRICE]).assign(Colour="red")
    assert len(faults_of(write_csv(spoilt))) == 3


# ---- no table at all ----


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    assert one_fault(tmp_path) == f"{tmp_path}: Is a directory; accepted: a CSV file with Kaggle's columns"


@pytest.mark.parametrize("name", ["absent.csv", "absent/train.csv"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    fault = one_fault(tmp_path / name)
    assert fault == f"{tmp_path / name}: no such file; accepted: a CSV file with Kaggle's columns"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_bytes(content)
    assert one_fault(file) == f"{file}: the file is empty; accepted: a header line and one line a house"


def test_a_header_without_rows_is_refused(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train.iloc[:0])
    assert one_fault(file) == f"{file}: there is a header but no rows; accepted: one line a house"


@pytest.mark.parametrize(("delimiter", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_a_wrong_delimiter_is_named(delimiter: str, name: str, raw_train: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    raw_train.to_csv(file, index=False, sep=delimiter)
    assert one_fault(file) == f"{file}: the columns are separated by {name}; accepted: commas"


@pytest.mark.parametrize("line", [2, 3, N_ROWS + 1])
def test_a_line_with_too_many_fields_is_named(line: int, raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train)
    lines = lines_of(file)
    lines[line - 1] += ",7"
    fault = one_fault(rewrite(file, lines))
    assert fault.startswith(f"{file}: ")
    assert f"line {line} " in fault.replace(",", " ")
    assert "accepted: " in fault


def test_more_fields_than_headings_in_every_line_are_refused(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train)
    header, *rows = lines_of(file)
    faults = faults_of(rewrite(file, [header, *(f"{row},7" for row in rows)]))
    assert faults[0].startswith(f"{file}: line 2")


@pytest.mark.parametrize("n_fields", [1, 40, 80])
def test_a_line_with_too_few_fields_is_named(n_fields: int, raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train)
    lines = lines_of(file)
    lines[4] = ",".join(lines[4].split(",")[:n_fields])
    faults = faults_of(rewrite(file, lines))
    assert all(fault.startswith(f"{file}: line 5") and "accepted: " in fault for fault in faults)


@pytest.mark.parametrize("n_fields", [1, 40, 79])
def test_a_line_of_a_test_file_cut_short_is_no_row_of_gaps(
    n_fields: int, raw_test: pd.DataFrame, write_csv: Writer
) -> None:
    file = write_csv(raw_test, "test.csv")
    lines = lines_of(file)
    lines[4] = ",".join(lines[4].split(",")[:n_fields])
    faults = faults_of(rewrite(file, lines), priced=False)
    assert all(fault.startswith(f"{file}: line 5") for fault in faults)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_that_is_not_utf_8_is_refused(encoding: str, raw_train: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    raw_train.loc[3, "Street"] = "Pavé"
    raw_train.to_csv(file, index=False, encoding=encoding)
    fault = one_fault(file)
    assert fault.startswith(f"{file}: ")
    assert fault.endswith("is not UTF-8 text; accepted: a CSV file in UTF-8")


def test_the_byte_that_is_not_utf_8_is_counted_from_the_files_start(raw_train: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    pd.concat([raw_train] * 100).to_csv(file, index=False)
    content = file.read_bytes()
    assert len(content) > 2**20
    file.write_bytes(content[:-100] + b"\xe9" + content[-100:])
    assert f"byte {len(content) - 100} " in one_fault(file)


def test_an_open_quotation_mark_is_refused(raw_train: pd.DataFrame, write_csv: Writer) -> None:
    file = write_csv(raw_train)
    lines = lines_of(file)
    lines[4] = '"' + lines[4]
    fault = one_fault(rewrite(file, lines))
    assert fault.startswith(f"{file}: ")
    assert "accepted: " in fault


# ---- the genuine files ----


@pytest.mark.real_data
def test_the_genuine_files_are_read_whole(real_train: pd.DataFrame, real_test: pd.DataFrame) -> None:
    assert real_train.shape == (1460, 80)
    assert real_test.shape == (1459, 79)
    assert real_train.index.tolist() == list(range(1, 1461))
    assert real_test.index.tolist() == list(range(1461, 2920))
    # The two huge partial sales that others drop are kept.
    assert real_train.loc[[524, 1299], PRICE].tolist() == [184750, 160000]


@pytest.mark.real_data
def test_the_gaps_of_the_genuine_files_are_the_known_ones(real_train: pd.DataFrame, real_test: pd.DataFrame) -> None:
    assert (real_train["LotFrontage"].isna().sum(), real_test["LotFrontage"].isna().sum()) == (259, 227)
    both = pd.concat([real_train.drop(columns=PRICE), real_test])
    known = {
        "Electrical": [1380],
        "MSZoning": [1916, 2217, 2251, 2905],
        "Utilities": [1916, 1946],
        "Exterior1st": [2152],
        "Exterior2nd": [2152],
        "KitchenQual": [1556],
        "SaleType": [2490],
    }
    for column, ids in known.items():
        assert both.index[both[column].isna()].tolist() == ids, column
    complete = ["Neighborhood", "OverallQual", "GrLivArea", "YearBuilt", "YrSold", "LotArea"]
    assert not both[complete].isna().any(axis=None)


@pytest.mark.real_data
def test_having_none_is_no_gap_in_the_genuine_files(real_train: pd.DataFrame, real_test: pd.DataFrame) -> None:
    both = pd.concat([real_train.drop(columns=PRICE), real_test])
    counts = {"Alley": 2721, "FireplaceQu": 1420, "PoolQC": 2906, "Fence": 2348, "GarageType": 157}
    for column, n_without in counts.items():
        assert (both[column] == NOT_APPLICABLE).sum() == n_without, column
    assert (both["MasVnrType"] == "None").sum() > 1700
