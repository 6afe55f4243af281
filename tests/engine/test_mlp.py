import pytest
import torch
from torch import nn

from houseprices.engine.mlp import Architecture, BatchedMLP


def torch_network(network: BatchedMLP, index: int) -> nn.Sequential:
    """Build one network from torch's own layers, without the linear path."""
    layers: list[nn.Module] = []
    for matrix, bias in zip(network.matrices(), network.biases(), strict=False):
        layer = nn.Linear(matrix.shape[1], matrix.shape[2])
        layer.weight.data, layer.bias.data = matrix[index].T.clone(), bias[index, 0].clone()
        layers += [layer, nn.ReLU() if network.architecture.activation == "relu" else nn.Tanh()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("linear_path", [True, False])
def test_every_network_equals_a_network_of_torchs_layers(activation, linear_path):
    torch.manual_seed(0)
    network = BatchedMLP(Architecture(6, (5, 4), activation, linear_path), seeds=[0, 1])
    network.parameters += 0.3 * torch.randn_like(network.parameters)
    rows = torch.randn(9, 6)
    for index, predicted in enumerate(network.predict(rows)):
        expected = torch_network(network, index)(rows).squeeze(1)
        if linear_path:
            expected = expected + (rows @ network.matrices()[3][index]).squeeze(1)
        torch.testing.assert_close(predicted, expected.detach())


@pytest.mark.parametrize("n_rows", [1, 3, 64, 65, 1500])
def test_a_rows_prediction_has_the_same_bits_whatever_rows_stand_beside_it(n_rows):
    network = BatchedMLP(Architecture(40, (50, 30), "tanh", True), seeds=[0, 1])
    rows = torch.randn(1600, 40, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network.predict(rows[:n_rows]), network.predict(rows)[:, :n_rows])


def test_all_weights_stand_before_all_biases_and_the_linear_path_starts_at_zero():
    network = BatchedMLP(Architecture(6, (5, 4), "relu", True), seeds=[3])
    n_weights = 6 * 5 + 5 * 4 + 4 + 6
    assert network.architecture.n_weights == n_weights
    assert network.architecture.n_parameters == n_weights + 5 + 4 + 1
    assert (network.parameters[:, n_weights:] == 0).all()
    assert (network.matrices()[3] == 0).all()
    assert (network.matrices()[2] != 0).all()


def test_weights_start_with_the_spread_that_keeps_the_activations_scale():
    first = BatchedMLP(Architecture(400, (300,), "relu", False), seeds=[0]).matrices()[0]
    assert float(first.std()) == pytest.approx((2 / 400) ** 0.5, rel=0.02)


def test_the_start_of_a_network_depends_on_its_seed_alone():
    shape = Architecture(6, (5,), "relu", True)
    alone, together = BatchedMLP(shape, seeds=[7]), BatchedMLP(shape, seeds=[1, 7])
    assert torch.equal(alone.parameters[0], together.parameters[1])
    assert not torch.equal(together.parameters[0], together.parameters[1])
