"""Conclusions from a run's figures: outlying folds, the effect of each model, the best cell of the ablation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.ensemble import OutOfFold, ensemble_mean
from houseprices.selection.ablation import Ablation, grid_of
from houseprices.selection.acceptance import PairedDifference, paired_rmse
from houseprices.settings import Settings

Floats = NDArray[np.float64]

OUTLYING = 1.3
"""A fold stands out if its log-RMSE is so many times the median fold's."""

_N_NAMED = 5


@dataclass(frozen=True)
class OutlyingFold:
    """A fold with an outlying score, and the houses with the largest errors in it.

    Attributes:
        repeat, fold, log_rmse: of the fold.
        usual: median log-RMSE of the folds.
        houses: Id, price_usd, predicted_usd (by this repeat's networks) and share (of the fold's squared error) of the
            houses with the largest errors: as many as it takes to bring the fold down, at most 5.
        without: the fold's log-RMSE if these houses were left out. An explanation, never a score.
    """

    repeat: int
    fold: int
    log_rmse: float
    usual: float
    houses: pd.DataFrame
    without: float


@dataclass(frozen=True)
class BestCell:
    """The ablation's cell with the lowest validation error, against others.

    Attributes:
        weight_decay, dropout, log_rmse: of the cell.
        own: weight decay and dropout of the run's own model, if it has the grid's.
        against: {cell, in words: its log-RMSE - the best cell's, mean over folds, and the ends of a 95% t interval}
        n_cells, n_as_good: cells in the grid, and how many others are not significantly worse (intervals with 0).
    """

    weight_decay: float
    dropout: float
    log_rmse: float
    own: tuple[float, float] | None
    against: dict[str, tuple[float, float, float]]
    n_cells: int
    n_as_good: int


def outlying_folds(out_of_fold: OutOfFold, prediction: Floats) -> list[OutlyingFold]:
    """Find the folds that stand out by `OUTLYING`, worst first.

    Shape:
        prediction: (n_repeats, n_rows)
    """
    log_price, fold_of_row = out_of_fold.log_price, out_of_fold.fold_of_row
    squares = (prediction - log_price) ** 2
    folds = list(np.ndindex(len(fold_of_row), int(fold_of_row.max()) + 1))
    scores = {(repeat, fold): _rmse(squares[repeat, fold_of_row[repeat] == fold]) for repeat, fold in folds}
    usual = float(np.median([*scores.values()]))
    outlying = []
    for (repeat, fold), log_rmse in scores.items():
        if log_rmse <= OUTLYING * usual:
            continue
        rows = np.flatnonzero(fold_of_row[repeat] == fold)
        rows = rows[np.argsort(-squares[repeat, rows], kind="stable")]
        n_named = 1
        while n_named < min(_N_NAMED, len(rows) - 1) and _rmse(squares[repeat, rows[n_named:]]) > OUTLYING * usual:
            n_named += 1
        named, others = rows[:n_named], rows[n_named:]
        houses = pd.DataFrame(
            {
                "Id": out_of_fold.ids[named],
                "price_usd": np.exp(log_price[named]),
                "predicted_usd": np.exp(prediction[repeat, named]),
                "share": squares[repeat, named] / squares[repeat, rows].sum(),
            }
        )
        outlying.append(OutlyingFold(repeat, fold, log_rmse, usual, houses, _rmse(squares[repeat, others])))
    return sorted(outlying, key=lambda fold: -fold.log_rmse)


def _rmse(squares: Floats) -> float:
    return float(np.sqrt(squares.mean()))


def without_each_model(predictions: dict[str, Floats], log_price: Floats) -> dict[str, PairedDifference]:
    """Compare the ensemble without each model with the whole one, by a paired bootstrap over houses."""
    if len(predictions) < 2:
        return {}
    whole = ensemble_mean(predictions)[None]
    return {
        left_out: paired_rmse(
            whole, ensemble_mean({m: predictions[m] for m in predictions if m != left_out})[None], log_price
        )
        for left_out in predictions
    }


def best_cell(ablation: Ablation, settings: Settings) -> BestCell:
    """Compare the best cell of the grid with the others, fold by fold."""
    from scipy.special import stdtrit

    grid = grid_of(ablation.table)
    best = grid.iloc[int(grid["validation_log_rmse"].argmin())]
    by_fold = ablation.table.pivot_table(
        index="fold", columns=["weight_decay", "dropout"], values="validation_log_rmse", aggfunc="mean"
    )
    differences = by_fold.sub(by_fold[best["weight_decay"], best["dropout"]], axis=0)
    middle = differences.mean()
    reach = differences.sem() * stdtrit(len(by_fold) - 1, 0.975)
    cells = {"without both": (0.0, 0.0)}
    model = settings.models.get(ablation.note.model)
    own = None if model is None else (model.weight_decay, model.dropout)
    if own is not None:
        names = zip(grid["weight_decay"], grid["dropout"], strict=True)
        cells["nearest to the run's own"] = min(names, key=lambda cell: tuple(np.abs(np.subtract(cell, own))))
    return BestCell(
        weight_decay=float(best["weight_decay"]),
        dropout=float(best["dropout"]),
        log_rmse=float(best["validation_log_rmse"]),
        own=own,
        against={
            name: (float(middle[cell]), float(middle[cell] - reach[cell]), float(middle[cell] + reach[cell]))
            for name, cell in cells.items()
            if cell in by_fold.columns and cell != (best["weight_decay"], best["dropout"])
        },
        n_cells=len(grid),
        n_as_good=int((middle - reach <= 0).sum()) - 1,
    )
