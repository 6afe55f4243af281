"""What a search on many machines is made of: seconds a network, bytes a task, a row, a trial. See docs/scale.md.

    python benchmarks/cluster_costs.py [--data data/raw] [--json]

No cluster is needed: of what Ray would carry the arrays are counted. One thread, as a task of a cluster has.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from houses import find_houses

from houseprices.cross_validation.fold_training import blocks_of
from houseprices.data.schema import PRICE
from houseprices.engine.specs import NetworkSpec
from houseprices.engine.training import open_executor
from houseprices.preprocessing.houses import house_array
from houseprices.selection.corrected import corrected_score, lowest
from houseprices.selection.gate import halvings
from houseprices.selection.held_out import fit_sets
from houseprices.selection.search_journal import open_journal
from houseprices.selection.search_space import read_space
from houseprices.settings import ModelSettings, Settings

N_TRIALS = (100, 1000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {**of_networks(arguments.data), **of_the_journal()}
    print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value:.4g}" for name, value in found.items()))


def of_networks(data: Path | None) -> dict[str, float]:
    """Of one half of the houses: features, and a network of each kind."""
    houses, settings = find_houses(data), Settings()
    sets, array = halvings(len(houses.log_price)), house_array(houses.train.drop(columns=PRICE))
    blocks = blocks_of(settings.models.values())
    fit_sets(settings.features, blocks, array, houses.log_price, sets[:1])  # loads what is loaded once
    seconds, [fold] = _timed(lambda: fit_sets(settings.features, blocks, array, houses.log_price, sets[:1]))
    found = {
        "features: seconds a half": seconds,
        "features: bytes a house of the matrix": fold.matrix.nbytes / len(fold.matrix),
        "features: bytes a house of the typed table": array.values.nbytes / len(array),
    }
    for name, group in settings.models.items():
        data = fold.data(group.blocks, with_curves=False)
        with open_executor(1, "cpu") as executor:
            seconds, trained = _timed(lambda: executor.submit(data, [NetworkSpec(0, group)]).result())  # noqa: B023  # called at once
        found |= {
            f"{name}: seconds a network": seconds,
            f"{name}: bytes of the result": trained.network.parameters.nbytes
            + sum(curve.nbytes for curve in vars(trained.curves).values()),
        }
    found["bytes of a half's table"] = fold.matrix.nbytes + fold.targets.nbytes + fold.training.nbytes
    return found


def of_the_journal() -> dict[str, float]:
    """Of a search whose trials cost nothing: its journal, asking, reading, correcting."""
    found: dict[str, float] = {}
    space, rng = read_space(), np.random.default_rng(0)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    log_price = rng.normal(size=1460)
    for n_trials in N_TRIALS:
        with tempfile.TemporaryDirectory() as folder:
            storage = Path(folder) / "search.journal"
            prediction = rng.normal(size=(10, 1460))
            with open_journal(storage, {}) as journal:
                suggest = partial(journal.ask, 8, 0, lambda trial: space.suggest(trial, ModelSettings()))
                for _ in range(0, n_trials - 8, 8):
                    for trial, _group in suggest():
                        journal.tell(trial, {}, float(rng.normal()), prediction)
                seconds, asked = _timed(suggest)
                for trial, _group in asked:
                    journal.tell(trial, {}, float(rng.normal()), prediction)
            found[f"{n_trials} trials: seconds to ask for 8"] = seconds
            found[f"{n_trials} trials: bytes of the journal a trial"] = storage.stat().st_size / n_trials
            sizes = [file.stat().st_size for file in Path(folder).rglob("*.npy")]
            found[f"{n_trials} trials: bytes of predictions a trial"] = sum(sizes) / n_trials

            def read() -> int:
                with open_journal(storage, {}, to_read=True) as journal:  # noqa: B023  # called at once
                    return len(journal.finished())

            found[f"{n_trials} trials: seconds to read them back"], _ = _timed(read)
        predictions = log_price + 0.1 * rng.normal(size=(n_trials, 10, 1460)).astype(np.float32)
        rule = lowest(predictions, log_price)
        seconds, _ = _timed(lambda: corrected_score(predictions, log_price, rule))  # noqa: B023  # called at once
        found[f"{n_trials} trials: seconds to correct for the choice"] = seconds
    return found


def _timed(job: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = job()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
