"""Who trains a job's networks, as its settings say: threads of this process, or a Ray cluster."""

from contextlib import AbstractContextManager

import torch

from houseprices.engine import training
from houseprices.engine.device import choose_device
from houseprices.engine.training import Executor
from houseprices.progress import Notify, silent
from houseprices.settings import Settings


def device_of(settings: Settings) -> torch.device:
    """Where networks train; a cluster's nodes do so on their CPUs.

    Raises:
        ResourceError: there is no such device here.
    """
    return choose_device(settings.device, settings.ray)


def open_executor(settings: Settings, notify: Notify = silent) -> AbstractContextManager[Executor]:
    """By `workers` and `device`, or by the cluster's address in `ray`.

    Raises:
        ResourceError: there is no such device here, Ray is not installed, or no cluster answers at the address.
    """
    return training.open_executor(settings.workers, settings.device, settings.ray, notify)
