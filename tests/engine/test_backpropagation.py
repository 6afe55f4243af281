import pytest
import torch
from reference_losses import OF_LOSS

from houseprices.engine.losses import LIKELIHOODS, N_OUTPUTS, huber_derivative
from houseprices.engine.mlp import Architecture, BatchedMLP, backpropagate

N_NETWORKS, N_ROWS, D_IN = 3, 32, 20
RATE = torch.tensor([0.0, 0.2, 0.5])[:, None, None]
ONES = torch.ones(N_NETWORKS, N_ROWS)
SQUARED = torch.full((N_NETWORKS, 1), torch.inf)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("hidden", [(), (16,), (16, 8, 4)])
@pytest.mark.parametrize("linear_path", [True, False])
@pytest.mark.parametrize("with_dropout", [True, False])
@pytest.mark.parametrize("loss", N_OUTPUTS)
def test_gradients_equal_those_of_automatic_differentiation_in_float64(
    activation, hidden, linear_path, with_dropout, loss
):
    torch.manual_seed(0)
    network = BatchedMLP(Architecture(D_IN, hidden, activation, linear_path, N_OUTPUTS[loss]), seeds=[0, 1, 2])
    network.parameters += 0.1 * torch.randn_like(network.parameters)  # biases and linear path start at zero
    inputs, targets = torch.randn(N_NETWORKS, N_ROWS, D_IN), torch.randn(N_NETWORKS, N_ROWS)
    keep = [torch.rand(N_NETWORKS, N_ROWS, width) >= RATE for width in hidden] if with_dropout else None

    parameters = network.parameters.double().requires_grad_(True)
    reference = BatchedMLP(network.architecture, parameters=parameters)
    outputs = reference.forward(inputs.double(), RATE.double() if keep else None, keep).unbind(dim=2)
    losses = OF_LOSS[loss](*outputs, targets.double()) if loss in OF_LOSS else (outputs[0] - targets.double()).square()
    (expected,) = torch.autograd.grad(losses.mean(dim=1).sum(), parameters)

    def derivative(outputs: torch.Tensor) -> torch.Tensor:
        if loss in LIKELIHOODS:
            derivatives = LIKELIHOODS[loss](*outputs.unbind(dim=2), targets, ONES, torch.tensor(float(N_ROWS)))
            return torch.stack(derivatives, dim=2)
        return huber_derivative(outputs[:, :, 0], targets, SQUARED, ONES, torch.tensor(float(N_ROWS)))[:, :, None]

    gradient = backpropagate(network, inputs, derivative, RATE, keep)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
