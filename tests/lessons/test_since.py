"""The experiments of what has been learnt since: their arithmetic, and that paired trainings share what they should."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from houseprices.lessons.images import Images
from houseprices.lessons.regression import draw_problem
from houseprices.lessons.since.double_descent import fit, loss_at_width
from houseprices.lessons.since.early_stopping import regression_losses
from houseprices.lessons.since.label_noise import (
    N_VALIDATION,
    NoisyTraining,
    flip_labels,
    noisy_rows,
    train_on_noisy_labels,
)
from houseprices.lessons.since.networks import Networks, Plan, Recipe, train
from houseprices.lessons.since.schedules import PLAN as SCHEDULED
from houseprices.lessons.since.schedules import RECIPES, changes, flat_cosine
from houseprices.lessons.since.tables import split
from houseprices.lessons.since.thinned_networks import compare, outputs_over_masks

# ---- labels ----


def test_the_share_of_labels_is_flipped_to_other_classes_by_the_seed_alone():
    labels = torch.arange(1000) % 10
    flipped = flip_labels(labels, 0.12, torch.Generator().manual_seed(1))
    assert int((flipped != labels).sum()) == 120
    assert (int(flipped.min()), int(flipped.max())) == (0, 9)
    assert torch.equal(flipped, flip_labels(labels, 0.12, torch.Generator().manual_seed(1)))
    assert not torch.equal(flipped, flip_labels(labels, 0.12, torch.Generator().manual_seed(2)))
    assert torch.equal(labels, torch.arange(1000) % 10)


def test_every_other_class_is_as_likely_and_no_share_changes_nothing():
    labels = torch.full((90_000,), 3)
    counts = flip_labels(labels, 1.0, torch.Generator().manual_seed(0)).bincount(minlength=10)
    assert counts[3] == 0
    assert counts.sum() == 90_000
    assert bool(((counts[counts > 0] - 10_000).abs() < 4.5 * (90_000 * (1 / 9) * (8 / 9)) ** 0.5).all())
    assert torch.equal(flip_labels(labels, 0.0, torch.Generator().manual_seed(0)), labels)


@pytest.fixture
def noise() -> Images:
    """Images and labels that have nothing to do with each other."""
    generator = torch.Generator().manual_seed(0)
    pixels, labels = torch.rand(400, 30, generator=generator), torch.randint(10, (400,), generator=generator)
    return Images("noise", pixels[:300], labels[:300], pixels[300:], labels[300:])


def test_each_seed_orders_and_flips_in_its_own_way(noise: Images):
    right = {tuple(row.tolist()): int(label) for row, label in zip(noise.training, noise.training_labels, strict=True)}
    flipped = []
    for seed in (3, 4):
        inputs, labels = noisy_rows(noise, 0.1, seed)
        wrong = [row for row, label in zip(inputs, labels, strict=True) if right[tuple(row.tolist())] != int(label)]
        assert len(wrong) == 30
        flipped.append({tuple(row.tolist()) for row in wrong})
    assert flipped[0] != flipped[1]


def test_rows_to_stop_by_are_not_trained_on(noise: Images):
    trained = train_on_noisy_labels(noise, 0.1, [3])
    inputs, labels = noisy_rows(noise, 0.1, 3)
    found = trained.networks.outputs(inputs[None])[0, 0].argmax(dim=-1) == labels
    assert found[N_VALIDATION:].all()
    assert found[:N_VALIDATION].double().mean() < 0.3
    assert trained.validation[-1, 0, 0] == found[:N_VALIDATION].float().mean()


def test_stopping_early_goes_by_the_validation_rows_alone():
    networks = Networks([5, 6], [Recipe("neither"), Recipe("other")], 3, 8, 10)
    validation, test = torch.zeros(4, 2, 2), torch.arange(16.0).view(4, 2, 2)
    validation[2, 0, 1], validation[1, 1, 1] = 0.5, 0.5
    stopped, epochs = NoisyTraining(networks, validation, test).stopped_early(1)
    assert epochs.tolist() == [3, 2]
    assert stopped.tolist() == [test[2, 0, 1], test[1, 1, 1]]


# ---- schedules ----


def test_the_schedule_is_whole_for_half_and_fades_on_a_cosine():
    progress = np.linspace(0, 1, 201)
    shares = np.array([flat_cosine(one) for one in progress])
    assert (shares[:101] == 1).all()
    assert (np.diff(shares[100:]) < 0).all()
    assert shares[-1] == pytest.approx(0)
    # A cosine is as far above its middle as below, at the same distance from it.
    np.testing.assert_allclose(shares[101:150] + shares[199:150:-1], 1)
    assert shares.mean() == pytest.approx(0.75, abs=0.01)


def few_rows(n_seeds: int) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.randn(n_seeds, 40, 3, generator=torch.Generator().manual_seed(0))
    return inputs, inputs.sum(dim=2)


PLAN = Plan(n_hidden=8, n_epochs=4, batch_size=10, learning_rate=0.01)


def never(_progress: float) -> float:
    return 0.0


def test_a_strength_scheduled_to_nothing_is_none_and_a_constant_schedule_is_the_constant():
    recipes = [
        Recipe("neither"),
        Recipe("faded", 0.5, 0.3, never, never),
        Recipe("both", 0.5, 0.3),
        Recipe("constant", 0.5, 0.3, lambda _progress: 1.0, lambda _progress: 1.0),
    ]
    inputs, targets = few_rows(1)
    outputs = train(inputs, targets, recipes, [5], PLAN).outputs(inputs)[0]
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[2], outputs[3])
    assert not torch.equal(outputs[0], outputs[2])


def test_decay_and_dropout_fade_each_by_its_own_schedule():
    faded = Recipe("faded", 0.8, 0.4, lambda progress: 1 - progress, lambda progress: 1 - progress**2)
    networks = Networks([5, 6], [Recipe("constant", 0.8, 0.4), faded], 3, 8, 1)
    torch.testing.assert_close(networks.decays(0.5), torch.tensor([[0.8], [0.4], [0.8], [0.4]]))
    torch.testing.assert_close(networks.rates(0.5), torch.tensor([[[0.4]], [[0.3]]]))


def test_a_training_walks_its_schedules_from_zero_up_to_one():
    seen: dict[str, list[float]] = {"decay": [], "dropout": []}

    def noting(name: str) -> Callable[[float], float]:
        return lambda progress: seen[name].append(progress) or 1.0

    inputs, targets = few_rows(1)
    train(inputs, targets, [Recipe("noting", 0.5, 0.3, noting("decay"), noting("dropout"))], [5], PLAN)
    n_steps = PLAN.n_epochs * inputs.shape[1] // PLAN.batch_size
    assert seen["decay"] == seen["dropout"] == [step / n_steps for step in range(n_steps)]


def test_a_change_is_that_from_the_constant_recipe():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 3))
    splits = split("t", x, x.sum(axis=1) + generator.normal(size=60), [0, 1])

    def rmse(recipe: Recipe) -> torch.Tensor:
        outputs = train(splits.inputs, splits.targets, [recipe], splits.seeds, SCHEDULED).outputs(splits.test_inputs)
        return (outputs[:, 0, :, 0] - splits.test_targets).detach().square().mean(dim=1).sqrt()

    constant, of_schedules = changes(splits)
    expected = rmse(RECIPES[0])
    assert constant.mean == pytest.approx(float(expected.mean()), rel=1e-3)
    for recipe, changed in zip(RECIPES[1:], of_schedules, strict=True):
        assert changed.mean == pytest.approx(float((rmse(recipe) / expected - 1).mean()), abs=2e-4)
    assert max(abs(changed.mean) for changed in of_schedules) > 2e-3


def test_a_network_beside_others_is_the_network_alone():
    recipes = [Recipe("decay", weight_decay=0.5), Recipe("dropout", dropout=0.3)]
    inputs, targets = few_rows(2)
    together = train(inputs, targets, recipes, [5, 6], PLAN)
    for seed_place, recipe_place in np.ndindex(2, 2):
        one = slice(seed_place, seed_place + 1)
        alone = train(inputs[one], targets[one], [recipes[recipe_place]], [5 + seed_place], PLAN)
        beside = together.parameters.view(2, 2, -1)[seed_place, recipe_place]
        torch.testing.assert_close(alone.parameters[0], beside, rtol=1e-4, atol=1e-5)


def test_decay_and_learning_are_torchs_adamw_whose_biases_are_not_decayed():
    inputs, targets = few_rows(1)
    n_steps = 5
    plan = Plan(n_hidden=8, n_epochs=n_steps, batch_size=40, learning_rate=0.01)  # a step an epoch, on all rows
    start = Networks([5], [Recipe("decay", 5.0)], 3, 8, 1)
    ours = train(inputs, targets, [Recipe("decay", 5.0)], [5], plan)
    theirs = start.parameters.detach()
    n_weights = start.n_weights
    weights = theirs[:, :n_weights].clone().requires_grad_(True)
    biases = theirs[:, n_weights:].clone().requires_grad_(True)
    optimizer = torch.optim.AdamW([{"params": [weights]}, {"params": [biases], "weight_decay": 0.0}], weight_decay=5.0)
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1 + math.cos(math.pi * step / n_steps)) / 2
        optimizer.zero_grad()
        first, second = weights[0, :24].view(3, 8), weights[0, 24:].view(8, 1)
        hidden = (inputs[0] @ first + biases[0, :8]).relu()
        (0.5 * ((hidden @ second)[:, 0] + biases[0, 8] - targets[0]).square().mean()).backward()
        optimizer.step()
    expected = torch.cat([weights, biases], dim=1).detach()
    torch.testing.assert_close(ours.parameters.detach(), expected, rtol=1e-4, atol=1e-6)


def test_a_classifier_learns_its_classes():
    labels = torch.arange(60) % 3
    inputs = torch.eye(3)[labels] + 0.1 * torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    plan = Plan(n_hidden=16, n_epochs=60, batch_size=20, learning_rate=0.02)
    networks = train(inputs[None], labels[None], [Recipe("neither"), Recipe("both", 0.1, 0.2)], [0], plan)
    assert bool((networks.outputs(inputs[None]).argmax(dim=-1) == labels).all())


# ---- tables, masks, widths ----


def test_a_split_scales_by_its_training_half_alone_and_shares_no_row():
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
    halves = split("t", x, y, [0, 1])
    np.testing.assert_allclose(halves.inputs.mean(dim=1), 0, atol=1e-6)
    np.testing.assert_allclose(halves.targets.mean(dim=1), 0, atol=1e-6)
    np.testing.assert_allclose(halves.targets.std(dim=1, unbiased=False), 1, atol=1e-6)
    assert len({round(float(value), 5) for value in torch.cat([halves.targets[0], halves.test_targets[0]])}) == 20
    assert not torch.equal(halves.targets[0], halves.targets[1])


def test_the_mean_over_masks_of_a_linear_output_is_one_pass_and_no_dropout_has_no_spread():
    inputs, targets = few_rows(1)
    networks = train(inputs, targets, [Recipe("dropout", dropout=0.4), Recipe("neither")], [0], PLAN)
    over_masks = outputs_over_masks(networks, inputs, 4000)[:, 0, :, :, 0]
    with torch.no_grad():
        one_pass = networks.outputs(inputs)[0, :, :, 0]
    error = over_masks.std(dim=0) / 4000**0.5
    assert bool(((over_masks.mean(dim=0) - one_pass).abs()[0] <= 5 * error[0]).all())
    assert float(over_masks[:, 1].std(dim=0).max()) < 1e-5
    assert float(over_masks[:, 0].std(dim=0).min()) > 0


def test_a_spread_that_knows_the_error_ranks_and_covers_it():
    spread = torch.linspace(1, 2, 50).expand(2, 50)
    over_masks = torch.stack([-spread, spread]) / 2**0.5  # its standard deviation is the spread, its mean zero
    sign = torch.where(torch.arange(50) % 2 == 0, 1.0, -1.0)
    root_mean_square = float(spread[0].square().mean().sqrt())
    for ratio, covered in ((1.9, 1.0), (2.1, 0.0)):
        found = compare(over_masks, over_masks[0], -ratio * spread * sign)
        assert found.rank_correlation.mean == pytest.approx(1)
        assert found.covered.mean == covered
        assert found.spread.mean == pytest.approx(root_mean_square)
        assert found.of_mean.mean == pytest.approx(ratio * root_mean_square)
        assert found.one_pass.mean != pytest.approx(found.of_mean.mean, rel=0.01)


def test_the_closed_form_is_where_the_gradient_ends():
    generator = torch.Generator().manual_seed(0)
    for d_in in (3, 30):
        x = torch.randn(10, d_in, generator=generator, dtype=torch.float64)
        y = torch.randn(10, generator=generator, dtype=torch.float64)
        weights = fit(x, y, 0.5)
        gradient = x.T @ (x @ weights - y) / 10 + 0.5 * weights
        assert float(gradient.abs().max()) < 1e-12
        smallest, strictly = fit(x, y, 0.0), fit(x, y, 1e-9)
        torch.testing.assert_close(smallest, strictly, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_peaks_at_the_rows_and_decay_removes_the_peak(seed: int):
    problem = draw_problem(seed)
    narrow, peak, wide = (loss_at_width(problem, width, 0.0) for width in (4, 19, 200))
    assert peak > 5 * max(narrow, wide)
    assert loss_at_width(problem, 19, 1.0) < peak / 5


def test_a_narrow_model_ignores_the_inputs_beyond_its_width():
    problem = draw_problem(0)
    other = replace(problem, inputs=problem.inputs.clone(), test_inputs=problem.test_inputs.clone())
    other.inputs[:, 5:] *= 100
    other.test_inputs[:, 5:] *= 100
    assert loss_at_width(problem, 5, 0.1) == loss_at_width(other, 5, 0.1)
    assert loss_at_width(problem, 6, 0.1) != loss_at_width(other, 6, 0.1)


@pytest.mark.parametrize("seed", range(2))
def test_no_moment_to_stop_saves_a_random_start_but_decay_does(seed: int):
    losses = regression_losses(draw_problem(seed))
    assert losses["random start, stopped at the best moment"] > 100 * losses["random start, λ = 30"]
    assert losses["start at zero, stopped at the best moment"] < 2 * losses["start at zero, λ = 30"]
    assert math.isfinite(losses["start at zero, to the end"])
