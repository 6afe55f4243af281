"""How sure a mean over few seeds is: Student's interval, of differences where two ways share their seeds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class MeanInterval:
    """A mean over seeds and half the width of its 95% interval."""

    mean: float
    half_width: float

    @property
    def excludes_zero(self) -> bool:
        """Whether chance alone would seldom bring such a mean."""
        return abs(self.mean) > self.half_width

    def text(self, digits: int = 3, scale: float = 1.0, sign: bool = False) -> str:
        """Both numbers, times `scale`."""
        return f"{self.mean * scale:{'+' if sign else ''}.{digits}f} ± {self.half_width * scale:.{digits}f}"


def mean_interval(values: ArrayLike) -> MeanInterval:
    """Student's 95% interval of the mean; values are those of single seeds, of pairs their differences.

    Raises:
        ValueError: fewer than two values.

    >>> mean_interval([1.0, 3.0]).text(1)
    '2.0 ± 12.7'
    """
    from scipy.stats import t

    array: NDArray[Any] = np.asarray(values, dtype=float)
    if len(array) < 2:
        raise ValueError(f"an interval needs two values or more, got {len(array)}")
    error = array.std(ddof=1) / len(array) ** 0.5
    return MeanInterval(float(array.mean()), float(t.ppf(0.975, len(array) - 1) * error))
