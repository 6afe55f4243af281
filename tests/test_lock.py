"""requirements.lock holds the packages of constraints.txt, each with a checksum and a licence that asks for nothing."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINE = re.compile(r"([a-z0-9.-]+)==([^ +]+)(?:\+cpu)? --hash=sha256:([0-9a-f]{64})  # (.+)")


def test_the_lock_has_the_tested_versions_with_checksums_and_free_licences() -> None:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()[1:]
    locked = [match.groups() for line in lines if (match := LINE.fullmatch(line))]
    assert len(locked) == len(lines) > 0
    constraints = (ROOT / "constraints.txt").read_text("utf-8").splitlines()[1:]
    assert [f"{name}=={version}" for name, version, _, _ in locked] == constraints
    for name, _, _, licence in locked:
        assert licence != "unknown", name
        a_choice = " OR " in licence or licence.startswith("Artistic License, ")
        assert a_choice or not re.search(r"\b(A|L)?GPL|General Public", licence), f"{name}: {licence}"
