"""Gathers what a machine without network needs to install houseprices, beyond the torch that Kaggle's notebooks carry.

The versions are those of the environment that runs this, so those of constraints.txt after `make`.
"""

import argparse
import importlib.metadata
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
CARRIED = "torch"
"""With all that it needs; with CUDA's libraries it is larger than everything else together."""

NOT_FETCHED = (
    "pip cannot fetch the wheels, for what it says above; accepted: a network, PIP_INDEX_URL=address or "
    "PIP_FIND_LINKS=folder"
)


def needed_by(package: str, besides: str = "") -> dict[str, str]:
    """{name: version} of the installed package and all that it needs, without what only `besides` needs."""
    found: dict[str, str] = {}
    waiting = [package]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found or name == besides:
            continue
        found[name] = importlib.metadata.version(name)
        requirements = map(Requirement, importlib.metadata.requires(name) or ())
        waiting += [one.name for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def gather(folder: Path, python: str = "") -> None:
    """Fill the folder with wheels; those that are there stay, others go.

    Args:
        folder: gets a wheel a package.
        python: version to gather for, such as 3.12; "" for the one that runs this.

    Raises:
        subprocess.CalledProcessError: pip failed, and said why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = needed_by("houseprices", besides=CARRIED)
    del wanted["houseprices"]
    for wheel in folder.glob("*.whl"):
        name, version, _, tags = parse_wheel_filename(wheel.name)
        if wanted.get(name) == str(version) and not python and not tags.isdisjoint(sys_tags()):
            del wanted[name]
        else:
            wheel.unlink()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    other = ["--python-version", python, "--platform", "manylinux_2_28_x86_64"] if python else []
    if wanted:
        names = [f"{name}=={version}" for name, version in wanted.items()]
        to_folder = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        subprocess.run([*pip, "download", *to_folder, *other, *names], check=True)
    # With the setuptools of this environment, which torch brings: what is gathered already needs no network.
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)


def main() -> None:
    """Gather and say how much it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=Path("wheels"), help="the folder")
    parser.add_argument("--python", default="", help="version to gather for, such as 3.12; else this one's")
    options = parser.parse_args()
    try:
        gather(options.to, options.python)
    except subprocess.CalledProcessError as error:
        sys.exit(
            NOT_FETCHED
            if "download" in error.cmd
            else f"{options.to}: pip cannot build the package, for what it says above"
        )
    wheels = list(options.to.glob("*.whl"))
    print(f"{options.to}: {len(wheels)} wheels, {sum(wheel.stat().st_size for wheel in wheels) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
