"""Device that trains, its memory, and a single thread for small matrix products."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from houseprices.engine.specs import NetworkSpec, Plan, TrainingData, plan_of
from houseprices.errors import OutOfMemoryError, ResourceError


@contextmanager
def single_threads() -> Iterator[None]:
    """Let torch and BLAS compute in one thread within the block.

    Several threads would wait for each other in small products; and their number changes the last bits of a sum.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(n_threads)


def choose_device(name: str, ray: str = "") -> torch.device:
    """Return the device for auto, cpu or cuda; auto takes a CUDA device if there is one, a Ray cluster its CPUs.

    Raises:
        ResourceError: cuda is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ResourceError(
            "device is cuda, but this machine or this build of torch has none; accepted here: auto, cpu"
        )
    return torch.device("cuda" if name != "cpu" and not ray and torch.cuda.is_available() else "cpu")


def check_memory(data: TrainingData, networks: Sequence[NetworkSpec], device: torch.device, n_at_once: int) -> None:
    """Raise an OutOfMemoryError unless `n_at_once` such batches fit into the memory together."""
    plan = plan_of(networks, data)
    needed = n_at_once * training_bytes(plan, len(data.inputs), len(networks), device)
    available = available_bytes(device)
    if needed > available:
        raise OutOfMemoryError(
            f"training {n_at_once * len(networks)} networks of {plan.architecture.n_parameters:,} parameters at once"
            f" with batches of {plan.batch_size:,} rows needs {needed / 1e9:.1f} GB of memory; available are"
            f" {available / 1e9:.1f} GB; accepted: narrower hidden layers, smaller batches or fewer workers"
        )


def training_bytes(plan: Plan, n_rows: int, n_networks: int, device: torch.device) -> int:
    """Compute the memory that a batch takes while it trains, beside its `TrainingData`.

    A CPU trains on the table itself; a GPU has a copy of it.
    """
    architecture, on_gpu = plan.architecture, device.type == "cuda"
    # Parameters, gradient and Adam's two averages, and room for three more results; the trained network twice.
    state = 9 * architecture.n_parameters * 4
    # Inputs and their masks; hidden units, their derivatives and masks, and results between passes.
    batch = plan.batch_size * (3 * architecture.d_in + 4 * sum(architecture.hidden) + 2) * 4
    streams = 3 * n_rows * 8
    # The table on a GPU; on a CPU the rare columns' entries: four bytes each, in less than a quarter of the rows.
    table = n_rows * (architecture.d_in + 2) * 4 if on_gpu else n_rows * (architecture.d_in + 8)
    return n_networks * (state + batch + streams) + table


def available_bytes(device: torch.device) -> int:
    """Measure the free memory of the GPU, or of the machine and of the container around this process."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux: nothing is known, so nothing is refused
        return 2**63 - 1
    try:
        limit, used = (Path("/sys/fs/cgroup", name).read_text() for name in ("memory.max", "memory.current"))
        return min(free, int(limit) - int(used))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return free
