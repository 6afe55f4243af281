"""The score over fold seeds 0 .. N-1: pooled, by group and without each group.

    python benchmarks/score.py --data data/raw [--config configs/default.toml] [--seeds 5]

Every row is counted in the first figure of each pair; the second leaves out Ids 524 and 1299, two huge houses sold
unfinished, whose errors hang on whether a fold holds both of them. It is a second figure and never the headline.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from houses import UNUSUAL, find_houses

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.selection.gate import paired_difference
from houseprices.settings import load_settings


def main() -> None:
    """Cross-validate once a seed and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--to", type=Path, default=Path("benchmarks/score.json"))
    arguments = parser.parse_args()

    settings = load_settings(arguments.config)
    houses = find_houses(arguments.data)
    log_price, usual = houses.log_price, houses.usual

    models: dict[str, list[np.ndarray]] = {name: [] for name in settings.models}
    ridge, training = [], []
    for seed in range(arguments.seeds):
        result = cross_validate(houses.train, houses.test, replace(settings, seed=seed))
        for name, of_members in result.by_model.items():
            models[name].append(of_members.mean(axis=1))  # (n_repeats, n_rows)
        ridge.append(result.baselines["ridge"])
        training.append(np.sqrt(np.mean(result.training_log_rmse**2)))
    by_repeat = {name: np.stack(guesses) for name, guesses in models.items()}  # (n_seeds, n_repeats, n_rows)
    by_model = {name: guesses.mean(axis=1) for name, guesses in by_repeat.items()}  # (n_seeds, n_rows)
    whole = mean_of(by_model)

    def pair(guesses: np.ndarray) -> str:
        errors = (guesses - log_price) ** 2
        return f"{np.sqrt(errors.mean(axis=1)).mean():.4f} ({np.sqrt(errors[:, usual].mean(axis=1)).mean():.4f})"

    def against(parts: dict[str, np.ndarray]) -> str:
        found = paired_difference(whole, mean_of(parts), log_price)
        return f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"

    print(f"{houses.folder}, {arguments.seeds} fold seeds; in brackets without Ids {UNUSUAL}")
    for seed in range(arguments.seeds):
        print(f"seed {seed}: {pair(whole[[seed]])}, training {training[seed]:.4f}, ridge {pair(ridge[seed][None])}")
    print(f"mean: {pair(whole)}, training {np.mean(training):.4f}, ridge {pair(np.stack(ridge))}")
    for name in by_model:
        others = {other: guesses for other, guesses in by_model.items() if other != name}
        line = f"group {name}: alone {pair(by_model[name])}"
        print(line + (f"; without it {pair(mean_of(others))}, {against(others)}" if others else ""))
    if settings.folds.n_repeats > 1:
        once = {name: guesses[:, 0] for name, guesses in by_repeat.items()}
        print(f"one split instead of {settings.folds.n_repeats}: {pair(mean_of(once))}, {against(once)}")
    arguments.to.write_text(json.dumps({"mean": pair(whole)}))
    np.savez_compressed(arguments.to.with_suffix(".npz"), log_price=log_price, **by_repeat)


def mean_of(models: dict[str, np.ndarray]) -> np.ndarray:
    """The plain mean of the models' predictions."""
    return np.mean(list(models.values()), axis=0)


if __name__ == "__main__":
    main()
