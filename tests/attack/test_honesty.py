"""A small set of the checks of `honesty.py`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from attack.honesty import (
    COVERAGES,
    ENSEMBLE,
    JOBS,
    Job,
    coverage,
    gain_on_permuted_prices,
    standard_errors,
    towns,
)

from houseprices.cross_validation.cross_validate import cross_validate
from houseprices.cross_validation.fold import assign_folds
from houseprices.settings import FoldSettings, Settings, with_custom_features


@pytest.fixture(scope="module")
def town() -> pd.DataFrame:
    [(train, _)] = towns(1, 120, 1)
    return train


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_on_permuted_prices_no_score_is_better_than_a_constants(job: Job, town: pd.DataFrame) -> None:
    mean, error = gain_on_permuted_prices(job, town)
    assert mean > -2 * error
    assert job(town) < np.log(town["SalePrice"]).std()  # there it learns


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

    def errors(levels: tuple[float, ...]) -> np.ndarray:
        shifted = town.assign(SalePrice=town["SalePrice"] * np.exp(np.array(levels)[fold_of_row]))
        result = cross_validate(shifted, town.iloc[:0].drop(columns="SalePrice"), settings)
        return result.ensemble.out_of_fold.residuals

    for fold in range(3):
        low, high = (errors(tuple(level * (number == fold) for number in range(3))) for level in (0.0, 2.0))
        np.testing.assert_allclose((high - low)[fold_of_row == fold], 2.0, atol=1e-9)


def test_intervals_cover_unseen_houses_as_they_promise() -> None:
    """New houses may be covered more often: all folds' networks price them, one fold's a training house."""
    n_towns, n_train, n_new = 8, 150, 150
    settings = Settings(device="cpu", folds=FoldSettings(n_folds=5, n_repeats=1), models=ENSEMBLE.models)
    out_of_fold, new = np.mean([coverage(*town, settings) for town in towns(n_towns, n_train, n_new)], axis=0)
    errors = standard_errors(n_train, n_new, n_towns)
    assert (np.abs(out_of_fold - COVERAGES) < 2 * errors).all()
    assert (new - COVERAGES > -2 * errors).all()
