"""How time and memory grow with members and with rows: seconds and peak memory, each case in a process of its own.

    python benchmarks/scale.py [--quick] [--output benchmarks/scale.json]

Members: the yardstick's network (see `speed.py`), one epoch each on 1,314 rows. Rows: rows of the synthetic sample's
generator through the feature transformer, two members, one pass over all rows. Peak memory is the process's own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table


def main() -> None:
    """Measure each case in a subprocess, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest cases: does it run?")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("scale.json"))
    parser.add_argument("--case", nargs=2, type=int, metavar=("MEMBERS", "ROWS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(*arguments.case)))
        return
    members, rows = (
        ((1, 10), (1_000,)) if arguments.quick else ((1, 10, 100, 1_000), (1_000, 10_000, 100_000, 1_000_000))
    )
    print(f"{os.cpu_count()} cores; load before the start {os.getloadavg()[0]:.1f}")
    table = Table("members", "rows", "training s", "us a member and row", "network GB", "table GB", "peak GB")
    results = []
    for n_members, n_rows in [(one, 1_314) for one in members] + [(2, one) for one in rows]:
        command = [sys.executable, __file__, "--case", str(n_members), str(n_rows)]
        result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        results.append(result)
        each = 1e6 * result["seconds"] / n_members / n_rows
        sizes = (f"{result[name]:.3f}" for name in ("networks_gb", "table_gb", "peak_gb"))
        table.add_row(f"{n_members:,}", f"{n_rows:,}", f"{result['seconds']:.2f}", f"{each:.1f}", *sizes)
    Console(width=110).print(table)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


def measure(n_members: int, n_rows: int) -> dict[str, float]:
    """Train one epoch; peak memory covers the making of the table too, which needs several times the table."""
    from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData
    from houseprices.engine.training import open_executor, submit_networks, warm_up

    matrix, targets = _table(n_rows)
    warm_up()
    _reset_peak()
    before = _peak_bytes()
    hyperparameters = Hyperparameters(hidden=(256, 128), activation="relu", epochs=1)
    data = TrainingData(matrix, targets, np.arange(n_rows))
    specs = [NetworkSpec(seed, hyperparameters) for seed in range(n_members)]
    start = time.perf_counter()
    with open_executor(0, "cpu") as executor:
        networks = submit_networks(executor, data, specs).result().network
    return {
        "members": n_members,
        "rows": n_rows,
        "seconds": time.perf_counter() - start,
        "networks_gb": networks.parameters.nbytes / 1e9,
        "table_gb": matrix.nbytes / 1e9,
        "before_gb": before / 1e9,
        "peak_gb": _peak_bytes() / 1e9,
    }


def _table(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised log prices and 309 feature columns of sample rows; made of one sample of at most 10,000 rows.

    The sample's houses repeat beyond that, with other noise: the engine's time does not depend on the values.
    """
    import tempfile

    from houseprices.data.sample.write import write_sample
    from houseprices.data.schema import PRICE
    from houseprices.data.table import read_houses
    from houseprices.preprocessing.features import HouseFeatures

    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder), min(n_rows, 10_000), 1)
        houses = read_houses(Path(folder) / "train.csv", priced=True)
    log_price = np.log(houses.pop(PRICE).to_numpy())
    features = HouseFeatures().fit(houses).transform(houses)[:, :309]
    times = -(-n_rows // len(features))
    matrix = np.ascontiguousarray(np.tile(features, (times, 1))[:n_rows])
    targets = np.tile((log_price - log_price.mean()) / log_price.std(), times)[:n_rows]
    return matrix, (targets + np.random.default_rng(0).normal(0, 0.1, n_rows)).astype(np.float32)


def _reset_peak() -> None:
    """Forget the peak so far, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_bytes() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
