"""The textbook's columns, folds and scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprices.cross_validation.metrics import log_rmse
from houseprices.lessons.chapter import LOG_TARGET, ChapterTable, read_chapter_table, train_on_folds
from houseprices.lessons.chapter_flaws import flaws_section, mean_of_folds, rows_in_order, scaled_in_the_fold
from houseprices.lessons.content import Table


@pytest.fixture
def table(data_folder: Path) -> ChapterTable:
    return read_chapter_table(data_folder / "train.csv", data_folder / "test.csv")


def test_the_chapters_columns_are_standardised_numbers_and_levels_with_a_column_for_na(
    table: ChapterTable, data_folder: Path
):
    train, test = (pd.read_csv(data_folder / name) for name in ("train.csv", "test.csv"))
    both = pd.concat([train, test]).drop(columns=["Id", "SalePrice"])
    n_numbers = both.select_dtypes("number").shape[1]
    n_levels = sum(both[name].nunique() + 1 for name in both.columns.difference(both.select_dtypes("number").columns))
    matrix = table.matrix()
    assert matrix.shape == (len(both), n_numbers + n_levels)
    # Of each column's levels, every house has one.
    assert (matrix[:, n_numbers:].sum(axis=1) == both.shape[1] - n_numbers).all()
    np.testing.assert_allclose(matrix[:, :n_numbers].mean(axis=0), 0, atol=1e-5)


def test_scales_of_some_rows_ignore_all_others(table: ChapterTable):
    rows = np.arange(20)
    n_numbers = table.numbers.shape[1]
    changed = ChapterTable(table.numbers.copy(), table.levels)
    changed.numbers.iloc[20:] *= 100
    np.testing.assert_array_equal(table.matrix(rows)[:20], changed.matrix(rows)[:20])
    np.testing.assert_allclose(table.matrix(rows)[:20, :n_numbers].mean(axis=0), 0, atol=1e-5)
    assert not np.array_equal(table.matrix()[:20], changed.matrix()[:20])


def test_a_folds_scales_are_those_of_the_rows_it_trains_on(table: ChapterTable):
    folds, n_numbers = rows_in_order(48), table.numbers.shape[1]
    matrices = scaled_in_the_fold(table, folds)
    assert [matrix.shape for matrix in matrices] == [(48, table.matrix().shape[1])] * 5
    for fold, matrix in enumerate(matrices):
        np.testing.assert_allclose(matrix[folds != fold, :n_numbers].mean(axis=0), 0, atol=1e-5)
        assert np.abs(matrix[folds == fold, :n_numbers].mean(axis=0)).max() > 0.1


def test_a_flaws_cost_is_the_score_with_it_less_the_score_without():
    names = ("own", "scaled in the fold", "mean of folds", "unshuffled", "log", "decay", "dropout")
    one = pd.Series(dict(zip(names, (0.9, 0.8, 0.6, 0.5, 0.4, 0.1, 0.0), strict=True)))
    table = next(block for block in flaws_section(pd.DataFrame([one, one]), "houses") if isinstance(block, Table))
    costs = [float(text.split(" ±")[0]) for text in table.content["difference"]]
    assert costs == [0.1, -0.3, -0.4, 0.5, 0.3, 0.4]
    with_it, without = table.content["with it"], table.content["without it"]
    np.testing.assert_allclose(with_it - without, costs)


@pytest.mark.parametrize("n_rows", [48, 1460, 1461, 7])
def test_folds_in_order_are_neighbours_and_alike_in_size(n_rows: int):
    folds = rows_in_order(n_rows)
    assert (np.diff(folds) >= 0).all()
    sizes = np.bincount(folds)
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 1


def test_the_mean_of_the_folds_flatters_unless_all_are_alike():
    log_price, folds = np.zeros(10), np.repeat(np.arange(5), 2)
    uneven = np.arange(10.0)
    assert mean_of_folds(uneven, log_price, folds) < log_rmse(uneven, log_price)
    assert mean_of_folds(np.ones(10), log_price, folds) == log_rmse(np.ones(10), log_price) == 1


def test_a_fold_is_priced_by_its_own_matrix_and_by_a_network_that_never_saw_it(table: ChapterTable):
    rng = np.random.default_rng(0)
    price, folds = np.exp(rng.normal(12, 0.3, 48)), rows_in_order(48)
    matrices = [table.matrix()[:48]] * 5
    before, _ = train_on_folds(matrices, price, folds, LOG_TARGET, log_target=True)
    held_out = folds == 2
    other_prices = np.where(held_out, price * 3, price)
    after, _ = train_on_folds(matrices, other_prices, folds, LOG_TARGET, log_target=True)
    np.testing.assert_array_equal(before[held_out], after[held_out])
    assert not np.array_equal(before[~held_out], after[~held_out])
    other_matrices = [matrix + (fold == 2) for fold, matrix in enumerate(matrices)]
    shifted, _ = train_on_folds(other_matrices, price, folds, LOG_TARGET, log_target=True)
    np.testing.assert_array_equal(before[~held_out], shifted[~held_out])
    assert not np.array_equal(before[held_out], shifted[held_out])


def test_prices_in_another_currency_and_on_a_wider_scale_are_predicted_alike(table: ChapterTable):
    rng = np.random.default_rng(0)
    log_price, folds = rng.normal(12, 0.3, 48), rows_in_order(48)
    matrices = [table.matrix()[:48]] * 5
    plain, curves = train_on_folds(matrices, np.exp(log_price), folds, LOG_TARGET, log_target=True)
    wider, wider_curves = train_on_folds(matrices, np.exp(1 + 2 * log_price), folds, LOG_TARGET, log_target=True)
    np.testing.assert_allclose(wider, 1 + 2 * plain, rtol=1e-4)
    np.testing.assert_allclose(wider_curves[0].training, 2 * curves[0].training, rtol=1e-3)
