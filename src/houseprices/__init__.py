"""Kaggle's House Prices from raw CSV to a scored submission, with multilayer perceptrons alone.

The public names are imported when they are first asked for: `import houseprices` alone costs nothing.

>>> import houseprices
>>> houseprices.HousePriceRegressor
<class 'houseprices.estimators.house_price.HousePriceRegressor'>
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from houseprices.cross_validation.cross_validate import cross_validate
    from houseprices.cross_validation.intervals import cv_plus_intervals
    from houseprices.errors import HousePricesError
    from houseprices.estimators.house_price import HousePriceRegressor
    from houseprices.estimators.mlp_ensemble import MLPEnsembleRegressor
    from houseprices.runs.read import SavedRun, read_run
    from houseprices.settings import Settings, load_settings

__all__ = [
    "HousePriceRegressor",
    "HousePricesError",
    "MLPEnsembleRegressor",
    "SavedRun",
    "Settings",
    "cross_validate",
    "cv_plus_intervals",
    "load_settings",
    "read_run",
]

_MODULES = {
    "HousePriceRegressor": "estimators.house_price",
    "HousePricesError": "errors",
    "MLPEnsembleRegressor": "estimators.mlp_ensemble",
    "SavedRun": "runs.read",
    "Settings": "settings",
    "cross_validate": "cross_validation.cross_validate",
    "cv_plus_intervals": "cross_validation.intervals",
    "load_settings": "settings",
    "read_run": "runs.read",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
