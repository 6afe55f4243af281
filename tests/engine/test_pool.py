import threading
import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from houseprices.engine.executor import TrainingTable
from houseprices.engine.hyperparameters import Hyperparameters
from houseprices.engine.members import Member
from houseprices.engine.memory import bytes_per_member
from houseprices.engine.mlp import Architecture
from houseprices.engine.pool import TrainingPool
from houseprices.errors import ResourceError

BASE = Hyperparameters(hidden=(5,), epochs=2, batch_size=8)
MEMBERS_AT_ONCE = 4


def trained(seeds: list[int], n_workers: int = 2) -> tuple[torch.Tensor, list[int], np.ndarray]:
    rng = np.random.default_rng(0)
    matrix, targets = rng.standard_normal((30, 4), dtype=np.float32), rng.standard_normal(30, dtype=np.float32)
    told: list[int] = []
    with TrainingPool(n_workers, torch.device("cpu")) as pool:
        members = [Member(np.arange(20), seed, BASE, np.arange(20, 30)) for seed in seeds]
        network, curves = pool.submit(TrainingTable(matrix, targets), members).wait(told.append)
    return network.parameters, told, curves.validation


@pytest.fixture(autouse=True)
def _four_at_once(monkeypatch):
    monkeypatch.setattr("houseprices.engine.pool.MEMBERS_AT_ONCE", MEMBERS_AT_ONCE)


def test_members_come_back_in_the_order_of_their_seeds_whatever_the_batches():
    seeds = list(range(2 * MEMBERS_AT_ONCE + 1))
    together, told, curves = trained(seeds)
    assert told == [MEMBERS_AT_ONCE, MEMBERS_AT_ONCE, 1]
    assert len(curves) == len(seeds)
    for index in (0, MEMBERS_AT_ONCE, len(seeds) - 1):
        alone, _, curve = trained([seeds[index]])
        torch.testing.assert_close(alone[0], together[index], rtol=0, atol=1e-6)
        np.testing.assert_allclose(curve[0], curves[index], rtol=1e-4)


def test_the_number_of_workers_changes_no_bit():
    seeds = list(range(6))
    assert torch.equal(trained(seeds, n_workers=1)[0], trained(seeds, n_workers=3)[0])


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_threads_of_a_product_are_as_before_when_the_pool_closes():
    with threadpool_limits(2, user_api="blas"):
        before = torch.get_num_threads(), blas_threads()
        with TrainingPool(1, torch.device("cpu")):
            assert (torch.get_num_threads(), blas_threads()) == (1, {1})
        assert (torch.get_num_threads(), blas_threads()) == before


@pytest.mark.parametrize(("n_fitting", "expected"), [(100, MEMBERS_AT_ONCE), (4.5, 2), (1.5, 1)])
def test_a_batch_too_large_for_the_memory_is_split(monkeypatch, n_fitting, expected):
    architecture = Architecture(4, BASE.hidden, BASE.activation, BASE.linear_path)
    kept = 2 * 5 * architecture.n_parameters * 4
    free = kept + int(n_fitting * bytes_per_member(architecture, BASE.batch_size, 30, torch.device("cpu")))
    plenty, _, _ = trained(list(range(5)))
    monkeypatch.setattr("houseprices.engine.pool.available_bytes", lambda _: free)
    split, told, _ = trained(list(range(5)))  # two workers: half of the memory each
    assert told[0] == expected
    torch.testing.assert_close(split, plenty, rtol=0, atol=1e-6)


def test_what_fits_in_no_way_is_refused_with_the_memory_that_it_needs(monkeypatch):
    monkeypatch.setattr("houseprices.engine.pool.available_bytes", lambda _: 10**3)
    with pytest.raises(ResourceError, match=r"needs 0\.0 GB of memory, one at a time; available are 0\.0 GB; accepted"):
        trained([0])


def test_leaving_by_an_exception_stops_the_workers_at_their_next_step():
    rng = np.random.default_rng(0)
    matrix, targets = rng.standard_normal((30, 4), dtype=np.float32), rng.standard_normal(30, dtype=np.float32)
    endless = Hyperparameters(hidden=(5,), epochs=10**9, batch_size=8)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), TrainingPool(2, torch.device("cpu")) as pool:  # noqa: PT012  # the error comes after the work has begun
        pool.submit(TrainingTable(matrix, targets), [Member(np.arange(20), seed, endless) for seed in range(20)])
        time.sleep(0.2)
        raise KeyboardInterrupt
    assert threading.active_count() == before
