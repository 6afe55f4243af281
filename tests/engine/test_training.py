import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from reference_losses import OF_LOSS
from torch.utils._python_dispatch import TorchDispatchMode

from houseprices.engine.activations import NONLINEARITIES
from houseprices.engine.losses import N_OUTPUTS
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.optimizer import schedule_factor
from houseprices.engine.random_streams import RandomStreams
from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData, plan_of
from houseprices.engine.torch_step import Cancelled
from houseprices.engine.training import train

N_ROWS, D_IN = 60, 12
BASE = Hyperparameters(
    hidden=(16, 8), activation="relu", dropout=0.3, input_dropout=0.2, huber_delta=float("inf"), weight_decay=0.1,
    learning_rate=0.01, epochs=5, batch_size=16,
)  # fmt: skip


ROWS = np.random.default_rng(0).permutation(N_ROWS)
ROW_WEIGHTS = np.linspace(0.5, 1.5, N_ROWS, dtype=np.float32)


def problem(row_weights: np.ndarray | None = None) -> TrainingData:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(N_ROWS, D_IN, generator=generator)
    inputs[:, 4:] *= torch.rand(N_ROWS, D_IN - 4, generator=generator) < 0.15  # as levels are: mostly zero
    targets = inputs[:, 0] - 0.5 * inputs[:, 1] + 0.1 * torch.randn(N_ROWS, generator=generator)
    return TrainingData(inputs.numpy(), targets.numpy(), ROWS[:48], ROWS[48:], row_weights)


def spec(seed: int = 0, **changes: object) -> NetworkSpec:
    return NetworkSpec(seed, replace(BASE, **changes))


def squared_error(prediction: torch.Tensor, targets: np.ndarray) -> float:
    return float((prediction - torch.from_numpy(targets)).square().mean())


@pytest.mark.parametrize("decay_kind", ["decoupled", "coupled"])
@pytest.mark.parametrize("row_weights", [None, ROW_WEIGHTS])
def test_a_network_trained_alone_equals_the_same_network_in_a_batch(decay_kind, row_weights):
    """With the compiled step to the bit; torch may sum products of one shape in another order in a batch."""
    data = problem(row_weights)
    batch = [
        spec(0, decay_kind=decay_kind),
        spec(1, learning_rate=0.003, dropout=0.0, decay_kind=decay_kind),
        spec(4, input_dropout=0.0, decay_kind=decay_kind),
        spec(2, weight_decay=2.0, decay_kind=decay_kind),
        spec(5, huber_delta=0.5, decay_kind=decay_kind),
    ]
    if row_weights is not None:
        batch = [
            replace(network, hyperparameters=replace(network.hyperparameters, input_noise=0.2)) for network in batch
        ]
    for step, tolerance in (("compiled", 0.0), ("torch", 1e-6)):
        together = train(data, batch, step=step).network.parameters
        alone = torch.cat([train(data, [network], step=step).network.parameters for network in batch])
        torch.testing.assert_close(together, alone, rtol=0, atol=tolerance)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    first, second, other = (train(problem(), [spec(seed)]).network.parameters for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_rows_that_are_not_trained_on_leave_no_trace():
    data = problem()
    before = train(data, [spec()]).network
    data.inputs[data.validation_rows], data.targets[data.validation_rows] = 1e6, -1e6
    after = train(data, [spec()]).network
    assert torch.equal(before.parameters, after.parameters)


def test_the_curves_last_point_is_the_error_of_the_finished_network():
    data = problem()
    trained = train(data, [spec()])
    prediction = trained.network.predict(torch.from_numpy(data.inputs[data.validation_rows]))[0]
    assert trained.curves.validation.shape == (1, BASE.epochs)
    error = squared_error(prediction, data.targets[data.validation_rows]) ** 0.5
    assert trained.curves.validation[0, -1] == pytest.approx(error, rel=1e-5)
    assert trained.curves.weight_norm[0, -1] == pytest.approx(float(trained.network.weights.norm()), rel=1e-5)


@pytest.mark.parametrize("step", ["compiled", "torch"])
def test_training_is_cancelled_in_the_midst_of_an_epoch(step):
    cancel, ended = np.zeros(1, dtype=np.bool_), []
    endless = replace(problem(), training_rows=np.tile(np.arange(N_ROWS), 10**4))  # an epoch would last for minutes

    def run() -> None:
        with pytest.raises(Cancelled):
            train(endless, [spec(0), spec(1)], cancel=cancel, step=step)
        ended.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    cancel[0] = True
    thread.join()
    assert ended


def reference_training(data: TrainingData, one: NetworkSpec) -> torch.Tensor:
    """Train one network as plainly as possible: autograd, torch's AdamW, the network's own random numbers."""
    of, plan = one.hyperparameters, plan_of([one], data)
    inputs, targets = torch.from_numpy(data.inputs), torch.from_numpy(data.targets)
    architecture = plan.architecture
    start = BatchedMLP(architecture, seeds=[one.seed])
    weights = start.weights.clone().requires_grad_(True)
    biases = start.parameters[:, architecture.n_weights :].clone().requires_grad_(True)
    decayed = {"params": [weights], "weight_decay": of.weight_decay}
    optimizer_class = torch.optim.AdamW if of.decay_kind == "decoupled" else torch.optim.Adam
    optimizer = optimizer_class(
        [decayed, {"params": [biases], "weight_decay": 0.0}], lr=of.learning_rate, betas=(0.9, of.beta2)
    )
    streams = RandomStreams(one.seed, data.training_rows, plan.batch_size)
    for step in range(plan.n_steps):
        for group in optimizer.param_groups:
            group["lr"] = of.learning_rate * schedule_factor(of.schedule, step, plan.n_steps, of.warmup_steps)
        rows = streams.next_rows()
        keep = [torch.from_numpy(streams.keep_mask(width, of.dropout))[None] for width in of.hidden]
        keep_inputs = torch.from_numpy(streams.input_keep_mask(D_IN, of.input_dropout))
        noise = torch.from_numpy(streams.input_noise(D_IN)) if of.input_noise else torch.zeros(plan.batch_size, D_IN)
        seen = (inputs[rows] + of.input_noise * noise) * keep_inputs / (1 - of.input_dropout)
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
    decay_kind = "coupled" if activation == "tanh" else "decoupled"
    shared = {"activation": activation, "loss": loss, "decay_kind": decay_kind, "warmup_steps": 3, "beta2": 0.95}
    one = spec(3, learning_rate=0.003, huber_delta=0.5, input_noise=0.2, **shared)
    both = [spec(0, input_noise=0.1, **shared), one]
    parameters = train(problem(), both, step=step).network.parameters
    torch.testing.assert_close(parameters[1:], reference_training(problem(), one), rtol=0, atol=5e-5)
    assert torch.equal(train(problem(), both, step=step).network.parameters, parameters)


class CountsWaits(TorchDispatchMode):
    """Counts the reads of a tensor's value by Python: on a GPU each waits for all work before it."""

    n_waits = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.n_waits += function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return function(*arguments, **(options or {}))


def test_no_step_and_no_epoch_waits_for_the_device():
    waits = []
    for epochs in (1, 3):
        with CountsWaits() as counter:
            train(problem(), [spec(0, epochs=epochs), spec(1, epochs=epochs)], step="torch")
        waits.append(counter.n_waits)
    assert waits[0] == waits[1]
