import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from houseprices.engine.members import Member, Plan, Stopped
from houseprices.engine.mlp import Architecture, BatchedMLP
from houseprices.engine.optimizer import schedule_factor
from houseprices.engine.random_streams import MemberStream
from houseprices.engine.training import train

N_ROWS, D_IN = 60, 12
ARCHITECTURE = Architecture(D_IN, (16, 8), "relu", linear_path=True)
PLAN = Plan.of(48, epochs=5, batch_size=16, schedule="cosine", decay_kind="decoupled")


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(N_ROWS, D_IN, generator=generator)
    inputs[:, 4:] *= torch.rand(N_ROWS, D_IN - 4, generator=generator) < 0.15  # as levels are: mostly zero
    return inputs, inputs[:, 0] - 0.5 * inputs[:, 1] + 0.1 * torch.randn(N_ROWS, generator=generator)


def member(seed: int = 0, **changes: object) -> Member:
    rows = np.random.default_rng(seed).permutation(N_ROWS)
    plain = Member(
        rows[:48], seed, learning_rate=0.01, weight_decay=0.1, dropout=0.3, input_noise=0.1, input_dropout=0.2
    )
    return replace(plain, validation_rows=rows[48:], **changes)


@pytest.mark.parametrize("decay_kind", ["decoupled", "coupled"])
def test_a_member_trained_alone_equals_the_same_member_in_a_batch(decay_kind):
    """With dropout and noise on, to 1e-6: products of one shape may be summed in another order in a batch."""
    inputs, targets = problem()
    plan = replace(PLAN, decay_kind=decay_kind)
    row_weights = np.linspace(0.5, 1.5, N_ROWS, dtype=np.float32)
    members = [
        member(0),
        member(1, learning_rate=0.003, dropout=0.0),
        member(4, input_dropout=0.0),
        member(2, weight_decay=2.0, input_noise=0.0),
        member(3, weights=row_weights),
        member(5, huber_delta=0.5),
    ]
    together, _ = train(inputs, targets, members, ARCHITECTURE, plan)
    for index, one in enumerate(members):
        alone, _ = train(inputs, targets, [one], ARCHITECTURE, plan)
        torch.testing.assert_close(together.parameters[index], alone.parameters[0], rtol=0, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    inputs, targets = problem()
    first, second, other = (
        train(inputs, targets, [replace(member(0), seed=seed)], ARCHITECTURE, PLAN)[0].parameters for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("decay_kind", ["decoupled", "coupled"])
def test_training_equals_a_plain_torch_loop(decay_kind):
    """No dropout, full batches: torch's autograd and its own Adam or AdamW, biases in a group without decay."""
    inputs, targets = problem()
    rows = np.arange(N_ROWS)
    plan = Plan.of(N_ROWS, epochs=20, batch_size=N_ROWS, schedule="constant", decay_kind=decay_kind)
    one = Member(rows, seed=5, learning_rate=0.01, weight_decay=0.2, dropout=0.0)
    ours, _ = train(inputs, targets, [one], ARCHITECTURE, plan)

    start = BatchedMLP(ARCHITECTURE, seeds=[5])
    weights = start.weights.clone().requires_grad_(True)
    biases = start.parameters[:, ARCHITECTURE.n_weights :].clone().requires_grad_(True)
    kind = torch.optim.AdamW if decay_kind == "decoupled" else torch.optim.Adam
    optimizer = kind([{"params": [weights], "weight_decay": 0.2}, {"params": [biases], "weight_decay": 0.0}], lr=0.01)
    for _ in range(20):
        network = BatchedMLP(ARCHITECTURE, parameters=torch.cat([weights, biases], dim=1))
        loss = (network.forward(inputs[None]) - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(ours.weights, weights.detach(), rtol=0, atol=2e-5)
    torch.testing.assert_close(ours.parameters[:, ARCHITECTURE.n_weights :], biases.detach(), rtol=0, atol=2e-5)


def test_rows_that_are_not_trained_on_leave_no_trace():
    inputs, targets = problem()
    one = member(0)
    before, _ = train(inputs, targets, [one], ARCHITECTURE, PLAN)
    inputs[one.validation_rows], targets[one.validation_rows] = 1e6, -1e6
    after, _ = train(inputs, targets, [one], ARCHITECTURE, PLAN)
    assert torch.equal(before.parameters, after.parameters)


def test_weight_decay_shrinks_the_weights_and_dropout_widens_nothing_at_prediction():
    inputs, targets = problem()
    weak, strong = member(0, weight_decay=0.0), member(0, weight_decay=20.0)
    network, curves = train(inputs, targets, [weak, strong], ARCHITECTURE, PLAN)
    assert curves.weight_norm[1, -1] < 0.7 * curves.weight_norm[0, -1]
    assert torch.equal(network.predict(inputs), network.predict(inputs))


def test_the_curves_last_point_is_the_error_of_the_finished_network():
    inputs, targets = problem()
    one = member(0)
    network, curves = train(inputs, targets, [one], ARCHITECTURE, PLAN)
    errors = network.predict(inputs[one.validation_rows])[0] - targets[one.validation_rows]
    assert curves.validation.shape == (1, PLAN.n_epochs)
    assert curves.validation[0, -1] == pytest.approx(float(errors.square().mean().sqrt()), rel=1e-5)
    assert curves.weight_norm[0, -1] == pytest.approx(float(network.weights.norm()), rel=1e-5)


def test_training_learns():
    inputs, targets = problem()
    plan = Plan.of(N_ROWS, epochs=100, batch_size=20, schedule="cosine", decay_kind="decoupled")
    one = Member(np.arange(N_ROWS), seed=0, learning_rate=0.01, weight_decay=0.01, dropout=0.0)
    network, _ = train(inputs, targets, [one], ARCHITECTURE, plan)
    assert float((network.predict(inputs)[0] - targets).square().mean()) < 0.05 * float(targets.var())


@pytest.mark.parametrize("numba", [True, False])
def test_an_order_to_stop_is_obeyed_in_the_midst_of_an_epoch(numba, monkeypatch):
    if not numba:
        monkeypatch.setattr("houseprices.engine.training._compiled_steps", lambda: None)
    inputs, targets = problem()
    stop, ended = np.zeros(1, dtype=np.bool_), []

    def endless() -> None:
        with pytest.raises(Stopped):
            train(inputs, targets, [member(0), member(1)], ARCHITECTURE, replace(PLAN, steps_per_epoch=10**5), stop)
        ended.append(True)

    thread = threading.Thread(target=endless)
    thread.start()
    stop[0] = True
    thread.join()
    assert ended


def reference_training(
    inputs: torch.Tensor, targets: torch.Tensor, one: Member, architecture: Architecture, plan: Plan
) -> torch.Tensor:
    """What `train` does to one member, as plain as it can be said: autograd, torch's AdamW, the member's own draws."""
    start = BatchedMLP(architecture, seeds=[one.seed])
    weights = start.weights.clone().requires_grad_(True)
    biases = start.parameters[:, architecture.n_weights :].clone().requires_grad_(True)
    decayed = {"params": [weights], "weight_decay": one.weight_decay}
    optimizer = torch.optim.AdamW([decayed, {"params": [biases], "weight_decay": 0.0}], lr=one.learning_rate)
    stream = MemberStream(one.seed, one.rows, plan.batch_size)
    n_steps = plan.n_epochs * plan.steps_per_epoch
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = one.learning_rate * schedule_factor(plan.schedule, step, n_steps)
        rows = stream.next_rows()
        noise = torch.from_numpy(stream.input_noise(architecture.d_in))
        keep = [torch.from_numpy(stream.keep_mask(width, one.dropout))[None] for width in architecture.hidden]
        network = BatchedMLP(architecture, parameters=torch.cat([weights, biases], dim=1))
        keep_inputs = torch.from_numpy(stream.input_keep_mask(architecture.d_in, one.input_dropout))
        noisy = (inputs[rows] + one.input_noise * noise * (inputs[rows] != 0)) * keep_inputs / (1 - one.input_dropout)
        outputs = network.forward(noisy[None], torch.tensor([one.dropout]), keep)
        loss = 2 * torch.nn.functional.huber_loss(outputs, targets[rows][None], delta=one.huber_delta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.cat([weights, biases], dim=1).detach()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("numba", [True, False])
def test_every_step_is_that_of_the_plain_reference(activation, numba, monkeypatch):
    if not numba:
        monkeypatch.setattr("houseprices.engine.training._compiled_steps", lambda: None)
    inputs, targets = problem()
    architecture = replace(ARCHITECTURE, activation=activation)
    one = member(3, learning_rate=0.003, huber_delta=0.5)
    trained, _ = train(inputs, targets, [member(0), one], architecture, PLAN)
    expected = reference_training(inputs, targets, one, architecture, PLAN)
    torch.testing.assert_close(trained.parameters[1:], expected, rtol=0, atol=1e-5)
    again, _ = train(inputs, targets, [member(0), one], architecture, PLAN)
    assert torch.equal(again.parameters, trained.parameters)


class CountsWaits(TorchDispatchMode):
    """Counts the reads of a tensor's value by Python: on a GPU each waits for all work before it."""

    n_waits = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.n_waits += function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return function(*arguments, **(options or {}))


def test_no_step_and_no_epoch_waits_for_the_device(monkeypatch):
    monkeypatch.setattr("houseprices.engine.training._compiled_steps", lambda: None)
    inputs, targets = problem()
    waits = []
    for n_epochs in (1, 3):
        with CountsWaits() as counter:
            train(inputs, targets, [member(0), member(1)], ARCHITECTURE, replace(PLAN, n_epochs=n_epochs))
        waits.append(counter.n_waits)
    assert waits[0] == waits[1]


@pytest.mark.parametrize(
    "wrong", [{"dropout": 1.0}, {"dropout": -0.1}, {"weight_decay": -1.0}, {"learning_rate": float("nan")}]
)
def test_a_member_out_of_range_is_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, .*got {value}"):
        member(0, **wrong)
