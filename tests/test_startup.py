"""What the command line imports before it knows what is asked of it."""

import functools
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "numba", "kaggle", "matplotlib", "pandas", "numpy", "sklearn", "jinja2"}
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


def test_neither_a_job_nor_prices_for_new_houses_wait_for_scikit_learn():
    """It is a third of what they import, for nothing that they need before networks train."""
    show = "import sys, houseprices.runs.write, houseprices.runs.predict; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in imported
    assert "sklearn" not in imported


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


STOPPED = """
import sys, time
from pathlib import Path
from houseprices import cli
from houseprices.files import replacing
def work(*_, **__):
    with replacing(Path("run")) as (folder,):
        folder.mkdir()
        print(flush=True)
        time.sleep(60)
cli.app = work
sys.argv = ["houseprices", "cv"]
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_stopped_leaves_nothing_half_written(number: signal.Signals, tmp_path: Path):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    heard = functools.partial(signal.signal, number, signal.SIG_DFL)  # whatever these tests themselves are deaf to
    with subprocess.Popen([sys.executable, "-c", STOPPED], preexec_fn=heard, **pipes) as process:
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait() == 128 + number
        assert process.stderr.read() == "houseprices: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []
