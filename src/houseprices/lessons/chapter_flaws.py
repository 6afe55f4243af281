"""A section of the lesson on house prices: what is wrong in the chapter, each flaw as a number on the same houses."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.fold import assign_folds
from houseprices.cross_validation.metrics import log_rmse
from houseprices.lessons.chapter import CHAPTER, LOG_TARGET, N_FOLDS, ChapterTable, Floats, Rows, train_on_folds
from houseprices.lessons.content import Block, Paragraph, Table
from houseprices.lessons.seed_intervals import mean_interval

N_SEEDS = 3
DECAYED = replace(LOG_TARGET, weight_decay=5.0)
DROPPED = replace(LOG_TARGET, input_dropout=0.15)


def scores_by_seed(table: ChapterTable, price: Floats, seed: int) -> pd.Series:
    """The chapter's score with and without each of its flaws, on the folds of one seed."""
    n_rows = len(price)
    log_price = np.log(price)
    shuffled = assign_folds(n_rows, N_FOLDS, 1, seed)[0]
    joint = [table.matrix()[:n_rows]] * N_FOLDS
    by_fold = scaled_in_the_fold(table, shuffled)
    in_order = rows_in_order(n_rows)

    def score(prediction: Floats) -> float:
        return log_rmse(prediction, log_price)

    own, _ = train_on_folds(joint, price, shuffled, CHAPTER, log_target=False, seed=seed)
    in_fold, _ = train_on_folds(by_fold, price, shuffled, CHAPTER, log_target=False, seed=seed)
    unshuffled, _ = train_on_folds(joint, price, in_order, CHAPTER, log_target=False, seed=seed)
    in_logs = {
        name: score(train_on_folds(joint, price, shuffled, group, log_target=True, seed=seed)[0])
        for name, group in (("log", LOG_TARGET), ("decay", DECAYED), ("dropout", DROPPED))
    }
    return pd.Series(
        {
            "own": score(own),
            "scaled in the fold": score(in_fold),
            "mean of folds": mean_of_folds(own, log_price, shuffled),
            "unshuffled": score(unshuffled),
            **in_logs,
        }
    )


def scaled_in_the_fold(table: ChapterTable, fold_of_row: Rows) -> list[NDArray[np.float32]]:
    """(n_rows, d_in) a fold, scaled on the rows that it trains on."""
    return [table.matrix(np.flatnonzero(fold_of_row != fold))[: len(fold_of_row)] for fold in range(N_FOLDS)]


def rows_in_order(n_rows: int) -> Rows:
    """Folds of neighbouring rows, as the chapter cuts them; sizes differ by one at most."""
    return np.arange(n_rows) * N_FOLDS // n_rows


def mean_of_folds(prediction: Floats, log_price: Floats, fold_of_row: Rows) -> float:
    """The mean of the folds' scores: never above the score of all rows, where folds are alike in size."""
    return float(
        np.mean([log_rmse(prediction[fold_of_row == f], log_price[fold_of_row == f]) for f in np.unique(fold_of_row)])
    )


_FLAWS = (
    ("scales fitted on training and test rows together", "own", "scaled in the fold"),
    ("mean of the folds' scores in place of all rows' score", "mean of folds", "own"),
    ("folds of neighbouring rows, not shuffled", "unshuffled", "own"),
    ("learns the price in dollars, not its logarithm", "own", "log"),
    ("no weight decay (beside the log target)", "log", "decay"),
    ("no dropout (of inputs, beside the log target)", "log", "dropout"),
)


def flaws_section(scores: pd.DataFrame, whose: str) -> list[Block]:
    """A table of the flaws, and what it says.

    Args:
        scores: of `scores_by_seed`, a row a seed.
        whose: houses they are.
    """
    differences = {flaw: mean_interval(scores[with_it] - scores[without]) for flaw, with_it, without in _FLAWS}
    content = pd.DataFrame(
        [
            (flaw, scores[with_it].mean(), scores[without].mean(), differences[flaw].text(4, sign=True))
            for flaw, with_it, without in _FLAWS
        ],
        columns=["flaw", "with it", "without it", "difference"],
    )
    of_scales, of_means, of_order, of_dollars, of_decay, of_dropout = differences.values()
    return [
        Paragraph(
            "The chapter is there to be read easily, and it pays for that. Three of its shortcuts concern the "
            "measuring: the network is the same, and only the number said of it differs. Scales from all rows let a "
            "fold's training know something of the rows that are held out. The mean of five roots is smaller than the "
            "root of the mean, so that the mean of the folds' scores flatters. And folds of neighbouring rows trust "
            "the file to be in no order. Three more concern the network: it learns dollars though logs are scored, "
            "and in the very chapter that follows those on weight decay and dropout it uses neither. All on the "
            "chapter's own linear network."
        ),
        Table(
            "flaws",
            f"Log-RMSE on {whose}, mean over {len(scores)} seeds of folds and networks; the difference on the "
            "same seed, ± "
            "half its 95% interval.",
            content,
        ),
        Paragraph(
            f"Scaling over all rows moves the score by {of_scales.text(4, sign=True)} "
            f"({_verdict(of_scales.excludes_zero)}). No price takes part in it, so that it can hardly flatter; it is a "
            "bad habit nonetheless, since done with prices, such as their mean by neighbourhood, it would. The "
            "mean of the folds says "
            f"{of_means.text(4, sign=True)}, folds in the file's order {of_order.text(4, sign=True)} "
            f"({_verdict(of_order.excludes_zero)}). Learning dollars costs {of_dollars.text(4, sign=True)}. Going "
            f"without decay costs {of_decay.text(4, sign=True)} ({_verdict(of_decay.excludes_zero)}), without dropout "
            f"of inputs {of_dropout.text(4, sign=True)} ({_verdict(of_dropout.excludes_zero)}); a cost below zero "
            "means that the regulariser did harm."
        ),
    ]


def _verdict(excludes_zero: bool) -> str:
    return "more than chance" if excludes_zero else "no more than chance might"
