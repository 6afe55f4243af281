"""What a column of the matrix is: a name, its parents and a formula that is given those parents alone.

So a column cannot depend on what it does not declare, and an explanation cannot credit the wrong feature.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from houseprices.preprocessing.engineered import Values
from houseprices.preprocessing.house_array import Floats


@dataclass(frozen=True)
class Levels:
    """A nominal feature of some houses, as a formula sees it.

    Attributes:
        names: of the levels, in the schema's order.
        codes: (n_rows,) the houses' places in it.
        is_common: (n_levels,) whether enough training rows have the level.
    """

    names: tuple[str, ...]
    codes: NDArray[np.intp]
    is_common: NDArray[np.bool_]

    def is_level(self, level: str) -> NDArray[np.bool_]:
        """Return (n_rows,): which houses have the level."""
        return np.asarray(self.codes == self.names.index(level))

    def one_hot(self, level: str) -> NDArray[np.bool_]:
        """Return the same, or zeros for a level that is rare: a weight learnt from a handful of houses is noise."""
        return np.asarray(self.is_level(level) & self.is_common[self.names.index(level)])


@dataclass(frozen=True)
class Statistic:
    """What columns need to know of the training rows of a fold.

    Attributes:
        name: under which it is saved.
        parents: what it is computed from, as a column's.
        fit: the training rows' parents -> an array.
        shape: of that array.
    """

    name: str
    parents: tuple[str, ...]
    fit: Callable[..., Floats]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Column:
    """One column of the matrix.

    Attributes:
        name: what it is called.
        parents: numbers (see `engineered.NUMBERS`) and nominal features that it is made of.
        formula: the parents in this order, a number as its (n_rows,) scaled values and a nominal feature as `Levels`,
            then the statistics -> (n_rows,).
        statistics: what it needs to know of the training rows.
    """

    name: str
    parents: tuple[str, ...]
    formula: Callable[..., Values]
    statistics: tuple[Statistic, ...] = ()
