"""Lessons run as the commands run them."""

from collections.abc import Iterator

import pytest

from houseprices.engine import device


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On small matrices threads wait for each other more than they compute."""
    with device.single_threads():
        yield
