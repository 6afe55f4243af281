"""Numbers of any unit -> numbers around zero that no odd house drives far away."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from houseprices.preprocessing.house_array import Floats


def centre_and_scale(numbers: Floats) -> tuple[Floats, Floats]:
    """Of each column of training rows: its median, and its spread, infinite where it is constant.

    The spread is the interquartile range, or the standard deviation where that range is zero.

    Shape:
        numbers: (n_rows, n_columns)
        returns: (n_columns,) each
    """
    spread = np.subtract(*np.quantile(numbers, (0.75, 0.25), axis=0))
    spread = np.where(spread == 0, numbers.std(axis=0), spread)
    return np.median(numbers, axis=0), np.where(spread == 0, np.inf, spread)


def squeezed(numbers: Floats, centre: Floats, scale: Floats, clip: float) -> Floats:
    """Centre and scale, then x / sqrt(1 + (x / clip)^2), which stays within +-clip."""
    centred = (numbers - centre) / scale
    return np.asarray(centred / np.sqrt((centred / clip) ** 2 + 1))


def scales_as_dict(names: Sequence[str], centre: Floats, scale: Floats) -> dict[str, dict[str, float | None]]:
    """Both by name, as JSON can hold them."""
    finite = [None if np.isinf(spread) else spread for spread in scale.tolist()]
    return {"centre": dict(zip(names, centre.tolist(), strict=True)), "scale": dict(zip(names, finite, strict=True))}


def scales_from_dict(names: Sequence[str], scales: dict[str, Any]) -> tuple[Floats, Floats]:
    """Centre and scale that `scales_as_dict` described.

    Raises:
        KeyError, TypeError, ValueError: it never wrote this.
    """
    centre, scale = ([scales[of][name] for name in names] for of in ("centre", "scale"))
    infinite = [np.inf if spread is None else spread for spread in scale]
    return np.array(centre, dtype=np.float64), np.array(infinite, dtype=np.float64)
