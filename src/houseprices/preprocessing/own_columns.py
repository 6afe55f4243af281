"""A competitor's own columns: a Python file's function of the typed table, or its class that learns in the fold.

The file defines one of

    def columns(houses): ...                 # typed table -> DataFrame of numbers, each house by itself

    class Columns:
        def fit(self, houses, log_price): ...    # the fold's training rows, and nothing else
        def transform(self, houses): ...         # typed table -> DataFrame of numbers

`houses` is what `data.table.read_houses` gives, without prices and with its gaps. The file runs as code, anew for each
fold, so that nothing is carried from one to the next.
"""

import hashlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pandas as pd

from houseprices.errors import ColumnsError
from houseprices.preprocessing.house_array import Floats, HouseArray, house_table
from houseprices.preprocessing.scaling import centre_and_scale, scales_from_dict

OWN_PREFIX = "own: "
"""Before the names of own columns, which so are no other column's."""

_MODULE = "houseprices_own_columns"
_SMALL = 1e-6
"""Parts of a column's spread by which rounding may move a house's number when other houses stand beside it."""


@dataclass(frozen=True)
class ColumnsFile:
    """A file of own columns, read but not run.

    Attributes:
        path: where it was read.
        source: what stands in it; this runs, whatever becomes of the file.
    """

    path: Path
    source: bytes

    @property
    def sha256(self) -> str:
        """Of the source."""
        return hashlib.sha256(self.source).hexdigest()

    def fit(self, houses: HouseArray, log_price: Floats) -> "OwnColumns":
        """Run the file, and let its class, if it has one, learn from training houses and their (n_rows,) log prices.

        Raises:
            ColumnsError: the file fails, or gives something else than finite numbers of each house by itself.
        """
        table = house_table(houses)
        compute = self._compute(table, log_price)
        names, values = self.numbers(compute, table)
        # A function that looks at the whole table would learn from held-out houses.
        for part in (slice(None, None, 2), slice(max(1, len(table) // 10))):
            self._check_alone(names, values[part], self.numbers(compute, table.iloc[part].copy()), table.index[part])
        return OwnColumns(self, compute, names, *centre_and_scale(values))

    def _compute(self, table: pd.DataFrame, log_price: Floats) -> Callable[[pd.DataFrame], Any]:
        module = self._run()
        function, kind = getattr(module, "columns", None), getattr(module, "Columns", None)
        if callable(function) == callable(kind):
            found = "both" if function else "neither"
            raise self.error("", f"has {found} a function columns and a class Columns", "one of the two")
        if callable(function):
            return cast(Callable[[pd.DataFrame], Any], function)
        learner = self._call("Columns", kind)
        absent = [name for name in ("fit", "transform") if not callable(getattr(learner, name, None))]
        if absent:
            raise self.error("Columns", f"has no method {absent[0]}", "fit(houses, log_price) and transform(houses)")
        prices = pd.Series(log_price, table.index, name="log_price")
        self._call("Columns.fit", learner.fit, table.copy(), prices)
        return cast(Callable[[pd.DataFrame], Any], learner.transform)

    def _run(self) -> ModuleType:
        module = ModuleType(_MODULE)
        module.__file__ = str(self.path)
        try:
            code = compile(self.source, str(self.path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            line = f"line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            text = error.msg if isinstance(error, SyntaxError) else str(error)
            raise self.error(line, text, "Python") from error
        # Decorators, dataclasses' for one, look their module up; later nobody shall import it.
        sys.modules[_MODULE] = module
        try:
            self._call("", exec, code, vars(module))
        finally:
            del sys.modules[_MODULE]
        return module

    def numbers(self, compute: Callable[[pd.DataFrame], Any], table: pd.DataFrame) -> tuple[tuple[str, ...], Floats]:
        """The names and the (n_rows, n_columns) numbers that the file's code gives these houses.

        Raises:
            ColumnsError: it fails, or gives something else.
        """
        what = compute.__qualname__ if hasattr(compute, "__qualname__") else "columns"
        houses = table.index
        found = self._call(what, compute, table)
        accepted = "a DataFrame of numbers with a row a house and the index of the table that was given"
        if not isinstance(found, pd.DataFrame):
            raise self.error(what, f"gives {type(found).__name__}", accepted)
        if len(found) != len(houses):
            raise self.error(what, f"gives {len(found)} rows for {len(houses)} houses", accepted)
        if not found.index.equals(houses):
            raise self.error(what, "gives its rows another index (Id) than its houses have", accepted)
        names = tuple(str(name) for name in found.columns)
        if not names:
            raise self.error(what, "gives no columns", accepted)
        twice = sorted(name for name in set(names) if names.count(name) > 1)
        if twice:
            raise self.error(what, f"gives column {twice[0]} twice", "each name once")
        values = np.empty((len(houses), len(names)))
        for place, name in enumerate(names):
            column = found.iloc[:, place]
            if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
                raise self.error(f"column {name}", f"has the type {column.dtype}", "numbers or truth values")
            values[:, place] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            lost = np.flatnonzero(~np.isfinite(values[:, place]))
            if len(lost):
                fault = f"house {houses[lost[0]]} has {values[lost[0], place]:g}"
                more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
                raise self.error(f"column {name}", fault + more, "a finite number for every house; fill the gaps")
        return names, values

    def _check_alone(
        self, names: tuple[str, ...], values: Floats, again: tuple[tuple[str, ...], Floats], houses: pd.Index
    ) -> None:
        self.check_names(names, again[0])
        moved = np.abs(again[1] - values) > _SMALL * (np.abs(values) + values.std(axis=0))
        if moved.any():
            row, place = np.argwhere(moved)[0]
            fault = f"house {houses[row]} has {values[row, place]:g}, and {again[1][row, place]:g} beside other houses"
            accepted = "numbers of each house by itself; what is learnt of many belongs in Columns.fit"
            raise self.error(f"column {names[place]}", fault, accepted)

    def check_names(self, expected: tuple[str, ...], names: tuple[str, ...]) -> None:
        """Refuse other columns than those of the training houses.

        Raises:
            ColumnsError: they are others, or in another order.
        """
        if names != expected:
            fault = f"gives the columns {', '.join(names)} after {', '.join(expected)}"
            raise self.error("", fault, "the same columns at every call")

    def _call(self, what: str, function: Any, *arguments: Any) -> Any:
        """Call the file's code; all that it raises becomes one line, an exit too."""
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(self.path)]
            line = [f"line {frames[-1].lineno}"] if frames else []
            fault = f"{type(error).__name__}: {' '.join(str(error).split())}"
            place = ", ".join([*line, *([what] if what else [])])
            raise self.error(place, fault, "code that runs (--debug shows the traceback)") from error

    def error(self, place: str, fault: str, accepted: str) -> ColumnsError:
        """The one line that says where the file is at fault."""
        return ColumnsError(f"{self.path}: {place + ': ' if place else ''}{fault}; accepted: {accepted}")


@dataclass(frozen=True)
class OwnColumns:
    """A file's columns, fitted on training rows.

    Attributes:
        file: which file's.
        compute: the file's code: typed table -> DataFrame.
        names: of the columns, as the file calls them.
        centre, scale: (n_columns,) see `scaling.centre_and_scale`.
    """

    file: ColumnsFile
    compute: Callable[[pd.DataFrame], Any]
    names: tuple[str, ...]
    centre: Floats
    scale: Floats

    def transform(self, houses: HouseArray) -> Floats:
        """Return the (n_rows, n_columns) numbers of houses, unscaled.

        Raises:
            ColumnsError: the file fails, or gives something else than the same columns of finite numbers.
        """
        names, values = self.file.numbers(self.compute, house_table(houses))
        self.file.check_names(self.names, names)
        return values

    def as_saved(self, scales: dict[str, Any]) -> "OwnColumns":
        """The same with the centre and scale of a saved run, down to the last bit.

        Raises:
            ColumnsError: they are not those of this fit: the file gives other numbers than it gave.
            KeyError, TypeError, ValueError: `scaling.scales_as_dict` never wrote this.
        """
        self.file.check_names(tuple(scales["centre"]), self.names)
        saved = scales_from_dict(self.names, scales)
        for name, *found in zip(self.names, self.centre, self.scale, *saved, strict=True):
            if not np.allclose(found[:2], found[2:], rtol=_SMALL, atol=_SMALL * np.nan_to_num(found[3], posinf=0)):
                fault = "has other numbers than in the run"
                raise self.file.error(f"column {name}", fault, "the same numbers each time; a seed for what is random")
        return replace(self, centre=saved[0], scale=saved[1])


def read_columns_file(path: Path) -> ColumnsFile:
    """Read a file of own columns; nothing of it runs.

    Raises:
        ColumnsError: it cannot be read.
    """
    try:
        return ColumnsFile(path, path.read_bytes())
    except OSError as error:
        raise ColumnsError(f"{path}: {error.strerror}; accepted: a Python file, see docs/columns.md") from None
