from dataclasses import replace

import numpy as np
import pytest

from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData, plan_of

BASE = Hyperparameters(hidden=(4,), batch_size=16)


def data(n_rows: int = 64) -> TrainingData:
    return TrainingData(np.zeros((n_rows, 3), np.float32), np.zeros(n_rows, np.float32), np.arange(n_rows))


@pytest.mark.parametrize(
    "wrong",
    [
        "dropout=1",
        "dropout=-0.1",
        "input_dropout=1",
        "weight_decay=-1",
        "huber_delta=0",
        "learning_rate=nan",
        "epochs=0",
        "input_noise=-0.1",
        "beta2=1",
    ],
)
def test_a_hyperparameter_out_of_range_is_refused_by_name(wrong):
    name, value = wrong.split("=")
    with pytest.raises(ValueError, match=name):
        Hyperparameters(**{name: float(value)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", (5,)),
        ("activation", "relu"),
        ("linear_path", False),
        ("epochs", 3),
        ("batch_size", 8),
        ("schedule", "constant"),
        ("decay_kind", "coupled"),
        ("input_noise", 0.1),
        ("warmup_steps", 5),
        ("beta2", 0.9),
    ],
)
def test_networks_that_differ_in_what_a_batch_shares_are_refused(name, value):
    batch = [NetworkSpec(0, BASE), NetworkSpec(1, replace(BASE, **{name: value}))]
    with pytest.raises(ValueError, match="networks of one batch must share"):
        plan_of(batch, data())


def test_networks_of_one_batch_may_differ_in_their_regularisation():
    other = replace(BASE, dropout=0.1, input_dropout=0.0, weight_decay=2.0, learning_rate=0.1, huber_delta=5.0)
    batch = [NetworkSpec(0, BASE), NetworkSpec(1, other)]
    assert plan_of(batch, data()) == plan_of(batch[:1], data())


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "steps"), [(100, 128, 1), (1314, 128, 10), (130, 128, 1), (200, 80, 2)]
)
def test_an_epoch_is_the_whole_number_of_batches_nearest_to_one_pass(n_rows, batch_size, steps):
    plan = plan_of([NetworkSpec(0, replace(BASE, batch_size=batch_size, epochs=7))], data(n_rows))
    assert plan.steps_per_epoch == steps
    assert plan.n_steps == 7 * steps
    assert plan.batch_size == min(batch_size, n_rows)
