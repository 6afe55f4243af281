"""A scikit-learn regressor for whole tables of houses: raw Ames houses in, dollars out."""

import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d

from houseprices.cross_validation.cross_validate import CrossValidation, cross_validate
from houseprices.data.containers import frame_table
from houseprices.data.forms import kaggle_form, name_key
from houseprices.data.schema import FEATURES, PRICE
from houseprices.data.source import HouseTables
from houseprices.data.table import read_houses, typed_houses
from houseprices.engine.device import choose_device
from houseprices.errors import DataError, RunError, SettingsError
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.progress import Notice, Progress
from houseprices.runs.read import read_run
from houseprices.runs.write import metrics_of, new_run_folder, write_run
from houseprices.settings import Settings, dump_settings, load_settings

Floats = NDArray[np.float64]


class HousePriceRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The ensemble of `houseprices cv`, from a DataFrame: checked, imputed, encoded and trained fold by fold.

    X is Kaggle's table in any form that `data.forms` understands, however pandas has read it; Id is not used and
    SalePrice is not needed. What was understood is a warning; unknown columns are ignored, since features of your own
    are computed by the file that the setting features.columns names (docs/settings.md).

    Every setting is a parameter: `set_params(models__deep__dropout=0.3, folds__n_folds=5)`; without a model's name it
    is set in all models, `models__dropout`. So GridSearchCV can search them.

    Args:
        settings: of the main job, as `Settings`, a dict by name, a TOML file or a configuration's name; None for the
            default.
        verbose: 1 prints progress and notices; with 0 the notices are warnings.

    Attributes:
        fold_of_row_: (n_repeats, n_rows) the fold that held each row out.
        out_of_fold_prediction_: (n_rows,) dollars, by networks that never saw the row.

    >>> from houseprices.data.sample import draw_sample
    >>> from houseprices.settings import FoldSettings, ModelSettings, Settings
    >>> town = draw_sample(n_rows=60, n_test_rows=2)
    >>> quick = Settings(folds=FoldSettings(n_folds=2), models={"tiny": ModelSettings(hidden=(8,), epochs=5)})
    >>> model = HousePriceRegressor(quick).fit(town.train)
    >>> model.predict(town.test).shape
    (2,)
    """

    def __init__(self, settings: Settings | Mapping[str, Any] | Path | str | None = None, verbose: int = 0) -> None:
        self.settings = settings
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with `deep` every setting by its name, tables joined by two underscores."""
        params = {"settings": self.settings, "verbose": self.verbose}
        return params | _flat(_settings(self.settings)) if deep else params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, or settings by the names that `get_params` returns.

        Raises:
            SettingsError: a name is unknown or a value out of range; it is a ValueError too.
        """
        for name in ("settings", "verbose"):
            if name in params:
                setattr(self, name, params.pop(name))
        if params:
            self.settings = _changed(_settings(self.settings), params)
        return self

    def fit(self, X: pd.DataFrame, y: ArrayLike | None = None) -> Self:  # noqa: N803  # scikit-learn's name
        """Train on the houses.

        Args:
            X: (n_rows, 79 features), with the column SalePrice unless y is given.
            y: (n_rows,) prices in dollars.

        Raises:
            DataError: a cell, a column or a price that the data description does not know; it is a ValueError too.
            SettingsError: a setting is unknown or out of range.
        """
        settings = _settings(self.settings)
        form = kaggle_form(frame_table(_with_prices(X, y), "X"), priced=True)
        lacking = [f"it lacks {', '.join(form.missing)}: gaps in every row"] if form.missing else []
        for text in (*form.notices.values(), *lacking):
            self._notify(Notice(f"X: {text}"))
        houses = typed_houses(form, priced=True)
        result = cross_validate(houses, houses.drop(columns=PRICE).iloc[:0], settings, self._notify)
        self.feature_names_in_ = np.array([name for name in X.columns if name != PRICE], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        self._missing = form.missing
        self.fold_of_row_ = result.ensemble.out_of_fold.fold_of_row
        self.out_of_fold_prediction_ = np.exp(result.prediction)
        self._ensemble = result.ensemble
        self._result: tuple[CrossValidation, Settings] | None = (result, settings)
        return self

    def save(self, folder: Path | str) -> None:
        """Write what was fitted as a run folder, the one that `houseprices predict --run` and `load` read; no pickle.

        The houses are not written, so that `houseprices report` has nothing to show of it.

        Args:
            folder: new or empty.

        Raises:
            sklearn.exceptions.NotFittedError: there is nothing to save yet.
            RunError: the folder has something in it already or cannot be written; the regressor was itself loaded, or
                has own columns, which are read back by fitting them anew on the houses.
        """
        check_is_fitted(self, "_ensemble")
        if self._result is None:
            problem, accepted = "the regressor was loaded", "a fitted one, or a copy of the folder it is from"
            raise RunError(f"{folder}: {problem}; accepted: {accepted}")
        result, settings = self._result
        if settings.features.columns:
            problem = f"own features ({settings.features.columns}) are fitted anew on the houses, which are not saved"
            raise RunError(f"{folder}: {problem}; accepted: settings without them, or a run of `houseprices cv`")
        tables = HouseTables(Path(), "other", pd.DataFrame(), pd.DataFrame(), missing=self._missing)
        metrics = metrics_of(result, "other", dict(result.seconds))
        with new_run_folder(Path(folder), newest=False) as staging:
            write_run(staging, result, settings, metrics, tables, str(choose_device(settings.device)))

    @classmethod
    def load(cls, folder: Path | str, columns: Path | str | None = None) -> Self:
        """Read back what `save` or `houseprices cv` wrote: it predicts the same prices, to the last bit.

        Args:
            folder: of a regressor or a run.
            columns: the file of the run's own columns, see `runs.read.read_run`.

        Raises:
            RunError: a file is missing, was altered, or comes from another version; the line names the file.
            ColumnsError: the file of own columns fails.
        """
        saved = read_run(Path(folder), None if columns is None else Path(columns))
        loaded = cls(saved.settings)
        loaded.feature_names_in_ = np.array([feature.name for feature in FEATURES], dtype=object)
        loaded.n_features_in_ = len(FEATURES)
        loaded.fold_of_row_ = saved.ensemble.out_of_fold.fold_of_row
        loaded.out_of_fold_prediction_ = np.exp(saved.ensemble.out_of_fold.prediction)
        loaded._ensemble = saved.ensemble
        loaded._missing = tuple(saved.manifest.data.missing)
        loaded._result = None
        return loaded

    def predict(self, X: pd.DataFrame) -> Floats:  # noqa: N803  # scikit-learn's name
        """Return the prices in dollars, (n_rows,).

        Raises:
            DataError: a cell or a column that the data description does not know.
        """
        houses = self._house_array(X)
        return np.exp(self._ensemble.predict_folds(houses).mean)

    def predict_interval(self, X: pd.DataFrame, coverage: float = 0.9) -> tuple[Floats, Floats]:  # noqa: N803  # scikit-learn's name
        """Return lower and upper ends of CV+ intervals in dollars, see `Ensemble.intervals`: each (n_rows,).

        Raises:
            SettingsError: the coverage is not between 0 and 1; it is a ValueError too.
        """
        houses = self._house_array(X)
        ends = np.exp(self._ensemble.intervals(self._ensemble.predict_folds(houses), (coverage,))[0])
        return ends[0], ends[1]

    def _house_array(self, X: pd.DataFrame) -> HouseArray:  # noqa: N803  # scikit-learn's name
        check_is_fitted(self, "_ensemble")
        houses = read_houses(_with_prices(X, None), priced=False, absent=self._missing, notify=self._notify)
        return house_array(houses)

    def _notify(self, message: Notice | Progress) -> None:
        """Print notices, and progress at each tenth of a stage; without `verbose` warn of the notices."""
        if isinstance(message, Notice):
            if self.verbose:
                print(message.text)
            else:
                warnings.warn(message.text, stacklevel=4)
        elif self.verbose:
            total = message.n_total or 0
            if message.n_done % (total // 10 or 1) == 0 or message.n_done == total:
                print(f"{message.stage}: {message.n_done} of {total}" if total else message.stage)


def _settings(settings: Settings | Mapping[str, Any] | Path | str | None) -> Settings:
    return settings if isinstance(settings, Settings) else load_settings(settings)


def _flat(table: Any, prefix: str = "") -> dict[str, Any]:
    """List a table's settings by name, those of the tables in it too."""
    if isinstance(table, Mapping) or is_dataclass(table):
        entries = table if isinstance(table, Mapping) else vars(table)
        return {name: value for key in entries for name, value in _flat(entries[key], f"{prefix}__{key}").items()}
    return {prefix.removeprefix("__"): table}


def _changed(settings: Settings, params: Mapping[str, Any]) -> Settings:
    """Return the settings with some of them changed; `models__dropout` changes every model."""
    tree = tomllib.loads(dump_settings(settings))
    accepted = _flat(settings)
    for name, value in params.items():
        table, _, rest = name.partition("__")
        names = [name] if name in accepted else [f"{table}__{model}__{rest}" for model in settings.models]
        if not set(names) <= accepted.keys():
            raise SettingsError(f"{name} is unknown; accepted: settings, verbose, {', '.join(accepted)}")
        for setting in names:
            *path, last = setting.split("__")
            node = tree
            for key in path:
                node = node[key]
            node[last] = list(value) if isinstance(value, tuple) else value
    return load_settings(tree)


def _with_prices(X: pd.DataFrame, y: ArrayLike | None) -> pd.DataFrame:  # noqa: N803  # scikit-learn's name
    """Return the houses with the prices of y, where there are any, in place of their own."""
    if not isinstance(X, pd.DataFrame):
        raise TypeError(f"X must be a DataFrame with the columns of Kaggle's CSV files, got {type(X).__name__}")
    if y is None:
        return X
    prices = column_or_1d(y, warn=True)
    if len(prices) != len(X):
        raise DataError([f"y has {len(prices)} prices for the {len(X)} houses of X; accepted: one a house"])
    own = [name for name in X.columns if name_key(str(name)) == name_key(PRICE)]
    return X.drop(columns=own).assign(**{PRICE: prices})
