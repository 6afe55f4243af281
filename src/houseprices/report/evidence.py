"""Everything that the page shows, computed from the files of a run folder."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.cross_validation.fold_model import combine
from houseprices.cross_validation.metrics import log_rmse
from houseprices.errors import RunError
from houseprices.kaggle.ledger import Entry, read_ledger
from houseprices.preprocessing.houses import house_array
from houseprices.report.attributions import Explanation, explain_out_of_fold
from houseprices.report.themes import by_theme, effect_names, themes_of
from houseprices.runs.format import ABLATION, RECIPE, SUBMISSION
from houseprices.runs.read import SavedRun
from houseprices.selection.ablation import Ablation, read_ablation

Floats = NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9)
N_WORST = 30

_N_DRAWS = 4000


@dataclass(frozen=True)
class Evidence:
    """What is known about a run.

    Attributes:
        run: the folder's content.
        houses: (n_rows, 79) typed training houses.
        rows: (n_rows, ..) by house: Id, fold, price_usd, predicted_usd, residual (log price - predicted log price),
            lower and upper ends in dollars by coverage ("lower_90"), inside_90.
        worst: `worst_rows` of the run.
        test_intervals: (n_coverages, 2, n_test_rows) ends in log price, of the test houses.
        explanation: of the out-of-fold predictions.
        fold_importance: (n_folds, n_effects) mean absolute attribution by fold of the first repeat.
        fold_theme_importance: (n_folds, n_themes) the same of the themes.
        expected_score: 5th, 50th and 95th percentile of the leaderboard's score.
        without_group: {group: log-RMSE of the ensemble without it}, if there are several.
        ablation: the grid for these data, if one was made.
        entries: the ledger's submissions of this run, and all others with a score.
        recipe: the ablation of the recipe, if the folder has one.
    """

    run: SavedRun
    houses: pd.DataFrame
    rows: pd.DataFrame
    worst: NDArray[np.intp]
    test_intervals: Floats
    explanation: Explanation
    fold_importance: Floats
    fold_theme_importance: Floats
    expected_score: tuple[float, float, float]
    without_group: dict[str, float]
    ablation: Ablation | None
    entries: list[Entry]
    recipe: pd.DataFrame | None

    @property
    def is_sample(self) -> bool:
        """Whether the houses are synthetic."""
        return bool(self.run.metrics.data == "sample")

    @property
    def importance(self) -> pd.Series:
        """Mean absolute attribution by feature (and of own columns together), largest first."""
        attributions = self.explanation.attributions
        return _mean_sizes(attributions, effect_names(attributions.shape[1]))

    @property
    def theme_importance(self) -> pd.Series:
        """The same by theme; effects within a theme that cancel each other do not count."""
        attributions = self.explanation.attributions
        return _mean_sizes(by_theme(attributions), themes_of(attributions.shape[1]))


def gather(run: SavedRun, houses: pd.DataFrame, test_houses: pd.DataFrame) -> Evidence:
    """Compute all that the page shows of a run and its typed houses.

    Raises:
        RunError: the ablation or the recipe beside the run cannot be read.
        LedgerError: the ledger cannot be read.
    """
    explanation = explain_out_of_fold(run, houses)
    return Evidence(
        run=run,
        houses=houses,
        rows=_rows(run, run.calibration.training_intervals(COVERAGES)),
        worst=worst_rows(run),
        test_intervals=run.calibration.intervals(*run.predict_folds(test_houses), COVERAGES),
        explanation=explanation,
        fold_importance=_sizes_by_fold(explanation.attributions, run.fold_of_row[0]),
        fold_theme_importance=_sizes_by_fold(by_theme(explanation.attributions), run.fold_of_row[0]),
        expected_score=expected_score(run.residuals, len(test_houses)),
        without_group=_without_each_group(run, houses),
        ablation=_find_ablation(run),
        entries=_entries(run),
        recipe=_recipe(run),
    )


def worst_rows(run: SavedRun) -> NDArray[np.intp]:
    """Positions of the training houses with the largest out-of-fold errors, worst first."""
    return np.argsort(-np.abs(run.residuals), kind="stable")[:N_WORST]


def expected_score(residuals: Floats, n_test_rows: int) -> tuple[float, float, float]:
    """5th, 50th and 95th percentile of the RMSE of n_test_rows new houses, from out-of-fold residuals.

    Two chances stand between the cross-validated score and the leaderboard's: which houses were there to learn the
    errors from, and which ones the leaderboard has. So residuals are drawn twice with replacement, as many as there
    are, then from those as many as the test set has. Seeded: equal residuals give equal figures.
    """
    generator = np.random.default_rng(0)
    squares = residuals**2
    scores = np.empty(_N_DRAWS)
    for draw in range(_N_DRAWS):
        known = squares[generator.integers(len(squares), size=len(squares))]
        scores[draw] = np.sqrt(known[generator.integers(len(known), size=n_test_rows)].mean())
    low, middle, high = np.quantile(scores, (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


def intervals_table(run: SavedRun, intervals: Floats) -> pd.DataFrame:
    """Id, SalePrice and the ends of each interval in dollars, for the houses of the submission."""
    submission = pd.read_csv(run.folder / SUBMISSION)
    return pd.concat([submission, _ends(intervals)], axis=1)


def _mean_sizes(attributions: Floats, names: Iterable[str]) -> pd.Series:
    values = pd.Series(np.abs(attributions).mean(axis=0), list(names))
    return values.sort_values(ascending=False, kind="stable")


def _sizes_by_fold(attributions: Floats, fold_of_row: NDArray[np.int64]) -> Floats:
    return np.stack([np.abs(attributions[fold_of_row == fold]).mean(axis=0) for fold in np.unique(fold_of_row)])


def _rows(run: SavedRun, intervals: Floats) -> pd.DataFrame:
    out_of_fold = run.out_of_fold
    rows = pd.DataFrame(
        {
            "Id": out_of_fold["Id"],
            "fold": out_of_fold["fold"],
            "price_usd": np.exp(out_of_fold["log_price"]),
            "predicted_usd": np.exp(out_of_fold["prediction"]),
            "residual": run.residuals,
        }
    )
    rows = pd.concat([rows, _ends(intervals)], axis=1)
    for coverage, (lower, upper) in zip(COVERAGES, intervals, strict=True):
        log_price = out_of_fold["log_price"]
        rows[f"inside_{round(100 * coverage)}"] = (lower <= log_price) & (log_price <= upper)
    return rows


def _ends(intervals: Floats) -> pd.DataFrame:
    ends = {}
    with np.errstate(over="ignore"):
        for coverage, (lower, upper) in zip(COVERAGES, np.exp(intervals), strict=True):
            ends[f"lower_{round(100 * coverage)}"], ends[f"upper_{round(100 * coverage)}"] = lower, upper
    return pd.DataFrame(ends)


def _without_each_group(run: SavedRun, houses: pd.DataFrame) -> dict[str, float]:
    names = list(run.settings.models)
    if len(names) < 2:
        return {}
    totals = {name: np.zeros(len(houses)) for name in names}
    n_repeats = run.settings.folds.n_repeats
    array = house_array(houses)
    for fold in run.folds:
        rows = np.flatnonzero(run.fold_of_row[fold.repeat] == fold.fold)
        matrix = fold.features.transform(array.rows(rows))
        by_model, _ = fold.predict_models(matrix)
        for left_out in names:
            others = {name: predicted for name, predicted in by_model.items() if name != left_out}
            totals[left_out][rows] += combine(others) / n_repeats
    log_price = run.out_of_fold["log_price"].to_numpy()
    return {name: log_rmse(prediction, log_price) for name, prediction in totals.items()}


def _find_ablation(run: SavedRun) -> Ablation | None:
    """The run's own grid, or else the one beside it, if that was made with the same houses."""
    for folder in (run.folder / ABLATION, run.folder.resolve().parent / ABLATION):
        if folder.is_dir():
            ablation = read_ablation(folder)
            if ablation.note.data.sha256 == run.manifest.data.sha256:
                return ablation
    return None


def _entries(run: SavedRun) -> list[Entry]:
    sha256 = run.manifest.outputs_sha256[SUBMISSION]
    return [entry for entry in read_ledger() if entry.sha256 == sha256 or entry.public_score is not None]


def _recipe(run: SavedRun) -> pd.DataFrame | None:
    file = run.folder / RECIPE
    if not file.is_file():
        return None
    try:
        return pd.read_csv(file, dtype="str", keep_default_na=False)
    except (ValueError, OSError) as error:
        raise RunError(f"{file}: {error}; accepted: a comma-separated table") from None
