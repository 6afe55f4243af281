"""Who trains a job's networks, as its settings say: threads of this process, or a Ray cluster."""

import torch

from houseprices.engine.device import choose_device
from houseprices.engine.executor import Executor
from houseprices.engine.pool import TrainingPool
from houseprices.settings import Settings


def device_of(settings: Settings) -> torch.device:
    """Where networks train; a cluster's nodes do so on their CPUs.

    Raises:
        ResourceError: there is no such device here.
    """
    return choose_device("cpu" if settings.ray else settings.device)


def open_executor(settings: Settings) -> Executor:
    """By `workers` and `device`, or by the cluster's address in `ray`.

    Raises:
        ResourceError: there is no such device here, Ray is not installed, or no cluster answers at the address.
    """
    if not settings.ray:
        return TrainingPool(settings.workers, device_of(settings))
    from houseprices.engine.cluster import RayCluster

    return RayCluster(settings.ray)
