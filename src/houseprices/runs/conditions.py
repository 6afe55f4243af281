"""What the last bits of a run depend on beside its houses and settings: code, libraries, device and processor."""

import importlib.metadata
import os
import sys
from contextlib import suppress
from typing import Any

import torch
from threadpoolctl import threadpool_info

from houseprices.engine.training import step_on
from houseprices.runs.code_version import code_version

_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "numba", "llvmlite", "safetensors")


def conditions_on(device: torch.device) -> dict[str, Any]:
    """The fields of a manifest that say under what a run is computed now."""
    return {
        "code_version": code_version(),
        "python": sys.version.split()[0],
        "libraries": dict(_versions()),
        "device": str(device),
        "step": step_on(device),
        "processor": _processor(),
    }


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):  # numba need not be there
            found.append((name, importlib.metadata.version(name)))
    return found


def _processor() -> dict[str, str]:
    """For which processor each library computes: of how many numbers a sum is made at once decides its last bits."""
    found = {"torch": torch.backends.cpu.get_cpu_capability()}
    for library in threadpool_info():
        if "architecture" in library:
            found[library["internal_api"]] = library["architecture"]
    with suppress(ImportError):
        from llvmlite.binding import get_host_cpu_name

        found["numba"] = os.environ.get("NUMBA_CPU_NAME") or get_host_cpu_name()
    return found
