"""Small networks for the experiments: one hidden layer, every seed with every recipe side by side in one tensor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from houseprices.engine.optimizer import BatchedAdam, schedule_factor
from houseprices.engine.regularization import decoupled_decay, dropout

Schedule = Callable[[float], float]
"""The share of a strength at progress 0 .. 1 of the training."""


def constant(_progress: float) -> float:
    """The whole strength all the time.

    >>> constant(0.9)
    1.0
    """
    return 1.0


@dataclass(frozen=True)
class Recipe:
    """How one network is regularised."""

    name: str
    weight_decay: float = 0.0
    dropout: float = 0.0
    decay_schedule: Schedule = constant
    dropout_schedule: Schedule = constant


@dataclass(frozen=True)
class Plan:
    """How all of them are shaped and trained: Adam, its learning rate on a cosine to zero."""

    n_hidden: int
    n_epochs: int
    batch_size: int
    learning_rate: float


class Networks:
    """A network a seed and recipe.

    Args:
        seeds: each fixes the start, the order of rows and the masks, which its recipes share.
        recipes: how each is regularised.
        d_in: inputs.
        n_hidden: ReLU units.
        n_outputs: 1 for a number, else scores of classes.
    """

    def __init__(
        self, seeds: Sequence[int], recipes: Sequence[Recipe], d_in: int, n_hidden: int, n_outputs: int
    ) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.recipes = recipes
        self.n_weights = d_in * n_hidden + n_hidden * n_outputs
        shapes = [(d_in, n_hidden), (n_hidden, n_outputs), (1, n_hidden), (1, n_outputs)]
        starts = [
            [torch.randn(shape, generator=generator) * (2 / shape[0]) ** 0.5 for shape in shapes[:2]]
            for generator in self.generators
        ]
        flat = torch.stack([torch.cat([weights.flatten() for weights in start]) for start in starts])
        flat = torch.cat([flat, torch.zeros(len(seeds), n_hidden + n_outputs)], dim=1)
        # (n_seeds * n_recipes, n_parameters), a seed's recipes from the same start.
        self.parameters = flat.repeat_interleave(len(recipes), dim=0).requires_grad_(True)
        self._shapes = shapes
        self._n_hidden = n_hidden

    def _matrices(self) -> list[Tensor]:
        """Weights of both layers, then biases, (n_seeds, n_recipes, ...) each; parts of `parameters`."""
        parts = torch.split(self.parameters, [rows * columns for rows, columns in self._shapes], dim=1)
        lead = (len(self.generators), len(self.recipes))
        return [part.view(*lead, *shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def outputs(self, inputs: Tensor, rates: Tensor | None = None, uniform: Tensor | None = None) -> Tensor:
        """Outputs of all networks; with dropout only if rates and what the masks are drawn by are given.

        Shape:
            inputs: (n_seeds, n_rows, d_in)
            rates: (n_recipes, 1, 1)
            uniform: (n_seeds, 1, n_rows, n_hidden), in [0, 1)
            returns: (n_seeds, n_recipes, n_rows, n_outputs)
        """
        first, second, first_bias, second_bias = self._matrices()
        hidden = (inputs[:, None] @ first + first_bias).relu()
        if rates is not None and uniform is not None:
            hidden = dropout(hidden, rates, uniform >= rates)
        outputs: Tensor = hidden @ second + second_bias
        return outputs

    def draw_uniform(self, n_rows: int) -> Tensor:
        """What masks are drawn by, anew at each call."""
        return torch.stack([torch.rand(1, n_rows, self._n_hidden, generator=one) for one in self.generators])

    def rates(self, progress: float = 0.0) -> Tensor:
        """(n_recipes, 1, 1) dropout rates at that progress."""
        rates = [recipe.dropout * recipe.dropout_schedule(progress) for recipe in self.recipes]
        return torch.tensor(rates)[:, None, None]

    def decays(self, progress: float) -> Tensor:
        """(n_seeds * n_recipes, 1) strengths of weight decay at that progress."""
        strengths = [recipe.weight_decay * recipe.decay_schedule(progress) for recipe in self.recipes]
        return torch.tensor(strengths).repeat(len(self.generators))[:, None]


def loss_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Each network's mean loss: half the squared error of a number, the cross-entropy of classes.

    Shape:
        outputs: (n_seeds, n_recipes, n_rows, n_outputs)
        targets: (n_seeds, n_rows), float or int64
        returns: (n_seeds, n_recipes)
    """
    wanted = targets[:, None].expand(outputs.shape[:3])
    if targets.dtype == torch.int64:
        return -outputs.log_softmax(dim=-1).gather(-1, wanted[..., None])[..., 0].mean(dim=-1)
    return 0.5 * (outputs[..., 0] - wanted).square().mean(dim=-1)


def train(
    inputs: Tensor,
    targets: Tensor,
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    plan: Plan,
    after_epoch: Callable[[Networks], None] = lambda _networks: None,
) -> Networks:
    """Train all networks; decay is decoupled.

    Shape:
        inputs: (n_seeds, n_rows, d_in) float32
        targets: (n_seeds, n_rows), numbers as float32 or classes 0 .. as int64
    """
    n_seeds, n_rows, d_in = inputs.shape
    n_outputs = int(targets.max()) + 1 if targets.dtype == torch.int64 else 1
    networks = Networks(seeds, recipes, d_in, plan.n_hidden, n_outputs)
    optimizer = BatchedAdam(networks.parameters.detach())
    weights = networks.parameters.detach()[:, : networks.n_weights]
    n_batches = max(1, n_rows // plan.batch_size)
    n_steps = plan.n_epochs * n_batches
    places = torch.arange(n_seeds)[:, None]
    for step in range(n_steps):
        if step % n_batches == 0:
            order = torch.stack([torch.randperm(n_rows, generator=one) for one in networks.generators])
            batches = order.tensor_split(n_batches, dim=1)
        rows = batches[step % n_batches]
        progress = step / n_steps
        outputs = networks.outputs(inputs[places, rows], networks.rates(progress), networks.draw_uniform(rows.shape[1]))
        (gradient,) = torch.autograd.grad(loss_of(outputs, targets[places, rows]).sum(), networks.parameters)
        rate = torch.full((len(networks.parameters),), plan.learning_rate * schedule_factor("cosine", step, n_steps))
        with torch.no_grad():
            weights.copy_(decoupled_decay(weights, networks.decays(progress), rate[:, None]))
            optimizer.step(gradient, rate)
            if (step + 1) % n_batches == 0:
                after_epoch(networks)
    return networks
