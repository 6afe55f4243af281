"""Executors: the results depend neither on the number of workers nor on the tasks, and the table is never copied."""

import threading
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from houseprices.engine.device import training_bytes
from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData, plan_of
from houseprices.engine.training import CPU, open_executor, submit_networks, warm_up
from houseprices.errors import ResourceError

BASE = Hyperparameters(hidden=(5,), epochs=2, batch_size=8)
RNG = np.random.default_rng(0)
DATA = TrainingData(
    RNG.standard_normal((30, 4), dtype=np.float32),
    RNG.standard_normal(30, dtype=np.float32),
    np.arange(20),
    np.arange(20, 30),
)


def specs(n_networks: int, hyperparameters: Hyperparameters = BASE) -> list[NetworkSpec]:
    return [NetworkSpec(seed, hyperparameters) for seed in range(n_networks)]


def trained(n_networks: int, n_workers: int = 2) -> torch.Tensor:
    with open_executor(n_workers, "cpu") as executor:
        return submit_networks(executor, DATA, specs(n_networks)).result().network.parameters


def test_networks_come_back_in_their_order_whatever_the_tasks(monkeypatch):
    alone = trained(5)
    counts: list[int] = []
    with open_executor(2, "cpu") as executor:
        executor.networks_per_task = 2
        together = submit_networks(executor, DATA, specs(5)).result(counts.append)
    assert counts == [2, 2, 1]
    assert torch.equal(together.network.parameters, alone)
    assert together.curves.validation.shape == (5, BASE.epochs)
    assert len(np.unique(together.curves.validation[:, -1])) == 5


def test_the_number_of_workers_changes_no_bit():
    assert torch.equal(trained(6, n_workers=1), trained(6, n_workers=3))


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_threads_of_a_product_are_as_before_when_the_executor_closes():
    with threadpool_limits(2, user_api="blas"):
        before = torch.get_num_threads(), blas_threads()
        with open_executor(1, "cpu"):
            assert (torch.get_num_threads(), blas_threads()) == (1, {1})
        assert (torch.get_num_threads(), blas_threads()) == before


def test_workers_share_the_table_and_none_copies_it():
    warm_up()
    rows = np.arange(16)
    table = TrainingData(np.ones((2_000, 2_000), np.float32), np.zeros(2_000, np.float32), rows)
    tiny = specs(6, replace(BASE, hidden=(), epochs=1))
    with open_executor(3, "cpu") as executor:
        tracemalloc.start()
        submit_networks(executor, table, tiny).result()
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak_bytes < table.inputs.nbytes / 4


def test_the_memory_of_a_gpu_holds_a_copy_of_the_table_once():
    plan, gpu = plan_of(specs(1), DATA), torch.device("cuda")
    for n_networks in (1, 10):
        more_columns = replace(plan, architecture=replace(plan.architecture, hidden=(), d_in=1_000))
        fixed = training_bytes(more_columns, 0, n_networks, gpu)
        shared = training_bytes(more_columns, 5_000, n_networks, gpu) - fixed
        assert 5_000 * 1_000 * 4 < shared < 1.2 * 5_000 * 1_000 * 4


@pytest.mark.parametrize(("n_fitting", "n_workers", "accepted"), [(2.5, 2, True), (1.5, 2, False), (1.5, 1, True)])
def test_networks_that_do_not_fit_into_the_memory_at_once_are_refused(monkeypatch, n_fitting, n_workers, accepted):
    free = int(n_fitting * training_bytes(plan_of(specs(1), DATA), 30, 1, CPU))
    monkeypatch.setattr("houseprices.engine.device.available_bytes", lambda _: free)
    if accepted:
        trained(3, n_workers)
    else:
        with pytest.raises(
            ResourceError, match=r"^training 2 networks of 35 parameters at once with batches of 8 rows "
        ):
            trained(3, n_workers)


def test_leaving_by_an_exception_cancels_the_workers_at_their_next_step():
    endless = replace(BASE, epochs=10**9)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), open_executor(2, "cpu") as executor:  # noqa: PT012  # the error comes after the work has begun
        submit_networks(executor, DATA, specs(20, endless))
        time.sleep(0.2)
        raise KeyboardInterrupt
    assert threading.active_count() == before
