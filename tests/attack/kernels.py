"""Measure how far another rounding moves a run: `verify` with other processors' machine code, and with the torch step.

Libraries choose their machine code by the processor; environment variables make them choose another one's.
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
    "2 threads": dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2"),
    "OpenBLAS for AVX2 (Haswell)": {"OPENBLAS_CORETYPE": "Haswell"},
    "OpenBLAS for AVX (Sandy Bridge)": {"OPENBLAS_CORETYPE": "Sandybridge"},
    "OpenBLAS for SSE (Nehalem)": {"OPENBLAS_CORETYPE": "Nehalem"},
    "torch without AVX": {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"},
    "numba for any x86-64": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
    "all for AVX2": {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2", "NUMBA_CPU_NAME": "haswell"},
    "the torch step": {},
}


def houseprices(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run a command and return its stdout."""
    command = [sys.executable, "-m", "houseprices", *arguments]
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    return done.stdout or sys.exit(done.stderr)


def main() -> None:
    """Print the differences of each variant by output and quantity: root mean square / largest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder with the houses; a synthetic sample without it")
    parser.add_argument("--config", default="configs/quick.toml")
    options, settings = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "numba.py").write_text("raise ImportError\n", "utf-8")
        data, run = options.data or f"{name}/sample", f"{name}/run"
        if not options.data:
            houseprices("sample", "--to", data)
        houseprices("cv", "--data", data, "--config", options.config, "--run", run, *settings, "--json")
        for variant in VARIANTS:
            environment = dict(VARIANTS[variant])
            if variant == "the torch step":
                environment["PYTHONPATH"] = os.pathsep.join([name, os.environ.get("PYTHONPATH", "")])
            verification = json.loads(houseprices("verify", "--run", run, "--json", environment=environment))
            moved = [
                f"{item['file']} {item['quantity']} {item['rms']:.1e}/{item['largest']:.1e}"
                for item in verification["differences"]
            ]
            print(f"{variant}: {', '.join(moved) or 'all bits equal'} [{verification['verdict']}]", flush=True)


if __name__ == "__main__":
    main()
