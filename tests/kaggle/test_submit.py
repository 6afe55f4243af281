"""`houseprices submit` against the stand-in: the line that the user sees, the exit code, and the ledger."""

from pathlib import Path
from typing import Any

import pytest
from kaggle_fixtures import Command, ledger, write_run
from kaggle_server import Fault, KaggleServer, drop, drop_after_acting, page, stall, status

from houseprices.files import sha256_of
from houseprices.kaggle import client
from houseprices.kaggle.ledger import LEDGER, note

pytestmark = pytest.mark.usefixtures("run_folder")
RUN_CSV = Path("runs/first/submission.csv")
HOUSES = range(61, 101)
ROWS = [f"{house},150000" for house in HOUSES]


def test_newest_run_is_uploaded_scored_ranked_and_noted(server: KaggleServer, houseprices: Command) -> None:
    server.script = [{"status": "PENDING"}, {"status": "PENDING"}, {"status": "COMPLETE", "publicScore": "0.12345"}]
    done = houseprices("submit")
    assert (done.exit_code, done.out) == (
        0,
        "public score 0.12345, rank 3; cross-validation 0.12000, difference +0.00345\n",
    )
    message = server.submissions[0]["description"]
    assert message.startswith("run first, CV 0.12000, code 0.1.0+abc1234 [")
    assert [line.removeprefix("houseprices: ") for line in done.err.splitlines()] == [
        "runs/first/submission.csv: 40 prices, fit for Kaggle",
        "runs/first: cross-validated log-RMSE 0.12000",
        f"uploading as {message!r}; 9 submissions left today",
        "submitted, Kaggle's number 56073537; noted in submissions/ledger.jsonl",
    ]
    assert server.uploads == [RUN_CSV.read_bytes()]
    [entry] = ledger()
    assert (entry.file, entry.run, entry.cv_log_rmse) == ("runs/first/submission.csv", "runs/first", 0.12)
    assert (entry.ref, entry.status, entry.public_score) == (56073537, "complete", 0.12345)
    assert (entry.sha256, entry.message) == (sha256_of(RUN_CSV), message)


def test_run_is_known_by_its_bare_name_and_a_better_run_is_named(houseprices: Command) -> None:
    write_run(Path("runs/second"), cv=0.119, price=160_000)
    done = houseprices("submit", "first", "--dry-run")
    assert (done.exit_code, done.out) == (0, "dry run: nothing was sent\n")
    assert "runs/second: a better score on the same houses, 0.11900; `make submit RUN=second` submits it" in done.err
    assert "better" not in houseprices("submit", "second", "--dry-run").err


@pytest.mark.parametrize("circumstance", ["reachable", "no credentials", "no network"])
def test_dry_run_checks_all_that_it_can_and_sends_nothing(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch, circumstance: str
) -> None:
    if circumstance == "no credentials":
        monkeypatch.delenv("KAGGLE_API_TOKEN")
    if circumstance == "no network":
        monkeypatch.setenv("HTTP_PROXY", "http://user:passw0rd@127.0.0.1:9")
    done = houseprices("submit", "--dry-run")
    assert (done.exit_code, done.out) == (0, "dry run: nothing was sent\n")
    assert "40 prices, fit for Kaggle" in done.err
    asked = circumstance == "reachable"
    assert (("Kaggle would take it as" in done.err), ("Kaggle not asked" in done.err)) == (asked, not asked)
    assert server.calls == (["IntrospectToken", "GetCompetition", "GetSubmissionLimits"] if asked else [])
    assert not Path("submissions").exists()


def test_file_of_unknown_origin_has_no_cross_validated_score(server: KaggleServer, houseprices: Command) -> None:
    Path("mine.csv").write_text("\n".join(["Id,SalePrice", *ROWS]))
    done = houseprices("submit", "--file", "mine.csv", "--message", "by hand")
    assert (done.exit_code, done.out) == (0, "public score 0.12345, rank 3; cross-validation unknown\n")
    assert server.submissions[0]["description"].startswith("by hand | mine.csv, CV unknown, code 0.1.0")
    [entry] = ledger()
    assert (entry.file, entry.run, entry.cv_log_rmse) == ("mine.csv", None, None)


def test_run_on_the_synthetic_sample_is_refused_however_it_is_named(server: KaggleServer, houseprices: Command) -> None:
    write_run(Path("runs/synthetic"), kind="sample", price=170_000)
    Path("copy.csv").write_bytes(Path("runs/synthetic/submission.csv").read_bytes())
    for tokens in ((), ("synthetic",), ("--file", "runs/synthetic/submission.csv"), ("--file", "copy.csv")):
        error = houseprices("submit", *tokens).error
        assert error.startswith("runs/synthetic: trained on the synthetic sample")
    assert (server.calls, server.uploads, ledger()) == ([], [], [])


def test_same_prices_are_submitted_twice_only_on_demand(server: KaggleServer, houseprices: Command) -> None:
    assert houseprices("submit").exit_code == 0
    n_calls = len(server.calls)
    assert houseprices("submit").error == (
        f"runs/first/submission.csv: these very prices were submitted at {ledger()[0].submitted_utc} "
        "(complete: 0.12345); --again submits them again"
    )
    assert len(server.calls) == n_calls
    assert houseprices("submit", "--again").exit_code == 0
    assert len(ledger()) == len(server.submissions) == 2
    assert len({submission["description"] for submission in server.submissions}) == 2


@pytest.mark.parametrize(
    ("tokens", "exit_code", "line"),
    [
        (("none",), 1, "none: no such folder; accepted: "),
        (("--file", "none.csv"), 1, "none.csv: no such file; accepted: "),
        (("--run", "a", "--file", "b"), 2, "--run and --file are both given; accepted: one of them"),
    ],
)
def test_wrong_choice_is_one_line(houseprices: Command, tokens: tuple[str, ...], exit_code: int, line: str) -> None:
    done = houseprices("submit", *tokens)
    assert (done.exit_code, done.error.startswith(line)) == (exit_code, True)


def test_csv_changed_after_its_run_and_a_missing_test_file_are_named(houseprices: Command) -> None:
    Path("data/raw/test.csv").unlink()
    assert houseprices("submit").error.startswith("data/raw/test.csv: no such file")
    RUN_CSV.write_bytes(RUN_CSV.read_bytes() + b"\n")
    assert houseprices("submit").error.startswith("runs/first/submission.csv: changed since the run wrote it")


# ---- forms of a submission's file ----


@pytest.mark.parametrize(
    ("header", "row", "understood"),
    [
        (",Id,SalePrice", "{number},{house},{price}", "the header ',Id,SalePrice' is read as Id,SalePrice"),
        ("Unnamed: 0,Id,SalePrice", "{number},{house},{price}", "the header 'Unnamed: 0,Id,SalePrice' is read as"),
        ("Id,SalePrice", "{house}.0,{price}", "Id 61.0 is read as a whole number"),
        ("SalePrice,Id", "{price},{house}", "the header 'SalePrice,Id' is read as Id,SalePrice"),
        ("id,saleprice", "{house},{price}", "the header 'id,saleprice' is read as Id,SalePrice"),
        ("Id;SalePrice", "{house};{comma}", "the columns are separated by semicolons"),
        ("\ufeffId,SalePrice", "{house}, {price}", ""),
    ],
    ids=["index", "unnamed index", "float Ids", "swapped", "lower case", "semicolons", "byte order mark"],
)
def test_each_form_is_sent_in_kaggles_own_and_known_as_the_runs_beside_a_damaged_run(
    server: KaggleServer, houseprices: Command, header: str, row: str, understood: str
) -> None:
    write_run(Path("runs/damaged"))
    Path("runs/damaged/manifest.json").write_text("{")
    price = {"price": "150000.5", "comma": "150000,5"}
    rows = [row.format(number=number, house=house, **price) for number, house in enumerate(HOUSES)]
    Path("mine.csv").write_text("\r\n".join([header, *rows]), "utf-8")
    done = houseprices("submit", "--file", "mine.csv")
    assert done.exit_code == 0
    assert understood in done.err
    assert ("mine.csv: the " in done.err or "is read as" in done.err) == bool(understood)
    assert server.uploads == [RUN_CSV.read_bytes()]
    assert [(entry.file, entry.run, entry.cv_log_rmse) for entry in ledger()] == [("mine.csv", "runs/first", 0.12)]
    assert "these very prices were submitted" in houseprices("submit", "first").error


BAD_PRICES, BAD_IDS = ("nan", "inf", "-1", "", "1_0", "１", "1e999"), ("６１", "61.5", "", "-61")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the file is empty; accepted: "),
        (ROWS, "the header is '61,150000'; accepted: Id,SalePrice"),
        (["Id,ID,SalePrice", *(f"1,{row}" for row in ROWS)], "the header is 'Id,ID,SalePrice'; accepted: Id,SalePrice"),
        (["Id,SalePrice", *ROWS[1:]], "no price for 1 of the test table's Ids: 61"),
        (["Id,SalePrice", *ROWS, "61,1"], "line 42: Id 61 stands here for the second time"),
        (["Id,SalePrice", *ROWS, "7,1"], "1 Ids are not in the test table: 7"),
        *(
            (["Id,SalePrice", *ROWS[1:], f"61,{bad}"], f"line 41: SalePrice is {bad!r}; accepted: ")
            for bad in BAD_PRICES
        ),
        *((["Id,SalePrice", *ROWS[1:], f"{bad},1"], f"line 41: Id is {bad!r}; accepted: ") for bad in BAD_IDS),
        (["Id,SalePrice", *ROWS[1:], "61,1,2"], "line 41 has 3 fields; accepted: 2"),
        (["Id,SalePrice", *(f"{house},11.9" for house in HOUSES)], "look like logarithms; accepted: dollars"),
        (["Id,SalePrice", *(f"{house},180" for house in HOUSES)], "the median price is 180; accepted: dollars, not th"),
    ],
)
def test_faulty_csv_is_refused_before_anything_is_sent(
    server: KaggleServer, houseprices: Command, lines: list[str], message: str
) -> None:
    Path("mine.csv").write_text("\n".join(lines), "utf-8")
    assert message in houseprices("submit", "--file", "mine.csv").error
    assert (server.calls, ledger()) == ([], [])


# ---- Kaggle refuses ----


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ({"has_entered": False}, "the competition's rules are not accepted; accept them at https://www.kaggle.com/"),
        ({"is_closed": True}, "the competition takes no submissions at present"),
        (
            {"limits": {"numToday": 10, "numTotal": 12, "numAllowedNow": 0}},
            "the daily limit of submissions is used up (10 today); it resets at 00:00 UTC, in ",
        ),
        (
            {"limits": {"numToday": 0, "numTotal": 99, "numAllowedNow": 0, "limitedByTotal": True}},
            "the team has used all the submissions it will ever have (99)",
        ),
    ],
)
def test_account_that_may_not_submit_uploads_nothing(
    server: KaggleServer, houseprices: Command, state: dict[str, Any], line: str
) -> None:
    vars(server).update(state)
    assert houseprices("submit").error.startswith(line)
    assert (server.uploads, ledger()) == ([], [])
    vars(server).update(has_entered=True, is_closed=False, limits={})  # no team before the first submission
    assert houseprices("submit").exit_code == 0


@pytest.mark.parametrize("fault", [drop, status(403, "no"), status(500)])
def test_failed_upload_submits_nothing(server: KaggleServer, houseprices: Command, fault: Fault) -> None:
    server.faults["Upload"] = [fault] * 9
    assert houseprices("submit").error.startswith(("no connection to Kaggle", "Kaggle's storage refused the upload"))
    assert (server.submissions, ledger()) == ([], [])
    server.faults["Upload"] = [drop]
    assert houseprices("submit").exit_code == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(400, "Submission not allowed: used its daily allowance"), "the daily limit of submissions is used up"),
        (status(400, "Bad file", nested=True), "Kaggle refused (400) (Bad file)"),
        (status(401, "no"), "Kaggle rejected the credentials"),
        (status(429, "slow"), "Kaggle asks to slow down (429)"),
    ],
)
def test_refused_submission_leaves_no_entry(
    server: KaggleServer, houseprices: Command, fault: Fault, words: str
) -> None:
    server.faults["CreateSubmission"] = [fault]
    assert houseprices("submit").error.startswith(words)
    assert (server.calls.count("CreateSubmission"), server.submissions, ledger()) == (1, [], [])


# ---- the call that counts ----


NO_NUMBER = page(200, "{}", "application/json")


@pytest.mark.parametrize("fault", [drop, status(503), page(500), page(200), stall, NO_NUMBER])
def test_lost_answer_is_found_in_the_list_or_stays_unconfirmed_and_is_never_sent_twice(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    server.faults["CreateSubmission"] = [drop_after_acting]
    assert houseprices("submit").exit_code == 0
    assert (server.calls.count("CreateSubmission"), len(server.submissions)) == (1, 1)
    assert [(entry.ref, entry.status) for entry in ledger()] == [(56073537, "complete")]

    monkeypatch.setattr(client, "TIMEOUT_S", (5, 0.3))
    LEDGER.unlink()
    server.submissions.clear()
    server.faults["CreateSubmission"] = [fault] * 9
    assert "it was not sent twice: `make ledger ARGS=--refresh` looks again" in houseprices("submit").error
    assert [(entry.ref, entry.status) for entry in ledger()] == [(None, "unconfirmed")]
    assert "(unconfirmed: `make ledger ARGS=--refresh` asks for its score)" in houseprices("submit").error
    assert server.calls.count("CreateSubmission") == 2


def test_ledger_that_cannot_be_written_stops_before_the_call(server: KaggleServer, houseprices: Command) -> None:
    Path("submissions").touch()
    assert houseprices("submit").error.startswith("submissions/ledger.jsonl: ")
    assert "CreateSubmission" not in server.calls


@pytest.mark.parametrize(
    ("method", "n_entries", "words"),
    [
        ("upload", 0, "interrupted; nothing was written"),
        ("create_submission", 1, "interrupted while submitting; `make ledger ARGS=--refresh` finds out"),
        ("wait_for_score", 1, "interrupted; submission 56073537 is made and noted: `make ledger ARGS=--refresh`"),
    ],
)
def test_interruption_leaves_an_entry_as_soon_as_the_submission_may_count(
    houseprices: Command, monkeypatch: pytest.MonkeyPatch, method: str, n_entries: int, words: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client.Kaggle, method, interrupt)
    done = houseprices("submit")
    assert (done.exit_code, done.error.startswith(words), len(ledger())) == (130, True, n_entries)


@pytest.mark.parametrize(("options", "n_sent"), [((), 1), (("--again",), 2)])
def test_two_processes_at_once_submit_the_same_prices_once(
    server: KaggleServer, houseprices: Command, options: tuple[str, ...], n_sent: int
) -> None:
    assert houseprices("submit").exit_code == 0
    [first] = ledger()

    def noted_by_another(handler: Any, body: bytes) -> None:
        note(first, LEDGER)
        handler.serve(body)

    LEDGER.unlink()
    server.faults["Upload"] = [noted_by_another]
    done = houseprices("submit", *options)
    assert (len(server.submissions), len(ledger()), done.exit_code) == (n_sent, n_sent, 2 - n_sent)


# ---- the score ----


LATE = "submission 56073537 is made and noted, and has no score after 0.3 s"


@pytest.mark.parametrize(
    ("answer", "status", "line"),
    [
        (
            {"status": "ERROR", "errorDescription": "no\nkey"},
            "error",
            "Kaggle could not score submission 56073537: no key",
        ),
        ({"status": "PENDING"}, "pending", LATE),
        ({"status": "COMPLETE", "publicScore": ""}, "pending", LATE),
    ],
)
def test_submission_without_a_score_fails_with_the_reason_or_by_the_deadline(
    server: KaggleServer, houseprices: Command, monkeypatch: pytest.MonkeyPatch, answer: Any, status: str, line: str
) -> None:
    monkeypatch.setattr(client, "SCORE_S", 0.3)
    server.script = [answer]
    assert houseprices("submit").error.startswith(line)
    assert [(entry.ref, entry.status) for entry in ledger()] == [(56073537, status)]


def test_score_that_cannot_be_asked_for_says_that_the_submission_is_made(
    server: KaggleServer, houseprices: Command
) -> None:
    server.faults["GetSubmission"] = [page(502), drop]
    assert houseprices("submit").exit_code == 0
    server.faults["GetSubmission"] = [page(500)] * 9
    assert houseprices("submit", "--again").error.startswith("submission 56073538 is made and noted, but its score")
    assert [(entry.ref, entry.status) for entry in ledger()] == [(56073537, "complete"), (56073538, "pending")]


@pytest.mark.parametrize(("score", "rank"), [("0.1", 1), ("0.11", 1), ("0.125", 3), ("0.2", 5), ("0.13", "unknown")])
def test_rank_counts_better_teams_over_all_pages_and_a_failing_leaderboard_costs_the_rank_only(
    server: KaggleServer, houseprices: Command, score: str, rank: object
) -> None:
    server.script = [{"status": "COMPLETE", "publicScore": score}]
    server.faults["GetLeaderboard"] = [page(500)] * 9 if rank == "unknown" else []
    assert f", rank {rank}; " in houseprices("submit").out
