"""Dropout as an average of thinned networks: many masks at prediction against one pass without masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from houseprices.lessons.content import Block, Heading, Paragraph, Source, Table
from houseprices.lessons.images import Images
from houseprices.lessons.seed_intervals import MeanInterval, mean_interval
from houseprices.lessons.side_by_side import side_by_side
from houseprices.lessons.since.label_noise import NoisyTraining
from houseprices.lessons.since.networks import Networks, Plan, Recipe, loss_of, train
from houseprices.lessons.since.tables import Splits

N_MASKS = 100
_N_MASKS_OF_IMAGES = 30
_DROPOUT_OF_IMAGES = 2
_PLAN = Plan(n_hidden=64, n_epochs=60, batch_size=100, learning_rate=0.01)
_RECIPE = Recipe("dropout", weight_decay=0.5, dropout=0.15)


def outputs_over_masks(networks: Networks, inputs: Tensor, n_masks: int) -> Tensor:
    """Outputs with dropout left on at prediction, a new mask a pass and row.

    Shape:
        inputs: (n_seeds, n_rows, d_in)
        returns: (n_masks, n_seeds, n_recipes, n_rows, n_outputs)
    """
    rates = networks.rates()
    with torch.no_grad():
        return torch.stack(
            [networks.outputs(inputs, rates, networks.draw_uniform(inputs.shape[1])) for _ in range(n_masks)]
        )


@dataclass(frozen=True)
class SpreadAgainstError:
    """The spread over masks as a guess of the error, in units of the target's spread; an interval over seeds each.

    Attributes:
        one_pass: test RMSE of one pass without masks.
        of_mean: of the mean over masks.
        spread: root mean square of the standard deviation over masks.
        rank_correlation: Spearman's, of spread and size of the error.
        covered: share of rows whose error is within two spreads; 0.95 if spread were the whole error, and normal.
    """

    one_pass: MeanInterval
    of_mean: MeanInterval
    spread: MeanInterval
    rank_correlation: MeanInterval
    covered: MeanInterval


def measure_spread(splits: Splits) -> SpreadAgainstError:
    """Train with dropout, then compare its spread over masks with its errors on the test rows."""
    networks = train(splits.inputs, splits.targets, [_RECIPE], splits.seeds, _PLAN)
    over_masks = outputs_over_masks(networks, splits.test_inputs, N_MASKS)[:, :, 0, :, 0]
    with torch.no_grad():
        one_pass = networks.outputs(splits.test_inputs)[:, 0, :, 0]
    return compare(over_masks, one_pass, splits.test_targets)


def compare(over_masks: Tensor, one_pass: Tensor, targets: Tensor) -> SpreadAgainstError:
    """The spread over masks beside the errors.

    Shape:
        over_masks: (n_masks, n_seeds, n_rows)
        one_pass, targets: (n_seeds, n_rows)
    """
    from scipy.stats import spearmanr

    spread = over_masks.std(dim=0)
    error = over_masks.mean(dim=0) - targets
    ranks = [float(spearmanr(of_one, off.abs()).statistic) for of_one, off in zip(spread, error, strict=True)]
    return SpreadAgainstError(
        mean_interval(_root_mean_square(one_pass - targets)),
        mean_interval(_root_mean_square(error)),
        mean_interval(_root_mean_square(spread)),
        mean_interval(ranks),
        mean_interval((error.abs() <= 2 * spread).double().mean(dim=1)),
    )


def _root_mean_square(values: Tensor) -> Tensor:
    return values.square().mean(dim=-1).sqrt()


def thinned_networks_section(tables: Sequence[Splits], noisy: NoisyTraining, images: Images) -> list[Block]:
    """On numbers and on classes."""
    found = {splits.name: of_one for splits, of_one in zip(tables, side_by_side(measure_spread, tables), strict=True)}
    rows = [
        (
            name,
            one.one_pass.text(3),
            one.of_mean.text(3),
            one.spread.text(3),
            one.rank_correlation.text(2),
            f"{one.covered.text(0, scale=100)} %",
        )
        for name, one in found.items()
    ]
    columns = ["table", "one pass", "mean over masks", "spread", "rank correlation", "error within 2 spreads"]
    n_seeds = len(noisy.networks.generators)
    inputs, labels = images.test.expand(n_seeds, -1, -1), images.test_labels.expand(n_seeds, -1)
    over_masks = outputs_over_masks(noisy.networks, inputs, _N_MASKS_OF_IMAGES).softmax(dim=-1).mean(dim=0).log()
    with torch.no_grad():
        ways = {"one pass": noisy.networks.outputs(inputs).log_softmax(dim=-1), "mean over masks": over_masks}
    of_images = pd.DataFrame(
        [
            (
                name,
                mean_interval((scores[:, _DROPOUT_OF_IMAGES].argmax(dim=-1) == labels).double().mean(dim=-1)).text(4),
                mean_interval(loss_of(scores, labels)[:, _DROPOUT_OF_IMAGES]).text(3),
            )
            for name, scores in ways.items()
        ],
        columns=["prediction", "test accuracy", "cross-entropy"],
    )
    ratios = [one.of_mean.mean / one.spread.mean for one in found.values()]
    return [
        Heading("Dropout as an average of thinned networks"),
        Paragraph(
            "Each mask leaves a thinner network, and training with dropout trains all of them with shared weights. To "
            "predict, one could ask many of them and take the mean; the usual single pass without masks is a cheap "
            "stand-in for it. And where the thinned networks disagree, one might be in doubt: their spread has been "
            "proposed as a guess of the error (Gal and Ghahramani 2016). Both against the truth of the test rows. (The "
            "rank correlation is 1 if the rows with the larger spread have the larger errors, and 0 if the one says "
            "nothing of the other.)"
        ),
        Source(outputs_over_masks),
        Table(
            "thinned-networks",
            f"Test error (RMSE), spread over {N_MASKS} masks, and how the two go together, in units of the target's "
            f"spread; {len(tables[0].seeds)} seeds, ± half the 95% interval.",
            pd.DataFrame(rows, columns=columns),
        ),
        Table(
            "thinned-classes",
            f"The digits, trained with flipped labels and dropout: one pass against {_N_MASKS_OF_IMAGES} masks; "
            f"{n_seeds} seeds, ± half the 95% interval.",
            of_images,
        ),
        Paragraph(
            "Whether one pass is a good stand-in can be told beforehand where the output is a number: it is a sum "
            "over hidden units, whose expectation dropout keeps, so that one pass is the mean over masks, but for "
            "the chance in the masks. With classes the scores pass through a softmax, and the two differ: the mean "
            "over masks is less sure of itself, which the cross-entropy shows. The spread, though, is no measure of "
            f"the error: errors are {min(ratios):.1f} to {max(ratios):.1f} times as large, and the rank correlation "
            "shows how little it says even about which rows to doubt. It knows of the masks, not of noise in the "
            "targets, nor of what no thinned network has learnt. Intervals that keep their promise are made from "
            "errors on rows held out; this project's are."
        ),
    ]
