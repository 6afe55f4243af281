"""A job learns nothing from prices at random or from held-out prices; intervals cover unseen houses as they promise."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.ensemble import Ensemble
from houseprices.cross_validation.fold import assign_folds
from houseprices.data.sample import write_sample
from houseprices.data.schema import PRICE
from houseprices.data.table import read_houses
from houseprices.settings import FoldSettings, ModelSettings, Settings, with_custom_features

COVERAGES = (0.5, 0.8, 0.9, 0.95)
SMALL = ModelSettings(hidden=(6,), epochs=4, batch_size=16, loss="student_t", blocks=("numbers", "one_hot"))
ONE_MODEL = Settings(device="cpu", folds=FoldSettings(n_folds=2, n_repeats=1), models={"small": SMALL})
ENSEMBLE = replace(ONE_MODEL, models={"small": SMALL, "linear": replace(SMALL, hidden=(), loss="huber")})


def ensemble_of(train: pd.DataFrame, settings: Settings) -> Ensemble:
    return cross_validate(train, train.drop(columns=PRICE).iloc[:0], settings).ensemble


def score(train: pd.DataFrame, settings: Settings) -> float:
    return float(np.sqrt((ensemble_of(train, settings).out_of_fold.residuals ** 2).mean()))


def town_of(seed: int, n_houses: int) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder), n_houses, 1, seed=seed)
        return read_houses(Path(folder) / "train.csv", priced=True)


@pytest.fixture(scope="module")
def town() -> pd.DataFrame:
    return town_of(0, 120)


@pytest.mark.parametrize("settings", [ONE_MODEL, ENSEMBLE], ids=["one model", "ensemble"])
def test_on_permuted_prices_no_score_is_better_than_a_constants(settings: Settings, town: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    constant = np.log(town[PRICE]).std(ddof=0)
    scores = [score(town.assign(**{PRICE: rng.permutation(town[PRICE])}), settings) for _ in range(20)]
    gains = np.array(scores) - constant
    assert gains.mean() > -2 * gains.std(ddof=1) / np.sqrt(len(gains))
    assert score(town, settings) < constant  # on the true prices it learns


def test_a_column_that_names_the_fold_does_not_tell_its_level(town: pd.DataFrame, tmp_path: Path) -> None:
    """Each fold's prices are shifted by a level of its own, which no other fold's houses know."""
    settings = replace(ENSEMBLE, folds=FoldSettings(n_folds=3, n_repeats=1))
    fold_of_row = assign_folds(len(town), 3, 1, settings.seed)[0]
    fold_of_id = dict(zip(town.index.tolist(), fold_of_row.tolist(), strict=True))
    file = tmp_path / "folds.py"
    file.write_text(
        f"import pandas as pd\nFOLD = {fold_of_id}\ndef features(houses):\n"
        "    fold = houses.index.map(FOLD)\n"
        "    return pd.DataFrame({str(number): (fold == number) * 1.0 for number in range(3)}, index=houses.index)\n",
        "utf-8",
    )
    settings = with_custom_features(settings, file)

    def errors(shift: float, fold: int) -> NDArray[np.float64]:
        shifted = town.assign(**{PRICE: town[PRICE] * np.exp(shift * (fold_of_row == fold))})
        return ensemble_of(shifted, settings).out_of_fold.residuals

    for fold in range(3):
        moved = errors(2.0, fold) - errors(0.0, fold)
        np.testing.assert_allclose(moved[fold_of_row == fold], 2.0, atol=1e-9)


def test_intervals_cover_unseen_houses_as_they_promise() -> None:
    """New houses may be covered more often: all folds' networks price them, one fold's a training house."""
    n_towns, n_train, n_new = 8, 150, 150
    settings = replace(ENSEMBLE, folds=FoldSettings(n_folds=5, n_repeats=1))
    shares = np.empty((n_towns, 2, len(COVERAGES)))
    for seed in range(n_towns):
        houses = town_of(seed, n_train + n_new)
        ensemble = ensemble_of(houses.iloc[:n_train], settings)
        new = houses.iloc[n_train:]
        new_ends = ensemble.intervals(ensemble.predict_folds(new.drop(columns=PRICE)), COVERAGES)
        log_prices = ensemble.out_of_fold.log_price, np.log(new[PRICE].to_numpy())
        for row, ends in enumerate((ensemble.out_of_fold.intervals(COVERAGES), new_ends)):
            shares[seed, row] = ((ends[:, 0] <= log_prices[row]) & (log_prices[row] <= ends[:, 1])).mean(axis=1)
    covered = np.array(COVERAGES)
    errors = np.sqrt(covered * (1 - covered) * (1 / n_train + 1 / n_new) / n_towns)
    out_of_fold, new_share = shares.mean(axis=0) - covered
    assert (np.abs(out_of_fold) < 2 * errors).all()
    assert (new_share > -2 * errors).all()
