import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from houseprices.lessons.lp_norms import chebyshev, count_nonzero, euclidean, lp_norm, manhattan

values = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=3, max_size=3)
orders = st.one_of(st.floats(1, 20), st.just(math.inf))


def vector(numbers: list[float]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


@given(values, orders, st.floats(-100, 100, allow_subnormal=False))
def test_a_norm_scales_with_its_vector(numbers: list[float], p: float, factor: float):
    expected = abs(factor) * lp_norm(vector(numbers), p)
    torch.testing.assert_close(lp_norm(factor * vector(numbers), p), expected, rtol=1e-9, atol=1e-12)


@given(values, values, orders)
def test_a_norm_keeps_the_triangle_inequality(one: list[float], other: list[float], p: float):
    bound = lp_norm(vector(one), p) + lp_norm(vector(other), p)
    assert lp_norm(vector(one) + vector(other), p) <= bound * (1 + 1e-12) + 1e-12


@given(values, orders)
def test_only_the_zero_vector_has_length_zero(numbers: list[float], p: float):
    assert bool(lp_norm(vector(numbers), p) == 0) == all(number == 0 for number in numbers)


@given(values, st.floats(1, 20))
def test_a_norm_is_torchs(numbers: list[float], p: float):
    torch.testing.assert_close(lp_norm(vector(numbers), p), torch.linalg.vector_norm(vector(numbers), p))


@given(values)
def test_the_named_norms_are_torchs(numbers: list[float]):
    for norm, p in ((manhattan, 1), (euclidean, 2), (chebyshev, math.inf)):
        torch.testing.assert_close(norm(vector(numbers)), torch.linalg.vector_norm(vector(numbers), p))


@given(values, st.floats(1, 19))
def test_a_larger_order_never_gives_a_larger_norm(numbers: list[float], p: float):
    assert lp_norm(vector(numbers), p + 1) <= lp_norm(vector(numbers), p) * (1 + 1e-12)


def test_neither_large_values_nor_large_orders_overflow():
    assert lp_norm(vector([3e300, 4e300]), 2) == pytest.approx(5e300)
    assert lp_norm(vector([0.5, 0.25]), 1e6) == pytest.approx(0.5)


def test_the_count_of_values_does_not_scale_and_so_is_no_norm():
    assert count_nonzero(2 * vector([3, 0, -4])) == count_nonzero(vector([3, 0, -4])) == 2


@pytest.mark.parametrize("p", [0, 0.5, 0.999, -1, math.nan])
def test_an_order_below_one_is_refused(p: float):
    with pytest.raises(ValueError, match=r"p must be in \[1, inf\], got"):
        lp_norm(vector([1, 2, 3]), p)
