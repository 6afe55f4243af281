"""Networks on a Ray cluster of this machine: three nodes, of which one is lost in the middle."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData
from houseprices.engine.training import open_executor, submit_networks
from houseprices.errors import ResourceError
from houseprices.progress import Notice, Progress
from houseprices.runs import format as run_format
from houseprices.runs.write import run_main_job

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'houseprices[cluster]'")
pytestmark = pytest.mark.filterwarnings("default")  # Ray's own are no fault of the code under test

RNG = np.random.default_rng(0)
NETWORK = Hyperparameters(hidden=(5,), epochs=3, batch_size=8)
NETWORKS = [NetworkSpec(seed, NETWORK) for seed in range(7)]
DATA = TrainingData(
    RNG.standard_normal((40, 6), dtype=np.float32),
    RNG.standard_normal(40, dtype=np.float32),
    np.arange(30),
    np.arange(30, 40),
)
WEIGHTED = replace(DATA, row_weights=np.linspace(0.5, 1.5, 40).astype(np.float32))


class Nodes:
    """A cluster that listens on this machine alone."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._node = {"num_cpus": 1, "object_store_memory": 80_000_000, "node_ip_address": "127.0.0.1"}
        self._cluster = Cluster(initialize_head=True, head_node_args={**self._node, "include_dashboard": False})
        self._others = [self._cluster.add_node(**self._node) for _ in range(2)]
        # Ray reads 127.0.0.1 and localhost as another address of the machine, at which this cluster does not listen.
        self.address = f"LOCALHOST:{self._cluster.address.rpartition(':')[2]}"

    def lose_one(self) -> None:
        """Kill a node that is not the head, and all that runs on it; a fresh one comes after it."""
        self._cluster.remove_node(self._others.pop(0), allow_graceful=False)

    def make_whole(self) -> None:
        """Three nodes again."""
        while len(self._others) < 2:
            self._others.append(self._cluster.add_node(**self._node))

    def end(self) -> None:
        """All nodes."""
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    yield nodes
    nodes.end()


class LosesANode:
    """Callback that kills a node as soon as some networks are trained but not all."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.lost_at: int | None = None

    def __call__(self, event: Progress | Notice) -> None:
        if isinstance(event, Progress) and event.stage == "training networks" and self.lost_at is None and event.n_done:
            self.lost_at = event.n_done
            assert event.n_total
            assert event.n_done < event.n_total
            self._nodes.lose_one()


def test_a_cluster_trains_to_the_bits_of_this_process_and_is_sent_each_table_once(nodes, monkeypatch):
    nodes.make_whole()
    with open_executor(2, "cpu") as executor:
        expected = [submit_networks(executor, data, NETWORKS).result() for data in (DATA, WEIGHTED)]
    put, ray_put = [], ray.put
    monkeypatch.setattr(ray, "put", lambda data: put.append(data) or ray_put(data))
    with open_executor(0, "cpu", nodes.address) as executor:
        assert executor.n_slots == 3
        for data, local in zip((DATA, WEIGHTED), expected, strict=True):
            counts: list[int] = []
            trained = submit_networks(executor, data, NETWORKS).result(counts.append)
            assert torch.equal(trained.network.parameters, local.network.parameters)
            np.testing.assert_array_equal(trained.curves.validation, local.curves.validation)
            assert counts == [1] * 7
        assert put == [DATA, WEIGHTED]

        huge = NetworkSpec(0, replace(NETWORK, hidden=(2_000_000, 2_000_000)))
        with pytest.raises(ResourceError, match=r"^training 1 networks of .* GB of memory") as refused:
            executor.submit(DATA, [huge]).result()
    assert "\n" not in str(refused.value)  # the line of the node, without Ray's traceback


def test_a_cluster_whose_cpus_are_busy_is_reported_and_one_without_cpus_is_refused(nodes, monkeypatch):
    notices: list[Progress | Notice] = []
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 0.5})
    with open_executor(0, "cpu", nodes.address, notices.append):
        pass
    [notice] = notices
    assert isinstance(notice, Notice)
    assert notice.text.startswith(f"ray {nodes.address}: all 3 CPUs of the cluster are busy; ")
    monkeypatch.setattr(ray, "cluster_resources", dict)
    with (
        pytest.raises(ResourceError, match="the cluster has no CPUs; accepted: "),
        open_executor(0, "cpu", nodes.address),
    ):
        pass


def test_a_run_is_the_same_though_a_node_is_lost_and_notes_no_address(nodes, place, data_folder, fast_settings):
    nodes.make_whole()
    settings = replace(
        fast_settings, models={"tiny": replace(fast_settings.models["tiny"], n_members=6, epochs=200, hidden=(256,))}
    )
    run_main_job(data_folder, settings, Path("alone"))
    loses_a_node = LosesANode(nodes)
    run_main_job(data_folder, replace(settings, ray=nodes.address), Path("far"), loses_a_node)
    assert loses_a_node.lost_at
    for name in set(run_format.OUTPUTS) - {run_format.METRICS}:  # which has seconds
        assert (Path("alone") / name).read_bytes() == (Path("far") / name).read_bytes(), name


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux lists listening sockets in /proc")
def test_the_clusters_head_listens_on_this_machine_alone(nodes):
    port = int(nodes.address.rpartition(":")[2])
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    heads = [row[1] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]
    assert heads
    assert {place.rpartition(":")[0] for place in heads} <= {"0100007F", "0000000000000000FFFF00000100007F"}
