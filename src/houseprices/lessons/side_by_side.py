"""Independent trainings on all cores, one thread each: within small products several threads wait for each other."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """The function's results, in the order of the items; it must draw from no generator that others draw from."""
    # The number of threads within a product is each thread's own.
    with ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as executor:
        return list(executor.map(function, items))
