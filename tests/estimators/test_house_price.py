import io
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import N_ROWS, FinishedRun
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from houseprices import HousePriceRegressor
from houseprices.cli import main
from houseprices.data.table import read_houses
from houseprices.errors import DataError, RunError, SettingsError
from houseprices.settings import Settings


@pytest.fixture(scope="module")
def train(finished_run: FinishedRun) -> pd.DataFrame:
    return pd.read_csv(finished_run.data / "train.csv")


@pytest.fixture(scope="module")
def test(finished_run: FinishedRun) -> pd.DataFrame:
    return pd.read_csv(finished_run.data / "test.csv")


@pytest.fixture(scope="module")
def fitted(train: pd.DataFrame, finished_run: FinishedRun) -> HousePriceRegressor:
    return HousePriceRegressor(finished_run.config).fit(train)


def test_prices_are_those_of_the_run_with_the_same_settings(fitted, test, finished_run):
    submission = pd.read_csv(finished_run.folder / "submission.csv")
    np.testing.assert_array_equal(fitted.predict(test).round(2), submission["SalePrice"])
    out_of_fold = pd.read_csv(finished_run.folder / "oof.csv")
    np.testing.assert_allclose(fitted.out_of_fold_prediction_, np.exp(out_of_fold["prediction"]), rtol=1e-12)
    assert fitted.fold_of_row_.shape == (1, N_ROWS)


@pytest.mark.real_data
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("reading", [{}, {"keep_default_na": False}])
def test_a_dataframe_of_kaggles_files_is_typed_as_they_are(real_data, part, reading):
    file, priced = real_data / f"{part}.csv", part == "train"
    frame = pd.read_csv(file, **reading)
    pd.testing.assert_frame_equal(read_houses(frame, priced=priced), read_houses(file, priced=priced))


def test_prices_may_stand_beside_the_houses_and_the_order_of_columns_is_free(fitted, train, test):
    beside = clone(fitted).fit(train.drop(columns=["SalePrice", "Id"]), train["SalePrice"])
    shuffled = test[test.columns[::-1]].set_index("Id")
    np.testing.assert_array_equal(beside.predict(shuffled), fitted.predict(test))
    np.testing.assert_array_equal(fitted.predict(train), fitted.predict(train.assign(SalePrice=1)))


def test_intervals_are_in_dollars_around_the_price(fitted, test):
    lower, upper = fitted.predict_interval(test, coverage=0.8)
    price = fitted.predict(test)
    assert (lower > 1000).all()
    assert ((lower <= price) & (price <= upper)).all()


def test_every_setting_is_a_parameter_that_can_be_set_and_searched_by_name(fitted, train, finished_run):
    names = fitted.get_params()
    assert names["models__tiny__loss"] == "student_t"
    assert names["folds__n_folds"] == 3
    other = clone(fitted).set_params(models__tiny__dropout=0.25, models__hidden=(4, 4), folds__n_folds=2, seed=7)
    settings = other.get_params(deep=False)["settings"]
    assert (settings.models["tiny"].dropout, settings.models["tiny"].hidden) == (0.25, (4, 4))
    assert (settings.folds.n_folds, settings.seed) == (2, 7)
    assert clone(other).get_params() == other.get_params()
    search = GridSearchCV(fitted, {"models__tiny__epochs": [1, 2]}, cv=2).fit(train, train["SalePrice"])
    assert search.best_estimator_.get_params()["models__tiny__epochs"] in (1, 2)
    for name, value in (("dropout", 0.1), ("models__none__dropout", 0.1), ("models__tiny__dropout", 2.0)):
        with pytest.raises(SettingsError, match=f"{name.replace('__', '(__|[.])')}"):
            clone(fitted).set_params(**{name: value})


@pytest.mark.parametrize("settings", [{"models.deep.epochs": 3}, "quick", Settings(seed=3), None])
def test_settings_are_given_as_a_dict_a_name_or_settings(settings):
    names = HousePriceRegressor(settings).get_params()
    assert isinstance(names["folds__n_folds"], int)
    assert names["settings"] is settings


def test_what_was_understood_is_a_warning_and_unknown_columns_point_to_features_of_ones_own(fitted, train, test):
    with pytest.warns(UserWarning, match="unknown columns are ignored: colour .*--columns FILE"):
        prices = fitted.predict(test.assign(colour="red"))
    np.testing.assert_array_equal(prices, fitted.predict(test))
    with pytest.warns(UserWarning, match="X: it lacks Alley, PoolQC: gaps in every row"):
        without = clone(fitted).fit(train.drop(columns=["Alley", "PoolQC"]))
    with pytest.warns(UserWarning, match="the training houses lack Alley, PoolQC: ignored"):
        assert np.isfinite(without.predict(test)).all()


def test_verbose_prints_progress_and_what_was_understood(train, finished_run, capsys):
    HousePriceRegressor(finished_run.config, verbose=1).fit(train.assign(colour="red"))
    out = capsys.readouterr().out
    assert "unknown columns are ignored: colour" in out
    assert "3 of 3" in out or "6 of 6" in out


def test_logarithms_in_place_of_dollars_are_refused(train):
    with pytest.raises(DataError, match="look like logarithms; accepted: dollars"):
        HousePriceRegressor().fit(train, np.log(train["SalePrice"]))


def test_what_is_no_house_is_refused(fitted, train, test):
    for spoil, what in (
        ({"LotArea": "wide"}, r"X: row 0 \(Id \d+\), column LotArea: 'wide'; accepted: a number from 20"),
        ({"GrLivArea": np.inf}, "column GrLivArea: 'inf'; accepted: a number"),
    ):
        with pytest.raises(DataError, match=what):
            fitted.predict(test.assign(**spoil))
    with pytest.raises(DataError, match="X: column LotArea is missing"):
        fitted.predict(test.drop(columns="LotArea"))
    with pytest.raises(DataError, match="no rows"):
        fitted.predict(test.iloc[:0])
    with pytest.raises(TypeError, match=r"X must be a DataFrame .*, got ndarray"):
        fitted.predict(test.to_numpy())
    with pytest.raises(DataError, match="column SalePrice: '-1'; accepted: a price from 1 to 100000000000 dollars"):
        HousePriceRegressor(Settings()).fit(train, np.full(len(train), -1))
    with pytest.raises(DataError, match="X: column SalePrice is missing"):
        HousePriceRegressor(Settings()).fit(test)
    with pytest.raises(ValueError, match="prices for"):
        HousePriceRegressor(Settings()).fit(train, [1.0])
    with pytest.raises(NotFittedError):
        HousePriceRegressor().predict(test)
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        HousePriceRegressor("nowhere.toml").fit(train)
    with pytest.raises(SettingsError, match="coverage must be between 0 and 1"):
        fitted.predict_interval(test, coverage=0)


# ---- saved and loaded ----


def test_what_is_loaded_predicts_to_the_last_bit_what_was_saved(fitted, test, tmp_path):
    (file,) = joblib.dump(fitted, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(file).predict(test), fitted.predict(test))
    fitted.save(tmp_path / "model")
    loaded = HousePriceRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(test), fitted.predict(test))
    for end, same in zip(loaded.predict_interval(test, 0.8), fitted.predict_interval(test, 0.8), strict=True):
        np.testing.assert_array_equal(end, same)
    np.testing.assert_array_equal(loaded.out_of_fold_prediction_, fitted.out_of_fold_prediction_)
    np.testing.assert_array_equal(loaded.fold_of_row_, fitted.fold_of_row_)
    assert loaded.get_params()["settings"].folds.n_folds == len(np.unique(fitted.fold_of_row_))


def test_a_run_of_the_command_line_is_loaded_and_what_was_saved_is_a_run_of_it(
    fitted, test, finished_run, tmp_path, place, capsys
):
    submission = pd.read_csv(finished_run.folder / "submission.csv")
    prices = HousePriceRegressor.load(finished_run.folder).predict(test)
    np.testing.assert_array_equal(prices.round(2), submission["SalePrice"])
    fitted.save(str(tmp_path / "model"))
    assert not (place / "runs").exists()
    with pytest.raises(SystemExit) as exit_info:
        main(["predict", "--run", str(tmp_path / "model"), "--input", str(finished_run.data / "test.csv")])
    assert exit_info.value.code == 0
    assert pd.read_csv(io.StringIO(capsys.readouterr().out))["price"].tolist() == submission["SalePrice"].tolist()


def test_a_saved_model_holds_no_houses_and_no_pickle(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    names = {file.name for file in (tmp_path / "model").iterdir()}
    assert not names & {"train.csv", "test.csv"}
    assert {Path(name).suffix for name in names} <= {".json", ".toml", ".csv", ".safetensors"}


def test_what_cannot_be_saved_or_loaded_is_refused_in_a_line(fitted, finished_run, tmp_path):
    with pytest.raises(NotFittedError):
        HousePriceRegressor().save(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    fitted.save(tmp_path / "model")
    with pytest.raises(RunError, match="exists already; accepted: a new or empty folder"):
        fitted.save(tmp_path / "model")
    with pytest.raises(RunError, match="accepted: a fitted one"):
        HousePriceRegressor.load(tmp_path / "model").save(tmp_path / "again")
    members = tmp_path / "model" / "members.safetensors"
    members.write_bytes(members.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"members\.safetensors: was truncated or altered"):
        HousePriceRegressor.load(tmp_path / "model")
    with pytest.raises(RunError, match="no such folder"):
        HousePriceRegressor.load(tmp_path / "nowhere")
