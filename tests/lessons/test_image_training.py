"""The three forms of the network are one, and its masks and numbers are what the lesson says."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from houseprices.engine.regularization import dropout
from houseprices.lessons.image_networks import FromScratch, Subclass, as_sequence, keep_at_random
from houseprices.lessons.image_training import (
    NotedMasks,
    batches,
    begin,
    compare_precision,
    copy_start,
    largest_gap,
    step_concisely,
    step_from_scratch,
    train,
    train_over_seeds,
    train_three,
)
from houseprices.lessons.images import Images

D_IN = 12


@pytest.fixture
def few_images() -> Images:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (600,), generator=generator)
    inputs = torch.rand(600, D_IN, generator=generator)
    inputs[:, 0] += labels / 5  # something to learn
    return Images("few", inputs, labels, inputs[:50], labels[:50])


@pytest.mark.parametrize("rates", [(0.2, 0.5), (0.0, 0.9)])
def test_all_three_forms_end_at_the_same_weights(few_images: Images, rates: tuple[float, float]):
    forms = train_three(few_images, rates, n_epochs=20, seed=1)
    scratch = forms.pop("from scratch")
    assert len(forms) == 2
    for parameters in forms.values():
        assert largest_gap(scratch, parameters) < 1e-6
    assert largest_gap(scratch, train_three(few_images, rates, 1, seed=1, n_steps=1)["from scratch"]) > 1e-2


def trained_beside(keep_of: Callable[[NotedMasks], Callable[[Tensor, int], Tensor]], images: Images) -> float:
    """The gap between the sequence and the network from scratch that keeps what `keep_of` makes of its masks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sequence = as_sequence(D_IN, (0.2, 0.5)).double()
        scratch = FromScratch(D_IN, (0.2, 0.5), keep_of(NotedMasks(sequence)), torch.float64)
        copy_start(sequence, scratch)
        optimizer = torch.optim.SGD(sequence.parameters(), 0.5)
        for epoch in batches(len(images.training), 10, seed=0):
            for rows in epoch:
                inputs, labels = images.training[rows].double(), images.training_labels[rows]
                step_concisely(sequence, optimizer, inputs, labels)
                step_from_scratch(scratch, inputs, labels)
    theirs = [parameter.detach().T if parameter.dim() == 2 else parameter for parameter in sequence.parameters()]
    return largest_gap(scratch.parameters(), theirs)


def test_two_masks_swapped_are_another_network(few_images: Images):
    def as_noted(noted: NotedMasks) -> Callable[[Tensor, int], Tensor]:
        return noted

    def swapped(noted: NotedMasks) -> Callable[[Tensor, int], Tensor]:
        return lambda hidden, layer: noted(hidden, 1 - layer)

    assert trained_beside(as_noted, few_images) < 1e-6
    assert trained_beside(swapped, few_images) > 1e-4


def test_units_are_dropped_only_while_the_flag_says_training(few_images: Images):
    network = begin(few_images, (0.5, 0.5), seed=0)
    assert not torch.equal(network(few_images.test), network(few_images.test))
    network.training = False
    assert torch.equal(network(few_images.test), network(few_images.test))
    torch.manual_seed(0)
    subclass = Subclass(D_IN, (0.5, 0.5)).train(mode=False)
    assert torch.equal(subclass(few_images.test), subclass(few_images.test))


def test_curves_are_of_the_network_without_masks_on_training_and_test_images(few_images: Images):
    rates, n_epochs = (0.2, 0.5), 150  # until it tells images apart
    curves = train(few_images, rates, n_epochs, seed=2).curves
    network = begin(few_images, rates, seed=2)
    for epoch in batches(len(few_images.training), n_epochs, seed=2):
        for rows in epoch:
            step_from_scratch(network, few_images.training[rows], few_images.training_labels[rows])
    network.training = False
    scores = network(few_images.training)
    loss = torch.nn.functional.cross_entropy(scores, few_images.training_labels)
    in_training, in_test = (
        float((network(images).argmax(dim=1) == labels).double().mean())
        for images, labels in (
            (few_images.training, few_images.training_labels),
            (few_images.test, few_images.test_labels),
        )
    )
    last = curves.iloc[-1]
    assert last["training loss"] == pytest.approx(float(loss.detach()))
    assert (last["training accuracy"], last["test accuracy"]) == (in_training, in_test)
    assert 0.2 < in_test != in_training


def test_every_form_begins_with_small_normal_weights_and_biases_of_zero(few_images: Images):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        forms = [as_sequence(D_IN, (0.2, 0.5)), Subclass(D_IN, (0.2, 0.5)), begin(few_images, (0.2, 0.5), seed=0)]
    for form in forms:
        parameters = list(form.parameters())
        assert not any(bias.detach().any() for bias in parameters[1::2])
        for weights in parameters[::2]:
            n_weights = weights.numel()
            assert abs(float(weights.detach().mean())) < 4.5 * 0.01 / n_weights**0.5
            assert abs(float(weights.detach().std()) - 0.01) < 4.5 * 0.01 / (2 * n_weights) ** 0.5


def test_training_leaves_torchs_generator_as_it_was(few_images: Images):
    before = torch.get_rng_state()
    train_three(few_images, (0.5, 0.5), n_epochs=1, seed=1)
    train(few_images, (0.5, 0.5), 1, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_trainings_side_by_side_are_those_one_by_one_each_in_its_place(few_images: Images):
    pairs = [(0.2, 0.5), (0.0, 0.0)]
    together = train_over_seeds(few_images, pairs, 2, [3, 4])
    for rates, of_seeds in zip(pairs, together, strict=True):
        for seed, one in zip([3, 4], of_seeds, strict=True):
            assert one.curves.equals(train(few_images, rates, 2, seed).curves)


def test_float32_stays_beside_float64(few_images: Images):
    in_64, in_32, gap = compare_precision(few_images, (0.2, 0.5), 0, 5)
    assert min(in_64, in_32) > 0
    assert 0 < gap < 1e-4


def test_the_share_of_kept_units_is_one_minus_the_rate():
    keep = keep_at_random((0.2, 0.5), torch.Generator().manual_seed(0))
    for layer, rate in enumerate((0.2, 0.5)):
        kept = keep(torch.empty(100, 400), layer).double().mean()
        assert abs(float(kept) - (1 - rate)) < 4.5 * (rate * (1 - rate) / 40_000) ** 0.5


def test_the_mean_over_masks_is_the_input():
    rate, n_masks = 0.3, 20_000
    keep = torch.rand(1, n_masks, 6, generator=torch.Generator().manual_seed(0)) >= rate
    hidden = torch.arange(1.0, 7.0)
    mean = dropout(hidden.expand(1, n_masks, 6), torch.tensor([rate]), keep).mean(dim=1)[0]
    standard_error = hidden * (rate / (1 - rate) / n_masks) ** 0.5
    assert bool(((mean - hidden).abs() < 4.5 * standard_error).all())
