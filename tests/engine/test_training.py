import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from reference_losses import OF_LOSS
from torch.utils._python_dispatch import TorchDispatchMode

from houseprices.engine.activations import NONLINEARITIES
from houseprices.engine.hyperparameters import Hyperparameters
from houseprices.engine.losses import N_OUTPUTS
from houseprices.engine.members import Member, Stopped, plan_of
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.optimizer import schedule_factor
from houseprices.engine.random_streams import RandomStreams
from houseprices.engine.training import train

N_ROWS, D_IN = 60, 12
BASE = Hyperparameters(
    hidden=(16, 8), activation="relu", dropout=0.3, input_dropout=0.2, huber_delta=float("inf"), weight_decay=0.1,
    learning_rate=0.01, epochs=5, batch_size=16,
)  # fmt: skip


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(N_ROWS, D_IN, generator=generator)
    inputs[:, 4:] *= torch.rand(N_ROWS, D_IN - 4, generator=generator) < 0.15  # as levels are: mostly zero
    return inputs, inputs[:, 0] - 0.5 * inputs[:, 1] + 0.1 * torch.randn(N_ROWS, generator=generator)


def member(seed: int = 0, weights: np.ndarray | None = None, **changes: object) -> Member:
    rows = np.random.default_rng(seed).permutation(N_ROWS)
    return Member(rows[:48], seed, replace(BASE, **changes), rows[48:], weights)


@pytest.mark.parametrize("decay_kind", ["decoupled", "coupled"])
def test_a_member_trained_alone_equals_the_same_member_in_a_batch(decay_kind):
    """With dropout on, to 1e-6: products of one shape may be summed in another order in a batch."""
    inputs, targets = problem()
    row_weights = np.linspace(0.5, 1.5, N_ROWS, dtype=np.float32)
    members = [
        member(0, decay_kind=decay_kind),
        member(1, learning_rate=0.003, dropout=0.0, decay_kind=decay_kind),
        member(4, input_dropout=0.0, decay_kind=decay_kind),
        member(2, weight_decay=2.0, decay_kind=decay_kind),
        member(3, weights=row_weights, decay_kind=decay_kind),
        member(5, huber_delta=0.5, decay_kind=decay_kind),
    ]
    together, _ = train(inputs, targets, members)
    for index, one in enumerate(members):
        alone, _ = train(inputs, targets, [one])
        torch.testing.assert_close(together.parameters[index], alone.parameters[0], rtol=0, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    inputs, targets = problem()
    first, second, other = (train(inputs, targets, [replace(member(0), seed=seed)])[0].parameters for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("decay_kind", ["decoupled", "coupled"])
@pytest.mark.parametrize("step", ["compiled", "torch"])
def test_training_equals_a_plain_torch_loop(decay_kind, step):
    """No dropout, full batches: torch's autograd and its own Adam or AdamW, biases in a group without decay."""
    inputs, targets = problem()
    plain = replace(
        BASE, dropout=0.0, input_dropout=0.0, weight_decay=0.2, decay_kind=decay_kind, schedule="constant", epochs=20,
        batch_size=N_ROWS,
    )  # fmt: skip
    one = Member(np.arange(N_ROWS), 5, plain)
    ours, _ = train(inputs, targets, [one], step=step)

    architecture = ours.architecture
    start = BatchedMLP(architecture, seeds=[5])
    weights = start.weights.clone().requires_grad_(True)
    biases = start.parameters[:, architecture.n_weights :].clone().requires_grad_(True)
    kind = torch.optim.AdamW if decay_kind == "decoupled" else torch.optim.Adam
    optimizer = kind([{"params": [weights], "weight_decay": 0.2}, {"params": [biases], "weight_decay": 0.0}], lr=0.01)
    for _ in range(20):
        network = BatchedMLP(architecture, parameters=torch.cat([weights, biases], dim=1))
        loss = (network.forward(inputs[None])[:, :, 0] - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(ours.weights, weights.detach(), rtol=0, atol=2e-5)
    torch.testing.assert_close(ours.parameters[:, architecture.n_weights :], biases.detach(), rtol=0, atol=2e-5)


def test_rows_that_are_not_trained_on_leave_no_trace():
    inputs, targets = problem()
    one = member(0)
    before, _ = train(inputs, targets, [one])
    inputs[one.validation_rows], targets[one.validation_rows] = 1e6, -1e6
    after, _ = train(inputs, targets, [one])
    assert torch.equal(before.parameters, after.parameters)


def test_weight_decay_shrinks_the_weights_and_dropout_widens_nothing_at_prediction():
    inputs, targets = problem()
    weak, strong = member(0, weight_decay=0.0), member(0, weight_decay=20.0)
    network, curves = train(inputs, targets, [weak, strong])
    assert curves.weight_norm[1, -1] < 0.7 * curves.weight_norm[0, -1]
    assert torch.equal(network.predict(inputs), network.predict(inputs))


def test_the_curves_last_point_is_the_error_of_the_finished_network():
    inputs, targets = problem()
    one = member(0)
    network, curves = train(inputs, targets, [one])
    errors = network.predict(inputs[one.validation_rows])[0] - targets[one.validation_rows]
    assert curves.validation.shape == (1, BASE.epochs)
    assert curves.validation[0, -1] == pytest.approx(float(errors.square().mean().sqrt()), rel=1e-5)
    assert curves.weight_norm[0, -1] == pytest.approx(float(network.weights.norm()), rel=1e-5)


def test_curves_in_other_units_have_other_errors_and_the_same_norms():
    inputs, targets = problem()
    _, curves = train(inputs, targets, [member(0)])
    scaled = curves.scaled(0.4)
    np.testing.assert_allclose(scaled.training, 0.4 * curves.training)
    np.testing.assert_allclose(scaled.validation, 0.4 * curves.validation)
    assert np.array_equal(scaled.weight_norm, curves.weight_norm)


def test_training_learns():
    inputs, targets = problem()
    calm = replace(BASE, dropout=0.0, input_dropout=0.0, weight_decay=0.01, epochs=100, batch_size=20)
    network, _ = train(inputs, targets, [Member(np.arange(N_ROWS), 0, calm)])
    assert float((network.predict(inputs)[0] - targets).square().mean()) < 0.05 * float(targets.var())


@pytest.mark.parametrize("step", ["compiled", "torch"])
def test_an_order_to_stop_is_obeyed_in_the_midst_of_an_epoch(step):
    inputs, targets = problem()
    stop, ended = np.zeros(1, dtype=np.bool_), []
    rows = np.tile(np.arange(N_ROWS), 10**4)  # an epoch that would last for minutes

    def endless() -> None:
        with pytest.raises(Stopped):
            train(inputs, targets, [Member(rows, 0, BASE), Member(rows, 1, BASE)], stop, step=step)
        ended.append(True)

    thread = threading.Thread(target=endless)
    thread.start()
    stop[0] = True
    thread.join()
    assert ended


def reference_training(inputs: torch.Tensor, targets: torch.Tensor, one: Member) -> torch.Tensor:
    """What `train` does to one member, as plain as it can be said: autograd, torch's AdamW, the member's own draws."""
    of, plan = one.hyperparameters, plan_of([one], D_IN)
    architecture = plan.architecture
    start = BatchedMLP(architecture, seeds=[one.seed])
    weights = start.weights.clone().requires_grad_(True)
    biases = start.parameters[:, architecture.n_weights :].clone().requires_grad_(True)
    decayed = {"params": [weights], "weight_decay": of.weight_decay}
    optimizer = torch.optim.AdamW([decayed, {"params": [biases], "weight_decay": 0.0}], lr=of.learning_rate)
    streams = RandomStreams(one.seed, one.rows, plan.batch_size)
    for step in range(plan.n_steps):
        for group in optimizer.param_groups:
            group["lr"] = of.learning_rate * schedule_factor(of.schedule, step, plan.n_steps)
        rows = streams.next_rows()
        keep = [torch.from_numpy(streams.keep_mask(width, of.dropout))[None] for width in of.hidden]
        keep_inputs = torch.from_numpy(streams.input_keep_mask(D_IN, of.input_dropout))
        seen = inputs[rows] * keep_inputs / (1 - of.input_dropout)
        network = BatchedMLP(architecture, parameters=torch.cat([weights, biases], dim=1))
        outputs = network.forward(seen[None], torch.tensor(of.dropout), keep)
        if of.loss in OF_LOSS:
            loss = OF_LOSS[of.loss](*outputs.unbind(dim=2), targets[rows][None]).mean()
        else:
            loss = 2 * torch.nn.functional.huber_loss(outputs[:, :, 0], targets[rows][None], delta=of.huber_delta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.cat([weights, biases], dim=1).detach()


@pytest.mark.parametrize("activation", NONLINEARITIES)
@pytest.mark.parametrize("loss", N_OUTPUTS)
@pytest.mark.parametrize("step", ["compiled", "torch"])
def test_every_step_is_that_of_the_plain_reference(activation, loss, step):
    inputs, targets = problem()
    one = member(3, learning_rate=0.003, huber_delta=0.5, activation=activation, loss=loss)
    both = [member(0, activation=activation, loss=loss), one]
    trained, _ = train(inputs, targets, both, step=step)
    torch.testing.assert_close(trained.parameters[1:], reference_training(inputs, targets, one), rtol=0, atol=1e-5)
    again, _ = train(inputs, targets, both, step=step)
    assert torch.equal(again.parameters, trained.parameters)


class CountsWaits(TorchDispatchMode):
    """Counts the reads of a tensor's value by Python: on a GPU each waits for all work before it."""

    n_waits = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.n_waits += function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return function(*arguments, **(options or {}))


def test_no_step_and_no_epoch_waits_for_the_device():
    inputs, targets = problem()
    waits = []
    for epochs in (1, 3):
        with CountsWaits() as counter:
            train(inputs, targets, [member(0, epochs=epochs), member(1, epochs=epochs)], step="torch")
        waits.append(counter.n_waits)
    assert waits[0] == waits[1]
