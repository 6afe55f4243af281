"""A fixed small set of what `make attack` tries for longer."""

import pytest
from attack.bad_input import KINDS, Attack, Good, attack
from conftest import FinishedRun


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_corrupted_file_is_refused_or_accepted_with_every_value_valid(
    kind: Attack, finished_run: FinishedRun
) -> None:
    good = Good(finished_run.data, finished_run.config, finished_run.folder)
    outcomes = [attack(kind, good, seed) for seed in range(4 if kind.__name__ in ("table", "run") else 40)]
    assert set(outcomes) <= {"accepted", "refused"}
    assert "refused" in outcomes
