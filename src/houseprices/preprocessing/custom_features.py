"""The user's own features: a Python file with a function, or with a transformer that learns in the fold.

    def features(houses): ...                    # typed table -> DataFrame of numbers, each house by itself

    class Features:
        def fit(self, houses, log_price): ...    # the training rows of a fold
        def transform(self, houses): ...         # typed table -> DataFrame of numbers

`houses` is the table of `data.table.read_houses` without prices and with its gaps. The file is executed again for each
fold, so that no fold's state reaches another.
"""

import hashlib
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pandas as pd

from houseprices.errors import ColumnsError, RunError
from houseprices.preprocessing.houses import Floats, HouseArray, house_table
from houseprices.preprocessing.numbers import Scaler

CUSTOM_PREFIX = "custom: "
"""Stands before the names of custom columns, so that they equal no other column's."""

_MODULE = "houseprices_custom_features"
_TOLERANCE = 1e-6
"""Parts of a feature's spread by which rounding may change a number."""
_FRAME = "a DataFrame of finite numbers with the index of the table that was given"
Compute = Callable[[pd.DataFrame], Any]


@dataclass(frozen=True)
class CustomFile:
    """A user's file, read but not executed. `source` is executed, whatever becomes of the file at `path`."""

    path: Path
    source: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of the source."""
        return hashlib.sha256(self.source).hexdigest()

    def fit(self, houses: HouseArray, log_price: Floats) -> "CustomFeatures":
        """Execute the file and fit its class, if it has one, on training rows and their (n_rows,) log prices.

        Raises:
            ColumnsError: the file fails, or returns something other than finite numbers of each house by itself.
        """
        table = house_table(houses)
        compute = self._compute(table, log_price)
        names, values = self.numbers(compute, table)
        # A function that looks at the whole table would learn from held-out rows.
        for part in (slice(None, None, 2), slice(max(1, len(table) // 10))):
            _, alone = self.numbers(compute, table.iloc[part].copy(), names)
            changed = np.abs(alone - values[part]) > _TOLERANCE * (np.abs(values[part]) + values.std(axis=0))
            if changed.any():
                row, column = np.argwhere(changed)[0]
                fault = f"house {table.index[part][row]} has {values[part][row, column]:g} among all training rows and"
                accepted = "numbers of each house by itself; Features.fit may learn from all training rows"
                raise self.error(f"column {names[column]}", f"{fault} {alone[row, column]:g} among some", accepted)
        return CustomFeatures(self, compute, names, Scaler.fit(values, 1.0))

    def _compute(self, table: pd.DataFrame, log_price: Floats) -> Compute:
        """Return the file's function, or the `transform` of its fitted class."""
        module = self._execute()
        function, transformer = module.get("features"), module.get("Features")
        if (function is None) == (transformer is None):
            fault = f"has {'neither' if function is None else 'both'} a function features and a class Features"
            if {"columns", "Columns"} & module.keys():
                fault += " (columns is now called features, and Columns Features)"
            raise self.error("", fault, "one of the two")
        if transformer is None:
            return self._calling("features", cast(Compute, function))
        fitted = self._calling("Features", transformer)()
        missing = [name for name in ("fit", "transform") if not callable(getattr(fitted, name, None))]
        if missing:
            raise self.error("Features", f"has no method {missing[0]}", "fit(houses, log_price) and transform(houses)")
        self._calling("Features.fit", fitted.fit)(table.copy(), pd.Series(log_price, table.index, name="log_price"))
        return self._calling("Features.transform", fitted.transform)

    def _execute(self) -> dict[str, Any]:
        module = ModuleType(_MODULE)
        module.__file__ = str(self.path)
        try:
            code = compile(self.source, str(self.path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise self.error(f"line {getattr(error, 'lineno', 1)}", str(error), "Python") from error
        # Decorators such as dataclass look their module up while it is executed.
        sys.modules[_MODULE] = module
        try:
            self._calling("", exec)(code, vars(module))
        finally:
            del sys.modules[_MODULE]
        return vars(module)

    def _calling(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function of the file: whatever it raises, an exit too, becomes one line."""

        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except (Exception, SystemExit) as error:
                frames = traceback.extract_tb(error.__traceback__)
                lines = [f"line {frame.lineno}" for frame in frames if frame.filename == str(self.path)]
                where = ", ".join([*lines[-1:], *filter(None, [name])])
                fault = f"{type(error).__name__}: {' '.join(str(error).split())}"
                raise self.error(where, fault, "code that runs (--debug shows the traceback)") from error

        return call

    def numbers(
        self, compute: Compute, table: pd.DataFrame, expected: Sequence[str] | None = None
    ) -> tuple[list[str], Floats]:
        """Return the names and the (n_rows, n_columns) numbers that the file computes for these houses."""
        houses = table.index.copy()
        frame = compute(table)
        if not isinstance(frame, pd.DataFrame):
            raise self.error("", f"returns {type(frame).__name__}", _FRAME)
        if not frame.index.equals(houses):
            same_length = len(frame) == len(houses)
            fault = "rows with another index (Id)" if same_length else f"{len(frame)} rows for {len(houses)} houses"
            raise self.error("", f"returns {fault}", _FRAME)
        names = [str(name) for name in frame.columns]
        if not names or len(set(names)) < len(names):
            raise self.error("", f"returns the columns {', '.join(names) or '(none)'}", "columns, each name once")
        if expected is not None:
            self.check_names(expected, names)
        values = np.empty((len(houses), len(names)))
        for position, name in enumerate(names):
            column = frame.iloc[:, position]
            if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
                raise self.error(f"column {name}", f"has the type {column.dtype}", "numbers or truth values")
            values[:, position] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            rows = np.flatnonzero(~np.isfinite(values[:, position]))
            if len(rows):
                more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
                fault = f"house {houses[rows[0]]} has {values[rows[0], position]:g}{more}"
                raise self.error(f"column {name}", fault, "a finite number for every house; fill the gaps")
        return names, values

    def check_names(self, expected: Sequence[str], names: Sequence[str]) -> None:
        """Raise ColumnsError if the names or their order differ from those of the training rows."""
        if list(names) != list(expected):
            fault = f"returns the columns {', '.join(names)} after {', '.join(expected)}"
            raise self.error("", fault, "the same columns at every call")

    def error(self, where: str, fault: str, accepted: str) -> ColumnsError:
        """Return the one-line error that names the file."""
        return ColumnsError(f"{self.path}: {where + ': ' if where else ''}{fault}; accepted: {accepted}")


@dataclass(frozen=True)
class CustomFeatures:
    """A user's features, fitted on training rows.

    Attributes:
        compute: the file's code: typed table -> DataFrame.
        scaler: centre and spread of the training rows.
    """

    file: CustomFile
    compute: Compute
    names: list[str]
    scaler: Scaler

    def transform(self, houses: HouseArray) -> Floats:
        """Return the (n_rows, n_columns) unscaled numbers, checked as those of the training rows."""
        return self.file.numbers(self.compute, house_table(houses), self.names)[1]

    def check_saved(self, names: Sequence[str], centre: Floats, spread: Floats) -> None:
        """Raise ColumnsError if a saved fit on the same rows had other names, medians or spreads."""
        self.file.check_names(names, self.names)
        tolerance = _TOLERANCE * (np.abs(centre) + spread)
        differs = (np.abs(self.scaler.centre - centre) > tolerance) | (np.abs(self.scaler.spread - spread) > tolerance)
        if differs.any():
            column = f"column {self.names[int(differs.argmax())]}"
            accepted = "the same numbers each time; a seed for what is random"
            raise self.file.error(column, "has other numbers than in the run", accepted)


def read_custom_file(path: Path) -> CustomFile:
    """Read a user's file without executing it; an unreadable one raises ColumnsError."""
    try:
        return CustomFile(path, path.read_bytes())
    except OSError as error:
        raise ColumnsError(f"{path}: {error.strerror}; accepted: a Python file, see docs/settings.md") from None


def saved_custom_file(copy: Path, sha256: str | None, named: str, given: Path | None) -> CustomFile | None:
    """Find the file of a saved run, to be executed; None if the run has no custom features.

    A run may come from anywhere, and reading it must execute none of its code. So its own copy of the file is executed
    only if the user names it.

    Args:
        copy: the copy in the run's folder.
        sha256: checksum of the run's file; None if the run has none.
        named: the file in the run's settings, relative to the folder where the run was made.
        given: another path of the file, from the user.

    Raises:
        RunError: neither is the file that the run was made with.
    """
    if not named or sha256 is None:
        if given is not None:
            raise RunError(f"{copy.parent}: has no custom features; accepted: the command without --columns {given}")
        return None
    path = given or Path(named)
    accepted = f"--columns with the file of the run, such as its copy {copy} (it runs as code: read it)"
    if given is None and path.resolve().is_relative_to(copy.parent.resolve()):
        raise RunError(f"{path}: lies in the run, whose code runs only if you name it; accepted: {accepted}")
    try:
        file = read_custom_file(path)
    except ColumnsError as error:
        raise RunError(f"{str(error).partition(';')[0]}; accepted: {accepted}") from None
    if file.sha256 != sha256:
        raise RunError(f"{path}: its SHA-256 is not that of the run's file; accepted: {accepted}")
    return file
