"""How many changes that do nothing the gate adopts, on real and on permuted prices.

    python benchmarks/gate_nulls.py [--data data/raw] [--config configs/quick.toml] [--nulls 20]

Half of the changes are other seeds of the networks, half a column of noise beside the columns that they see. Permuted
prices belong to other houses: there is nothing to learn, and nothing to be better at. No look is noted. What is trained
is kept in runs/gate, so that an interrupted job goes on where it was.
"""

import argparse
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from houses import find_houses
from numpy.typing import NDArray

from houseprices.cross_validation.fold_model import combine
from houseprices.cross_validation.fold_training import FoldData
from houseprices.data.schema import PRICE
from houseprices.preprocessing.columns import Block
from houseprices.preprocessing.houses import HouseArray, house_array
from houseprices.selection.comparison import PREDICTIONS
from houseprices.selection.gate import by_halving, halvings, judge, objections
from houseprices.selection.held_out import Batches, batches_of, predict_held_out
from houseprices.settings import Settings, load_settings


class WithNoise(FoldData):
    """A fold with one more column, which every group sees."""

    def live_columns(self, blocks: tuple[Block, ...]) -> NDArray[np.intp]:
        """Those of the blocks, and the last one."""
        return np.append(super().live_columns(blocks), self.matrix.shape[1] - 1)


def main() -> None:
    """Print a line a change, and how many were adopted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/quick.toml"))
    parser.add_argument("--nulls", type=int, default=20, help="of each kind")
    arguments = parser.parse_args()

    settings = load_settings(arguments.config)
    found = find_houses(arguments.data)
    houses = house_array(found.train.drop(columns=PRICE))
    permuted = np.random.default_rng(0).permutation(found.log_price)
    for prices, log_price in (("real", found.log_price), ("permuted", permuted)):
        (_, incumbent), *nulls = candidates(settings, houses, log_price, arguments.nulls)
        before = predict(incumbent, settings, log_price)
        adopted = dict.fromkeys((kind for kind, _ in nulls), 0)
        for kind, batches in nulls:
            judgement = judge(before, predict(batches, settings, log_price), log_price)
            against = objections(judgement, settings)
            adopted[kind] += not against
            bulk = judgement.bulk
            print(
                f"{prices} prices, {kind}: whole {judgement.whole.difference:+.5f}, bulk {bulk.difference:+.5f} "
                f"[{bulk.low:+.5f}, {bulk.high:+.5f}] {'rejected' if against else 'adopted'}",
                flush=True,
            )
        by_kind = ", ".join(f"{count} of {arguments.nulls} with {kind}" for kind, count in adopted.items())
        print(f"{prices} prices of {found.folder}: adopted {sum(adopted.values())} of {len(nulls)} ({by_kind})")


def candidates(
    settings: Settings, houses: HouseArray, log_price: np.ndarray, n_nulls: int
) -> Iterator[tuple[str, Batches]]:
    """The incumbent, then changes that do nothing, each with its kind."""
    recipes = [settings, *(replace(settings, seed=settings.seed + 1 + null) for null in range(n_nulls))]
    incumbent, *others = batches_of(recipes, houses, log_price, halvings(len(log_price)))
    yield "nothing", incumbent
    yield from (("another seed", batches) for batches in others)
    for null in range(n_nulls):
        noise = np.random.default_rng([1, null]).standard_normal((len(log_price), 1), dtype=np.float32)
        yield (
            "a column of noise",
            {
                name: [replace(batch, data=with_noise(batch.data, noise)) for batch in of_group]
                for name, of_group in incumbent.items()
            },
        )


def with_noise(data: FoldData, noise: np.ndarray) -> WithNoise:
    """The fold with the (n_rows, 1) column beside its own."""
    parts = {field.name: getattr(data, field.name) for field in fields(data)}
    return WithNoise(**(parts | {"matrix": np.hstack([data.matrix, noise])}))


def predict(batches: Batches, settings: Settings, log_price: np.ndarray) -> np.ndarray:
    """(n_halvings, n_rows) log prices."""
    [predicted] = predict_held_out([batches], settings, PREDICTIONS)
    sets = halvings(len(log_price))
    by_set = [{name: of_sets[place] for name, of_sets in predicted.items()} for place in range(len(sets))]
    return by_halving(sets, [combine(one) for one in by_set])


if __name__ == "__main__":
    main()
