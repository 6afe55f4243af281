"""Prices as people read them, in text and on a logarithmic axis."""

import math
from typing import Any


def dollar_ticks(axis: Any, low: float, high: float, n_ticks: int = 5) -> None:
    """A few round prices on a logarithmic axis."""
    import numpy as np
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    round_prices = np.array(
        [step * 10.0**power for power in range(3, 8) for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]
    )
    inside = round_prices[(round_prices >= low) & (round_prices <= high)]
    wanted = np.geomspace(low, high, n_ticks + 2)[1:-1]
    ticks = (
        sorted({float(inside[np.abs(np.log(inside / price)).argmin()]) for price in wanted}) if len(inside) else [low]
    )
    # Labels that would touch go.
    least = np.log(high / low) / (n_ticks + 3)
    ticks = [tick for index, tick in enumerate(ticks) if index == 0 or np.log(tick / ticks[index - 1]) > least]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(thousands)


def dollars(value: float) -> str:
    """A price as people write it.

    >>> dollars(181500.4)
    '$181,500'
    """
    return f"${value:,.0f}"


def thousands(value: float, _place: int | None = None) -> str:
    """A price on an axis.

    >>> thousands(250000)
    '$250k'
    """
    return f"${value / 1000:,.0f}k"


def percent(log_difference: float) -> str:
    """A difference of log prices as a change of the price.

    >>> percent(0.1), percent(-0.1)
    ('+10.5%', '−9.5%')
    """
    change = 100 * math.expm1(log_difference)
    return f"{change:+.1f}%".replace("-", "−")
