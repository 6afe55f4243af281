"""Where networks train."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from houseprices.errors import ResourceError


def choose_device(name: str) -> torch.device:
    """auto, cpu or cuda -> the device; auto takes a CUDA device if there is one.

    Raises:
        ResourceError: cuda is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        found = "this machine or this build of torch has none"
        raise ResourceError(f"device is cuda, but {found}; accepted here: auto, cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread within the block: in small products several wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
