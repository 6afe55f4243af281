"""Networks on a Ray cluster of this machine: three nodes, of which one is lost in the middle."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from houseprices.engine.executor import Executor, TrainingTable
from houseprices.engine.hyperparameters import Hyperparameters
from houseprices.engine.members import Member
from houseprices.engine.pool import TrainingPool
from houseprices.errors import ResourceError
from houseprices.progress import Notice, Progress
from houseprices.runs import format as run_format
from houseprices.runs.write import run_main_job
from houseprices.selection.search import search
from houseprices.selection.search_space import read_space

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'houseprices[cluster]'")
pytestmark = pytest.mark.filterwarnings("default")  # Ray's own are no fault of the code under test

RNG = np.random.default_rng(0)
TABLE = TrainingTable(RNG.standard_normal((40, 6), dtype=np.float32), RNG.standard_normal(40, dtype=np.float32))
NETWORK = Hyperparameters(hidden=(5,), epochs=3, batch_size=8)
MEMBERS = [Member(np.arange(30), seed, NETWORK, np.arange(30, 40)) for seed in range(7)]
WEIGHTED = [replace(MEMBERS[0], weights=np.linspace(0.5, 1.5, 40).astype(np.float32))]
COLUMNS = np.array([0, 2, 5])
ARRAYS = [TABLE.matrix, TABLE.targets, COLUMNS, WEIGHTED[0].weights]
ARRAYS += [rows for member in MEMBERS for rows in (member.rows, member.validation_rows)]


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


@pytest.fixture
def cluster(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> Executor:
    """All three nodes, to which every member is sent by itself, so that each has work when the first one is done."""
    from houseprices.engine import cluster

    nodes.make_whole()
    monkeypatch.setattr(cluster, "TASK_WORK", 1.0)
    return cluster.RayCluster(nodes.address)


class LosesANode:
    """Hears how a job goes on, and kills a node as soon as some networks are trained but not all."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.lost_at: int | None = None

    def __call__(self, told: Progress | Notice) -> None:
        if isinstance(told, Progress) and told.stage == "training networks" and self.lost_at is None and told.n_done:
            self.lost_at = told.n_done
            assert told.n_total
            assert told.n_done < told.n_total
            self._nodes.lose_one()


JOBS = [(MEMBERS, COLUMNS), (MEMBERS[:2], None), (WEIGHTED, COLUMNS)]


def test_a_cluster_trains_to_the_bits_of_this_process_and_is_sent_each_array_once(cluster, monkeypatch):
    with TrainingPool(2, torch.device("cpu")) as pool:
        expected = [pool.submit(TABLE, members, columns).wait() for members, columns in JOBS]
    put = []
    with cluster:
        really, sizes = ray.put, put.append
        monkeypatch.setattr(ray, "put", lambda array: sizes(array.nbytes) or really(array))
        pending = [cluster.submit(TABLE, members, columns) for members, columns in JOBS]
        for one, (right, right_curves) in zip(pending, expected, strict=True):
            told: list[int] = []
            network, curves = one.wait(told.append)
            assert torch.equal(network.parameters, right.parameters)
            np.testing.assert_array_equal(curves.validation, right_curves.validation)
            assert sum(told) == len(right.parameters)
        assert cluster.n_slots == 3
        assert len(put) == len({*map(id, ARRAYS)})
        assert put.count(TABLE.matrix.nbytes) == 1

        huge = replace(MEMBERS[0], hyperparameters=replace(NETWORK, hidden=(2_000_000, 2_000_000)))
        with pytest.raises(ResourceError, match=r"^training 1 networks of .* GB of memory") as refused:
            cluster.submit(TABLE, [huge]).wait()
    assert "\n" not in str(refused.value)  # in the node's own words, without Ray's


def test_a_run_is_the_same_though_a_node_is_lost_and_notes_no_address(
    nodes, cluster, place, data_folder, fast_settings
):
    settings = replace(
        fast_settings, models={"tiny": replace(fast_settings.models["tiny"], n_members=6, epochs=200, hidden=(256,))}
    )
    run_main_job(data_folder, settings, Path("alone"))
    listener = LosesANode(nodes)
    run_main_job(data_folder, replace(settings, ray=nodes.address), Path("far"), listener)
    assert listener.lost_at
    for name in set(run_format.OUTPUTS) - {run_format.METRICS}:  # which has seconds
        assert (Path("alone") / name).read_bytes() == (Path("far") / name).read_bytes(), name


def test_a_search_is_the_same_though_a_node_is_lost_and_its_coordinator_killed(
    nodes, cluster, place, data_folder, fast_config, fast_settings
):
    Path("space.toml").write_text('dropout = { low = 0.1, high = 0.5 }\nloss = ["huber", "student_t"]', "utf-8")
    space = read_space(Path("space.toml"))
    search(data_folder, fast_settings, space, 4, storage=Path("alone/search.journal"), n_kept=1)
    on_cluster = replace(fast_settings, ray=nodes.address)
    options = {"config": fast_config, "data": data_folder, "space": "space.toml", "storage": "far/search.journal"}
    options |= {"trials": 4, "keep": 1, "ray": nodes.address}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "houseprices", "tune", *words]
    coordinator = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while coordinator.poll() is None and not list(Path("far").glob("search.journal-predictions/*.npy")):
        time.sleep(0.001)
    coordinator.send_signal(signal.SIGKILL)
    assert coordinator.wait() == -signal.SIGKILL
    listener = LosesANode(nodes)
    search(data_folder, on_cluster, space, 4, storage=Path("far/search.journal"), n_kept=1, notify=listener)
    assert listener.lost_at
    alone, far = (
        [file.read_bytes() for file in sorted(Path(f"{name}/search.journal-predictions").iterdir())]
        for name in ("alone", "far")
    )
    assert far == alone


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells who listens in /proc")
def test_the_clusters_head_listens_on_this_machine_alone(nodes):
    port = int(nodes.address.rpartition(":")[2])
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    heads = [row[1] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]
    assert heads
    assert {place.rpartition(":")[0] for place in heads} <= {"0100007F", "0000000000000000FFFF00000100007F"}
