"""What each part of the recipe is worth: the score without it, house by house on the gate's halves.

    python benchmarks/recipe.py --data data/raw [--config configs/default.toml] [--to benchmarks/recipe.csv]

Every part is taken out of all models at once. Nothing is chosen here, so that no look is noted. A `recipe.csv` in a run
folder is shown on its page.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from houses import find_houses

from houseprices.data.schema import PRICE
from houseprices.preprocessing.columns import BLOCKS
from houseprices.preprocessing.houses import house_array
from houseprices.selection.comparison import PREDICTIONS, predict_halves
from houseprices.selection.gate import paired_difference
from houseprices.settings import Settings, load_settings


def main() -> None:
    """Predict the halves by the recipe, then by the recipe without each part, and print a row a part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--to", type=Path, default=Path("benchmarks/recipe.csv"))
    arguments = parser.parse_args()

    settings = load_settings(arguments.config)
    houses = find_houses(arguments.data)
    log_price, usual = houses.log_price, houses.usual
    array = house_array(houses.train.drop(columns=PRICE))

    def predictions(of: Settings) -> np.ndarray:
        return predict_halves([of], array, log_price, PREDICTIONS)[0].prediction

    whole = predictions(settings)
    rows: list[dict[str, str]] = []
    for part, changed in (("nothing", settings), *variants(settings)):
        guess = whole if part == "nothing" else predictions(changed)
        found = paired_difference(whole, guess, log_price)
        without_unusual = paired_difference(whole[:, usual], guess[:, usual], log_price[usual])
        rows.append(
            {
                "without": part,
                "log_rmse": f"{found.second:.4f}",
                "difference": f"{found.difference:+.4f}",
                "interval": f"[{found.low:+.4f}, {found.high:+.4f}]",
                "without Ids 524, 1299": f"{without_unusual.second:.4f}",
            }
        )
        print("  ".join(rows[-1].values()), flush=True)
    with arguments.to.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def variants(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """The recipe without one part at a time."""

    def everywhere(**changes: Any) -> Settings:
        return replace(settings, models={name: replace(group, **changes) for name, group in settings.models.items()})

    parts = {
        "dropout": everywhere(dropout=0.0),
        "weight decay": everywhere(weight_decay=0.0),
        "input dropout": everywhere(input_dropout=0.0),
        "Huber's loss": everywhere(huber_delta=float("inf")),
        "likelihood": everywhere(loss="huber"),
        "linear path": everywhere(linear_path=False),
        "hidden layers": everywhere(hidden=(), linear_path=False),
        "cosine schedule": everywhere(schedule="constant"),
    }
    yield from ((name, without) for name, without in parts.items() if without != settings)
    for block in BLOCKS:
        models = {
            name: replace(group, blocks=tuple(kept for kept in group.blocks if kept != block))
            for name, group in settings.models.items()
        }
        if models != settings.models:
            yield f"block {block}", replace(settings, models=models)
    if len(settings.models) > 1:
        for name in settings.models:
            others = {other: group for other, group in settings.models.items() if other != name}
            yield f"group {name}", replace(settings, models=others)


if __name__ == "__main__":
    main()
