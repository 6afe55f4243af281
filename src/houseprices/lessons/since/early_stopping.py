"""Weight decay against stopping early: on labels of which some are wrong, and on the regression with 20 rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from houseprices.lessons.content import Block, Heading, Paragraph, Table
from houseprices.lessons.regression import EVALUATE_EVERY, Problem, draw_problem, train_from_scratch
from houseprices.lessons.seed_intervals import mean_interval
from houseprices.lessons.since.label_noise import NoisyTraining

_STRENGTH = 30.0


def regression_losses(problem: Problem) -> dict[str, float]:
    """Test losses with decay at the end, and without decay at the best moment that one could have stopped."""
    zero = problem.started_at_zero()
    plain, plain_zero = train_from_scratch(problem, 0.0), train_from_scratch(zero, 0.0)
    return {
        "random start, to the end": float(plain.curves[-1, 0, 1]),
        "random start, stopped at the best moment": float(plain.curves[:, 0, 1].min()),
        f"random start, λ = {_STRENGTH:g}": float(train_from_scratch(problem, _STRENGTH).curves[-1, 0, 1]),
        "start at zero, to the end": float(plain_zero.curves[-1, 0, 1]),
        "start at zero, stopped at the best moment": float(plain_zero.curves[:, 0, 1].min()),
        f"start at zero, λ = {_STRENGTH:g}": float(train_from_scratch(zero, _STRENGTH).curves[-1, 0, 1]),
    }


def early_stopping_section(noisy: NoisyTraining, share: float, seeds: Sequence[int]) -> list[Block]:
    """Both experiments."""
    stopped, epochs = noisy.stopped_early(0)
    rows = [
        ("no decay, to the end", noisy.at_the_end(0)),
        ("no decay, stopped early", stopped),
        ("weight decay, to the end", noisy.at_the_end(1)),
        ("dropout, to the end", noisy.at_the_end(2)),
    ]
    of_labels = pd.DataFrame(
        [
            (name, mean_interval(values).text(3), mean_interval(values - stopped).text(3, sign=True))
            for name, values in rows
        ],
        columns=["training", "test accuracy", "beside stopping early"],
    )
    # The textbook's own seeds would do; the mean of losses that differ by powers of ten says most in logarithms.
    losses = pd.DataFrame([regression_losses(draw_problem(seed)) for seed in seeds])
    log_losses = np.log10(losses)
    of_regression = pd.DataFrame(
        [
            (name, f"{10 ** log_losses[name].mean():.3g}", mean_interval(log_losses[name]).text(2))
            for name in losses.columns
        ],
        columns=["training", "typical test loss", "its logarithm to base 10"],
    )
    mean_epoch = float(epochs.double().mean())
    return [
        Heading("Decay against stopping early"),
        Paragraph(
            "Who watches a loss on rows that are not trained on, the validation rows, can simply stop where it is "
            f"best. On the digits with {share:.0%} of the labels flipped (those of the validation rows too; one would "
            f"not know), that is after {mean_epoch:.0f} of {noisy.test.shape[0]} epochs on average:"
        ),
        Table(
            "early-stopping",
            f"Test accuracy on the digits with flipped labels, and its difference on the same seeds from stopping "
            f"early; {len(seeds)} seeds, ± half the 95% interval.",
            of_labels,
        ),
        Paragraph(
            "Stopping early costs validation rows and gives one number, the epoch, to all weights; it saves time. The "
            "two are kin: from weights of zero, few steps of gradient descent leave weights about as small as decay "
            "does. But it can only keep weights from growing. On the regression of the lesson on weight decay, which "
            "begins at large random weights, no moment to stop is a good one, even chosen by the test loss itself. "
            "(Losses that differ by powers of ten are averaged by their logarithms; taken back, that is the geometric "
            "mean.)"
        ),
        Table(
            "early-stopping-regression",
            f"Test loss of 20 rows with 200 inputs, every {EVALUATE_EVERY} epochs; geometric mean over {len(seeds)} "
            "seeds, and the mean logarithm ± half its 95% interval.",
            of_regression,
        ),
    ]
