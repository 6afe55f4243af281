"""The law of columns: each moves with its parents, with each of them, and with nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from houseprices.data.schema import BY_NAME, FEATURES, NOMINALS
from houseprices.preprocessing.blocks import (
    ALL_COLUMNS,
    BLOCKS,
    COLUMNS,
    LINEAR_BLOCKS,
    STATISTICS,
    block_indices,
    raw_shares,
)
from houseprices.preprocessing.columns import Column, Levels
from houseprices.preprocessing.engineered import NUMBERS
from houseprices.preprocessing.house_array import HouseArray
from houseprices.preprocessing.house_features import HouseFeatures

N_ROWS = 800


@pytest.fixture(scope="module")
def varied() -> HouseArray:
    """Gapless houses in which every feature takes many values, zero among them where the schema accepts it."""
    generator = np.random.default_rng(0)
    values = np.empty((N_ROWS, len(FEATURES)))
    for index, feature in enumerate(FEATURES):
        if feature.kind != "number":
            values[:, index] = generator.integers(len(feature.levels), size=N_ROWS)
        elif feature.unit == "year":
            values[:, index] = generator.integers(1990, 2011, size=N_ROWS)
        else:
            values[:, index] = generator.integers(feature.low, min(feature.high, 2000) + 1, size=N_ROWS)
            values[:, index] *= (generator.random(N_ROWS) < 0.7) | (feature.low > 0)
    return HouseArray(values)


@pytest.fixture(scope="module")
def fitted(varied: HouseArray) -> HouseFeatures:
    gapped = varied.values.copy()
    gapped[np.random.default_rng(1).random(gapped.shape) < 0.05] = np.nan
    return HouseFeatures(min_level_rows=1).fit(HouseArray(gapped))


def is_empty(column: Column, fitted: HouseFeatures) -> bool:
    """Whether it is a piece between two ends that are equal: no house lies in it."""
    if column not in COLUMNS["piecewise_linear"]:
        return False
    piece = [other for other in COLUMNS["piecewise_linear"] if other.parents == column.parents].index(column)
    ends = fitted.statistics_[column.statistics[0].name]
    return bool(ends[piece] == ends[piece + 1])


def test_a_column_moves_with_every_feature_that_it_counts_for_and_with_no_other(varied, fitted):
    assert np.isfinite(fitted.scale_).all()
    generator = np.random.default_rng(2)
    before = fitted.transform(varied)
    moved = np.empty(raw_shares().shape, dtype=bool)
    for index in range(len(FEATURES)):
        changed = varied.values.copy()
        changed[:, index] = generator.permutation(changed[:, index])
        changed[generator.random(N_ROWS) < 0.1, index] = np.nan
        moved[:, index] = (fitted.transform(HouseArray(changed)) != before).any(axis=0)
    differing = np.argwhere(moved != (raw_shares() > 0))
    found = [(ALL_COLUMNS[column], FEATURES[index].name) for column, index in differing]
    assert [(column.name, feature) for column, feature in found if not is_empty(column, fitted)] == []


def test_every_declared_parent_moves_its_column_by_itself(fitted):
    """Where two parents are made of the same feature, the law above would not miss one of them."""
    generator = np.random.default_rng(3)

    def draw() -> dict[str, object]:
        return {number.name: generator.normal(size=N_ROWS) for number in NUMBERS} | {
            name: Levels(
                BY_NAME[name].levels,
                generator.integers(len(BY_NAME[name].levels), size=N_ROWS),
                np.ones(len(BY_NAME[name].levels), dtype=bool),
            )
            for name in NOMINALS
        }

    parents, others = draw(), draw()
    filled = [column for column in ALL_COLUMNS if not is_empty(column, fitted)]
    assert len(filled) > 0.8 * len(ALL_COLUMNS)
    for column in filled:
        learnt = [fitted.statistics_[statistic.name] for statistic in column.statistics]
        before = column.formula(*(parents[name] for name in column.parents), *learnt)
        for moving in column.parents:
            after = column.formula(*((others if name == moving else parents)[name] for name in column.parents), *learnt)
            assert (after != before).any(), (column.name, moving)


def test_every_column_is_shared_out_wholly():
    shares = raw_shares()
    assert shares.shape == (len(ALL_COLUMNS), 79)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    column = [column.name for column in ALL_COLUMNS].index("LogTotalArea in Neighborhood=OldTown")
    counted = {FEATURES[i].name: shares[column, i] for i in np.flatnonzero(shares[column])}
    assert counted == {"Neighborhood": 0.5, "GrLivArea": 0.25, "TotalBsmtSF": 0.25}


def test_no_two_statistics_share_a_name():
    assert len({statistic.name for statistic in STATISTICS}) == len(STATISTICS)


def test_blocks_part_the_columns(fitted):
    assert list(COLUMNS) == list(BLOCKS)
    names = fitted.get_feature_names_out()
    for block in BLOCKS:
        assert [names[index] for index in block_indices((block,))] == [column.name for column in COLUMNS[block]]
    assert sorted(block_indices(BLOCKS)) == list(range(len(names)))
    assert set(block_indices(LINEAR_BLOCKS)) == set(range(len(names))) - set(
        block_indices(("products", "ranks", "piecewise_linear"))
    )


def test_normal_scores_are_those_of_ranks_alone():
    (area,) = (column for column in COLUMNS["ranks"] if column.parents == ("LogTotalArea",))
    (quantiles,) = area.statistics
    values = np.random.default_rng(0).standard_normal(3000)

    def scores(of: np.ndarray) -> np.ndarray:
        return area.formula(of, quantiles.fit(of))

    within = np.abs(values) < 2
    np.testing.assert_allclose(scores(values)[within], values[within], atol=0.1)
    # Any other scale gives the same but for the straight lines between quantiles.
    np.testing.assert_allclose(scores(np.exp(values)), scores(values), atol=0.03)
    few = np.random.default_rng(1).integers(0, 3, 3000).astype(float)
    assert np.unique(scores(few)).round(1) == pytest.approx([-1.5, 0, 1.5])
    assert (scores(np.zeros(9)) == 0).all()


def test_pieces_add_up_to_the_number_between_its_ends():
    pieces = [column for column in COLUMNS["piecewise_linear"] if column.parents == ("LogTotalArea",)]
    values = np.random.default_rng(0).standard_normal(500)
    ends = pieces[0].statistics[0].fit(values)
    filled = np.stack([piece.formula(values, ends) for piece in pieces])
    np.testing.assert_allclose(ends[0] + np.diff(ends) @ filled, values)
    assert ((filled[1:] > 0) <= (filled[:-1] == 1)).all()
    assert [np.mean(filled[piece] == 1) for piece in (0, 3, 6)] == pytest.approx([7 / 8, 4 / 8, 1 / 8], abs=0.01)
    beyond = np.stack([piece.formula(np.array([-9.0, 9.0]), ends) for piece in pieces])
    assert beyond.tolist() == [[0, 1]] * len(pieces)
    constant = pieces[0].statistics[0].fit(np.zeros(9))
    assert all((piece.formula(values, constant) == 0).all() for piece in pieces)


@pytest.mark.parametrize("by", ["Neighborhood", "MSSubClass"])
def test_the_median_of_a_level_is_that_of_its_training_rows_and_zero_where_there_are_none(varied, by):
    absent = 3
    rows = np.flatnonzero(varied.codes(by) != absent)[:301]
    training = varied.rows(rows)
    features = HouseFeatures().fit(training)
    values = features.transform(training)[:, list(features.get_feature_names_out()).index("LotArea")]
    medians = features.statistics_[f"LotArea, median of {by}"]
    for code in range(len(medians)):
        expected = 0 if code == absent else np.median(values[training.codes(by) == code])
        assert medians[code] == pytest.approx(expected, abs=1e-6)


def test_a_level_of_few_training_rows_has_no_column_of_its_own():
    levels = Levels(("a", "b"), np.array([0, 1, 1]), np.array([False, True]))
    assert levels.is_level("a").tolist() == [True, False, False]
    assert levels.one_hot("a").tolist() == [False, False, False]
    assert levels.one_hot("b").tolist() == replace(levels, is_common=np.ones(2, bool)).one_hot("b").tolist()
