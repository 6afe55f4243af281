"""The ledger: entries stay, later answers of Kaggle are noted, and the difference of the two scores is shown."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from kaggle_fixtures import Command, ledger, write_run
from kaggle_server import Handler, KaggleServer, drop_after_acting, page, status

from houseprices.errors import LedgerError
from houseprices.kaggle.ledger import LEDGER, Entry, note, read_ledger, remove


def make_entry(number: int, public: float | None = None) -> Entry:
    when, name, message = f"2026-01-{number:02d}T12:00:00Z", f"runs/{number}", f"run {number} [{number:08x}]"
    status = "pending" if public is None else "complete"
    return Entry(when, f"{name}/x.csv", f"{number:064x}", name, 0.12, message, 100 + number, status, public)


# ---- the file ----


def test_entries_come_back_in_order_and_a_later_answer_replaces_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "submissions" / "ledger.jsonl"
    assert read_ledger(path) == []
    entries = [make_entry(number) for number in range(1, 4)]
    for entry in entries:
        note(entry, path)
    assert read_ledger(path) == entries
    assert [json.loads(line) for line in path.read_text().splitlines()] == [asdict(entry) for entry in entries]
    assert {file.name for file in path.parent.iterdir()} == {"ledger.jsonl", ".ledger.jsonl.lock"}
    note(make_entry(2, public=0.13), path)
    remove(make_entry(1), path)
    assert [(entry.ref, entry.public_score) for entry in read_ledger(path)] == [(102, 0.13), (103, None)]


def test_writers_at_once_lose_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"

    def add(start: int) -> None:
        for number in range(start, start + 10):
            note(make_entry(number), path)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(0, 40, 10)))
    assert len({entry.message for entry in read_ledger(path)}) == 40


def test_ledger_that_another_process_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.jsonl"
    monkeypatch.setattr("houseprices.kaggle.ledger.LOCK_S", 0.05)
    with (
        FileLock(tmp_path / ".ledger.jsonl.lock"),
        pytest.raises(LedgerError, match=r"ledger\.jsonl: another process has held \S+\.lock for 0\.05 s"),
    ):
        note(make_entry(1), path)
    assert not path.exists()


WHOLE = json.dumps(asdict(make_entry(1)))


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "",
        100_000 * "[",
        WHOLE.replace("101", '"101"'),
        WHOLE.replace("0.12", "NaN"),
        WHOLE.replace('{"', '{"x": 1, "'),
    ],
    ids=lambda line: line[:12],
)
def test_line_that_is_no_entry_is_named_and_nothing_is_overwritten(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.jsonl"
    note(make_entry(1), path)
    with path.open("a") as stream:
        stream.write(line + "\n")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=r"ledger\.jsonl: line 2 is no entry"):
        note(make_entry(2), path)
    assert path.read_bytes() == before


# ---- the command ----


def test_table_has_the_difference_and_an_empty_ledger_says_so(houseprices: Command) -> None:
    assert houseprices("ledger").out == f"{LEDGER}: no submissions yet; `make submit` makes one\n"
    note(make_entry(1, public=0.1234))
    note(make_entry(2))
    assert houseprices("ledger").out.splitlines() == [
        "submitted_utc\tsource\tcv\tpublic\tdifference\tstatus\tref",
        "2026-01-01T12:00:00Z\t1\t0.1200\t0.12340\t+0.0034\tcomplete\t101",
        "2026-01-02T12:00:00Z\t2\t0.1200\t\t\tpending\t102",
    ]
    assert json.loads(houseprices("ledger", "--json").out)[0]["public_score"] == 0.1234


def test_refresh_finds_a_submission_whose_answer_was_lost(
    server: KaggleServer, houseprices: Command, run_folder: Path
) -> None:
    server.faults["CreateSubmission"] = [drop_after_acting]
    server.faults["ListSubmissions"] = [page(500)] * 3
    assert houseprices("submit").exit_code == 1
    assert [entry.status for entry in ledger()] == ["unconfirmed"]
    server.submissions[0].update(status="COMPLETE", publicScore="0.1212")
    # Others' submissions since then fill the first page.
    for number in range(25):
        server.submissions.insert(0, {"ref": number + 1, "description": f"other {number}", "status": "COMPLETE"})
    assert houseprices("ledger", "--refresh").exit_code == 0
    assert [(entry.ref, entry.status, entry.public_score) for entry in ledger()] == [(56073537, "complete", 0.1212)]


def test_refresh_asks_for_open_entries_alone_and_keeps_the_answers_until_it_fails(
    server: KaggleServer, houseprices: Command, run_folder: Path
) -> None:
    done = houseprices("submit", "--no-wait")
    assert (done.exit_code, done.out) == (0, "submitted; `make ledger ARGS=--refresh` brings the score\n")
    write_run(Path("runs/second"), cv=0.119, price=160_000)
    assert houseprices("submit", "--no-wait").exit_code == 0
    server.faults["GetSubmission"] = [Handler.serve, *[status(429)] * 9]
    assert "slow down (429)" in houseprices("ledger", "--refresh").error
    assert [(entry.status, entry.public_score) for entry in ledger()] == [("complete", 0.12345), ("pending", None)]
    server.faults.clear()
    server.calls.clear()
    assert houseprices("ledger", "--refresh").exit_code == houseprices("ledger", "--refresh").exit_code == 0
    assert (server.calls.count("GetSubmission"), ledger()[1].status) == (1, "complete")
