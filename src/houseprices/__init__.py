"""Kaggle's House Prices from raw CSV to a scored submission, with multilayer perceptrons alone.

The public names are imported when they are first asked for: `import houseprices` alone costs nothing.

>>> import houseprices
>>> houseprices.HousePriceRegressor
<class 'houseprices.house_regressor.HousePriceRegressor'>
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from houseprices.errors import HousePricesError
    from houseprices.estimator import MLPEnsembleRegressor
    from houseprices.house_regressor import HousePriceRegressor
    from houseprices.intervals import cv_plus_intervals
    from houseprices.saved_run import SavedRun, read_run
    from houseprices.settings import Settings, load_settings

__all__ = [
    "HousePriceRegressor",
    "HousePricesError",
    "MLPEnsembleRegressor",
    "SavedRun",
    "Settings",
    "cv_plus_intervals",
    "load_settings",
    "read_run",
]

_MODULES = {
    "HousePriceRegressor": "house_regressor",
    "HousePricesError": "errors",
    "MLPEnsembleRegressor": "estimator",
    "SavedRun": "saved_run",
    "Settings": "settings",
    "cv_plus_intervals": "intervals",
    "load_settings": "settings",
    "read_run": "saved_run",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
