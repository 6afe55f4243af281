"""How much memory a training needs, and how much there is."""

from pathlib import Path

import torch

from houseprices.engine.mlp import Architecture

_FLOAT_BYTES, _INDEX_BYTES = 4, 8


def available_bytes(device: torch.device) -> int:
    """Memory that can still be had: of the GPU, or of the machine and of the container that holds this process."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # another system than Linux: nothing is known, so nothing is refused
        return 2**63 - 1
    try:
        group = Path("/sys/fs/cgroup")
        limit, used = ((group / name).read_text() for name in ("memory.max", "memory.current"))
        return min(free, int(limit) - int(used))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return free


def bytes_per_member(architecture: Architecture, batch_size: int, n_rows: int, device: torch.device) -> int:
    """Memory that one member takes while it trains on a table of n_rows; the table itself is shared by all.

    >>> bytes_per_member(Architecture(309, (256, 128), "relu", True), 128, n_rows=1314, device=torch.device("cpu"))
    4865586
    """
    # Parameters, gradient and Adam's two averages; plain torch needs room for three more results between its passes.
    state = 7 * architecture.n_parameters * _FLOAT_BYTES
    # Inputs and their masks; hidden units, their derivatives and masks, and what lies between passes.
    batch = batch_size * (3 * architecture.d_in + 4 * sum(architecture.hidden) + 2) * _FLOAT_BYTES
    streams = 3 * n_rows * _INDEX_BYTES
    # The compiled steps' list of the rare columns' entries: four bytes each, in less than a quarter of the rows.
    rare = n_rows * (_INDEX_BYTES + architecture.d_in) if device.type == "cpu" else 0
    return state + batch + streams + rare
