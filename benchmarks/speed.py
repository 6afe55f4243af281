"""How long a member takes to train: textbook loop, tensor loop, this engine, and the floor that this CPU sets.

    python benchmarks/speed.py [--quick] [--output benchmarks/speed.json]

All contenders train the same network on the same rows: 309-256-128-1, 1,314 rows, ReLU, linear path, dropout 0.15,
AdamW, batches of 128. They are measured in turn, several rounds, and the medians are reported. The loops train one
member after another, so that one member is measured for any number of them. The floor is the time of all
multiplications, those with zeros too, at the rate of one large float32 matrix product, measured in the same rounds.
"""

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loops import Yardstick, tensor_loop, textbook_loop
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from houseprices.data.sample.write import write_sample
from houseprices.data.schema import PRICE
from houseprices.data.table import read_houses
from houseprices.engine.hyperparameters import Hyperparameters
from houseprices.engine.members import Member
from houseprices.engine.pool import TrainingPool
from houseprices.preprocessing.house_features import HouseFeatures

Floats = NDArray[np.float32]

D_IN, N_ROWS, N_HELD_OUT = 309, 1314, 146
YARDSTICK = Yardstick()
STEPS_PER_EPOCH = N_ROWS // YARDSTICK.batch_size
REPORTED_STEPS = 100
CONTENDERS = ("textbook", "tensor_loop", "ours", "floor")


def main() -> None:
    """Measure, print the tables, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: does it run?")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("speed.json"))
    arguments = parser.parse_args()
    quick = arguments.quick
    # With other work on the cores the medians say little; two threads inside one product then suffer most.
    print(f"{os.cpu_count()} cores; load before the start {os.getloadavg()[0]:.1f}")
    matrix, targets = yardstick_data()
    cases = measure(matrix, targets, members=(1, 2) if quick else (1, 10, 50, 200), n_rounds=1 if quick else 5)
    accuracy = compare_accuracy(matrix, targets, n_seeds=2 if quick else 16, n_epochs=1 if quick else 30)
    show(cases, accuracy)
    arguments.output.write_text(json.dumps({"cases": cases, "accuracy": accuracy}, indent=2) + "\n", "utf-8")


def yardstick_data() -> tuple[Floats, Floats]:
    """The synthetic sample's first 309 feature columns, (1460, 309), and standardised log prices, (1460,)."""
    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder), N_ROWS + N_HELD_OUT, 1)
        houses = read_houses(Path(folder) / "train.csv", priced=True)
    log_price = np.log(houses.pop(PRICE).to_numpy())
    matrix = HouseFeatures().fit(houses[:N_ROWS]).transform(houses[:N_ROWS])
    matrix = np.vstack([matrix, HouseFeatures().fit(houses[:N_ROWS]).transform(houses[N_ROWS:])])[:, :D_IN]
    seen = log_price[:N_ROWS]
    return np.ascontiguousarray(matrix), ((log_price - seen.mean()) / seen.std()).astype(np.float32)


def train_ours(matrix: Floats, targets: Floats, n_members: int, n_epochs: int, n_threads: int, seed: int = 0) -> Any:
    """The engine as the main job calls it; held-out rows are not watched, as the loops do not either."""
    hyperparameters = Hyperparameters(
        hidden=YARDSTICK.hidden,
        activation="relu",
        dropout=YARDSTICK.dropout,
        input_dropout=0,
        huber_delta=math.inf,
        weight_decay=YARDSTICK.weight_decay,
        learning_rate=YARDSTICK.learning_rate,
        schedule="constant",
        epochs=n_epochs,
        batch_size=YARDSTICK.batch_size,
    )
    members = [Member(np.arange(N_ROWS), one, hyperparameters) for one in range(seed, seed + n_members)]
    with TrainingPool(n_threads, torch.device("cpu")) as pool:
        return pool.submit(matrix, targets, members).wait()[0]


def measure(matrix: Floats, targets: Floats, members: tuple[int, ...], n_rounds: int) -> list[dict[str, Any]]:
    """Seconds per member for 100 steps, medians over the rounds, for each number of members and of threads."""
    inputs, labels = torch.from_numpy(matrix[:N_ROWS]), torch.from_numpy(targets[:N_ROWS])
    # The first call of each pays for what is loaded or compiled once; that is shown by itself.
    print(f"first call of the engine: {_seconds(lambda: train_ours(matrix, targets, 1, 1, 1)):.2f} s")
    # torch's optimisers import its compiler at their first step.
    textbook_loop(inputs, labels, 1, 0, YARDSTICK)
    tensor_loop(inputs, labels, 1, 0, YARDSTICK)
    measured: dict[tuple[int, int], list[dict[str, float]]] = {}
    for _ in range(n_rounds):
        for n_members in members:
            # All of the steps that are reported: of fewer, what a member costs at its start would be too large a part.
            n_epochs = 1 if n_rounds == 1 else REPORTED_STEPS // STEPS_PER_EPOCH
            share = n_epochs * STEPS_PER_EPOCH / REPORTED_STEPS
            for n_threads in (1, 2):
                torch.set_num_threads(n_threads)
                rate = _matrix_rate()
                seconds = {
                    "textbook": _seconds(lambda n=n_epochs: textbook_loop(inputs, labels, n, 0, YARDSTICK)),
                    "tensor_loop": _seconds(lambda n=n_epochs: tensor_loop(inputs, labels, n, 0, YARDSTICK)),
                    "ours": _seconds(lambda m=n_members, n=n_epochs, t=n_threads: train_ours(matrix, targets, m, n, t))
                    / n_members,
                    "floor": share * REPORTED_STEPS * _operations_per_step() / rate,
                }
                measured.setdefault((n_members, n_threads), []).append(
                    {name: value / share for name, value in seconds.items()}
                )
    return [
        {"members": n_members, "threads": n_threads, "precision": "float32"}
        | {f"{name}_s": statistics.median(one[name] for one in rounds) for name in CONTENDERS}
        for (n_members, n_threads), rounds in measured.items()
    ]


def compare_accuracy(matrix: Floats, targets: Floats, n_seeds: int, n_epochs: int) -> dict[str, float]:
    """Mean and standard error over seeds of single members' RMSE on the held-out rows, in the targets' units."""
    held_out, labels = torch.from_numpy(matrix[N_ROWS:]), targets[N_ROWS:]
    seen = torch.from_numpy(matrix[:N_ROWS]), torch.from_numpy(targets[:N_ROWS])
    models = [textbook_loop(*seen, n_epochs, seed, YARDSTICK) for seed in range(n_seeds)]
    with torch.no_grad():
        loop = [model(held_out).numpy() for model in models]
    ours = train_ours(matrix, targets, n_seeds, n_epochs, 2).predict(held_out).numpy()
    result: dict[str, float] = {"seeds": n_seeds, "epochs": n_epochs}
    for name, predictions in (("textbook", np.stack(loop)), ("ours", ours)):
        errors = np.sqrt(((predictions - labels) ** 2).mean(axis=1))
        result[f"{name}_rmse"] = float(errors.mean())
        result[f"{name}_standard_error"] = float(errors.std(ddof=1) / n_seeds**0.5)
    return result


def show(cases: list[dict[str, Any]], accuracy: dict[str, float]) -> None:
    """Print the cases with their ratios, and the accuracy."""
    titles = ("members", "threads", *CONTENDERS, "textbook / ours", "ours / floor")
    table = Table(*titles, title="seconds per member for 100 steps, float32")
    for case in cases:
        seconds = [case[f"{name}_s"] for name in CONTENDERS]
        ratios = seconds[0] / seconds[2], seconds[2] / seconds[3]
        table.add_row(
            str(case["members"]),
            str(case["threads"]),
            *(f"{one:.3f}" for one in seconds),
            *(f"{r:.1f}" for r in ratios),
        )
    Console(width=110).print(table)
    for name in ("textbook", "ours"):
        rmse, spread = accuracy[f"{name}_rmse"], accuracy[f"{name}_standard_error"]
        print(
            f"{name}: held-out RMSE {rmse:.4f} +- {spread:.4f} (standard error over {accuracy['seeds']} seeds, "
            f"{accuracy['epochs']} epochs, in standard deviations of the log price)"
        )


def _operations_per_step() -> int:
    """Floating-point operations of a step's dense products: forward, weight gradients, and hidden gradients."""
    first, second = YARDSTICK.hidden
    layers = D_IN * first + first * second + second + D_IN
    return 2 * YARDSTICK.batch_size * (2 * layers + first * second + second)


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
