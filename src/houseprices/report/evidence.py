"""Everything that the page shows, computed from the files of a run folder."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.ensemble import ensemble_mean
from houseprices.kaggle.ledger import Entry, read_ledger
from houseprices.preprocessing.houses import house_array
from houseprices.report.attributions import Explanation, explain_out_of_fold
from houseprices.report.conclusions import BestCell, OutlyingFold, best_cell, outlying_folds, without_each_model
from houseprices.report.words import by_theme, effect_names, level_words, theme_positions
from houseprices.runs.format import ABLATION, SUBMISSION
from houseprices.runs.read import SavedRun
from houseprices.selection.ablation import Ablation, read_ablation
from houseprices.selection.acceptance import PairedDifference

Floats = NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9)
N_WORST = 30

_N_RESAMPLES = 4000


@dataclass(frozen=True)
class Evidence:
    """The results that a page shows.

    Attributes:
        run: the folder's content.
        houses: (n_rows, 79) typed training houses.
        rows: see `_rows`.
        worst: positions of the houses with the largest out-of-fold errors, worst first.
        test_intervals: (n_coverages, 2, n_test_rows) ends in log price, of the test houses.
        coverage_by_price, coverage_by_neighborhood: see `coverage_by`; the worst neighbourhood first.
        explanation: of the out-of-fold predictions.
        importance, theme_importance: see `_importance`, largest first.
        expected_score: see `expected_score`.
        outlying_folds: worst first.
        without_model: the ensemble without each model against the whole one, if there are several models.
        ablation, best_cell: the grid for these houses, if one was made, and its best cell.
        entries: the ledger's submissions of this run, and all others with a score.
    """

    run: SavedRun
    houses: pd.DataFrame
    rows: pd.DataFrame
    worst: NDArray[np.intp]
    test_intervals: Floats
    coverage_by_price: pd.DataFrame
    coverage_by_neighborhood: pd.DataFrame
    explanation: Explanation
    importance: pd.DataFrame
    theme_importance: pd.DataFrame
    expected_score: tuple[float, float, float]
    outlying_folds: list[OutlyingFold]
    without_model: dict[str, PairedDifference]
    ablation: Ablation | None
    best_cell: BestCell | None
    entries: list[Entry]

    @property
    def is_sample(self) -> bool:
        """True for synthetic houses."""
        return self.run.metrics.data == "sample"


def gather(run: SavedRun, houses: pd.DataFrame, test_houses: pd.DataFrame) -> Evidence:
    """Compute all that the page shows of a run and its typed houses.

    Raises:
        RunError: the ablation beside the run cannot be read.
        LedgerError: the ledger cannot be read.
    """
    explanation = explain_out_of_fold(run, houses)
    attributions, folds = explanation.attributions, run.ensemble.out_of_fold.fold_of_row[0]
    n_effects = attributions.shape[1]
    predictions = out_of_fold_by_model(run, houses)
    rows = _rows(run, run.ensemble.out_of_fold.intervals(COVERAGES))
    neighborhoods = houses["Neighborhood"].astype("str").map(lambda code: level_words("Neighborhood", code)).to_numpy()
    ablation = _find_ablation(run)
    sha256 = run.manifest.outputs_sha256[SUBMISSION]
    return Evidence(
        run=run,
        houses=houses,
        rows=rows,
        worst=np.argsort(-np.abs(run.ensemble.out_of_fold.residuals), kind="stable")[:N_WORST],
        test_intervals=run.ensemble.intervals(run.ensemble.predict_folds(test_houses), COVERAGES),
        coverage_by_price=coverage_by_price(rows),
        coverage_by_neighborhood=coverage_by(rows, neighborhoods).sort_values("inside_90", kind="stable"),
        explanation=explanation,
        importance=_importance(attributions, folds, effect_names(n_effects)),
        theme_importance=_importance(by_theme(attributions), folds, list(theme_positions(n_effects))),
        expected_score=expected_score(run.ensemble.out_of_fold.residuals, len(test_houses)),
        outlying_folds=outlying_folds(run.ensemble.out_of_fold, np.mean([*predictions.values()], axis=0)),
        without_model=without_each_model(predictions, run.ensemble.out_of_fold.log_price),
        ablation=ablation,
        best_cell=best_cell(ablation, run.settings) if ablation else None,
        entries=[entry for entry in read_ledger() if entry.sha256 == sha256 or entry.public_score is not None],
    )


def out_of_fold_by_model(run: SavedRun, houses: pd.DataFrame) -> dict[str, Floats]:
    """Compute each model's out-of-fold log prices again: (n_repeats, n_rows)."""
    array = house_array(houses)
    predictions = {name: np.empty(run.ensemble.out_of_fold.fold_of_row.shape) for name in run.settings.models}
    for fold in run.ensemble.folds:
        rows = np.flatnonzero(run.ensemble.out_of_fold.fold_of_row[fold.repeat] == fold.fold)
        by_model, _ = fold.predict_models(fold.features.transform(array.rows(rows)))
        for name, networks in by_model.items():
            predictions[name][fold.repeat, rows] = ensemble_mean({name: networks})
    return predictions


def _rows(run: SavedRun, intervals: Floats) -> pd.DataFrame:
    """Tabulate the training houses.

    Returns:
        Id, fold, price_usd, predicted_usd, residual (log price - predicted log price), and by coverage the ends in
        dollars (lower_90, upper_90) and whether the price lies between them (inside_90).
    """
    out_of_fold = run.ensemble.out_of_fold
    log_price = out_of_fold.log_price
    rows = pd.DataFrame(
        {
            "Id": out_of_fold.ids,
            "fold": out_of_fold.fold_of_row[0],
            "price_usd": np.exp(log_price),
            "predicted_usd": np.exp(out_of_fold.prediction),
            "residual": out_of_fold.residuals,
        }
    )
    rows = pd.concat([rows, interval_ends(intervals)], axis=1)
    for coverage, (lower, upper) in zip(COVERAGES, intervals, strict=True):
        rows[f"inside_{round(100 * coverage)}"] = (lower <= log_price) & (log_price <= upper)
    return rows


def interval_ends(intervals: Floats) -> pd.DataFrame:
    """Tabulate (n_coverages, 2, n_rows) ends in log price as dollars: lower_50, upper_50, ..."""
    ends = {}
    with np.errstate(over="ignore"):
        for coverage, (lower, upper) in zip(COVERAGES, np.exp(intervals), strict=True):
            ends[f"lower_{round(100 * coverage)}"], ends[f"upper_{round(100 * coverage)}"] = lower, upper
    return pd.DataFrame(ends)


def coverage_by(rows: pd.DataFrame, key: NDArray[Any]) -> pd.DataFrame:
    """Measure the share of houses inside their intervals for each value of `key`.

    Returns:
        by key: n_rows, inside_50, inside_80, inside_90, error (standard error of inside_90), width_90 (median ratio of
        the interval's ends).
    """
    grouped = rows.assign(width_90=rows["upper_90"] / rows["lower_90"]).groupby(key)
    table = grouped[[f"inside_{round(100 * coverage)}" for coverage in COVERAGES]].mean()
    table.insert(0, "n_rows", grouped.size())
    # From the share that is aimed at: the measured one would give a neighbourhood of six, all inside, no error at all.
    table["error"] = np.sqrt(0.9 * 0.1 / table["n_rows"])
    table["width_90"] = grouped["width_90"].median()
    return table


def coverage_by_price(rows: pd.DataFrame, n_bands: int = 4) -> pd.DataFrame:
    """Measure it in bands of equally many houses, named by their prices."""
    band = pd.qcut(rows["price_usd"].rank(method="first"), n_bands, labels=False)
    table = coverage_by(rows, band.to_numpy())
    ends = rows["price_usd"].groupby(band).agg(["min", "max"]).to_numpy()
    table.index = pd.Index([f"${low / 1000:,.0f}k–{high / 1000:,.0f}k" for low, high in ends])
    return table


def _importance(attributions: Floats, fold_of_row: NDArray[np.int64], names: list[str]) -> pd.DataFrame:
    """Measure effects by size, largest first; effects of a theme that cancel each other within a house do not count.

    Returns:
        by name: size (mean absolute attribution), lowest and highest fold, spread (standard deviation over folds).
    """
    folds = np.unique(fold_of_row)
    by_fold = np.stack([np.abs(attributions[fold_of_row == fold]).mean(axis=0) for fold in folds])
    sizes = {
        "size": np.abs(attributions).mean(axis=0),
        "lowest": by_fold.min(axis=0),
        "highest": by_fold.max(axis=0),
        "spread": by_fold.std(axis=0),
    }
    return pd.DataFrame(sizes, index=names).sort_values("size", ascending=False, kind="stable")


def expected_score(residuals: Floats, n_test_rows: int) -> tuple[float, float, float]:
    """Bootstrap the log-RMSE of n_test_rows new houses: its 5th, 50th and 95th percentile.

    Two chances stand between the cross-validated score and the leaderboard's: the houses that the errors were measured
    on, and the houses that the leaderboard has. So residuals are resampled twice. Equal residuals give equal figures.
    """
    generator = np.random.default_rng(0)
    squares = residuals**2
    scores = np.empty(_N_RESAMPLES)
    for resample in range(_N_RESAMPLES):
        known = squares[generator.integers(len(squares), size=len(squares))]
        scores[resample] = np.sqrt(known[generator.integers(len(known), size=n_test_rows)].mean())
    low, middle, high = np.quantile(scores, (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


def _find_ablation(run: SavedRun) -> Ablation | None:
    """Read the run's own grid, or else the one beside it, if that was made with the same houses."""
    for folder in (run.folder / ABLATION, run.folder.resolve().parent / ABLATION):
        if folder.is_dir():
            ablation = read_ablation(folder)
            if ablation.note.data.sha256 == run.manifest.data.sha256:
                return ablation
    return None
