import numpy as np
import torch

from houseprices.settings import GroupSettings
from houseprices.training_pool import MEMBERS_AT_ONCE, TrainingPool

GROUP = GroupSettings(n_members=1, hidden=(5,), epochs=2, batch_size=8)


def trained(seeds: list[int], n_workers: int = 2) -> tuple[torch.Tensor, list[int], np.ndarray]:
    rng = np.random.default_rng(0)
    matrix, targets = rng.standard_normal((30, 4), dtype=np.float32), rng.standard_normal(30, dtype=np.float32)
    told: list[int] = []
    with TrainingPool(n_workers, torch.device("cpu")) as pool:
        pending = pool.submit(GROUP, matrix, targets, np.arange(20), np.arange(20, 30), seeds)
        network, curves = pending.wait(0.5, told.append)
    return network.parameters, told, curves.validation


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


def test_the_threads_of_a_product_are_as_before_when_the_pool_closes():
    before = torch.get_num_threads()
    with TrainingPool(1, torch.device("cpu")):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
