"""Trains the network for images: its three forms in lockstep, and by itself over seeds."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from houseprices.lessons.image_networks import FromScratch, Subclass, as_sequence, keep_at_random
from houseprices.lessons.images import Images
from houseprices.lessons.side_by_side import side_by_side

LEARNING_RATE, BATCH_SIZE = 0.5, 256
N_WATCHED = 10_000
"""Training images, the first ones, on which loss and accuracy in training are measured: all would take a third of the
time of Fashion-MNIST's training."""
CURVES = ["epoch", "training loss", "training accuracy", "test accuracy"]


def batches(n_rows: int, n_epochs: int, seed: int) -> Iterator[list[Tensor]]:
    """An epoch's row numbers, batch by batch, the same for every training; an epoch's last batch may be smaller."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n_epochs):
        yield list(torch.split(torch.randperm(n_rows, generator=generator), BATCH_SIZE))


def step_from_scratch(network: FromScratch, images: Tensor, labels: Tensor) -> None:
    """One step of hand-written SGD on the mean cross-entropy."""
    parameters = [parameter.requires_grad_(True) for parameter in network.parameters()]
    log_probability = network(images).log_softmax(dim=1)
    loss = -log_probability[torch.arange(len(labels)), labels].mean()
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= LEARNING_RATE * gradient


def step_concisely(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    """One step of torch's SGD."""
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(network(images), labels)
    loss.backward()
    optimizer.step()


class NotedMasks:
    """What torch's dropout layers kept in the last step, for the network from scratch to keep the same.

    A unit that was zero already counts as dropped: it passes nothing, forward or backward, either way.
    """

    def __init__(self, network: nn.Sequential) -> None:
        layers = [layer for layer in network if isinstance(layer, nn.Dropout)]
        self._kept: list[Tensor] = [torch.empty(0)] * len(layers)
        for place, layer in enumerate(layers):
            layer.register_forward_hook(self._noting(place))

    def _noting(self, place: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def note(_layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self._kept[place] = output.detach() != 0

        return note

    def __call__(self, _hidden: Tensor, layer: int) -> Tensor:
        """A `Keep`."""
        return self._kept[layer]


def _across(parameter: Tensor) -> Tensor:
    """A matrix transposed, a bias as it is."""
    return parameter.T if parameter.dim() == 2 else parameter


def copy_start(source: nn.Module, scratch: FromScratch) -> None:
    """Give the network from scratch the parameters of torch's, whose matrices lie across."""
    with torch.no_grad():
        for ours, theirs in zip(scratch.parameters(), source.parameters(), strict=True):
            ours.copy_(_across(theirs))


def train_three(
    images: Images, rates: Sequence[float], n_epochs: int, seed: int, *, n_steps: int | None = None
) -> dict[str, list[Tensor]]:
    """Train the three forms in lockstep in float64: the same start, batches and masks.

    `nn.Dropout` draws the masks in the sequence; the subclass draws the same ones, as torch's generator is set back
    before its step; the network from scratch is given what the sequence's layers kept.

    Args:
        images: the rows.
        rates: of dropout, one a hidden layer.
        n_epochs: passes over the images.
        seed: fixes the start, the order of the images and the masks.
        n_steps: stop after so many; None for the whole training.

    Returns:
        Each form's parameters, by its name, laid out as those from scratch.
    """
    d_in = images.training.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sequence = as_sequence(d_in, rates).double()
        subclass = Subclass(d_in, rates).double()
        scratch = FromScratch(d_in, rates, NotedMasks(sequence), torch.float64)
        copy_start(sequence, scratch)
        with torch.no_grad():
            for ours, theirs in zip(subclass.parameters(), sequence.parameters(), strict=True):
                ours.copy_(theirs)
        optimizers = {one: torch.optim.SGD(one.parameters(), LEARNING_RATE) for one in (sequence, subclass)}
        steps = itertools.chain.from_iterable(batches(len(images.training), n_epochs, seed))
        for rows in itertools.islice(steps, n_steps):
            inputs, labels = images.training[rows].double(), images.training_labels[rows]
            before_masks = torch.get_rng_state()
            for network, optimizer in optimizers.items():
                torch.set_rng_state(before_masks)
                step_concisely(network, optimizer, inputs, labels)
            step_from_scratch(scratch, inputs, labels)
    return {
        "from scratch": [parameter.detach() for parameter in scratch.parameters()],
        "nn.Sequential": [_across(parameter.detach()) for parameter in sequence.parameters()],
        "nn.Module": [_across(parameter.detach()) for parameter in subclass.parameters()],
    }


def largest_gap(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """The largest difference of any weight or bias."""
    return max(float((ours - theirs).detach().abs().max()) for ours, theirs in zip(one, other, strict=True))


@dataclass(frozen=True)
class Training:
    """One training from scratch: its curves by epoch, and how long it took."""

    curves: pd.DataFrame
    seconds: float


def begin(images: Images, rates: Sequence[float], seed: int, dtype: torch.dtype = torch.float32) -> FromScratch:
    """The untrained network from scratch; a seed's weights and masks are the same in every dtype."""
    generator = torch.Generator().manual_seed(seed)
    network = FromScratch(images.training.shape[1], rates, keep_at_random(rates, generator), dtype)
    with torch.no_grad():
        for weights in network.parameters()[::2]:
            weights.copy_(0.01 * torch.randn(weights.shape, generator=generator))
    return network


def train(images: Images, rates: Sequence[float], n_epochs: int, seed: int) -> Training:
    """Train the network from scratch in float32; a seed's start and batches are the same at all rates."""
    network = begin(images, rates, seed)
    inputs, labels = images.training, images.training_labels
    watched, watched_labels = inputs[:N_WATCHED], labels[:N_WATCHED]
    curves = []
    seconds = 0.0
    for epoch, rows_of_steps in enumerate(batches(len(inputs), n_epochs, seed), start=1):
        begun = time.perf_counter()
        for rows in rows_of_steps:
            step_from_scratch(network, inputs[rows], labels[rows])
        seconds += time.perf_counter() - begun
        network.training = False
        with torch.no_grad():
            training_scores, test_scores = network(watched), network(images.test)
        network.training = True
        curves.append(
            (
                epoch,
                float(nn.functional.cross_entropy(training_scores, watched_labels)),
                float((training_scores.argmax(dim=1) == watched_labels).double().mean()),
                float((test_scores.argmax(dim=1) == images.test_labels).double().mean()),
            )
        )
    return Training(pd.DataFrame(curves, columns=CURVES), seconds)


def train_over_seeds(
    images: Images, rate_pairs: Sequence[Sequence[float]], n_epochs: int, seeds: Sequence[int]
) -> list[list[Training]]:
    """A training a pair of rates and seed, side by side in a thread each: [pair][seed]."""
    todo = [(rates, seed) for seed in seeds for rates in rate_pairs]

    done = side_by_side(lambda what: train(images, what[0], n_epochs, what[1]), todo)
    return [done[place :: len(rate_pairs)] for place in range(len(rate_pairs))]


def compare_precision(images: Images, rates: Sequence[float], seed: int, n_steps: int) -> tuple[float, float, float]:
    """The same first steps in float64 and in float32.

    Returns:
        Seconds a step in float64, in float32, and the largest difference of any weight or bias after them.
    """
    ends, seconds = [], []
    for dtype in (torch.float64, torch.float32):
        network = begin(images, rates, seed, dtype)
        inputs = images.training.to(dtype)
        steps = itertools.chain.from_iterable(batches(len(inputs), n_steps, seed))
        begun = time.perf_counter()
        for rows in itertools.islice(steps, n_steps):
            step_from_scratch(network, inputs[rows], images.training_labels[rows])
        seconds.append((time.perf_counter() - begun) / n_steps)
        ends.append([parameter.detach().double() for parameter in network.parameters()])
    return seconds[0], seconds[1], largest_gap(*ends)
