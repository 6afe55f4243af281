"""One network for images with dropout, written three times: by hand, as a sequence of torch's layers, as a subclass."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from houseprices.engine.regularization import dropout

N_HIDDEN, N_CLASSES = 256, 10

Keep = Callable[[Tensor, int], Tensor]
"""Draws which units of hidden layer 0 or 1 are kept: the layer's values -> bool of the same shape."""


class FromScratch:
    """Matrices, ReLU and dropout by hand.

    Args:
        d_in: pixels of an image.
        rates: of dropout, one a hidden layer.
        keep: see `Keep`.
        dtype: of the weights.

    Attributes:
        training: whether units are dropped; off to predict.
    """

    def __init__(self, d_in: int, rates: Sequence[float], keep: Keep, dtype: torch.dtype = torch.float32) -> None:
        self.w1, self.b1 = torch.zeros(d_in, N_HIDDEN, dtype=dtype), torch.zeros(N_HIDDEN, dtype=dtype)
        self.w2, self.b2 = torch.zeros(N_HIDDEN, N_HIDDEN, dtype=dtype), torch.zeros(N_HIDDEN, dtype=dtype)
        self.w3, self.b3 = torch.zeros(N_HIDDEN, N_CLASSES, dtype=dtype), torch.zeros(N_CLASSES, dtype=dtype)
        self.rates = [torch.tensor(rate, dtype=dtype) for rate in rates]
        self.keep = keep
        self.training = True

    def parameters(self) -> list[Tensor]:
        """In the order of the layers, weights before biases."""
        return [self.w1, self.b1, self.w2, self.b2, self.w3, self.b3]

    def __call__(self, images: Tensor) -> Tensor:
        """Scores of the ten classes, (n_rows, 10), of images (n_rows, d_in)."""
        hidden = (images @ self.w1 + self.b1).relu()
        if self.training:
            hidden = dropout(hidden, self.rates[0], self.keep(hidden, 0))
        hidden = (hidden @ self.w2 + self.b2).relu()
        if self.training:
            hidden = dropout(hidden, self.rates[1], self.keep(hidden, 1))
        return hidden @ self.w3 + self.b3


def keep_at_random(rates: Sequence[float], generator: torch.Generator) -> Keep:
    """Each unit is kept with probability 1 - rate, by itself."""

    def keep(hidden: Tensor, layer: int) -> Tensor:
        return torch.rand(hidden.shape, generator=generator) >= rates[layer]

    return keep


def init_weights(layer: nn.Module) -> None:
    """Small normal weights, biases zero."""
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)


def as_sequence(d_in: int, rates: Sequence[float]) -> nn.Sequential:
    """Torch's layers in a row."""
    network = nn.Sequential(
        nn.Linear(d_in, N_HIDDEN),
        nn.ReLU(),
        nn.Dropout(rates[0]),
        nn.Linear(N_HIDDEN, N_HIDDEN),
        nn.ReLU(),
        nn.Dropout(rates[1]),
        nn.Linear(N_HIDDEN, N_CLASSES),
    )
    return network.apply(init_weights)


class Subclass(nn.Module):
    """Torch's layers, called by a `forward` of one's own; `train(mode)` switches dropout on and off."""

    def __init__(self, d_in: int, rates: Sequence[float]) -> None:
        super().__init__()
        self.hidden_1 = nn.Linear(d_in, N_HIDDEN)
        self.hidden_2 = nn.Linear(N_HIDDEN, N_HIDDEN)
        self.output = nn.Linear(N_HIDDEN, N_CLASSES)
        self.dropout_1 = nn.Dropout(rates[0])
        self.dropout_2 = nn.Dropout(rates[1])
        self.apply(init_weights)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the ten classes, (n_rows, 10), of images (n_rows, d_in)."""
        hidden = self.dropout_1(self.hidden_1(images).relu())
        hidden = self.dropout_2(self.hidden_2(hidden).relu())
        scores: Tensor = self.output(hidden)
        return scores
