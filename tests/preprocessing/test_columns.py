"""The law of columns: each changes with each of its parents, and with nothing else."""

import numpy as np
import pytest

from houseprices.data.schema import BY_NAME, FEATURES
from houseprices.preprocessing.columns import BLOCKS, COLUMNS, LEVELS, Column, Levels, raw_shares
from houseprices.preprocessing.features import HouseFeatures
from houseprices.preprocessing.houses import POSITION, HouseArray
from houseprices.preprocessing.numbers import NUMBERS

N_ROWS = 800


@pytest.fixture(scope="module")
def varied() -> HouseArray:
    """Houses without gaps in which every feature takes many values, zero among them where the schema accepts it."""
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
    """All blocks, fitted on the varied houses with gaps."""
    values = varied.values.copy()
    values[np.random.default_rng(1).random(values.shape) < 0.05] = np.nan
    return HouseFeatures(BLOCKS, min_level_rows=1).fit(HouseArray(values))


def is_empty(column: Column, fitted: HouseFeatures) -> bool:
    """Return true for a linear piece of length zero and a pair of rare levels, which are zero for every house."""
    if column in COLUMNS["piecewise_linear"]:
        piece = [other for other in COLUMNS["piecewise_linear"] if other.parents == column.parents].index(column)
        ends = fitted.statistics_[column.statistics[0].name]
        return bool(ends[piece] == ends[piece + 1])
    if column in COLUMNS["neighborhood_sales"]:
        return bool(
            fitted.statistics_[column.statistics[0].name].ravel()[COLUMNS["neighborhood_sales"].index(column)] < 3
        )
    return False


def test_a_column_changes_with_every_feature_of_its_shares_and_with_no_other(varied, fitted):
    generator = np.random.default_rng(2)
    before, shares = fitted.transform(varied), fitted.raw_shares()
    changes = np.empty(shares.shape, dtype=bool)
    for index in range(len(FEATURES)):
        values = varied.values.copy()
        values[:, index] = generator.permutation(values[:, index])
        values[generator.random(N_ROWS) < 0.1, index] = np.nan
        changes[:, index] = (fitted.transform(HouseArray(values)) != before).any(axis=0)
    differing = [(fitted.columns[row], FEATURES[index].name) for row, index in np.argwhere(changes != (shares > 0))]
    assert [(column.name, feature) for column, feature in differing if not is_empty(column, fitted)] == []


def test_every_declared_parent_changes_its_column_by_itself(fitted):
    """Two parents computed from the same feature would hide each other in the law above."""
    generator = np.random.default_rng(3)

    def draw() -> dict[str, object]:
        return {number.name: generator.normal(size=N_ROWS) for number in NUMBERS} | {
            parent: Levels(
                BY_NAME[name].levels,
                generator.integers(len(BY_NAME[name].levels), size=N_ROWS),
                np.ones(len(BY_NAME[name].levels), dtype=bool),
            )
            for parent, name in LEVELS.items()
        }

    parents, others = draw(), draw()
    columns = [column for column in fitted.columns if not is_empty(column, fitted)]
    assert len(columns) > 0.8 * len(fitted.columns)
    for column in columns:
        statistics = [fitted.statistics_[statistic.name] for statistic in column.statistics]
        before = column.formula(*(parents[name] for name in column.parents), *statistics)
        for changed in column.parents:
            arguments = ((others if name == changed else parents)[name] for name in column.parents)
            assert (column.formula(*arguments, *statistics) != before).any(), (column.name, changed)


def test_names_are_unique_and_the_shares_of_a_column_sum_to_one(fitted):
    for names in (fitted.get_feature_names_out(), [statistic.name for statistic in fitted.statistics]):
        assert len(set(names)) == len(names)
    shares = fitted.raw_shares()
    assert shares.shape == (len(fitted.columns), 79)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    (slope,) = (column for column in fitted.columns if column.name == "LogTotalArea in Neighborhood=OldTown")
    by_feature = {name: raw_shares(slope)[position] for name, position in POSITION.items()}
    nonzero = {name: share for name, share in by_feature.items() if share}
    assert nonzero == {"Neighborhood": 0.5, "GrLivArea": 0.25, "TotalBsmtSF": 0.25}


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
def test_the_median_of_a_level_is_that_of_its_training_rows_and_zero_without_any(varied, by):
    absent = 3
    training = varied.rows(np.flatnonzero(varied.codes(by) != absent)[:301])
    features = HouseFeatures().fit(training)
    values = features.transform(training)[:, list(features.get_feature_names_out()).index("LotArea")]
    medians = features.statistics_[f"LotArea, median of {by}"]
    for code in range(len(medians)):
        expected = 0 if code == absent else np.median(values[training.codes(by) == code])
        assert medians[code] == pytest.approx(expected, abs=1e-6)
