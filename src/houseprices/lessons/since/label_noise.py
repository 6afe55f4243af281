"""A network that must be regularised, and one that need not: some labels flipped, or none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from houseprices.charts import line_style, new_chart
from houseprices.lessons.content import Block, Chart, Heading, Paragraph, Source, Table
from houseprices.lessons.images import Images
from houseprices.lessons.seed_intervals import MeanInterval, mean_interval
from houseprices.lessons.since.networks import Networks, Plan, Recipe, train

N_CLASSES = 10
RECIPES = (Recipe("neither"), Recipe("weight decay", weight_decay=1.0), Recipe("dropout", dropout=0.5))
PLAN = Plan(n_hidden=256, n_epochs=40, batch_size=50, learning_rate=0.01)
N_VALIDATION = 198


def flip_labels(labels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Give that share of the rows, drawn at random, another class, each other one with the same probability.

    Shape:
        labels: (n_rows,) int64, 0 .. N_CLASSES - 1
        returns: like labels
    """
    flipped = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    changed = labels.clone()
    changed[flipped] += torch.randint(1, N_CLASSES, flipped.shape, generator=generator)
    return changed % N_CLASSES


def noisy_rows(images: Images, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """The training images in an order of the seed's, and their labels, some of which it flips."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images.training), generator=generator)
    return images.training[order], flip_labels(images.training_labels[order], share, generator)


@dataclass(frozen=True)
class NoisyTraining:
    """Networks trained on labels of which some are wrong, and accuracies by epoch.

    Shape:
        validation, test: (n_epochs, n_seeds, n_recipes); the validation rows' labels are flipped alike, those of the
            test rows are right
    """

    networks: Networks
    validation: Tensor
    test: Tensor

    def at_the_end(self, recipe: int) -> Tensor:
        """(n_seeds,) test accuracy after the last epoch."""
        return self.test[-1, :, recipe]

    def stopped_early(self, recipe: int) -> tuple[Tensor, Tensor]:
        """(n_seeds,) test accuracy at the epoch of the best validation accuracy, and that epoch, from 1."""
        epoch = self.validation[:, :, recipe].argmax(dim=0)
        return self.test[epoch, torch.arange(len(epoch)), recipe], epoch + 1


def train_on_noisy_labels(images: Images, share: float, seeds: Sequence[int]) -> NoisyTraining:
    """All recipes on the training images less a validation part, split and flipped by each seed."""
    x, y = (
        torch.stack(of_seeds) for of_seeds in zip(*(noisy_rows(images, share, seed) for seed in seeds), strict=True)
    )
    test, test_labels = images.test.expand(len(seeds), -1, -1), images.test_labels.expand(len(seeds), -1)
    curves: list[list[Tensor]] = [[], []]

    def measure(networks: Networks) -> None:
        parts = ((x[:, :N_VALIDATION], y[:, :N_VALIDATION]), (test, test_labels))
        for curve, (rows, right) in zip(curves, parts, strict=True):
            curve.append((networks.outputs(rows).argmax(dim=-1) == right[:, None]).float().mean(dim=-1))

    networks = train(x[:, N_VALIDATION:], y[:, N_VALIDATION:], RECIPES, seeds, PLAN, measure)
    return NoisyTraining(networks, *(torch.stack(curve) for curve in curves))


def label_noise_section(clean: NoisyTraining, noisy: NoisyTraining, share: float, n_seeds: int) -> list[Block]:
    """Test accuracy by epoch, with and without regularisers, on right labels and on some wrong ones."""
    epochs = np.arange(1, PLAN.n_epochs + 1)
    content = pd.DataFrame({"epoch": epochs})
    charts: list[Block] = []
    gains: dict[str, list[MeanInterval]] = {}
    rows = []
    # The legend has room below the ends of the curves.
    lowest = min(0.8, float(noisy.test[-1].mean(dim=0).min()) - 0.1)
    for what, trained in (("clean labels", clean), (f"{share:.0%} of the labels flipped", noisy)):
        figure, axes = new_chart("epoch", f"test accuracy, mean of {n_seeds} seeds")
        for place, recipe in enumerate(RECIPES):
            curve = trained.test[:, :, place].mean(dim=1).numpy()
            axes.plot(epochs, curve, label=recipe.name, **line_style(place))
            content[f"{recipe.name}, {what}"] = curve
        axes.set_ylim(lowest, 1.0)
        axes.legend(loc="lower right")
        name = "clean-labels" if not charts else "flipped-labels"
        charts.append(Chart(name, f"{what.capitalize()}.", figure, content if charts else None))
        gains[what] = [mean_interval(trained.at_the_end(place) - trained.at_the_end(0)) for place in (1, 2)]
        rows.append((what, *(mean_interval(trained.at_the_end(place)).text(3) for place in range(len(RECIPES)))))
    of_clean, of_noisy = gains.values()
    unregularised = noisy.test[:, :, 0].mean(dim=1)
    best = int(unregularised.argmax())
    return [
        Heading("When regularisation does nothing, and when it must"),
        Paragraph(
            f"A network of {PLAN.n_hidden} hidden units, wide enough to learn its rows by heart, on the handwritten "
            f"digits: {PLAN.n_epochs} epochs of Adam at a learning rate that falls from {PLAN.learning_rate:g} to "
            f"zero, without a regulariser, with decoupled weight decay of {RECIPES[1].weight_decay:g}, and with "
            f"dropout of {RECIPES[2].dropout:g}; once with the right labels, once with {share:.0%} of them, drawn at "
            "random, set to another class. The test labels stay right."
        ),
        Source(flip_labels),
        *charts,
        Table(
            "label-noise",
            f"Test accuracy on the digits after {PLAN.n_epochs} epochs; mean over {n_seeds} seeds ± half its 95% "
            "interval.",
            pd.DataFrame(rows, columns=["labels", *(recipe.name for recipe in RECIPES)]),
        ),
        Paragraph(
            f"With clean labels weight decay moves the accuracy by {of_clean[0].text(1, 100, sign=True)} points and "
            f"dropout by {of_clean[1].text(1, 100, sign=True)}: there is little to prevent, since a network that fits "
            f"all rows is then right on new ones as well. With {share:.0%} flipped they bring "
            f"{of_noisy[0].text(1, 100, sign=True)} and {of_noisy[1].text(1, 100, sign=True)} points: the same network "
            f"without them is best after epoch {best + 1}, at {float(unregularised[best]):.3f}, goes on to learn the "
            f"wrong labels, and ends at {float(unregularised[-1]):.3f}. A regulariser is worth what there is that "
            "should not be learnt."
        ),
    ]
