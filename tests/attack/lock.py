"""Writes requirements.lock: every package that is installed, its licence and the SHA-256 of its file (`make lock`).

The files are those of this machine's kind and Python; with them `pip install --require-hashes --no-deps --requirement
requirements.lock` takes these very files and no other.
"""

import json
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import metadata as installed
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
HEAD = "# Written by `make lock` for Linux on x86-64 with Python {}; torch is its CPU build. Each with its licence.\n"


def licence_of(metadata: dict[str, Any]) -> str:
    """In a line, from wherever the package tells it; an older pip does not report the newest field."""
    with suppress(PackageNotFoundError):
        if expression := installed(metadata["name"])["License-Expression"]:
            return str(expression)
    prefix = "License :: OSI Approved :: "
    named = [one.removeprefix(prefix) for one in metadata.get("classifier", []) if one.startswith(prefix)]
    first_line = next(iter((metadata.get("license") or "").strip().splitlines()), "unknown")
    return ", ".join(named) or first_line.strip()


def main() -> None:
    """Ask pip what it would install, and write it down."""
    asked = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    command = [*asked, "--constraint", str(ROOT / "constraints.txt"), f"{ROOT}[dev,cluster]"]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    lines = []
    for package in report["install"]:
        metadata, archive = package["metadata"], package["download_info"].get("archive_info")
        if archive:
            name = f"{metadata['name'].lower().replace('_', '-')}=={metadata['version']}"
            lines.append(f"{name} --hash=sha256:{archive['hashes']['sha256']}  # {licence_of(metadata)}\n")
    LOCK.write_text(HEAD.format(report["environment"]["python_version"]) + "".join(sorted(lines)), "utf-8")
    print(f"{LOCK}: {len(lines)} packages")


if __name__ == "__main__":
    main()
