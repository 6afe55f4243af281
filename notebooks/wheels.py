"""Gather the wheels that a machine without network needs to install houseprices, but for torch, which Kaggle has.

The versions are those of the environment that runs this: those of constraints.txt after `make`.
"""

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
PREINSTALLED = "torch"
"""With all that it needs; with CUDA's libraries it is larger than everything else together."""

PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)] + [
    f"{name}_x86_64" for name in ("manylinux2014", "manylinux2010", "manylinux1", "linux")
]
"""Platform tags that Kaggle's machines accept; many packages only have the older ones."""

NOT_FETCHED = (
    "pip cannot fetch the wheels, for the reason above; accepted: a network, PIP_INDEX_URL=address or "
    "PIP_FIND_LINKS=folder"
)


def requirements(package: str, without: str = "") -> dict[str, str]:
    """Return {name: version} of the installed package and all that it needs, but for what only `without` needs."""
    versions: dict[str, str] = {}
    waiting = [package]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in versions or name == without:
            continue
        versions[name] = importlib.metadata.version(name)
        needed = map(Requirement, importlib.metadata.requires(name) or ())
        waiting += [requirement.name for requirement in needed if not requirement.marker or
                    requirement.marker.evaluate({"extra": ""})]  # fmt: skip
    return versions


def gather(folder: Path, packages: dict[str, str], python: str = "", source: Path | None = None) -> None:
    """Fill the folder with a wheel per package; what stood there stays until all are fetched.

    Args:
        folder: gets the wheels; wheels that fit are kept, all others go.
        packages: {name: version}
        python: version of Python, such as 3.12; "" for the one that runs this.
        source: checkout of a package to build a wheel of as well.

    Raises:
        subprocess.CalledProcessError: pip failed, and printed why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    tags = tags_of(python)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as name:
        fresh, missing = Path(name), dict(packages)
        for wheel in folder.glob("*.whl"):
            package, version, _, wheel_tags = parse_wheel_filename(wheel.name)
            if packages.get(package) == str(version) and not tags.isdisjoint(wheel_tags):
                shutil.copy2(wheel, fresh)
                missing.pop(package, None)
        if missing:
            other = ["--python-version", python, *(word for tag in PLATFORMS for word in ("--platform", tag))]
            versions = [f"{package}=={version}" for package, version in missing.items()]
            options = ["--no-deps", "--only-binary", ":all:", "--dest", str(fresh), *(other if python else [])]
            subprocess.run([*pip, "download", *options, *versions], check=True)
        if source:
            # With the setuptools of this environment: the rest needs no network.
            build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(fresh), str(source)]
            subprocess.run(build, check=True)
        for wheel in folder.glob("*.whl"):
            wheel.unlink()
        for wheel in fresh.glob("*.whl"):
            wheel.rename(folder / wheel.name)


def tags_of(python: str) -> set[Tag]:
    """Return the tags of wheels that such a Python on Kaggle's machines installs; "" for the Python that runs this."""
    if not python:
        return set(sys_tags())
    major, minor = map(int, python.split(".")[:2])
    interpreter = f"cp{major}{minor}"
    return {
        *cpython_tags((major, minor), platforms=PLATFORMS),
        *compatible_tags((major, minor), interpreter, platforms=PLATFORMS),
    }


def main() -> None:
    """Gather the wheels and print how many they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=Path("wheels"), help="the folder")
    parser.add_argument("--python", default="", help="version to gather for, such as 3.12; else this one's")
    options = parser.parse_args()
    packages = requirements("houseprices", without=PREINSTALLED)
    del packages["houseprices"]
    try:
        gather(options.to, packages, options.python, ROOT)
    except subprocess.CalledProcessError as error:
        failed = "download" in error.cmd
        sys.exit(NOT_FETCHED if failed else f"{options.to}: pip cannot build the package, for the reason above")
    wheels = list(options.to.glob("*.whl"))
    print(f"{options.to}: {len(wheels)} wheels, {sum(wheel.stat().st_size for wheel in wheels) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
