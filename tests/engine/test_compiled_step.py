"""The compiled step against that of plain torch; that they agree holds its random bits against numpy's too."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import houseprices
from houseprices.engine import kernels
from houseprices.engine.activations import NONLINEARITIES
from houseprices.engine.compiled_step import CompiledStep
from houseprices.engine.hyperparameters import Hyperparameters
from houseprices.engine.losses import N_OUTPUTS
from houseprices.engine.members import Member, Plan, plan_of
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.torch_step import TorchStep
from houseprices.engine.training import make_step, warm_up

N_ROWS, D_IN, N_STEPS = 50, 7, 12
GENERATOR = np.random.default_rng(0)
INPUTS = torch.from_numpy(GENERATOR.standard_normal((N_ROWS, D_IN), dtype=np.float32))
INPUTS[:, [1, 2, 5]] *= torch.from_numpy(GENERATOR.random((N_ROWS, 3)) < [0.1, 0.6, 0.2])  # as levels are: mostly zero
TARGETS = torch.from_numpy(GENERATOR.standard_normal(N_ROWS, dtype=np.float32))
EVEN = np.ones(N_ROWS, dtype=np.float32)
UNEVEN = np.linspace(0.5, 1.5, N_ROWS, dtype=np.float32)
GO = np.zeros(1, dtype=np.bool_)


BASE = Hyperparameters(
    hidden=(9, 5), activation="relu", linear_path=True, dropout=0.3, input_dropout=0.2, huber_delta=0.5,
    weight_decay=0.5, learning_rate=0.01, epochs=2, batch_size=16,
)  # fmt: skip


def members(**shared: object) -> list[Member]:
    each = [
        (UNEVEN, {}),
        (EVEN, {"dropout": 0.0}),
        (None, {"input_dropout": 0.0, "huber_delta": np.inf}),
        (UNEVEN, {"weight_decay": 0.0, "input_dropout": 0.0, "dropout": 0.0}),
        (UNEVEN, {"dropout": 0.999999, "learning_rate": 0.1}),
    ]
    return [
        Member(np.arange(5, N_ROWS), seed, replace(BASE, **shared, **changes), weights=weights)
        for seed, (weights, changes) in enumerate(each)
    ]


def trained(
    kind: type, batch: list[Member], inputs: torch.Tensor = INPUTS, targets: torch.Tensor = TARGETS
) -> torch.Tensor:
    plan = plan_of(batch, inputs.shape[1])
    step = kind(start_of(batch, plan), inputs, targets, batch, plan)
    step.run(0, 5, GO)
    step.run(5, plan.n_steps, GO)
    return step.network().parameters


def start_of(batch: list[Member], plan: Plan) -> BatchedMLP:
    return BatchedMLP(plan.architecture, seeds=[one.seed for one in batch])


@pytest.mark.parametrize("hidden", [(), (9,), (9, 5), (9, 5, 6)])
@pytest.mark.parametrize("activation", NONLINEARITIES)
@pytest.mark.parametrize("linear_path", [True, False])
@pytest.mark.parametrize("decay_kind", ["decoupled", "coupled"])
@pytest.mark.parametrize("loss", N_OUTPUTS)
def test_it_is_that_of_plain_torch(hidden, activation, linear_path, decay_kind, loss):
    batch = members(
        hidden=hidden,
        activation=activation,
        linear_path=linear_path,
        decay_kind=decay_kind,
        loss=loss,
        epochs=N_STEPS // 3,
    )
    plain, fast = (trained(kind, batch) for kind in (TorchStep, CompiledStep))
    torch.testing.assert_close(fast, plain, rtol=0, atol=2e-5)
    start = start_of(batch, plan_of(batch, D_IN)).parameters
    assert ((plain - start).abs().amax(dim=1) > 0.01).all()


@pytest.mark.parametrize("hidden", [(), (9, 5)])
@pytest.mark.parametrize("kind", [TorchStep, CompiledStep])
def test_an_evaluation_of_a_member_has_no_dropout(hidden, kind):
    batch = members(hidden=hidden, activation="tanh", epochs=1)
    plan = plan_of(batch, D_IN)
    rows = torch.arange(3, 37)  # no whole number of batches
    step = kind(start_of(batch, plan), INPUTS, TARGETS, batch, plan)
    step.run(0, 3, GO)
    now = step.network()
    for index in range(len(batch)):
        errors, norm = step.evaluate(index, rows)
        expected = now.predict(INPUTS[rows])[index] - TARGETS[rows]
        torch.testing.assert_close(errors, expected, rtol=0, atol=2e-6)
        torch.testing.assert_close(norm, now.weights[index].norm())


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_all_columns_may_be_rare_or_none(share):
    inputs = torch.from_numpy((np.random.default_rng(1).random((N_ROWS, D_IN)) < share).astype(np.float32))
    plain, fast = (trained(kind, members()[:1], inputs) for kind in (TorchStep, CompiledStep))
    torch.testing.assert_close(plain, fast, rtol=0, atol=2e-5)


def test_members_of_one_batch_may_train_on_different_rows_each_with_its_own_rare_columns():
    inputs = INPUTS.clone()
    inputs[:25, 3], inputs[25:, 4] = 0, 0  # each of the two is rare in one half of the rows alone
    halves = [np.arange(25), np.arange(25, 50), np.arange(25)]
    batch = [Member(rows, seed, replace(BASE, batch_size=8)) for seed, rows in enumerate(halves)]
    together = trained(CompiledStep, batch, inputs)
    torch.testing.assert_close(together, trained(TorchStep, batch, inputs), rtol=0, atol=2e-5)
    for index, one in enumerate(batch):
        assert torch.equal(together[index], trained(CompiledStep, [one], inputs)[0])


def test_no_held_out_row_moves_a_bit_of_what_is_learnt():
    column, n_rows = 3, 40
    one = Member(np.arange(n_rows), 0, replace(BASE, weight_decay=0.0, input_dropout=0.0, epochs=4))
    inputs = torch.randn(2 * n_rows, D_IN, generator=torch.Generator().manual_seed(0))
    targets = inputs[:, 0].clone()
    # Filled in a quarter of the rows: at the edge of the rare ones.
    inputs[torch.arange(2 * n_rows) % 4 != 0, column] = 0
    networks = []
    for held_out in (0.0, 1.0):
        inputs[n_rows:, column] = held_out
        networks.append(trained(CompiledStep, [one], inputs, targets))
    assert torch.equal(*networks)


def test_one_machine_code_serves_all_settings():
    warm_up()
    trained(CompiledStep, members(activation="tanh", decay_kind="coupled", loss="gaussian"))
    for kernel in (kernels.run_steps, kernels.predict, kernels.rare_entries):
        assert len(kernel.signatures) == 1


@pytest.mark.parametrize("activation", NONLINEARITIES)
def test_a_diverged_value_stays_visible(activation):
    lost = torch.full_like(TARGETS, torch.nan)
    parameters = trained(CompiledStep, members(activation=activation, hidden=(9,)), targets=lost)
    assert parameters[:, -1].isnan().all()


def test_without_numba_plain_torch_takes_the_step(monkeypatch):
    batch = members()
    plan = plan_of(batch, D_IN)
    arguments = start_of(batch, plan), INPUTS, TARGETS, batch, plan
    assert isinstance(make_step(*arguments), CompiledStep)
    assert isinstance(make_step(*arguments, "torch"), TorchStep)
    monkeypatch.setitem(sys.modules, "houseprices.engine.compiled_step", None)
    assert isinstance(make_step(*arguments), TorchStep)
    warm_up()


WITHOUT_NUMBA = """
from concurrent.futures import ThreadPoolExecutor
from houseprices.engine.training import can_compile
with ThreadPoolExecutor(8) as threads:
    print({one.result() for one in [threads.submit(can_compile) for _ in range(64)]})
"""


def test_all_threads_find_numba_missing(tmp_path):
    (tmp_path / "numba.py").write_text("import time; time.sleep(0.01); raise ImportError", "utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", WITHOUT_NUMBA]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "{False}\n"


EVALUATES = """
import json, torch
import numpy as np
from houseprices.engine import kernels
from houseprices.engine.hyperparameters import Hyperparameters
from houseprices.engine.members import Member, plan_of
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.training import make_step
members = [Member(np.arange(8), 0, Hyperparameters(hidden=(3,), activation="tanh"))]
inputs, plan = torch.ones(8, 2), plan_of(members, 2)
start = BatchedMLP(plan.architecture, seeds=[0])
steps = [make_step(start, inputs, torch.zeros(8), members, plan, kind) for kind in ("compiled", "torch")]
outputs = [float(step.evaluate(0, torch.arange(8))[0][0]) for step in steps]
print(json.dumps([sum(kernels.predict.stats.cache_hits.values()), *outputs]))
"""


def test_a_changed_formula_is_compiled_anew(tmp_path: Path):
    """In a copy of the package with its kept machine code: numba itself would not see the change of another file."""
    copy = tmp_path / "houseprices"
    warm_up()
    shutil.copytree(Path(houseprices.__file__).parent, copy)

    def run() -> list[float]:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", EVALUATES], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
        )
        return list(json.loads(done.stdout))

    n_kept, compiled, plain = run()
    assert n_kept == 1
    assert compiled == pytest.approx(plain, rel=1e-5)
    file = copy / "engine" / "activations.py"
    text = file.read_text("utf-8")
    assert text.count("return torch.tanh(value)") == 1
    file.write_text(text.replace("return torch.tanh(value)", "return torch.tanh(-value)"), "utf-8")
    n_kept, changed, plain = run()
    assert n_kept == 0
    assert changed == pytest.approx(plain, rel=1e-5)
    assert changed == pytest.approx(-compiled, rel=1e-5)
