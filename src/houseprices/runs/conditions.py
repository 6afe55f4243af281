"""Conditions of a computation: what the last bits of a run depend on beside its houses and settings."""

import importlib.metadata
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from houseprices.files import code_digest

_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "numba", "llvmlite", "safetensors")


def conditions_on(device: str) -> dict[str, Any]:
    """Return the conditions of a run that is computed now on a torch device, as fields of its manifest."""
    import torch

    from houseprices.engine.training import step_on

    libraries = {}
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):  # numba is optional
            libraries[name] = importlib.metadata.version(name)
    return {
        "code_version": code_version(),
        "code_sha256": code_digest(),
        "python": sys.version.split()[0],
        "libraries": libraries,
        "device": device,
        "step": step_on(torch.device(device)),
        "processor": _processor(),
    }


def code_version() -> str:
    """Return the package's version, with the commit if the code runs from a checkout; a label for people."""
    version = importlib.metadata.version("houseprices")
    checkout = Path(__file__).parents[3]
    if not (checkout / "pyproject.toml").is_file():
        return version
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    with suppress(OSError, subprocess.SubprocessError):
        described = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
        return f"{version}+{described}"
    return version


def _processor() -> dict[str, str]:
    """Return the processor that each library computes for: its vector width decides the last bits of a sum."""
    import torch
    from threadpoolctl import threadpool_info

    processor = {"torch": torch.backends.cpu.get_cpu_capability()}
    for library in threadpool_info():
        if "architecture" in library:
            processor[library["internal_api"]] = library["architecture"]
    with suppress(ImportError):
        from llvmlite.binding import get_host_cpu_name

        processor["numba"] = os.environ.get("NUMBA_CPU_NAME") or get_host_cpu_name()
    return processor
