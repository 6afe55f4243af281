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
    """The conditions of a run that is computed now on a torch device, as fields of its manifest."""
    import torch

    from houseprices.engine.training import step_on

    return {
        "code_version": code_version(),
        "code_sha256": code_digest(),
        "python": sys.version.split()[0],
        "libraries": dict(_library_versions()),
        "device": device,
        "step": step_on(torch.device(device)),
        "processor": _processor(),
    }


def code_version() -> str:
    """The package's version, with the commit where the code runs from a checkout; a label for people."""
    version = importlib.metadata.version("houseprices")
    checkout = Path(__file__).parents[3]
    if not (checkout / "pyproject.toml").is_file():
        return version
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}+{described}"


def _library_versions() -> list[tuple[str, str]]:
    versions = []
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):  # numba is optional
            versions.append((name, importlib.metadata.version(name)))
    return versions


def _processor() -> dict[str, str]:
    """The processor that each library computes for: how many numbers are added at once decides a sum's last bits."""
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
