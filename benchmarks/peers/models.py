"""The peers: each one's customary preprocessing and its authors' settings, on the log price; nothing is tuned here.

A peer is a function of the raw training rows, their log prices, the raw held-out rows and a number of threads; it
returns the held-out rows' log prices. Everything is fitted on the training rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import boxcox1p
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, Lasso, LassoCV, RidgeCV
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

Floats = NDArray[np.float64]
Fit = Callable[[pd.DataFrame, Floats, pd.DataFrame, int], Floats]

NUMBERS = make_column_selector(dtype_include="number")
TEXTS = make_column_selector(dtype_exclude="number")


@dataclass(frozen=True)
class Peer:
    """A peer with the recipe that the table shows, and the library that is imported before the clock starts."""

    fit: Fit
    recipe: str
    library: str = "sklearn"


# ---- scikit-learn ----


def one_hot(*, scaled: bool) -> object:
    """Build mean imputation of numbers and one-hot encoding of texts."""
    numbers = make_pipeline(SimpleImputer(strategy="mean"), *([StandardScaler()] if scaled else []))
    return make_column_transformer(
        (numbers, NUMBERS), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), TEXTS)
    )


def unskewed(train: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take log(1 + x) of the numbers whose skewness is above 0.75 in training."""
    skewed = [name for name in NUMBERS(train) if train[name].skew() > 0.75]
    return tuple(table.assign(**{name: np.log1p(table[name]) for name in skewed}) for table in (train, other))


def ridge(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, _n_threads: int) -> Floats:
    """Fit ridge regression on Apapiu's columns."""
    train, other = unskewed(train, other)
    alphas = [0.05, 0.1, 0.3, 1, 3, 5, 10, 15, 30, 50, 75]
    return make_pipeline(one_hot(scaled=False), RidgeCV(alphas)).fit(train, log_price).predict(other)


def lasso(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, n_threads: int) -> Floats:
    """Fit the lasso on Apapiu's columns."""
    train, other = unskewed(train, other)
    model = LassoCV(alphas=[1, 0.1, 0.001, 0.0005], max_iter=20_000, n_jobs=n_threads)
    return make_pipeline(one_hot(scaled=False), model).fit(train, log_price).predict(other)


def random_forest(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, n_threads: int) -> Floats:
    """Fit a random forest."""
    model = RandomForestRegressor(n_jobs=n_threads, random_state=0)
    return make_pipeline(one_hot(scaled=False), model).fit(train, log_price).predict(other)


def mlp_regressor(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, _n_threads: int) -> Floats:
    """Fit scikit-learn's multilayer perceptron."""
    model = TransformedTargetRegressor(MLPRegressor(max_iter=1000, random_state=0), transformer=StandardScaler())
    return make_pipeline(one_hot(scaled=True), model).fit(train, log_price).predict(other)


# ---- the stack ----

FILLED_BY_MODE = ["MSZoning", "Electrical", "KitchenQual", "Exterior1st", "Exterior2nd", "SaleType"]
LABELS = [
    "FireplaceQu", "BsmtQual", "BsmtCond", "GarageQual", "GarageCond", "ExterQual", "ExterCond", "HeatingQC", "PoolQC",
    "KitchenQual", "BsmtFinType1", "BsmtFinType2", "Functional", "Fence", "BsmtExposure", "GarageFinish", "LandSlope",
    "LotShape", "PavedDrive", "Street", "Alley", "CentralAir", "MSSubClass", "OverallCond", "YrSold", "MoSold",
]  # fmt: skip


def stack_columns(train: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Prepare the columns as "Stacked Regressions: Top 4% on LeaderBoard" does, but fitted on the training rows."""
    frontage = train.groupby("Neighborhood")["LotFrontage"].median()
    tables = []
    for table in (train, other):
        table = table.drop(columns=["Utilities"])
        table = table.astype(dict.fromkeys(("MSSubClass", "OverallCond", "YrSold", "MoSold"), str))
        table["LotFrontage"] = table["LotFrontage"].fillna(table["Neighborhood"].map(frontage))
        table = table.fillna({name: train[name].mode()[0] for name in FILLED_BY_MODE} | {"Functional": "Typ"})
        table = table.fillna(dict.fromkeys(TEXTS(table), "None") | dict.fromkeys(NUMBERS(table), 0))
        table["TotalSF"] = table["TotalBsmtSF"] + table["1stFlrSF"] + table["2ndFlrSF"]
        tables.append(table)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(tables[0][LABELS])
    tables = [table.assign(**dict(zip(LABELS, encoder.transform(table[LABELS]).T, strict=True))) for table in tables]
    skewed = [name for name in NUMBERS(tables[0]) if abs(tables[0][name].skew()) > 0.75]
    tables = [table.assign(**{name: boxcox1p(table[name].clip(lower=0), 0.15) for name in skewed}) for table in tables]
    first = pd.get_dummies(tables[0], dtype=float)
    second = pd.get_dummies(tables[1], dtype=float).reindex(columns=first.columns, fill_value=0.0)
    return first, second


def stack(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, _n_threads: int) -> Floats:
    """Fit the stack: three models, and a lasso on their out-of-fold predictions."""
    # The kernel drops two training houses; here too they are not learnt from, but are scored like any other.
    kept = ~((train["GrLivArea"] > 4000) & (log_price < np.log(300_000))).to_numpy()
    columns, other_columns = stack_columns(train[kept], other)
    rows, target, unseen = columns.to_numpy(), log_price[kept], other_columns.to_numpy()
    bases = [
        make_pipeline(RobustScaler(), ElasticNet(alpha=0.0005, l1_ratio=0.9, random_state=3)),
        GradientBoostingRegressor(
            n_estimators=3000, learning_rate=0.05, max_depth=4, max_features="sqrt", min_samples_leaf=15,
            min_samples_split=10, loss="huber", random_state=5,
        ),
        KernelRidge(alpha=0.6, kernel="polynomial", degree=2, coef0=2.5),
    ]  # fmt: skip
    meta = make_pipeline(RobustScaler(), Lasso(alpha=0.0005, random_state=1))
    folds = list(KFold(5, shuffle=True, random_state=156).split(rows))
    out_of_fold, means = np.zeros((len(rows), len(bases))), np.zeros((len(unseen), len(bases)))
    for position, base in enumerate(bases):
        for training, held_out in folds:
            model = clone(base).fit(rows[training], target[training])
            out_of_fold[held_out, position] = model.predict(rows[held_out])
            means[:, position] += model.predict(unseen) / len(folds)
    return meta.fit(out_of_fold, target).predict(means)


# ---- trees with native categories ----


def as_categories(train: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make texts categories; a level that training lacks is missing."""
    kinds = {name: pd.CategoricalDtype(sorted(train[name].dropna().unique())) for name in TEXTS(train)}
    return train.astype(kinds), other.astype(kinds)


def lightgbm(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, n_threads: int) -> Floats:
    """Fit LightGBM."""
    from lightgbm import LGBMRegressor

    train, other = as_categories(train, other)
    return LGBMRegressor(n_jobs=n_threads, random_state=0, verbose=-1).fit(train, log_price).predict(other)


def xgboost(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, n_threads: int) -> Floats:
    """Fit XGBoost."""
    from xgboost import XGBRegressor

    train, other = as_categories(train, other)
    model = XGBRegressor(enable_categorical=True, n_jobs=n_threads, random_state=0)
    return model.fit(train, log_price).predict(other)


def catboost(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, n_threads: int) -> Floats:
    """Fit CatBoost."""
    from catboost import CatBoostRegressor

    texts = TEXTS(train)
    train, other = (table.assign(**table[texts].astype(object).fillna("NA")) for table in (train, other))
    model = CatBoostRegressor(
        cat_features=texts, thread_count=n_threads, random_seed=0, verbose=0, allow_writing_files=False
    )
    return model.fit(train, log_price).predict(other)


# ---- neural networks for tables ----


def without_gaps(train: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make texts categories and fill the gaps of numbers with their training mean, since pytabkit refuses gaps."""
    means = train[NUMBERS(train)].mean()
    return as_categories(train.fillna(means), other.fillna(means))


def realmlp(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, n_threads: int) -> Floats:
    """Fit five RealMLPs on five splits of the training rows."""
    from pytabkit import RealMLP_TD_Regressor

    train, other = without_gaps(train, other)
    model = RealMLP_TD_Regressor(n_cv=5, random_state=0, device="cpu", n_threads=n_threads, verbosity=0)
    return model.fit(train, log_price).predict(other)


def tabm(train: pd.DataFrame, log_price: Floats, other: pd.DataFrame, n_threads: int) -> Floats:
    """Fit TabM."""
    from pytabkit import TabM_D_Regressor

    train, other = without_gaps(train, other)
    model = TabM_D_Regressor(random_state=0, device="cpu", n_threads=n_threads, verbosity=0)
    return model.fit(train, log_price).predict(other)


PEERS = {
    "ridge": Peer(ridge, "RidgeCV, one-hot, log(1 + x) of skewed numbers (Apapiu's alphas)"),
    "lasso": Peer(lasso, "LassoCV on the same columns (Apapiu's alphas)"),
    "random forest": Peer(random_forest, "scikit-learn's defaults, one-hot"),
    "MLPRegressor": Peer(mlp_regressor, "scikit-learn's defaults, 1,000 epochs at most, one-hot, scaled"),
    "LightGBM": Peer(lightgbm, "defaults, native categories", "lightgbm"),
    "XGBoost": Peer(xgboost, "defaults, native categories", "xgboost"),
    "CatBoost": Peer(catboost, "defaults, native categories", "catboost"),
    "stacked regressions": Peer(
        stack, "elastic net, kernel ridge, gradient boosting, lasso on top (Serigne's settings)"
    ),
    "RealMLP": Peer(realmlp, "RealMLP-TD of pytabkit, mean of 5 networks", "pytabkit"),
    "TabM": Peer(tabm, "TabM-D of pytabkit, its defaults", "pytabkit"),
}
