"""Why a house got its price."""

import math
from typing import Any

from houseprices.console.tables import print_table
from houseprices.report.money import dollars, percent

_SHOWN = 15


def print_explanation(explanation: dict[str, Any]) -> None:
    """The largest effects, from the average house to the prediction."""
    lines = [(one["feature"], one["value"], one["log_price"]) for one in explanation["attributions"]]
    others = sum(size for _, _, size in lines[_SHOWN:])
    shown = [*lines[:_SHOWN], (f"{len(lines) - _SHOWN} others", "", others)]
    reached = explanation["average_log_price"]
    rows = [("average house", "", "", dollars(explanation["average_usd"]))]
    for name, value, size in shown:
        reached += size
        rows.append((name, value, percent(size), dollars(math.exp(reached))))
    title = f"house {explanation['id']}: {dollars(explanation['predicted_usd'])}"
    print_table(title, ("feature", "value", "effect", "price so far"), rows, words=("feature", "value"))
    print(explanation["figure"])
