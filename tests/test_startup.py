"""What the command line imports before it knows what is asked of it."""

import subprocess
import sys

HEAVY = {"torch", "numba", "kaggle", "matplotlib", "pandas", "numpy", "sklearn", "pandera", "captum", "jinja2"}
SHOW_IMPORTS = """
import sys
from houseprices.cli import main
try:
    main(["--help"])
except SystemExit:
    print("imported:", *{name.partition(".")[0] for name in sys.modules})
"""


def test_help_imports_no_heavy_library():
    shown = subprocess.run([sys.executable, "-c", SHOW_IMPORTS], capture_output=True, text=True, check=True).stdout
    assert "Commands" in shown
    imported = set(shown.rpartition("imported:")[2].split())
    assert "houseprices" in imported
    assert imported & HEAVY == set()


def test_processes_that_draw_waterfalls_import_no_engine():
    show = "import sys, houseprices.report.job; print(*{name.partition('.')[0] for name in sys.modules})"
    shown = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout
    imported = set(shown.split())
    assert "pandas" in imported
    assert imported & {"torch", "numba", "sklearn", "captum"} == set()


INTERRUPTED = """
import sys
from houseprices import cli
def interrupt(*_, **__):
    print("on stdout")
    raise KeyboardInterrupt
cli.app = interrupt
sys.argv = ["houseprices", "cv"]
cli.main()
"""


def test_an_interrupted_process_ends_with_code_130_and_all_that_it_said():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stdout == "on stdout\n"
    assert done.stderr == "houseprices: interrupted; nothing was written\n"
