"""Why a house got its price."""

import math
from typing import Any

from houseprices.console.tables import print_table
from houseprices.report.money import dollars, percent

_WORDS = ("theme and features", "value")
_SHOWN = 0.01
"""Effects of features from here on have a line, in log price: about a percent."""


def print_explanation(explanation: dict[str, Any]) -> None:
    """The themes, from the average house to the prediction, each with its larger features."""
    reached = explanation["average_log_price"]
    sections = [[("average house", "", "", dollars(explanation["average_usd"]))]]
    for theme in explanation["themes"]:
        reached += theme["log_price"]
        rows = [(theme["theme"], "", percent(theme["log_price"]), dollars(math.exp(reached)))]
        for one in theme["features"]:
            if abs(one["log_price"]) >= _SHOWN:
                rows.append((f"  {one['words']}", one["value"], percent(one["log_price"]), ""))
        sections.append(rows)
    title = f"house {explanation['id']}: {dollars(explanation['predicted_usd'])}"
    print_table(title, ("theme and features", "value", "effect", "price so far"), *sections, words=_WORDS)
    print(explanation["figure"])
