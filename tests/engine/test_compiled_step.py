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
from houseprices.engine.losses import N_OUTPUTS
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData, plan_of
from houseprices.engine.torch_step import TorchStep
from houseprices.engine.training import CPU, step_on, warm_up

N_ROWS, D_IN, N_STEPS = 50, 7, 12
GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.standard_normal((N_ROWS, D_IN), dtype=np.float32)
INPUTS[:, [1, 2, 5]] *= GENERATOR.random((N_ROWS, 3)) < [0.1, 0.6, 0.2]  # as levels are: mostly zero
ROW_WEIGHTS = np.linspace(0.5, 1.5, N_ROWS, dtype=np.float32)
DATA = TrainingData(INPUTS, GENERATOR.standard_normal(N_ROWS, dtype=np.float32), np.arange(5, N_ROWS))
GO = np.zeros(1, dtype=np.bool_)

BASE = Hyperparameters(
    hidden=(9, 5), activation="relu", linear_path=True, dropout=0.3, input_dropout=0.2, huber_delta=0.5,
    weight_decay=0.5, learning_rate=0.01, epochs=2, batch_size=16,
)  # fmt: skip


def specs(**shared: object) -> list[NetworkSpec]:
    changes: list[dict[str, object]] = [
        {},
        {"dropout": 0.0},
        {"input_dropout": 0.0, "huber_delta": np.inf},
        {"weight_decay": 0.0, "input_dropout": 0.0, "dropout": 0.0},
        {"dropout": 0.999999, "learning_rate": 0.1},
    ]
    return [NetworkSpec(seed, replace(BASE, **shared, **change)) for seed, change in enumerate(changes)]


def step_of(kind: type, batch: list[NetworkSpec], data: TrainingData = DATA) -> TorchStep | CompiledStep:
    plan = plan_of(batch, data)
    return kind(BatchedMLP(plan.architecture, seeds=[spec.seed for spec in batch]), data, batch, plan)


def trained(kind: type, batch: list[NetworkSpec], data: TrainingData = DATA) -> torch.Tensor:
    step = step_of(kind, batch, data)
    step.run(0, 5, GO)
    step.run(5, plan_of(batch, data).n_steps, GO)
    return step.network().parameters


@pytest.mark.parametrize("hidden", [(), (9,), (9, 5), (9, 5, 6)])
@pytest.mark.parametrize("activation", NONLINEARITIES)
@pytest.mark.parametrize("linear_path", [True, False])
@pytest.mark.parametrize("decay_kind", ["decoupled", "coupled"])
@pytest.mark.parametrize("loss", N_OUTPUTS)
def test_it_is_that_of_plain_torch(hidden, activation, linear_path, decay_kind, loss):
    batch = specs(
        hidden=hidden, activation=activation, linear_path=linear_path, decay_kind=decay_kind, loss=loss,
        epochs=N_STEPS // 3,
    )  # fmt: skip
    data = replace(DATA, row_weights=ROW_WEIGHTS if linear_path else None)
    start = step_of(TorchStep, batch, data).network().parameters.clone()
    plain, fast = (trained(kind, batch, data) for kind in (TorchStep, CompiledStep))
    torch.testing.assert_close(fast, plain, rtol=0, atol=2e-5)
    assert ((plain - start).abs().amax(dim=1) > 0.01).all()


@pytest.mark.parametrize("hidden", [(), (9, 5)])
@pytest.mark.parametrize("kind", [TorchStep, CompiledStep])
def test_an_evaluation_has_no_dropout(hidden, kind):
    batch = specs(hidden=hidden, activation="tanh", epochs=1)
    rows = torch.arange(3, 37)  # no whole number of batches
    step = step_of(kind, batch)
    step.run(0, 3, GO)
    now = step.network()
    for index in range(len(batch)):
        errors, norm = step.evaluate(index, rows)
        expected = now.predict(torch.from_numpy(INPUTS)[rows])[index] - torch.from_numpy(DATA.targets)[rows]
        torch.testing.assert_close(errors, expected, rtol=0, atol=2e-6)
        torch.testing.assert_close(norm, now.weights[index].norm())


@pytest.mark.parametrize("changes", [{"input_noise": 0.3}, {"warmup_steps": 7}, {"beta2": 0.9}], ids=str)
def test_it_is_that_of_plain_torch_with_noise_warm_up_and_another_beta2(changes, monkeypatch):
    monkeypatch.setattr("houseprices.engine.compiled_step._NOISE_AT_ONCE", 2 * 16 * D_IN)  # two steps at once
    usual, batch = specs(activation="tanh"), specs(activation="tanh", **changes)
    plain, fast = (trained(kind, batch) for kind in (TorchStep, CompiledStep))
    torch.testing.assert_close(fast, plain, rtol=0, atol=2e-5)
    assert ((plain - trained(TorchStep, usual)).abs().amax(dim=1) > 1e-4).all()


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_all_columns_may_be_rare_or_none(share):
    data = replace(DATA, inputs=(np.random.default_rng(1).random((N_ROWS, D_IN)) < share).astype(np.float32))
    plain, fast = (trained(kind, specs(activation="tanh")[:1], data) for kind in (TorchStep, CompiledStep))
    torch.testing.assert_close(plain, fast, rtol=0, atol=2e-5)


def test_no_held_out_row_moves_a_bit_of_what_is_learnt():
    column, n_rows = 3, 40
    spec = NetworkSpec(0, replace(BASE, weight_decay=0.0, input_dropout=0.0, epochs=4))
    inputs = np.random.default_rng(0).standard_normal((2 * n_rows, D_IN), dtype=np.float32)
    data = TrainingData(inputs, inputs[:, 0].copy(), np.arange(n_rows))
    # Nonzero in a quarter of the rows: at the edge of the rare columns.
    inputs[np.arange(2 * n_rows) % 4 != 0, column] = 0
    networks = []
    for held_out in (0.0, 1.0):
        inputs[n_rows:, column] = held_out
        networks.append(trained(CompiledStep, [spec], data))
    assert torch.equal(*networks)


def test_one_machine_code_serves_all_settings():
    warm_up()
    trained(CompiledStep, specs(activation="tanh", decay_kind="coupled", loss="gaussian"))
    for kernel in (kernels.run_steps, kernels.predict, kernels.rare_entries):
        assert len(kernel.signatures) == 1


@pytest.mark.parametrize("activation", NONLINEARITIES)
def test_a_diverged_value_stays_visible(activation):
    lost = replace(DATA, targets=np.full_like(DATA.targets, np.nan))
    parameters = trained(CompiledStep, specs(activation=activation, hidden=(9,)), lost)
    assert parameters[:, -1].isnan().all()


def test_without_numba_plain_torch_takes_the_step(monkeypatch):
    assert step_on(CPU) == "compiled"
    monkeypatch.setitem(sys.modules, "houseprices.engine.compiled_step", None)
    assert step_on(CPU) == "torch"
    warm_up()


EVALUATES = """
import json, torch
import numpy as np
from houseprices.engine import kernels
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData, plan_of
from houseprices.engine.training import make_step
specs = [NetworkSpec(0, Hyperparameters(hidden=(3,), activation="tanh"))]
data = TrainingData(np.ones((8, 2), np.float32), np.zeros(8, np.float32), np.arange(8))
plan = plan_of(specs, data)
start = BatchedMLP(plan.architecture, seeds=[0])
steps = [make_step(start, data, specs, plan, kind) for kind in ("compiled", "torch")]
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
