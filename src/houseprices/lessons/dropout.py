"""Lesson: dropout, from the layer on a small table to a network for images."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from houseprices.charts import line_style, log_ticks, new_chart
from houseprices.engine.regularization import dropout
from houseprices.lessons.content import Block, Chart, Formula, Heading, Lesson, Paragraph, Source, Table, require
from houseprices.lessons.images import N_CLASSES, Images, load_images

HIDDEN = (256, 256)
LEARNING_RATE, BATCH_SIZE = 0.5, 256
N_EPOCHS = 10
"""Of Fashion-MNIST's 60,000 images, as in the textbook."""
N_DIGIT_EPOCHS = 100
"""Of 898 digits: ten epochs would be 35 steps."""

Parameters = list[tuple[Tensor, Tensor]]
"""(weights (fan_in, fan_out), biases (fan_out,)) of each layer."""


def dropout_lesson(rates: Sequence[float] = (0.2, 0.5), images: Path | None = None, seed: int = 0) -> Lesson:
    """The layer, its scale, and a network with and without it.

    Args:
        rates: of the two hidden layers.
        images: Fashion-MNIST's folder; see `images.load_images` for None.
        seed: fixes the start, the order of the images and the masks.

    Raises:
        SettingsError: a rate is outside [0, 1), or there are not two.
        DataError: a file of images is broken.
    """
    require(len(rates) == len(HIDDEN), "rates", f"{len(HIDDEN)} numbers, one a hidden layer", list(rates))
    for rate in rates:
        # At rate 1 nothing passes the layer; the layer itself takes it, see the table of the lesson.
        require(0 <= rate < 1, "dropout rate", "in [0, 1) for a network that is to learn", rate)
    require(seed >= 0, "seed", "0 or more", seed)
    loaded = load_images(images)
    blocks: list[Block] = [
        Heading("The layer"),
        Paragraph(
            "In training, each hidden unit is dropped with probability $p$ and the others are divided by $1 − p$. No "
            "unit can rely on another one being there."
        ),
        Formula(
            r"h' = \begin{cases} 0 & \text{with probability } p \\ \dfrac{h}{1 - p} & \text{otherwise} \end{cases}, "
            r"\qquad \mathrm{E}[h'] = p \cdot 0 + (1 - p) \frac{h}{1 - p} = h",
            "h' = 0 with probability p, else h / (1 − p);  E[h'] = p · 0 + (1 − p) · h / (1 − p) = h",
        ),
        Source(dropout),
        *_small_table(seed),
        Heading("Why kept values are divided by 1 − p"),
        *_expectation(seed),
        *_other_convention(seed),
        Heading("A network for images, with and without dropout"),
        *_experiment(loaded, list(rates), seed),
    ]
    return Lesson("dropout", "Dropout", blocks)


def _layer(hidden: Tensor, rate: float, keep: Tensor) -> Tensor:
    """The engine's dropout on one network's (n_rows, width)."""
    return dropout(hidden, torch.tensor(rate, dtype=hidden.dtype), keep)


def _small_table(seed: int) -> list[Block]:
    table = torch.arange(16, dtype=torch.float64).view(2, 8)
    generator = torch.Generator().manual_seed(seed)
    blocks: list[Block] = [Paragraph("On a table of two rows and eight units, at rates 0, ½ and 1:")]
    for rate in (0.0, 0.5, 1.0):
        keep = torch.rand(2, 8, generator=generator) >= rate
        content = pd.DataFrame(_layer(table, rate, keep).numpy(), columns=[f"unit {unit}" for unit in range(1, 9)])
        what = {0.0: "nothing changes", 0.5: "about half are zero, the others twice as large", 1.0: "all are zero"}[
            rate
        ]
        blocks.append(Table(f"layer-{rate:g}", f"p = {rate:g}: {what}.", content, digits=0))
    return blocks


def _expectation(seed: int) -> list[Block]:
    """The mean over masks against its standard error."""
    rate, n_masks, n_units = 0.5, 10_000, 8
    generator = torch.Generator().manual_seed(seed)
    keep = torch.rand(n_masks, n_units, generator=generator) >= rate
    hidden = torch.arange(1, n_units + 1, dtype=torch.float64)
    counts = torch.arange(1, n_masks + 1, dtype=torch.float64)[:, None]
    means = _layer(hidden.expand(n_masks, -1), rate, keep).cumsum(dim=0) / counts
    deviation = ((means - hidden).abs() / hidden).amax(dim=1)
    bound = 4 * (rate / (1 - rate) / counts[:, 0]).sqrt()
    shown = np.unique(np.geomspace(1, n_masks, 200).astype(int)) - 1
    content = pd.DataFrame(
        {
            "masks": shown + 1,
            "largest relative deviation": deviation.numpy()[shown],
            "bound, 4 standard errors": bound.numpy()[shown],
        }
    )
    figure, axes = new_chart("masks averaged", "relative deviation from the input")
    for index, name in enumerate(content.columns[1:]):
        axes.loglog(content["masks"], content[name], label=name, **line_style(index))
    log_ticks(axes.xaxis)
    log_ticks(axes.yaxis)
    axes.legend()
    return [
        Paragraph(
            f"Averaged over {n_masks:,} masks, {n_units} units at $p = {rate}$ come back to their values within "
            f"{float(deviation[-1]):.1%}; four standard errors, $4 √(p / ((1 − p) n))$, are {float(bound[-1]):.1%}. "
            "Since the mean is right in training already, prediction uses the layer's input as it is."
        ),
        Chart("expectation", f"The mean over masks approaches the input, p = {rate}.", figure, content),
    ]


def _other_convention(seed: int) -> list[Block]:
    """Srivastava et al. scale at prediction; the same network, written with other weights."""
    rate = 0.5
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.rand(1000, 64, generator=generator, dtype=torch.float64)
    weights = torch.randn(64, 10, generator=generator, dtype=torch.float64) / 8
    keep = torch.rand(1000, 64, generator=generator) >= rate
    larger, kept = weights * (1 - rate), 1 - rate
    rows = [
        ("in training", _layer(hidden, rate, keep) @ larger, (hidden * keep) @ weights),
        ("at prediction", hidden @ larger, kept * hidden @ weights),
    ]
    content = pd.DataFrame(
        [
            (when, "h / (1 − p), kept" if when == "in training" else "h", float(ours.abs().mean()), gap(ours, theirs))
            for when, ours, theirs in rows
        ],
        columns=["", "inverted dropout passes", "mean size of the output", "largest difference between the two"],
    )
    unscaled = float((hidden @ weights).abs().mean() / (kept * hidden @ weights).abs().mean())
    return [
        Paragraph(
            "The other convention (Srivastava et al. 2014) leaves kept values as they are in training and multiplies "
            "by the keep probability $1 − p$ at prediction. It is the same network with weights $1/(1 − p)$ times as "
            f"large. Whoever forgets the factor in both places predicts outputs {unscaled:.2g} times too large."
        ),
        Table("conventions", "The two conventions on one layer of 64 units, p = 0.5.", content, digits=2),
    ]


def gap(one: Tensor, other: Tensor) -> float:
    """The largest difference."""
    return float((one - other).abs().max())


# ---- the network ----


@dataclass(frozen=True)
class Batches:
    """Rows of each step, epoch by epoch, the same for every training."""

    n_rows: int
    n_epochs: int
    seed: int

    def __iter__(self) -> Iterator[list[Tensor]]:
        """An epoch's batches; the last one of an epoch may be smaller."""
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.n_epochs):
            yield list(torch.split(torch.randperm(self.n_rows, generator=generator), BATCH_SIZE))


def start(d_in: int, seed: int) -> Parameters:
    """He's normal weights (He et al. 2015), biases zero, float64."""
    generator = torch.Generator().manual_seed(seed)
    widths = [d_in, *HIDDEN, N_CLASSES]
    return [
        (
            torch.randn(fan_in, fan_out, generator=generator, dtype=torch.float64) * (2 / fan_in) ** 0.5,
            torch.zeros(fan_out, dtype=torch.float64),
        )
        for fan_in, fan_out in itertools.pairwise(widths)
    ]


def scores_of(parameters: Parameters, inputs: Tensor, rates: Sequence[float], masks: Sequence[Tensor] = ()) -> Tensor:
    """Scores of the ten classes, (n_rows, 10); without masks as at prediction: dropout does nothing.

    Shape:
        inputs: (n_rows, d_in)
        masks: of each hidden layer (n_rows, width), bool
    """
    values = inputs
    for layer, (weights, biases) in enumerate(parameters):
        values = values @ weights + biases
        if layer < len(HIDDEN):
            values = values.relu()
            if masks:
                values = _layer(values, rates[layer], masks[layer])
    return values


def step_from_scratch(
    parameters: Parameters, inputs: Tensor, labels: Tensor, rates: Sequence[float], masks: Sequence[Tensor]
) -> None:
    """One step of hand-written SGD on the mean cross-entropy, in place."""
    flat = [parameter.requires_grad_(True) for layer in parameters for parameter in layer]
    log_probability = scores_of(parameters, inputs, rates, masks).log_softmax(dim=1)
    loss = -log_probability[torch.arange(len(labels)), labels].mean()
    gradients = torch.autograd.grad(loss, flat)
    with torch.no_grad():
        for parameter, gradient in zip(flat, gradients, strict=True):
            parameter -= LEARNING_RATE * gradient


class Concise:
    """The same network by torch: `nn.Dropout` draws the masks, and hooks note which units it kept.

    Attributes:
        kept: of each hidden layer, the mask of the last step. A unit that was zero already counts as dropped: it
            passes nothing, forward or backward, either way.
    """

    def __init__(self, parameters: Parameters, rates: Sequence[float]) -> None:
        self.kept: list[Tensor] = [torch.empty(0)] * len(rates)
        layers: list[nn.Module] = []
        for layer, (weights, biases) in enumerate(parameters):
            fan_in, fan_out = weights.shape
            linear = nn.Linear(fan_in, fan_out, dtype=torch.float64)
            with torch.no_grad():
                linear.weight.copy_(weights.T)
                linear.bias.copy_(biases)
            layers.append(linear)
            if layer < len(rates):
                layers += [nn.ReLU(), self._noting_dropout(layer, rates[layer])]
        self.network = nn.Sequential(*layers)
        self._optimizer = torch.optim.SGD(self.network.parameters(), lr=LEARNING_RATE)
        self._loss = nn.CrossEntropyLoss()

    def _noting_dropout(self, layer: int, rate: float) -> nn.Module:
        module = nn.Dropout(rate)

        def note(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self.kept[layer] = output.detach() != 0

        module.register_forward_hook(note)
        return module

    def step(self, inputs: Tensor, labels: Tensor) -> None:
        """One step of torch's SGD."""
        self._optimizer.zero_grad()
        self._loss(self.network(inputs), labels).backward()
        self._optimizer.step()

    def parameters(self) -> Parameters:
        """The weights and biases, laid out as `start` does."""
        linear = [layer for layer in self.network if isinstance(layer, nn.Linear)]
        return [(layer.weight.detach().T, layer.bias.detach()) for layer in linear]


def train_both(
    images: Images, rates: Sequence[float], n_epochs: int, seed: int
) -> tuple[Parameters, Parameters, pd.DataFrame]:
    """Train from scratch and concisely in lockstep: the same start, batches and masks.

    Returns:
        The parameters from scratch, the concise ones, and the curves of the first by epoch.
    """
    scratch = start(images.training.shape[1], seed)
    curves = []
    # nn.Linear and nn.Dropout draw from torch's global generator.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        concise = Concise(scratch, rates)
        for epoch, batches in enumerate(Batches(len(images.training), n_epochs, seed), start=1):
            for rows in batches:
                inputs, labels = images.training[rows], images.training_labels[rows]
                concise.step(inputs, labels)
                step_from_scratch(scratch, inputs, labels, rates, concise.kept)
            curves.append((epoch, *_measure(scratch, images)))
    columns = ["epoch", "training loss", "training accuracy", "test accuracy"]
    return scratch, concise.parameters(), pd.DataFrame(curves, columns=columns)


def train_without(images: Images, n_epochs: int, seed: int) -> pd.DataFrame:
    """The curves of the same network from the same start on the same batches, without dropout."""
    parameters = start(images.training.shape[1], seed)
    curves = []
    for epoch, batches in enumerate(Batches(len(images.training), n_epochs, seed), start=1):
        for rows in batches:
            step_from_scratch(parameters, images.training[rows], images.training_labels[rows], (), ())
        curves.append((epoch, *_measure(parameters, images)))
    return pd.DataFrame(curves, columns=["epoch", "training loss", "training accuracy", "test accuracy"])


def _measure(parameters: Parameters, images: Images) -> tuple[float, float, float]:
    """Training loss, training accuracy, test accuracy; as at prediction."""
    with torch.no_grad():
        training = scores_of(parameters, images.training, ())
        test = scores_of(parameters, images.test, ())
        loss = nn.functional.cross_entropy(training, images.training_labels)
        right = [
            (scores.argmax(dim=1) == labels).double().mean()
            for scores, labels in ((training, images.training_labels), (test, images.test_labels))
        ]
    return float(loss), float(right[0]), float(right[1])


def largest_gap(one: Parameters, other: Parameters) -> float:
    """The largest difference of any weight or bias."""
    return max(
        gap(a.detach(), b.detach())
        for of_one, of_other in zip(one, other, strict=True)
        for a, b in zip(of_one, of_other, strict=True)
    )


def _experiment(images: Images, rates: list[float], seed: int) -> list[Block]:
    is_digits = images.name != "Fashion-MNIST"
    n_epochs = N_DIGIT_EPOCHS if is_digits else N_EPOCHS
    scratch, concise, with_dropout = train_both(images, rates, n_epochs, seed)
    without = train_without(images, n_epochs, seed)
    content = with_dropout.merge(without, on="epoch", suffixes=(", dropout", ", no dropout"))
    name = f"rates {rates[0]:g} and {rates[1]:g}"
    charts: list[Block] = []
    for quantity in ("training loss", "training accuracy", "test accuracy"):
        figure, axes = new_chart("epoch", quantity)
        for index, (curve, label) in enumerate(((with_dropout, name), (without, "no dropout"))):
            axes.plot(curve["epoch"], curve[quantity], label=label, **line_style(index))
        if quantity == "training loss":
            axes.set_yscale("log")
            log_ticks(axes.yaxis)
        else:
            axes.set_ylim(bottom=max(0.5, float(content["test accuracy, dropout"].quantile(0.2)) - 0.05))
        axes.legend()
        charts.append(
            Chart(quantity.replace(" ", "-"), quantity.capitalize() + ".", figure, None if charts else content)
        )
    rows = [(label, *curve.iloc[-1, 1:]) for curve, label in ((with_dropout, name), (without, "no dropout"))]
    last = pd.DataFrame(rows, columns=["network", *with_dropout.columns[1:]])
    d_in, n_test = images.training.shape[1], len(images.test)
    error = float((last["test accuracy"] * (1 - last["test accuracy"]) / n_test).max() ** 0.5)
    said = (
        "Fashion-MNIST is not on disk, so these are scikit-learn's handwritten digits: 8 × 8 pixels in place of "
        f"28 × 28, {len(images.training)} training images in place of 60,000, and {N_DIGIT_EPOCHS} epochs in place of "
        f"{N_EPOCHS}. `houseprices download --dataset fashion-mnist` brings the textbook's images. "
        if is_digits
        else ""
    )
    return [
        Paragraph(
            f"{said}{d_in}-{HIDDEN[0]}-{HIDDEN[1]}-{N_CLASSES} units, ReLU, dropout at {name} on the hidden layers, "
            f"SGD at {LEARNING_RATE}, batches of {BATCH_SIZE}, {n_epochs} epochs, {n_test:,} test images. All curves "
            "are measured after each epoch as at prediction, without masks."
        ),
        *charts,
        Table("last-epoch", f"After {n_epochs} epochs.", last),
        Paragraph(
            f"Dropout moves the test accuracy by {100 * (last['test accuracy'][0] - last['test accuracy'][1]):+.2f} "
            f"points; the standard error of one accuracy on {n_test:,} images is {100 * error:.2f} points. The "
            f"training loss ends at {last['training loss'][0]:.2g} with dropout, "
            f"{last['training loss'][1]:.2g} without."
        ),
        Paragraph(
            "From scratch means matrices, the engine's `dropout` and hand-written SGD; concise means `nn.Linear`, "
            "`nn.Dropout`, `nn.CrossEntropyLoss` and `torch.optim.SGD`. Both train in lockstep in float64: "
            "`nn.Dropout` draws a mask, a forward hook notes which units it kept, and the from-scratch network is "
            f"given the same. After {n_epochs} epochs no weight or bias differs by more than "
            f"{largest_gap(scratch, concise):.1g}."
        ),
    ]
