"""The worth of each part of the settings: the score without it, house by house, on 10 x 2-fold cross-validation.

    python benchmarks/ablation.py [--data data/raw] [--config configs/default.toml]

Each model and each block, weight decay, dropout, the noise on the inputs and the likelihood are left out in turn, a
setting in all models at once. A part with an interval above zero earns its place. Nothing is chosen here, so nothing is
added to the log of trials. Predictions are kept in runs/compare: an interrupted job goes on where it was.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from houseprices.data.source import read_tables
from houseprices.preprocessing.columns import BLOCKS
from houseprices.selection.acceptance import PairedDifference, paired_scores
from houseprices.selection.compare import PREDICTIONS
from houseprices.selection.held_out import log_price_of, predict_held_out
from houseprices.settings import Settings, load_settings


def main() -> None:
    """Print a row of a Markdown table for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path)
    arguments = parser.parse_args()

    settings = load_settings(arguments.config)
    houses = read_tables(arguments.data).train
    [(_, complete)] = predict_held_out([settings], houses, PREDICTIONS)
    print("| without | RMSE | difference | trimmed RMSE | difference |\n|---|---|---|---|---|", flush=True)
    for part, candidate in (("nothing", settings), *without_each_part(settings)):
        [(_, held_out)] = predict_held_out([candidate], houses, PREDICTIONS)
        scores = paired_scores(complete, held_out, log_price_of(houses))
        print(f"| {part} | {cells(scores.rmse)} | {cells(scores.trimmed)} |", flush=True)


def cells(figure: PairedDifference) -> str:
    """The figure without the part, and its difference with its 95% interval."""
    return f"{figure.second:.4f} | {figure.difference:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]"


def without_each_part(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """The settings without one part at a time, where they have it."""

    def everywhere(**changes: Any) -> Settings:
        models = {
            name: replace(model, **{setting: value for setting, value in changes.items() if hasattr(model, setting)})
            for name, model in settings.models.items()
        }
        return replace(settings, models=models)

    parts = {
        "weight decay": everywhere(weight_decay=0.0),
        "dropout": everywhere(dropout=0.0),
        "input dropout": everywhere(input_dropout=0.0),
        "input noise": everywhere(input_noise=0.0),
        "likelihood (Huber's loss instead)": everywhere(loss="huber"),
        "linear path": everywhere(linear_path=False),
        "cosine schedule": everywhere(schedule="constant"),
    }
    yield from ((part, candidate) for part, candidate in parts.items() if candidate != settings)
    for block in BLOCKS:
        models = {
            name: replace(model, blocks=tuple(kept for kept in model.blocks if kept != block) or model.blocks)
            for name, model in settings.models.items()
        }
        if models != settings.models:
            yield f"block `{block}`", replace(settings, models=models)
    for name in settings.models if len(settings.models) > 1 else ():
        others = {other: model for other, model in settings.models.items() if other != name}
        yield f"model `{name}`", replace(settings, models=others)


if __name__ == "__main__":
    main()
