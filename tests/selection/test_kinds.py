"""What each kind brings to a committee."""

import numpy as np
import pytest

from houseprices.selection.kinds import kinds_of

TRUTH = np.random.default_rng(0).normal(size=2000)
ONE, OTHER = 0.1 * np.random.default_rng(1).normal(size=(2, 3, len(TRUTH)))
ALL = np.ones(len(TRUTH), dtype=bool)


def found(bulk: np.ndarray = ALL, **errors: np.ndarray):
    by_model = {name: TRUTH + error for name, error in errors.items()}
    return kinds_of(by_model, dict.fromkeys(by_model, 4), TRUTH, bulk)


def test_errors_that_are_alike_correlate_and_independent_ones_do_not():
    kinds = found(one=ONE, twin=2 * ONE, mirror=-ONE, other=OTHER)
    assert kinds["one"].correlation["twin"] == pytest.approx(1)
    assert kinds["one"].correlation["mirror"] == pytest.approx(-1)
    assert abs(kinds["one"].correlation["other"]) < 4 / np.sqrt(ONE.size)
    for name, kind in kinds.items():
        assert set(kind.correlation) == set(kinds) - {name}
        for other, value in kind.correlation.items():
            assert kinds[other].correlation[name] == pytest.approx(value)


def test_without_a_kind_the_others_remain():
    kinds = found(one=ONE, mirror=-ONE, other=OTHER)
    assert kinds["other"].bulk_without == pytest.approx(0, abs=1e-12)
    two = found(one=ONE, other=OTHER)
    assert two["one"].bulk_without == pytest.approx(two["other"].bulk)
    assert two["other"].bulk_without == pytest.approx(two["one"].bulk)


def test_an_only_kind_has_no_others():
    [kind] = found(one=ONE).values()
    assert (kind.bulk_without, kind.correlation) == (None, {})
    assert kind.whole == pytest.approx(kind.bulk) == pytest.approx(0.1, rel=0.05)
    assert kind.median == pytest.approx(0.1 * 0.6745, rel=0.05)


def test_rare_rows_count_in_the_whole_alone():
    spoilt = ONE.copy()
    spoilt[:, :20] += 5
    before, after = (found(np.arange(len(TRUTH)) >= 20, one=one, other=OTHER)["one"] for one in (ONE, spoilt))
    assert (after.bulk, after.correlation) == (before.bulk, before.correlation)
    assert after.whole > 3 * before.whole
