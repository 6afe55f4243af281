"""Lesson: dropout, from the layer on a small table to a network for images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from houseprices.charts import line_style, log_ticks, new_chart
from houseprices.engine.regularization import dropout
from houseprices.lessons.content import (
    Block,
    Chart,
    Exercise,
    Formula,
    Heading,
    Lesson,
    Paragraph,
    Source,
    Table,
    require,
)
from houseprices.lessons.image_networks import N_CLASSES, N_HIDDEN, FromScratch, Subclass, as_sequence, init_weights
from houseprices.lessons.image_training import (
    BATCH_SIZE,
    CURVES,
    LEARNING_RATE,
    N_WATCHED,
    NotedMasks,
    Training,
    compare_precision,
    largest_gap,
    step_concisely,
    step_from_scratch,
    train_over_seeds,
    train_three,
)
from houseprices.lessons.images import Images, load_images
from houseprices.lessons.seed_intervals import mean_interval

N_EPOCHS = 10
"""Of Fashion-MNIST's 60,000 images, as in the textbook."""
N_DIGIT_EPOCHS = 80
"""Of 898 digits: ten epochs would be 40 steps."""
N_EQUAL_STEPS = 50
"""Of the three forms in lockstep on Fashion-MNIST; on the digits all steps."""
N_EXERCISE_EPOCHS = 3
"""Of those that answer an exercise on Fashion-MNIST; on the digits all."""
N_SEEDS = 3


def dropout_lesson(rates: Sequence[float] = (0.2, 0.5), images: Path | None = None, seed: int = 0) -> Lesson:
    """The layer, its scale, and a network with and without it.

    Args:
        rates: of the two hidden layers.
        images: Fashion-MNIST's folder; see `images.load_images` for None.
        seed: the first of those that fix the start, the order of the images and the masks.

    Raises:
        SettingsError: a rate is outside [0, 1), or there are not two.
        DataError: a file of images is broken.
    """
    require(len(rates) == 2, "rates", "2 numbers, one a hidden layer", list(rates))
    for rate in rates:
        # At rate 1 nothing passes the layer; the layer itself takes it, see the table of the lesson.
        require(0 <= rate < 1, "dropout rate", "in [0, 1) for a network that is to learn", rate)
    require(seed >= 0, "seed", "0 or more", seed)
    loaded = load_images(images)
    is_fashion = loaded.name == "Fashion-MNIST"
    n_epochs = N_EPOCHS if is_fashion else N_DIGIT_EPOCHS
    seeds = range(seed, seed + N_SEEDS)
    trained = train_over_seeds(loaded, [rates, (0.0, 0.0)], n_epochs, seeds)
    blocks: list[Block] = [
        Heading("The layer"),
        Paragraph(
            "A network with hidden layers passes its inputs through sums in between, the hidden units, each cut off "
            "below zero (ReLU: $max(z, 0)$), before the output. Units may come to rely on each other: one repairs "
            "what another one gets wrong on the training rows, which does not carry over to new ones. Dropout forbids "
            "it: in every step of the training, each hidden unit is set to zero, dropped, with probability $p$, by a "
            "throw of its own, and the others are divided by $1 − p$. No unit can rely on another one being there."
        ),
        Formula(
            r"h\!' = 0 \;\; \mathrm{with\ probability}\ p, \qquad h\!' = \dfrac{h}{1 - p} \;\; \mathrm{otherwise}",
            "h' = 0 with probability p, else h / (1 − p)",
        ),
        Formula(
            r"\mathrm{E}[h\!'] = p \cdot 0 + (1 - p) \, \dfrac{h}{1 - p} = h",
            "E[h'] = p · 0 + (1 − p) · h / (1 − p) = h",
        ),
        Paragraph(
            "$E$ is the mean over all throws: it stays what it was. Which units a step keeps is the mask, a "
            "table of true "
            "and false. This project's layer (in this form it is called inverted dropout):"
        ),
        Source(dropout, folded=False),
        *_small_table(seed),
        Heading("Why kept values are divided by 1 − p"),
        *_expectation(seed),
        *_other_convention(seed),
        *_share_kept(seed),
        Heading("The network, three times"),
        *_three_forms(loaded, rates, seed, is_fashion),
        Heading("Does it help?"),
        *_accuracy(loaded, rates, n_epochs, seeds, trained, is_fashion),
    ]
    return Lesson(
        "dropout",
        "Dropout",
        "What does it do to a network when units are left out at random, and when does it help?",
        "the factor that kept values are given, and how much better the network is on the rows it was trained on.",
        blocks,
        _exercises(loaded, n_epochs, trained, seed),
        following="backprop",
        given={"--images": images, "--seed": seed},
    )


def _layer(hidden: Tensor, rate: float, keep: Tensor) -> Tensor:
    """The engine's dropout on one network's (n_rows, width)."""
    dropped: Tensor = dropout(hidden, torch.tensor(rate, dtype=hidden.dtype), keep)
    return dropped


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
            f"{float(deviation[-1]):.1%}. The standard error, how far chance typically moves such a mean of $n$ "
            f"masks, is $√(p / ((1 − p) n))$ of a unit's value; four of them are {float(bound[-1]):.1%}. Since the "
            "mean is right in training already, prediction uses the layer's input as it is."
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
    passes = {"in training": "h / (1 − p), kept", "at prediction": "h"}
    content = pd.DataFrame(
        [
            (when, passes[when], float(ours.abs().mean()), float((ours - theirs).abs().max()))
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


def _share_kept(seed: int) -> list[Block]:
    """One number read in two ways."""
    p, n_units = 0.2, 100_000
    uniform = torch.rand(n_units, generator=torch.Generator().manual_seed(seed))
    rows = []
    for reading, dropped in (("share dropped, as here and in the textbook's code", p), ("share kept", 1 - p)):
        values = _layer(torch.ones(n_units, dtype=torch.float64), dropped, uniform >= dropped)
        rows.append((reading, float((values == 0).double().mean()), float(values.max())))
    columns = ["p is the", "units that are zero", "factor of the others"]
    return [
        Paragraph(
            "Beware of $p$ itself. In this course and in `nn.Dropout`, $p$ is the share dropped; the first papers "
            "write $p$ for the share kept, and there are texts whose words say one and whose code does the other. "
            f"The same {p:g} in both readings, on {n_units:,} units of value 1:"
        ),
        Table("share-kept", f"p = {p:g} read in two ways.", pd.DataFrame(rows, columns=columns), digits=3),
    ]


def _three_forms(images: Images, rates: Sequence[float], seed: int, is_fashion: bool) -> list[Block]:
    n_epochs, n_steps = (1, N_EQUAL_STEPS) if is_fashion else (N_DIGIT_EPOCHS, None)
    forms = train_three(images, rates, n_epochs, seed, n_steps=n_steps)
    scratch = forms["from scratch"]
    content = pd.DataFrame(
        [(f"{name} against from scratch", largest_gap(scratch, forms[name])) for name in list(forms)[1:]],
        columns=["form", "largest difference"],
    )
    when = f"the first {n_steps} steps" if n_steps else f"all {n_epochs} epochs"
    return [
        Paragraph(
            f"The textbook's network for images has an input a pixel ({images.training.shape[1]} here), two hidden "
            f"layers of {N_HIDDEN} units, and {N_CLASSES} outputs, a score a class; the highest score is the answer. "
            "The share of images that are answered rightly is the accuracy. Scores become probabilities by the "
            "softmax, $exp(score)$ over the sum of all ten; the loss is the cross-entropy, minus the log of the right "
            "class's probability. One meets such a network in three "
            "forms. From scratch, with matrices, the dropout layer above, a flag "
            "that says whether it trains, and SGD by hand:"
        ),
        Source(FromScratch, folded=False),
        Source(step_from_scratch, folded=False),
        Paragraph(
            "Concise, as a row of torch's layers. `apply` visits every layer and draws its weights: normal, of size "
            "0.01, so that the network begins with scores near zero; the biases begin at zero."
        ),
        Source(init_weights, folded=False),
        Source(as_sequence, folded=False),
        Paragraph("And concise as a class of one's own, the form to take where layers do not stand in one row:"),
        Source(Subclass, folded=False),
        Source(step_concisely, folded=False),
        Paragraph(
            "`nn.Dropout` draws its masks itself. To compare the forms, torch's layers are watched: a hook, a function "
            "that torch calls after a layer, notes what the sequence's dropout kept, and the network from scratch is "
            "given the same; the subclass draws with torch's random generator set back to the same state. All three "
            f"train step by step side by side in float64 (numbers of 64 bits) from one start. After {when}:"
        ),
        Source(NotedMasks),
        Source(train_three),
        Table("three-forms", f"Largest difference of any weight or bias after {when}.", content, digits=2),
    ]


def _accuracy(
    images: Images,
    rates: Sequence[float],
    n_epochs: int,
    seeds: Sequence[int],
    trained: list[list[Training]],
    is_fashion: bool,
) -> list[Block]:
    names = [f"dropout {rates[0]:g} and {rates[1]:g}", "no dropout"]
    means = [
        pd.concat([one.curves for one in of_seeds]).groupby("epoch", as_index=False).mean() for of_seeds in trained
    ]
    content = pd.concat(
        one.curves.assign(network=name, seed=seed)
        for name, of_seeds in zip(names, trained, strict=True)
        for seed, one in zip(seeds, of_seeds, strict=True)
    )[["network", "seed", *CURVES]]
    charts: list[Block] = []
    for quantity in CURVES[1:]:
        figure, axes = new_chart("epoch", f"{quantity}, mean of {len(seeds)} seeds")
        for index, (curve, label) in enumerate(zip(means, names, strict=True)):
            axes.plot(curve["epoch"], curve[quantity], label=label, **line_style(index))
        if quantity == "training loss":
            axes.set_yscale("log")
            log_ticks(axes.yaxis)
        else:
            axes.set_ylim(bottom=max(0.5, float(means[0]["test accuracy"].quantile(0.35)) - 0.05))
        axes.legend()
        charts.append(
            Chart(
                quantity.replace(" ", "-"),
                f"{quantity.capitalize()}, {images.name}.",
                figure,
                None if charts else content,
            )
        )
    ends = {name: [one.curves.iloc[-1] for one in of_seeds] for name, of_seeds in zip(names, trained, strict=True)}
    rows = [
        (name, *(mean_interval([end[column] for end in of_seeds]).text(4) for column in CURVES[1:]))
        for name, of_seeds in ends.items()
    ]
    gain, held_back = (
        mean_interval([with_it[part] - without[part] for with_it, without in zip(*ends.values(), strict=True)])
        for part in ("test accuracy", "training accuracy")
    )
    distance = mean_interval([end["training accuracy"] - end["test accuracy"] for end in ends[names[1]]])
    said = (
        f"The images are Fashion-MNIST's, {len(images.training):,} pictures of clothes for training. "
        if is_fashion
        else "The textbook's images, Fashion-MNIST's 70,000 pictures of clothes, are not on disk, so these are "
        "scikit-learn's handwritten digits: 8 × 8 pixels in place of 28 × 28, "
        f"{len(images.training)} training images in place of 60,000, and {N_DIGIT_EPOCHS} epochs in place of "
        f"{N_EPOCHS}. The textbook's images are read from data/fashion-mnist. "
    )
    n_seconds = sum(one.seconds for of_seeds in trained for one in of_seeds) / (2 * len(seeds))
    in_64, in_32, gap = compare_precision(images, rates, seeds[0], N_EQUAL_STEPS)
    verdict = (
        "more than chance would bring"
        if gain.excludes_zero
        else "within what chance brings; more seeds might show a small difference"
    )
    return [
        Paragraph(
            f"{said}SGD at {LEARNING_RATE}, batches of {BATCH_SIZE}, {n_epochs} epochs, {len(seeds)} seeds with and "
            f"without dropout, {len(images.test):,} test images. All curves are measured after each epoch as at "
            f"prediction, without masks, those of training on {min(N_WATCHED, len(images.training)):,} of its images. "
            "Where a curve is flat at the beginning, the small weights are still growing."
        ),
        *charts,
        Table(
            "last-epoch",
            f"After {n_epochs} epochs on {images.name}: mean over {len(seeds)} seeds ± half its 95% interval.",
            pd.DataFrame(rows, columns=["network", *CURVES[1:]]),
        ),
        Paragraph(
            f"On the same seeds, dropout moves the test accuracy by {gain.text(2, scale=100, sign=True)} points "
            f"(hundredths): {verdict}. The training accuracy moves by {held_back.text(2, scale=100, sign=True)} "
            "points: what dropout can win is at most about the distance between training and test accuracy, which "
            "without it is "
            f"{distance.text(2, scale=100)} points."
        ),
        Paragraph(
            f"These trainings compute in float32 (numbers of 32 bits): {n_epochs} epochs took {n_seconds:.0f} s each, "
            f"on one processor core. A step takes {1000 * in_32:.1f} ms in float32 and {1000 * in_64:.1f} ms in "
            f"float64; after the same {N_EQUAL_STEPS} steps their weights differ by at most {gap:.1g}."
        ),
    ]


def _exercises(images: Images, n_epochs: int, trained: list[list[Training]], seed: int) -> list[Exercise]:
    n_epochs = N_EXERCISE_EPOCHS if images.name == "Fashion-MNIST" else n_epochs

    def ends(training: Training) -> str:
        last = training.curves.iloc[n_epochs - 1]
        return f"{last['training accuracy']:.3f} in training and {last['test accuracy']:.3f} in the test"

    (few,), (swapped,) = train_over_seeds(images, [(0.9, 0.9), (0.8, 0.5)], n_epochs, [seed])
    return [
        Exercise(
            "What do training and test accuracy become if nine of ten units are dropped in both layers?",
            "lesson dropout --rate 0.9 0.9",
            f"With seed {seed}, after {n_epochs} epochs, {ends(few)}; without dropout {ends(trained[1][0])} "
            "(`training-loss.csv`, which the command writes, has every seed and epoch). Each step trains a network of "
            f"some {0.1 * N_HIDDEN:.0f} units a layer.",
        ),
        Exercise(
            "What must the lesson show at rates 0 and 0?",
            "lesson dropout --rate 0 0",
            "The same curves twice: at rate 0 the layer multiplies by one. If your own layer fails this test, look "
            "for the scale.",
        ),
        Exercise(
            "A text says 'dropout with p = 0.8 and 0.5', and its network learns worse in your code than in the text. "
            "What do you suspect?",
            "lesson dropout --rate 0.8 0.5",
            "That its p is the share kept: in your code 0.8 drops four of five units and multiplies the others by 5, "
            f"where 0.2 was meant. With seed {seed} the swap ends at {ends(swapped)}.",
        ),
    ]
