"""Which code a run was made with."""

import importlib.metadata
import subprocess
from pathlib import Path


def code_version() -> str:
    """The package's version, with the commit where the code runs from a checkout."""
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
