import pytest
import torch
from reference_losses import OF_LOSS

from houseprices.engine.losses import LIKELIHOODS, huber_derivative
from houseprices.engine.mlp import Architecture, BatchedMLP, backpropagate

N_NETWORKS, N_ROWS, D_IN = 3, 32, 20
RATE = torch.tensor([0.0, 0.2, 0.5])[:, None, None]
ONES = torch.ones(N_NETWORKS, N_ROWS)
SQUARED = torch.full((3, 1), torch.inf)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("hidden", [(), (16,), (16, 8), (16, 8, 4)])
@pytest.mark.parametrize("linear_path", [True, False])
@pytest.mark.parametrize("with_dropout", [True, False])
@pytest.mark.parametrize("delta", [SQUARED, torch.tensor([[0.5], [1.0], [torch.inf]])], ids=["squared", "huber"])
def test_gradients_equal_those_of_automatic_differentiation_in_float64(
    activation, hidden, linear_path, with_dropout, delta
):
    torch.manual_seed(0)
    network = BatchedMLP(Architecture(D_IN, hidden, activation, linear_path), seeds=[0, 1, 2])
    network.parameters += 0.1 * torch.randn_like(network.parameters)  # biases and linear path start at zero
    inputs, targets = torch.randn(N_NETWORKS, N_ROWS, D_IN), torch.randn(N_NETWORKS, N_ROWS)
    keep = [torch.rand(N_NETWORKS, N_ROWS, width) >= RATE for width in hidden] if with_dropout else None

    parameters = network.parameters.double().requires_grad_(True)
    reference = BatchedMLP(network.architecture, parameters=parameters)
    output = reference.forward(inputs.double(), RATE.double() if keep else None, keep)[:, :, 0]
    error = output - targets.double()
    losses = error.square()
    if delta is not SQUARED:
        losses[0], losses[1] = (
            2 * torch.nn.functional.huber_loss(error[one], torch.zeros(N_ROWS).double(), "none", float(delta[one]))
            for one in (0, 1)
        )
        assert (error.abs() > 1).any(dim=1).all()
    loss = losses.mean(dim=1).sum()
    (expected,) = torch.autograd.grad(loss, parameters)

    def derivative(output: torch.Tensor) -> torch.Tensor:
        of_first = huber_derivative(output[:, :, 0], targets, delta, ONES, torch.tensor(float(N_ROWS)))
        return of_first[:, :, None]

    gradient = backpropagate(network, inputs, derivative, RATE, keep)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("hidden", [(), (16, 8)])
@pytest.mark.parametrize("loss", LIKELIHOODS)
def test_so_do_those_of_both_outputs_of_a_likelihood(hidden, loss):
    torch.manual_seed(0)
    network = BatchedMLP(Architecture(D_IN, hidden, "tanh", True, n_outputs=2), seeds=[0, 1, 2])
    network.parameters += 0.1 * torch.randn_like(network.parameters)
    inputs, targets = torch.randn(N_NETWORKS, N_ROWS, D_IN), torch.randn(N_NETWORKS, N_ROWS)
    keep = [torch.rand(N_NETWORKS, N_ROWS, width) >= RATE for width in hidden]

    parameters = network.parameters.double().requires_grad_(True)
    reference = BatchedMLP(network.architecture, parameters=parameters)
    mean, log_spread = reference.forward(inputs.double(), RATE.double(), keep).unbind(dim=2)
    (expected,) = torch.autograd.grad(OF_LOSS[loss](mean, log_spread, targets.double()).mean(dim=1).sum(), parameters)

    def derivative(output: torch.Tensor) -> torch.Tensor:
        both = LIKELIHOODS[loss](*output.unbind(dim=2), targets, ONES, torch.tensor(float(N_ROWS)))
        return torch.stack(both, dim=2)

    gradient = backpropagate(network, inputs, derivative, RATE, keep)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
