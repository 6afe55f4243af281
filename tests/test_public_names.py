"""What `import houseprices` offers, and what it costs."""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import houseprices


@pytest.mark.parametrize("name", houseprices.__all__)
def test_each_public_name_is_there_and_documented(name):
    assert getattr(houseprices, name).__doc__
    assert name in dir(houseprices)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'houseprices' has no attribute 'MLPEnsemble'"):
        houseprices.MLPEnsemble  # noqa: B018  # asking is the test


def test_importing_the_package_imports_no_library():
    code = "import sys, houseprices; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "pandas", "sklearn", "pydantic"} & set(done.stdout.split())


def test_the_readmes_examples_run():
    root = Path(__file__).parents[1]
    results = [doctest.testfile(str(root / page), module_relative=False) for page in ("README.md", "docs/estimator.md")]
    assert sum(result.attempted for result in results) > 5
    assert all(result.failed == 0 for result in results)
