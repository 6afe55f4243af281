"""One run computed again by the machine code of other processors, and by the readable step: how far its numbers move.

Libraries choose machine code by the processor; variables of the environment make them choose another one's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

VARIANTS: dict[str, dict[str, str]] = {
    "the same": {},
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "2 threads": {"OMP_NUM_THREADS": "2"},
    "BLAS of AVX2 (Haswell)": {"OPENBLAS_CORETYPE": "Haswell"},
    "BLAS of AVX (Sandy Bridge)": {"OPENBLAS_CORETYPE": "Sandybridge"},
    "BLAS of SSE (Nehalem)": {"OPENBLAS_CORETYPE": "Nehalem"},
    "torch without AVX512": {"ATEN_CPU_CAPABILITY": "avx2"},
    "torch without AVX": {"ATEN_CPU_CAPABILITY": "default"},
    "torch's MKL for any processor": {"MKL_CBWR": "COMPATIBLE"},
    "numba for Haswell": {"NUMBA_CPU_NAME": "haswell"},
    "numba for any x86-64": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
    "all of AVX2": {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2", "NUMBA_CPU_NAME": "haswell"},
    "the readable step": {},
}


def houseprices(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "houseprices", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, text=True, capture_output=True, check=False
    )
    if not done.stdout:
        sys.exit(done.stderr)
    return done.stdout


def main() -> None:
    """Print the largest difference of each output, in parts of a number above 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder with train.csv and test.csv; a synthetic sample without it")
    parser.add_argument("--config", default="configs/quick.toml")
    parser.add_argument("--only", choices=VARIANTS, action="append", help="one variant alone; may be repeated")
    options, settings = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        without_numba = place / "numba.py"
        without_numba.write_text("raise ImportError\n", "utf-8")
        data, run = options.data or str(place / "town"), str(place / "run")
        if not options.data:
            houseprices("sample", "--to", data)
        houseprices("cv", "--data", data, "--config", options.config, "--run", run, *settings, "--json")
        for variant in options.only or VARIANTS:
            environment = dict(VARIANTS[variant])
            if variant == "the readable step":
                environment["PYTHONPATH"] = os.pathsep.join([name, os.environ.get("PYTHONPATH", "")])
            found = json.loads(houseprices("verify", "--run", run, "--json", environment=environment))
            differences = {one["file"]: one["largest"] for one in found["differences"] if one["place"]}
            moved = ", ".join(f"{file} {largest:.1e}" for file, largest in differences.items()) or "all bits equal"
            print(f"{variant}: {moved} [{'; '.join(found['conditions'])}]", flush=True)


if __name__ == "__main__":
    main()
