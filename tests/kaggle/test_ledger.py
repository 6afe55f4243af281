"""The ledger: what is written stays, what Kaggle says later is noted, and the difference is shown."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from filelock import FileLock
from kaggle_fixtures import Command, ledger, write_run
from kaggle_server import KaggleServer, drop_after_acting, page, status

from houseprices.cli.kaggle import print_ledger, scatter_plot
from houseprices.errors import LedgerError
from houseprices.kaggle.ledger import Entry, add_entry, read_ledger, remove_entry, update_entry

LEDGER = Path("submissions/ledger.jsonl")


def entry(number: int, cv: float | None = 0.12, public: float | None = None) -> Entry:
    return Entry(
        submitted_utc=f"2026-01-{number:02d}T12:00:00Z",
        file=f"runs/{number}/submission.csv",
        sha256=f"{number:064x}",
        run=f"runs/{number}",
        cv_log_rmse=cv,
        message=f"run {number} [{number:08x}]",
        ref=100 + number,
        status="pending" if public is None else "complete",
        public_score=public,
    )


# ---- the file ----


def test_entries_come_back_in_order_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "submissions" / "ledger.jsonl"
    assert read_ledger(path) == []
    written = [entry(number) for number in range(1, 4)]
    for one in written:
        add_entry(one, path)
    assert read_ledger(path) == written
    assert [json.loads(line) for line in path.read_text().splitlines()] == [asdict(one) for one in written]
    assert {file.name for file in path.parent.iterdir()} == {"ledger.jsonl", ".ledger.jsonl.lock"}


def test_a_later_answer_replaces_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for number in range(1, 4):
        add_entry(entry(number), path)
    update_entry(entry(2, public=0.13), path)
    assert [one.public_score for one in read_ledger(path)] == [None, 0.13, None]
    remove_entry(entry(1), path)
    assert [one.ref for one in read_ledger(path)] == [102, 103]


def test_a_write_that_fails_leaves_the_ledger_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.jsonl"
    add_entry(entry(1), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(LedgerError, match="No space left on device; nothing was written"):
        add_entry(entry(2), path)
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"ledger.jsonl", ".ledger.jsonl.lock"}


def test_a_ledger_that_another_process_holds_is_named_and_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.jsonl"
    monkeypatch.setattr("houseprices.kaggle.ledger.LOCK_S", 0.05)
    with (
        FileLock(tmp_path / ".ledger.jsonl.lock"),
        pytest.raises(LedgerError, match=r"ledger\.jsonl: another process has held \S+\.lock for 0\.05 s"),
    ):
        add_entry(entry(1), path)
    assert not path.exists()
    add_entry(entry(1), path)
    assert read_ledger(path) == [entry(1)]


WHOLE = json.dumps(asdict(entry(1)))


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", '{"ref": 1}', '{"surprise": 1}', "", 100_000 * "[",
        WHOLE.replace("101", '"101"'), WHOLE.replace("0.12", "NaN"), WHOLE.replace('"pending"', '"odd"'),
        WHOLE.replace('"run 1 [00000001]"', "1"), WHOLE.replace('{"', '{"surprise": 1, "'),
    ],
    ids=lambda line: line[:12],
)  # fmt: skip
def test_a_line_that_is_no_entry_is_named_and_nothing_is_overwritten(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.jsonl"
    add_entry(entry(1), path)
    with path.open("a") as stream:
        stream.write(line + "\n")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=r"ledger\.jsonl: line 2 is no entry"):
        add_entry(entry(2), path)
    assert path.read_bytes() == before


# ---- the command ----


def test_an_empty_ledger_says_so(houseprices: Command) -> None:
    done = houseprices("ledger")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == "submissions/ledger.jsonl: no submissions yet; `make submit` makes one\n"


def test_the_table_has_the_difference(houseprices: Command) -> None:
    add_entry(entry(1, cv=0.12, public=0.1234))
    add_entry(entry(2))
    done = houseprices("ledger")
    assert done.exit_code == 0
    assert done.out.splitlines() == [
        "submitted_utc\tsource\tcv\tpublic\tdifference\tstatus\tref",
        "2026-01-01T12:00:00Z\t1\t0.1200\t0.12340\t+0.0034\tcomplete\t101",
        "2026-01-02T12:00:00Z\t2\t0.1200\t\t\tpending\t102",
    ]
    assert json.loads(houseprices("ledger", "--json").out)[0]["public_score"] == 0.1234


def test_refresh_asks_for_open_entries_only(server: KaggleServer, houseprices: Command, run_folder: Path) -> None:
    assert houseprices("submit").exit_code == 0
    n_calls = len(server.calls)
    assert houseprices("ledger", "--refresh").exit_code == 0
    assert len(server.calls) == n_calls


def test_refresh_finds_a_submission_whose_answer_was_lost(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    server.faults["CreateSubmission"] = [drop_after_acting]
    server.faults["ListSubmissions"] = [page(500)] * 3
    assert houseprices("submit").exit_code == 1
    assert [one.status for one in ledger()] == ["unconfirmed"]
    server.submissions[0].update(status="COMPLETE", publicScore="0.1212")
    # Others' submissions since then fill the first page.
    for number in range(25):
        server.submissions.insert(0, {"ref": number + 1, "description": f"other {number}", "status": "COMPLETE"})
    assert houseprices("ledger", "--refresh").exit_code == 0
    assert [(one.ref, one.status, one.public_score) for one in ledger()] == [(56073537, "complete", 0.1212)]


def test_refresh_that_fails_keeps_what_it_learned(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    assert houseprices("submit", "--no-wait").exit_code == 0
    write_run(Path("runs/second"), cv=0.119, price=160_000)
    assert houseprices("submit", "--no-wait").exit_code == 0
    server.submissions.pop(0)
    done = houseprices("ledger", "--refresh")
    assert done.exit_code == 1
    assert len(done.err.splitlines()) == 1
    assert [one.status for one in ledger()] == ["complete", "pending"]
    assert server.faults["GetSubmission"] == []


def test_refresh_notes_an_error_with_its_reason(server: KaggleServer, houseprices: Command, run_folder: Path) -> None:
    assert houseprices("submit", "--no-wait").exit_code == 0
    server.script = [{"status": "ERROR", "errorDescription": "no such Ids"}]
    assert houseprices("ledger", "--refresh").exit_code == 0
    assert [(one.status, one.reason) for one in ledger()] == [("error", "no such Ids")]


def test_refresh_without_connection_is_one_line(server: KaggleServer, houseprices: Command, run_folder: Path) -> None:
    assert houseprices("submit", "--no-wait").exit_code == 0
    before = LEDGER.read_bytes()
    server.faults["GetSubmission"] = [status(429)] * 9
    done = houseprices("ledger", "--refresh")
    assert done.exit_code == 1
    assert "slow down (429)" in done.err
    assert LEDGER.read_bytes() == before


def test_in_a_terminal_of_80_columns_nothing_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    runs = [replace(entry(number, public=0.12 + number / 1000), run="runs/20261123-130003") for number in (1, 2)]
    print_ledger([*runs, replace(entry(3), status="unconfirmed", reason="why")])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, shown.splitlines())) <= 80
    for cell in ("2026-01-01 12:00", "20261123-130003", "0.1200", "0.12100", "+0.0010", "unconfirmed", "103: why", "●"):
        assert cell in shown
    assert "…" not in shown


# ---- the plot ----


def test_one_point_is_no_plot() -> None:
    assert scatter_plot([entry(1, public=0.12), entry(2), entry(3, cv=None, public=0.13)]) == ""


def test_points_stand_above_the_line_of_equality_where_the_leaderboard_is_worse() -> None:
    lines = scatter_plot([entry(1, cv=0.11, public=0.13), entry(2, cv=0.12, public=0.12)]).splitlines()[1:]
    rows = {row: line for row, line in enumerate(lines) if "●" in line}
    assert len(rows) == 2
    (high, upper), (low, lower) = rows.items()
    assert high < low
    assert upper.index("●") < lower.index("●")
    # The point with equal scores stands on the line, the other left of it.
    assert upper.index("●") < upper.index("·")


def test_equal_points_are_counted() -> None:
    assert "3" in scatter_plot([entry(number, cv=0.12, public=0.12) for number in (1, 2, 3)]).split("\n", 1)[1]
