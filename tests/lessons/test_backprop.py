import pytest
import torch

from houseprices.lessons.backprop import automatic, backward, by_engine, draw_network, forward


@pytest.mark.parametrize(("rate", "strength"), [(0.5, 0.1), (0.0, 0.0), (0.3, 2.0), (1.0, 0.5)])
def test_gradients_by_hand_are_those_of_autograd_and_of_the_engine(rate: float, strength: float):
    network = draw_network(rate, strength, seed=3)
    by_hand = backward(network, forward(network))
    for name, expected in automatic(network).items():
        torch.testing.assert_close(by_hand[name], expected, rtol=0, atol=1e-6)
    for name, of_engine in by_engine(network, rate).items():
        torch.testing.assert_close(of_engine.double(), by_hand[name], rtol=1e-4, atol=1e-4)
