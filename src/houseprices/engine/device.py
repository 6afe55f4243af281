"""Where members train."""

import torch

from houseprices.errors import ResourceError


def choose_device(name: str) -> torch.device:
    """auto, cpu or cuda -> the device.

    Raises:
        ResourceError: cuda is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ResourceError(
            "device is cuda, but this machine or this build of torch has none; accepted here: auto, cpu"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
