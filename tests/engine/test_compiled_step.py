"""The compiled steps against the plain ones, and their random bits against numpy's."""

import sys

import numpy as np
import pytest
import torch

from houseprices.engine import training
from houseprices.engine.members import Member, Plan
from houseprices.engine.mlp import Architecture, BatchedMLP
from houseprices.engine.torch_step import PlainSteps

compiled_steps = pytest.importorskip("houseprices.engine.compiled_step")

N_ROWS, D_IN, N_STEPS = 50, 7, 12
GENERATOR = np.random.default_rng(0)
INPUTS = torch.from_numpy(GENERATOR.standard_normal((N_ROWS, D_IN), dtype=np.float32))
INPUTS[:, [1, 2, 5]] *= torch.from_numpy(GENERATOR.random((N_ROWS, 3)) < [0.1, 0.6, 0.2])  # as levels are: mostly zero
TARGETS = torch.from_numpy(GENERATOR.standard_normal(N_ROWS, dtype=np.float32))
EVEN = np.ones(N_ROWS, dtype=np.float32)
UNEVEN = np.linspace(0.5, 1.5, N_ROWS, dtype=np.float32)
GO = np.zeros(1, dtype=np.bool_)


def member(seed: int, **changes: object) -> Member:
    options: dict[str, object] = {"learning_rate": 0.01, "weight_decay": 0.5, "dropout": 0.3, "input_noise": 0.1}
    options |= {"input_dropout": 0.2, "huber_delta": 0.5, "weights": UNEVEN} | changes
    return Member(np.arange(5, N_ROWS), seed, **options)  # type: ignore[arg-type]


MEMBERS = [
    member(0),
    member(1, dropout=0.0, weights=EVEN),
    member(2, input_noise=0.0),
    member(3, input_dropout=0.0, huber_delta=np.inf),
    member(4, weight_decay=0.0, input_noise=0.0, input_dropout=0.0, dropout=0.0),
    member(5, dropout=0.999999, learning_rate=0.1),
]


def trained(steps: type, architecture: Architecture, decay_kind: str, targets: torch.Tensor = TARGETS) -> torch.Tensor:
    network = BatchedMLP(architecture, seeds=[one.seed for one in MEMBERS])
    taken = steps(network, INPUTS, targets, MEMBERS, Plan(2, N_STEPS // 2, 16, "cosine", decay_kind))
    taken.take(0, 5, GO)
    taken.take(5, N_STEPS, GO)
    return taken.network().parameters


@pytest.mark.parametrize("hidden", [(), (9,), (9, 5), (9, 5, 6)])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("linear_path", [True, False])
@pytest.mark.parametrize("decay_kind", ["decoupled", "coupled"])
def test_they_are_those_of_plain_torch(hidden, activation, linear_path, decay_kind):
    architecture = Architecture(D_IN, hidden, activation, linear_path)
    plain = trained(PlainSteps, architecture, decay_kind)
    fast = trained(compiled_steps.CompiledSteps, architecture, decay_kind)
    torch.testing.assert_close(fast, plain, rtol=0, atol=2e-5)
    start = BatchedMLP(architecture, seeds=[one.seed for one in MEMBERS]).parameters
    assert ((plain - start).abs().amax(dim=1) > 0.01).all()


@pytest.mark.parametrize("hidden", [(), (9, 5)])
def test_a_look_at_a_member_has_neither_noise_nor_dropout(hidden):
    network = BatchedMLP(Architecture(D_IN, hidden, "tanh", True), seeds=[one.seed for one in MEMBERS])
    rows = torch.arange(3, 37)  # no whole number of batches
    for kind in (PlainSteps, compiled_steps.CompiledSteps):
        steps = kind(network, INPUTS, TARGETS, MEMBERS, Plan(1, 3, 16, "constant", "decoupled"))
        steps.take(0, 3, GO)
        now = steps.network()
        for index in range(len(MEMBERS)):
            errors, norm = steps.look(index, rows)
            expected = now.predict(INPUTS[rows])[index] - TARGETS[rows]
            torch.testing.assert_close(errors, expected, rtol=0, atol=2e-6)
            torch.testing.assert_close(norm, now.weights[index].norm())


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_all_columns_may_be_rare_or_none(share):
    inputs = torch.from_numpy((np.random.default_rng(1).random((N_ROWS, D_IN)) < share).astype(np.float32))
    plan = Plan(1, 8, 16, "constant", "decoupled")
    trained = []
    for kind in (PlainSteps, compiled_steps.CompiledSteps):
        network = BatchedMLP(Architecture(D_IN, (9,), "relu", True), seeds=[0])
        steps = kind(network, inputs, TARGETS, [member(0)], plan)
        steps.take(0, 8, GO)
        trained.append(steps.network().parameters)
    torch.testing.assert_close(*trained, rtol=0, atol=2e-5)


def test_no_held_out_row_moves_a_bit_of_what_is_learnt():
    column, n_rows = 3, 40
    one = Member(np.arange(n_rows), 0, learning_rate=0.01, weight_decay=0.0, dropout=0.3)
    inputs = torch.randn(2 * n_rows, D_IN, generator=torch.Generator().manual_seed(0))
    targets = inputs[:, 0].clone()
    inputs[torch.arange(2 * n_rows) % 4 != 0, column] = (
        0  # filled in a quarter of the rows: at the edge of the rare ones
    )
    networks = []
    for held_out in (0.0, 1.0):
        inputs[n_rows:, column] = held_out
        network = BatchedMLP(Architecture(D_IN, (9, 5), "relu", True), seeds=[0])
        steps = compiled_steps.CompiledSteps(network, inputs, targets, [one], Plan(2, 6, 16, "cosine", "decoupled"))
        steps.take(0, 12, GO)
        networks.append(steps.network().parameters)
    assert torch.equal(*networks)


def test_one_machine_code_serves_all_settings():
    trained(compiled_steps.CompiledSteps, Architecture(D_IN, (9, 5), "tanh", True), "coupled")
    for kernel in (compiled_steps.take_steps, compiled_steps.predict, compiled_steps.rare_entries):
        assert len(kernel.signatures) == 1


def test_a_diverged_value_stays_visible():
    for activation in ("relu", "tanh"):
        lost = torch.full_like(TARGETS, torch.nan)
        parameters = trained(compiled_steps.CompiledSteps, Architecture(D_IN, (9,), activation, True), "coupled", lost)
        assert parameters[:, -1].isnan().all()


def test_without_numba_and_beside_a_cpu_the_plain_steps_are_taken(monkeypatch):
    network = BatchedMLP(Architecture(D_IN, (9,), "relu", True), seeds=[0])
    plan = Plan(1, 1, 16, "constant", "decoupled")
    arguments = network, INPUTS, TARGETS, [member(0)], plan
    assert isinstance(training._steps(*arguments), compiled_steps.CompiledSteps)
    monkeypatch.setitem(sys.modules, "houseprices.engine.compiled_step", None)
    monkeypatch.delattr("houseprices.engine.compiled_step")
    assert isinstance(training._steps(*arguments), PlainSteps)
    training.warm_up()
