"""The committee of a search: the best that differ."""

import numpy as np
import pytest

from houseprices.selection.committee import best_that_differ

N_ROWS = 300
TRUTH = np.random.default_rng(0).normal(size=N_ROWS)
EVERY = np.arange(N_ROWS)


def predictions() -> np.ndarray:
    """Candidates whose errors grow: 1 and 2 err as 0 does, with bits of their own; 3 and 4 by themselves."""
    rng = np.random.default_rng(1)
    shared, *own = rng.normal(size=(6, 2, N_ROWS))
    errors = [
        0.10 * shared,
        0.11 * (shared + 0.1 * own[0]),
        0.12 * (shared + 0.5 * own[1]),
        0.20 * own[2],
        0.30 * own[3],
    ]
    return TRUTH + np.stack(errors)


def correlation(one: np.ndarray, other: np.ndarray, rows: np.ndarray) -> float:
    errors = [(of - TRUTH)[:, rows] for of in (one, other)]
    return float(np.mean([np.corrcoef(first, second)[0, 1] for first, second in zip(*errors, strict=True)]))


@pytest.mark.parametrize(
    ("n_kept", "max_correlation", "expected"),
    [
        (1, 0.95, (0,)),
        (3, 0.95, (0, 2, 3)),  # 1 is nearly 0
        (3, 0.5, (0, 3, 4)),
        (3, 1.0, (0, 1, 2)),
        (9, 0.95, (0, 2, 3, 4)),
        (9, 1e-9, (0,)),
    ],
)
def test_the_best_come_first_and_what_errs_as_one_before_is_passed_over(n_kept, max_correlation, expected):
    chosen = best_that_differ(predictions(), TRUTH, n_kept, max_correlation)(EVERY)
    assert chosen[: len(expected)] == expected
    assert len(chosen) <= n_kept


def test_scores_and_correlations_are_those_of_the_drawn_rows_alone():
    of = predictions()
    drawn = np.random.default_rng(2).integers(N_ROWS // 2, size=N_ROWS)
    between = correlation(of[0], of[2], drawn)
    for bound, expected in ((between + 1e-9, True), (between - 1e-9, False)):
        assert (2 in best_that_differ(of, TRUTH, 9, bound)(drawn)) == expected
    of[:, :, N_ROWS // 2 :] = 1e3 * np.random.default_rng(3).normal(size=of[:, :, N_ROWS // 2 :].shape)
    assert (2 in best_that_differ(of, TRUTH, 9, between + 1e-9)(drawn)) is True


def test_one_that_errs_nowhere_differs_from_all():
    of = np.concatenate([np.broadcast_to(TRUTH, (1, 2, N_ROWS)), predictions()])
    assert best_that_differ(of, TRUTH, 2, 0.95)(EVERY) == (0, 1)
