"""The yardstick's network trained as textbooks do, one member after another: what the engine is compared with."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass(frozen=True)
class Yardstick:
    """The training that all contenders do; an epoch is the whole batches of one shuffled pass."""

    hidden: tuple[int, int] = (256, 128)
    dropout: float = 0.15
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 128


class TextbookNetwork(nn.Module):
    """d_in-256-128-1 with ReLU and dropout, and the inputs' own linear path to the output."""

    def __init__(self, d_in: int, yardstick: Yardstick) -> None:
        super().__init__()
        first, second = yardstick.hidden
        self.deep = nn.Sequential(
            nn.Linear(d_in, first),
            nn.ReLU(),
            nn.Dropout(yardstick.dropout),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Dropout(yardstick.dropout),
            nn.Linear(second, 1),
        )
        self.linear_path = nn.Linear(d_in, 1, bias=False)
        # The engine's start: He's for the layers before a ReLU, zero for biases and linear path.
        for layer, gain in ((self.deep[0], 2), (self.deep[3], 2), (self.deep[6], 1)):
            nn.init.normal_(layer.weight, std=(gain / layer.in_features) ** 0.5)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.linear_path.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n_rows, d_in) -> (n_rows,)."""
        return (self.deep(inputs) + self.linear_path(inputs)).squeeze(1)


def textbook_loop(inputs: Tensor, targets: Tensor, n_epochs: int, seed: int, yardstick: Yardstick) -> nn.Module:
    """Train one member with a DataLoader and torch's AdamW as they come."""
    torch.manual_seed(seed)
    batches = DataLoader(TensorDataset(inputs, targets), yardstick.batch_size, shuffle=True, drop_last=True)
    return _train(inputs.shape[1], (batch for _ in range(n_epochs) for batch in batches), yardstick, fused=False)


def tensor_loop(inputs: Tensor, targets: Tensor, n_epochs: int, seed: int, yardstick: Yardstick) -> nn.Module:
    """Train one member with batches indexed out of the tensors, and the fused AdamW."""
    torch.manual_seed(seed)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(n_epochs):
            order = torch.randperm(len(inputs))
            for start in range(0, len(inputs) - yardstick.batch_size + 1, yardstick.batch_size):
                rows = order[start : start + yardstick.batch_size]
                yield inputs[rows], targets[rows]

    return _train(inputs.shape[1], batches(), yardstick, fused=True)


def _train(d_in: int, batches: Iterator[tuple[Tensor, Tensor]], yardstick: Yardstick, *, fused: bool) -> nn.Module:
    model = TextbookNetwork(d_in, yardstick)
    rate, decay = yardstick.learning_rate, yardstick.weight_decay
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay, fused=fused)
    loss_of = nn.MSELoss()
    model.train()
    for inputs, targets in batches:
        optimizer.zero_grad()
        loss_of(model(inputs), targets).backward()
        optimizer.step()
    return model.eval()
