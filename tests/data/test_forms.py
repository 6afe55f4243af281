"""A table in any form gives the typed table of its plain form, value for value, or one line that says why not."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprices.data.forms import MOST_MISSING
from houseprices.data.schema import BY_NAME, FEATURES, ID, PRICE
from houseprices.data.source import HouseTables, read_tables
from houseprices.data.table import read_houses
from houseprices.errors import DataError
from houseprices.progress import Notice, Progress
from houseprices.runs.predict import predict
from houseprices.runs.write import run_main_job
from houseprices.settings import Settings

Tables = dict[str, pd.DataFrame]
LEVELS = [feature.name for feature in FEATURES if feature.kind != "number"]


@pytest.fixture
def tables(raw_train: pd.DataFrame, raw_test: pd.DataFrame) -> Tables:
    """The two tables as text, with some cells that other tools spell otherwise."""
    raw_train.loc[:1, "MSZoning"] = "C (all)"
    raw_train.loc[2:4, ["Exterior1st", "Exterior2nd"]] = "Wd Sdng"
    raw_train.loc[5, ["MasVnrType", "MasVnrArea"]] = ["None", "70"]  # five of Kaggle's houses contradict themselves so
    return {"train": raw_train, "test": raw_test}


def read(folder: Path) -> tuple[HouseTables, list[str]]:
    notices: list[str] = []

    def notify(message: Notice | Progress) -> None:
        assert isinstance(message, Notice)
        notices.append(message.text)

    return read_tables(folder, notify), notices


def write(folder: Path, tables: Tables, **options: object) -> Path:
    folder.mkdir()
    for part, table in tables.items():
        table.to_csv(folder / f"{part}.csv", index=False, **options)
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as error:
        read_tables(folder)
    return str(error.value)


def csv_text(table: pd.DataFrame) -> str:
    return table.to_csv(index=False)


def as_pandas(table: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(csv_text(table)))


def floats(table: pd.DataFrame) -> pd.DataFrame:
    frame = as_pandas(table)
    return frame.astype({name: float for name in frame.columns if frame[name].dtype.kind == "i"})


def renamed(pattern: Callable[[str], str]) -> Callable[[pd.DataFrame], str]:
    return lambda table: csv_text(table.rename(columns=pattern))


def openml(table: pd.DataFrame) -> str:
    quoted = table.map(lambda cell: f"'{cell}'" if " " in cell else cell)
    return "\n" + csv_text(quoted.replace("NA", "?"))


def original(name: str) -> str:
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip()
    return {"YearRemodAdd": "Year Remod/Add", "1stFlrSF": "1st Flr SF", "Id": "Id"}.get(name, spaced)


def decimal_commas(separator: str) -> Callable[[pd.DataFrame], str]:
    return lambda table: floats(table).to_csv(index=False, sep=separator, decimal=",", na_rep="NA")


FORMS: dict[str, tuple[Callable[[pd.DataFrame], str], str]] = {
    "saved again by pandas": (lambda table: csv_text(as_pandas(table)), "gaps are spelled ''"),
    "with pandas' index": (lambda table: table.to_csv(), "columns without a name"),
    "with R's row names": (lambda table: table.assign(X=range(len(table))).to_csv(index=False), "with row numbers"),
    "from OpenML": (openml, "lines above the header"),
    "codes and Ids as floats": (
        lambda table: floats(table).to_csv(index=False, na_rep="NA"),
        "another spelling, such as",
    ),
    **{
        f"gaps spelled {gap}": (lambda table, gap=gap: as_pandas(table).to_csv(index=False, na_rep=gap), repr(gap))
        for gap in ("NaN", "nan", "N/A", "?", "null", "<NA>", "None")
    },
    "De Cock's names": (renamed(original), "another spelling, such as"),
    "R's names": (
        renamed(lambda name: f"X{name}" if name[0].isdigit() else original(name).replace(" ", ".")),
        "another spelling, such as",
    ),
    "a database's names": (renamed(lambda name: original(name).replace(" ", "_").lower()), "another spelling, such as"),
    "quotes and spaces around cells": (
        lambda table: csv_text(table.map(lambda cell: f" '{cell}' ")),
        "another spelling, such as",
    ),
    "booleans": (lambda table: csv_text(table.replace({"CentralAir": {"Y": "True", "N": "FALSE"}})), "'True' for Cent"),
    "levels in lower case": (lambda table: csv_text(table).lower(), "another spelling, such as"),
    "a repeated header": (lambda table: csv_text(table) + ",".join(table.columns), "repeat the header"),
    "Excel's separator line": (lambda table: "sep=;\n" + table.to_csv(index=False, sep=";"), "lines above the header"),
    "semicolons and decimal commas": (decimal_commas(";"), "separated by semicolons"),
    "tabs and decimal commas": (decimal_commas("\t"), "separated by tabs"),
    "columns in another order": (lambda table: csv_text(table[table.columns[::-1]]), ""),
    "Excel's Unicode text": (lambda table: table.to_csv(index=False, sep="\t"), "decoded from UTF-16"),
    "Excel's marks": (lambda table: "\ufeff" + csv_text(table).replace("\n", "\r\n"), ""),
    "quoted cells": (lambda table: table.to_csv(index=False, quoting=1), ""),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_typed_table_of_the_plain_one(form: str, tables: Tables, tmp_path: Path) -> None:
    plain, silence = read(write(tmp_path / "plain", tables))
    assert silence == []
    make, notice = FORMS[form]
    (tmp_path / "form").mkdir()
    for part, table in tables.items():
        # pandas alone can quote a line end within a cell, so the bytes are written as they are.
        encoding = "utf-16" if form == "Excel's Unicode text" else "utf-8"
        (tmp_path / "form" / f"{part}.csv").write_bytes(make(table).encode(encoding))
    other, notices = read(tmp_path / "form")
    pd.testing.assert_frame_equal(other.train, plain.train, check_exact=True)
    pd.testing.assert_frame_equal(other.test, plain.test, check_exact=True)
    assert not notice or any(notice in text for text in notices), notices
    assert other.notices == notices
    # What a run keeps is read back alike, without another word.
    (tmp_path / "kept").mkdir()
    other.write(tmp_path / "kept")
    again, silence = read(tmp_path / "kept")
    pd.testing.assert_frame_equal(again.train, plain.train, check_exact=True)
    assert silence == []


@pytest.mark.real_data
def test_kaggles_files_saved_again_by_pandas_give_the_same_table(real_data: Path, tmp_path: Path) -> None:
    genuine, _ = read(real_data)
    assert genuine.kind == "kaggle"
    tables = {part: pd.read_csv(real_data / f"{part}.csv") for part in ("train", "test")}
    again, _ = read(write(tmp_path / "again", tables))
    pd.testing.assert_frame_equal(again.train, genuine.train, check_exact=True)
    pd.testing.assert_frame_equal(again.test, genuine.test, check_exact=True)


def test_the_original_number_of_a_house_serves_as_its_id(tables: Tables, tmp_path: Path) -> None:
    plain, _ = read(write(tmp_path / "plain", tables))
    for table in tables.values():
        table.insert(0, "Order", np.arange(1, len(table) + 1).astype(str))
    renamed_tables = {part: table.rename(columns={ID: "PID"}) for part, table in tables.items()}
    other, notices = read(write(tmp_path / "other", renamed_tables))
    pd.testing.assert_frame_equal(other.train, plain.train)
    assert [text.partition(": ")[2] for text in notices] == [
        "PID serves as Id",
        "columns without a name, or with row numbers, are left out",
    ]


# ---- containers ----


def gz(folder: Path, part: str, content: bytes) -> None:
    (folder / f"{part}.csv.gz").write_bytes(gzip.compress(content))


def textbook(folder: Path, part: str, content: bytes) -> None:
    (folder / f"kaggle_house_pred_{part}.csv").write_bytes(content)


def one_zip_each(folder: Path, part: str, content: bytes) -> None:
    with zipfile.ZipFile(folder / f"{part}.csv.zip", "w") as archive:
        archive.writestr(f"{part}.csv", content)


def browser_zip(folder: Path, part: str, content: bytes) -> None:
    with zipfile.ZipFile(folder / "house-prices-advanced-regression-techniques (1).zip", "a") as archive:
        archive.writestr(f"{part}.csv", content)


@pytest.mark.parametrize("pack", [gz, textbook, one_zip_each, browser_zip])
def test_a_packed_table_is_read_without_unpacking_by_hand(pack, tables: Tables, tmp_path: Path) -> None:
    plain, _ = read(write(tmp_path / "plain", tables))
    (tmp_path / "packed").mkdir()
    for part, table in tables.items():
        pack(tmp_path / "packed", part, csv_text(table).encode())
    other, notices = read(tmp_path / "packed")
    pd.testing.assert_frame_equal(other.train, plain.train)
    pd.testing.assert_frame_equal(other.test, plain.test)
    assert other.sha256 == plain.sha256
    assert len(notices) == 1


def test_parquet_is_read_where_pandas_has_an_engine(tables: Tables, tmp_path: Path, monkeypatch) -> None:
    plain, _ = read(write(tmp_path / "plain", tables))
    for part in tables:
        (tmp_path / f"{part}.parquet").write_bytes(b"PAR1" + part.encode())
    monkeypatch.setattr(pd, "read_parquet", lambda file: as_pandas(tables[file.getvalue()[4:].decode()]).set_index(ID))
    other, _ = read(tmp_path)
    pd.testing.assert_frame_equal(other.train, plain.train)

    def no_engine(_file: object) -> None:
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", no_engine)
    assert "no library for parquet; accepted: pip install pyarrow, or a CSV file" in refused(tmp_path)


def test_a_plain_table_is_taken_before_a_packed_one_and_two_packed_ones_are_ambiguous(
    tables: Tables, tmp_path: Path
) -> None:
    for part in tables:
        gz(tmp_path, part, b"")
        textbook(tmp_path, part, b"")
    assert "could both be the train table; accepted: one of them, or train.csv" in refused(tmp_path)
    for part, table in tables.items():
        table.to_csv(tmp_path / f"{part}.csv", index=False)
    assert len(read(tmp_path)[0].train) == len(tables["train"])


@pytest.mark.parametrize("damage", ["cut", "flipped", "encrypted", "empty"])
@pytest.mark.parametrize("pack", [gz, one_zip_each])
def test_a_damaged_archive_is_refused_in_one_line(pack, damage: str, tables: Tables, tmp_path: Path) -> None:
    for part, table in tables.items():
        pack(tmp_path, part, csv_text(table).encode() if damage != "empty" else b"")
    file = next(tmp_path.glob("train.*"))
    content = bytearray(file.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    if damage == "encrypted":
        content[6] |= 1
        content[content.rfind(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(content)
    if damage == "encrypted" and pack is gz:
        return
    line = refused(tmp_path)
    assert line.startswith(f"{file}: ")
    assert "\n" not in line


# ---- too much or too little ----


def test_unknown_columns_are_ignored_with_one_notice_that_names_the_option_for_them(
    tables: Tables, tmp_path: Path
) -> None:
    plain, _ = read(write(tmp_path / "plain", tables))
    extra = {part: table.assign(TotalSF="1", Colour="red") for part, table in tables.items()}
    other, notices = read(write(tmp_path / "extra", extra))
    pd.testing.assert_frame_equal(other.train, plain.train)
    assert len(notices) == 1
    assert "unknown columns are ignored: TotalSF, Colour" in notices[0]
    assert "--columns" in notices[0]


def test_a_feature_that_both_tables_lack_is_a_gap_in_every_row(tables: Tables, tmp_path: Path) -> None:
    dropped = ["Alley", "PoolQC", "LotFrontage"]
    without = {part: table.drop(columns=dropped) for part, table in tables.items()}
    other, notices = read(write(tmp_path / "other", without))
    assert other.missing == ("LotFrontage", "Alley", "PoolQC")
    assert other.train[dropped].isna().all(axis=None)
    assert list(other.test.columns) == list(BY_NAME)
    assert any("both tables lack LotFrontage, Alley, PoolQC: gaps in every row" in text for text in notices)
    few = {part: table.drop(columns=list(BY_NAME)[: MOST_MISSING + 1]) for part, table in tables.items()}
    assert f"{MOST_MISSING + 1} of the 79 features are missing (MSSubClass, " in refused(write(tmp_path / "few", few))


@pytest.mark.parametrize(("price", "is_real"), [("0", False), ("", False), ("12.1", False), ("real", True)])
def test_a_price_in_the_test_table_trains_nothing_and_is_kept_where_it_is_real(
    price: str, is_real: bool, tables: Tables, tmp_path: Path
) -> None:
    plain, _ = read(write(tmp_path / "plain", tables))
    real = np.arange(100_000, 100_000 + len(tables["test"])).astype(str)
    tables["test"][PRICE] = real if is_real else price
    other, notices = read(write(tmp_path / "other", tables))
    pd.testing.assert_frame_equal(other.test, plain.test)
    assert sum(PRICE in text for text in notices) == 1
    assert (other.test_price is not None) == is_real
    if other.test_price is not None:
        assert other.test_price.tolist() == real.astype(float).tolist()


# ---- what stays an error ----


def logarithms(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(SalePrice=np.log(table[PRICE].astype(float)).astype(str))


def grouped_thousands(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(LotArea=table["LotArea"].where(table.index != 3, "9,600"))


def misspelt(name: str, other: str) -> tuple[str, Callable[[pd.DataFrame], pd.DataFrame], str]:
    hint = f"column {name} is missing; is it {other!r}? accepted: the name {name}, or a table without {other!r}$"
    return "train test", lambda table: table.rename(columns={name: other}), hint


@pytest.mark.parametrize(
    ("parts", "change", "fault"),
    [
        *((part, lambda table: table.drop(columns="LotArea"), "column LotArea is missing; accepted: the column, since")
          for part in ("train", "test")),
        misspelt("GrLivArea", "GrLivAera"),
        misspelt("Neighborhood", "Neighbourhood"),
        ("test", lambda table: table.assign(**{"Lot Area": table["LotArea"]}),
         "column LotArea stands twice ('LotArea' and 'Lot Area'); accepted: once$"),
        ("train", logarithms, "look like logarithms; accepted: dollars"),
        ("train", grouped_thousands, "column LotArea: '9,600'; accepted: a number"),
    ],
)  # fmt: skip
def test_what_may_be_misunderstood_is_refused_in_one_line(
    parts: str, change: Callable[[pd.DataFrame], pd.DataFrame], fault: str, tables: Tables, tmp_path: Path
) -> None:
    changed = {part: change(table) if part in parts else table for part, table in tables.items()}
    line = refused(write(tmp_path / "other", changed, sep=";"))
    assert line.startswith(f"{tmp_path / 'other' / parts.split()[0]}.csv: ")
    assert fault in f"{line}$"
    assert "\n" not in line


def test_faults_are_a_line_a_column_for_five_columns_and_the_number_of_cells_in_the_others(
    tables: Tables, tmp_path: Path
) -> None:
    n_rows = len(tables["train"])
    tables["train"][["LotArea", "LotShape", "Alley", "Heating", "Foundation"]] = "big"
    tables["train"].loc[10:12, "Street"] = "Dirt"
    tables["train"].loc[11:12, "Utilities"] = "none at all"
    lines = refused(write(tmp_path / "other", tables)).splitlines()
    assert len(lines) == 6
    assert lines[0].endswith(f"or NA (also lines 3, 4, 5 and {n_rows - 4} more)")
    assert lines[-1] == "and 2 more faults: Street 3, Utilities 2"


def test_a_dataframe_of_any_dtypes_is_typed_as_its_file(tables: Tables, tmp_path: Path) -> None:
    plain = read_houses(write(tmp_path / "plain", tables) / "train.csv", priced=True)
    frame = as_pandas(tables["train"])
    for other in (
        frame,
        frame.convert_dtypes(),
        frame.astype(dict.fromkeys(LEVELS, "category")),
        frame.assign(CentralAir=frame["CentralAir"] == "Y"),
        floats(tables["train"]).set_index(ID),
        tables["train"],
    ):
        pd.testing.assert_frame_equal(read_houses(other, priced=True), plain, check_exact=True)


def test_the_score_on_a_test_tables_own_prices_is_reported_and_predict_reads_the_same_forms(
    tables: Tables, tmp_path: Path, fast_settings: Settings, place: Path
) -> None:
    price = np.arange(100_000, 100_000 + len(tables["test"]))
    tables["test"][PRICE] = price.astype(str)
    _, metrics = run_main_job(write(tmp_path / "data", tables), fast_settings, place / "run")
    submission = pd.read_csv(place / "run" / "submission.csv")
    score = np.sqrt(np.mean((np.log(submission[PRICE]) - np.log(price)) ** 2))
    assert metrics.test_log_rmse == pytest.approx(score, abs=1e-6)
    (tmp_path / "new.csv.gz").write_bytes(gzip.compress(floats(tables["test"]).to_csv(sep=";", decimal=",").encode()))
    predict(place / "run", tmp_path / "new.csv.gz", tmp_path / "prices.csv", 0.5)
    prices = pd.read_csv(tmp_path / "prices.csv")
    np.testing.assert_array_equal(prices["price"], submission[PRICE])


def test_a_run_on_tables_without_some_features_prices_houses_with_and_without_them(
    tables: Tables, tmp_path: Path, fast_settings: Settings, place: Path
) -> None:
    without = {part: table.drop(columns=["PoolQC", "Fence"]) for part, table in tables.items()}
    run_main_job(write(tmp_path / "data", without), fast_settings, place / "run")
    for name, table in (("with", tables["test"]), ("without", without["test"])):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        predict(place / "run", tmp_path / f"{name}.csv", tmp_path / f"{name}-prices.csv", 0.5)
    assert (tmp_path / "with-prices.csv").read_bytes() == (tmp_path / "without-prices.csv").read_bytes()
