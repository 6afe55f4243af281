"""A network trained as textbooks do, one member after another: what the engine is compared with."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from houseprices.engine.activations import NONLINEARITIES
from houseprices.engine.specs import Hyperparameters


class TextbookNetwork(nn.Module):
    """Hidden layers with dropout, and the inputs' own linear path to the output; without hidden layers one is both."""

    def __init__(self, d_in: int, of: Hyperparameters, n_outputs: int = 1) -> None:
        super().__init__()
        activation, gain = {"relu": nn.ReLU, "tanh": nn.Tanh}[of.activation], NONLINEARITIES[of.activation].gain
        widths = (d_in, *of.hidden)
        hidden: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            hidden += _linear(fan_in, fan_out, gain), activation(), nn.Dropout(of.dropout)
        self.input_dropout = nn.Dropout(of.input_dropout) if of.input_dropout else nn.Identity()
        self.deep = nn.Sequential(*hidden, _linear(widths[-1], n_outputs, 1 if hidden else 0))
        self.linear_path = nn.Linear(d_in, n_outputs, bias=False) if of.linear_path and hidden else None
        if self.linear_path is not None:
            nn.init.zeros_(self.linear_path.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n_rows, d_in) -> (n_rows,), or (n_rows, n_outputs) of several."""
        inputs = self.input_dropout(inputs)
        output = self.deep(inputs)
        return (output if self.linear_path is None else output + self.linear_path(inputs)).squeeze(1)


def _linear(fan_in: int, fan_out: int, gain: float) -> nn.Linear:
    """A layer with the engine's start: the activation's spread of weights, zero biases."""
    layer = nn.Linear(fan_in, fan_out)
    nn.init.normal_(layer.weight, std=gain / fan_in**0.5)
    nn.init.zeros_(layer.bias)
    return layer


def textbook_loop(inputs: Tensor, targets: Tensor, seed: int, of: Hyperparameters) -> nn.Module:
    """Train one member with a DataLoader and torch's AdamW as they come."""
    torch.manual_seed(seed)
    batches = DataLoader(TensorDataset(inputs, targets), of.batch_size, shuffle=True, drop_last=True)
    return _train(inputs.shape[1], (batch for _ in range(of.epochs) for batch in batches), of, fused=False)


def tensor_loop(inputs: Tensor, targets: Tensor, seed: int, of: Hyperparameters) -> nn.Module:
    """Train one member with batches indexed out of the tensors, and the fused AdamW."""
    torch.manual_seed(seed)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(of.epochs):
            order = torch.randperm(len(inputs))
            for start in range(0, len(inputs) - of.batch_size + 1, of.batch_size):
                rows = order[start : start + of.batch_size]
                yield inputs[rows], targets[rows]

    return _train(inputs.shape[1], batches(), of, fused=True)


def _train(d_in: int, batches: Iterator[tuple[Tensor, Tensor]], of: Hyperparameters, *, fused: bool) -> nn.Module:
    model = TextbookNetwork(d_in, of)
    optimizer = torch.optim.AdamW(model.parameters(), lr=of.learning_rate, weight_decay=of.weight_decay, fused=fused)
    loss_of = nn.MSELoss()
    model.train()
    for inputs, targets in batches:
        optimizer.zero_grad()
        loss_of(model(inputs), targets).backward()
        optimizer.step()
    return model.train(mode=False)
