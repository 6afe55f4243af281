"""How long a member takes to train: textbook loop, tensor loop, this engine, and the floor that this CPU sets.

    python benchmarks/speed.py [--quick] [--output benchmarks/speed.json]

Networks: a yardstick, 309-256-128-1, ReLU, linear path, dropout 0.15, AdamW, batches of 128; and each kind of the
default recipe on its own columns. All contenders train the same network on the same 1,314 rows of the synthetic sample,
but that the loops keep to squared error, one output and a constant learning rate. They are measured in turn, several
rounds, and the medians are reported. The loops train one member after another, so that one member is measured for any
number of them. The floor is the time of all multiplications, those with zeros too, at the rate of one large float32
matrix product, measured in the same rounds; a network without hidden layers has next to none.
"""

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loops import tensor_loop, textbook_loop
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from houseprices.cross_validation.fold import Fold, blocks_of, fit_fold
from houseprices.data.sample import write_sample
from houseprices.data.schema import PRICE
from houseprices.data.table import read_houses
from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData, architecture_of
from houseprices.engine.training import open_executor, submit_networks
from houseprices.preprocessing.houses import house_array
from houseprices.settings import Settings

Floats = NDArray[np.float32]

D_IN, N_ROWS, N_HELD_OUT = 309, 1314, 146
STEPS_PER_EPOCH, REPORTED_STEPS = 10, 100
CONTENDERS = ("textbook", "tensor_loop", "ours", "floor")
YARDSTICK = Hyperparameters(
    hidden=(256, 128),
    activation="relu",
    dropout=0.15,
    input_dropout=0,
    huber_delta=math.inf,
    weight_decay=0.01,
    learning_rate=1e-3,
    schedule="constant",
)


@dataclass(frozen=True, eq=False)
class Case:
    """So many members of a network, on so many threads; `matrix` is all rows, (1460, d_in)."""

    network: str
    of: Hyperparameters
    matrix: Floats
    members: int
    threads: int


def main() -> None:
    """Measure, print the tables, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: does it run?")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("speed.json"))
    arguments = parser.parse_args()
    quick = arguments.quick
    # With other work on the cores the medians say little; two threads inside one product then suffer most.
    print(f"{os.cpu_count()} cores; load before the start {os.getloadavg()[0]:.1f}")
    data = sample_fold()
    yardstick = np.ascontiguousarray(data.matrix[:, :D_IN])
    networks = [("yardstick", YARDSTICK, yardstick, n) for n in ((1, 2) if quick else (1, 10, 50, 200))]
    for name, group in Settings().models.items():
        columns = np.ascontiguousarray(data.matrix[:, data.columns(group.blocks)])
        networks.append((name, group, columns, 2 if quick else 10))
    cases = [Case(*network, threads) for network in networks for threads in ((1,) if quick else (1, 2))]
    measured = measure(cases, data.targets, n_rounds=1 if quick else 5)
    accuracy = compare_accuracy(yardstick, data.targets, n_seeds=2 if quick else 16, n_epochs=1 if quick else 30)
    show(measured, accuracy)
    arguments.output.write_text(json.dumps({"cases": measured, "accuracy": accuracy}, indent=2) + "\n", "utf-8")


def sample_fold() -> Fold:
    """The synthetic sample's first rows as a fold's training rows, as the main job prepares them."""
    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder), N_ROWS + N_HELD_OUT, 1)
        houses = read_houses(Path(folder) / "train.csv", priced=True)
    log_price = np.log(houses.pop(PRICE).to_numpy())
    training, held_out = np.split(np.arange(len(houses)), [N_ROWS])
    settings, array = Settings(), house_array(houses)
    blocks = blocks_of(settings.models.values())
    return fit_fold(0, 0, (training, held_out), array, log_price, settings.features, blocks)


def train_ours(of: Hyperparameters, matrix: Floats, targets: Floats, n_members: int, n_threads: int) -> Any:
    """The engine as the main job calls it; held-out rows are not watched, as the loops do not either."""
    data = TrainingData(matrix, targets, np.arange(N_ROWS))
    with open_executor(n_threads, "cpu") as executor:
        return submit_networks(executor, data, [NetworkSpec(seed, of) for seed in range(n_members)]).result().network


def measure(cases: list[Case], targets: Floats, n_rounds: int) -> list[dict[str, Any]]:
    """Of each case the seconds per member for 100 steps, and operations a second of a large product: medians."""
    labels = torch.from_numpy(targets[:N_ROWS])
    # All of the steps that are reported: of fewer, what a member costs at its start would be too large a part.
    n_epochs = 1 if n_rounds == 1 else REPORTED_STEPS // STEPS_PER_EPOCH
    share = n_epochs * STEPS_PER_EPOCH / REPORTED_STEPS

    def one_round(case: Case) -> dict[str, float]:
        of, inputs = replace(case.of, epochs=n_epochs), torch.from_numpy(case.matrix[:N_ROWS])
        torch.set_num_threads(case.threads)
        rate = _matrix_rate()
        ours = _seconds(lambda: train_ours(of, case.matrix, targets, case.members, case.threads))
        return {
            "textbook_s": _seconds(lambda: textbook_loop(inputs, labels, 0, of)) / share,
            "tensor_loop_s": _seconds(lambda: tensor_loop(inputs, labels, 0, of)) / share,
            "ours_s": ours / case.members / share,
            "floor_s": REPORTED_STEPS * _operations_per_step(of, inputs.shape[1]) / rate,
            "operations_per_s": rate,
        }

    # The first call of each pays for what is loaded or compiled once (torch's optimisers import its compiler).
    print(f"first call of all three: {_seconds(lambda: one_round(cases[0])):.2f} s")
    rounds = [[one_round(case) for case in cases] for _ in range(n_rounds)]
    return [
        {"network": case.network, "columns": case.matrix.shape[1], "members": case.members, "threads": case.threads}
        | {name: statistics.median(one[name] for one in of_case) for name in of_case[0]}
        for case, of_case in zip(cases, zip(*rounds, strict=True), strict=True)
    ]


def compare_accuracy(matrix: Floats, targets: Floats, n_seeds: int, n_epochs: int) -> dict[str, float]:
    """Mean and standard error over seeds of single members' RMSE on the held-out rows, in the targets' units."""
    held_out, labels = torch.from_numpy(matrix[N_ROWS:]), targets[N_ROWS:]
    seen = torch.from_numpy(matrix[:N_ROWS]), torch.from_numpy(targets[:N_ROWS])
    of = replace(YARDSTICK, epochs=n_epochs)
    models = [textbook_loop(*seen, seed, of) for seed in range(n_seeds)]
    with torch.no_grad():
        loop = [model(held_out).numpy() for model in models]
    ours = train_ours(of, matrix, targets, n_seeds, 2).predict(held_out).numpy()
    result: dict[str, float] = {"seeds": n_seeds, "epochs": n_epochs}
    for name, predictions in (("textbook", np.stack(loop)), ("ours", ours)):
        errors = np.sqrt(((predictions - labels) ** 2).mean(axis=1))
        result[f"{name}_rmse"] = float(errors.mean())
        result[f"{name}_standard_error"] = float(errors.std(ddof=1) / n_seeds**0.5)
    return result


def show(cases: list[dict[str, Any]], accuracy: dict[str, float]) -> None:
    """Print the cases with their ratios, and the accuracy."""
    described = ("network", "columns", "members", "threads")
    titles = (*described, *CONTENDERS, "textbook / ours", "ours / floor")
    table = Table(*titles, title="seconds per member for 100 steps, float32")
    for case in cases:
        seconds = [case[f"{name}_s"] for name in CONTENDERS]
        ratios = seconds[0] / seconds[2], seconds[2] / seconds[3]
        table.add_row(
            *(str(case[name]) for name in described), *(f"{s:.4f}" for s in seconds), *(f"{r:.1f}" for r in ratios)
        )
    Console(width=120).print(table)
    for n_threads in sorted({case["threads"] for case in cases}):
        rate = statistics.median(case["operations_per_s"] for case in cases if case["threads"] == n_threads)
        print(f"one large product, threads {n_threads}: {rate / 1e9:.0f} billion operations a second")
    for name in ("textbook", "ours"):
        rmse, spread = accuracy[f"{name}_rmse"], accuracy[f"{name}_standard_error"]
        print(
            f"{name}: held-out RMSE {rmse:.4f} +- {spread:.4f} (standard error over {accuracy['seeds']} seeds, "
            f"{accuracy['epochs']} epochs, in standard deviations of the log price)"
        )


def _operations_per_step(of: Hyperparameters, d_in: int) -> int:
    """Floating-point operations of a step's dense products: forward, weight gradients, and hidden gradients."""
    weights = [fan_in * fan_out for fan_in, fan_out in architecture_of(of, d_in).weight_shapes]
    return 2 * of.batch_size * (2 * sum(weights) + sum(weights[1 : len(of.hidden) + 1]))


def _matrix_rate() -> float:
    """Operations a second of one large float32 product, with torch's present number of threads; best of five."""
    n = 1024
    one, other, product = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
    return 2 * n**3 / min(_seconds(lambda: torch.mm(one, other, out=product)) for _ in range(5))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
