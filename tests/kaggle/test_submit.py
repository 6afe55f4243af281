"""`houseprices submit` against the stand-in: the line the user sees, the exit code, and what the ledger says."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from kaggle_fixtures import Command, ledger, write_run
from kaggle_server import (
    TOKEN,
    KaggleServer,
    drop,
    drop_after_acting,
    page,
    stall,
    status,
)

from houseprices.kaggle import competition
from houseprices.kaggle.ledger import LEDGER, add_entry
from houseprices.kaggle.submission_check import check_submission

RULES_PAGE = "https://www.kaggle.com/competitions/house-prices-advanced-regression-techniques/rules"


def only_line(text: str) -> str:
    """A complaint's single line, without the program's name."""
    lines = text.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("houseprices: ")


# ---- it works ----


def test_newest_run_is_uploaded_scored_ranked_and_noted(
    server: KaggleServer, houseprices: Command, run_folder: Path
) -> None:
    server.script = [{"status": "PENDING"}, {"status": "PENDING"}, {"status": "COMPLETE", "publicScore": "0.12345"}]
    done = houseprices("submit")
    assert (done.exit_code, done.err) == (0, "")
    message = server.submissions[0]["description"]
    assert message.startswith("run first, CV 0.12000, code 0.1.0+abc1234 [")
    assert done.out.splitlines() == [
        f"runs/first/submission.csv: 40 rows, uploading as {message!r}; 9 submissions left today",
        "submitted, Kaggle's number 56073537; noted in submissions/ledger.jsonl",
        "CV 0.12000, public score 0.12345 (+0.00345), rank 3",
    ]
    assert server.uploads == [(run_folder / "submission.csv").read_bytes()]
    [entry] = ledger()
    assert (entry.file, entry.run, entry.cv_log_rmse) == ("runs/first/submission.csv", "runs/first", 0.12)
    assert (entry.ref, entry.status, entry.public_score) == (56073537, "complete", 0.12345)
    assert entry.sha256 == json.loads((run_folder / "manifest.json").read_text())["outputs_sha256"]["submission.csv"]
    assert entry.message == message


def test_dry_run_asks_everything_and_sends_nothing(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    done = houseprices("submit", "--dry-run")
    assert (done.exit_code, done.err) == (0, "")
    fit, would = done.out.splitlines()
    assert fit == "runs/first/submission.csv: 40 rows, fit"
    assert would.startswith("Kaggle would take it as 'run first, CV 0.12000")
    assert would.endswith("dry run, nothing was sent")
    assert server.calls == ["IntrospectToken", "GetCompetition", "GetSubmissionLimits"]
    assert not Path("submissions").exists()


def test_a_dry_run_without_credentials_checks_against_the_runs_own_test_file(
    houseprices: Command, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    Path("data/raw/test.csv").rename(run_folder / "test.csv")
    done = houseprices("submit", "--dry-run")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == "runs/first/submission.csv: 40 rows, fit\nKaggle not asked: no credentials\n"
    sent = houseprices("submit")
    assert sent.exit_code == 1
    assert "without it no submission can be checked" in sent.err


def test_a_dry_run_without_a_network_does_too(
    houseprices: Command, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:passw0rd@127.0.0.1:9")
    done = houseprices("submit", "--dry-run")
    assert (done.exit_code, done.err) == (0, "")
    assert "40 rows, fit\nKaggle not asked: no connection to Kaggle" in done.out


def test_a_dry_run_of_prices_that_do_not_fit_fails_without_asking_anybody(
    server: KaggleServer, houseprices: Command, run_folder: Path
) -> None:
    (run_folder / "test.csv").write_text("Id\n61\n62\n", "utf-8")
    done = houseprices("submit", "--dry-run")
    assert done.exit_code == 1
    assert "Id 63 is not in the test file" in done.err
    assert server.calls == []


def test_a_file_of_unknown_origin_may_be_submitted(
    server: KaggleServer, houseprices: Command, run_folder: Path
) -> None:
    Path("mine.csv").write_text("\n".join(["Id,SalePrice", *ROWS]))
    done = houseprices("submit", "--file", "mine.csv", "--message", "by hand")
    assert done.exit_code == 0
    assert done.out.endswith("public score 0.12345, rank 3; CV unknown\n")
    assert server.submissions[0]["description"].startswith("by hand | mine.csv, CV unknown, code 0.1.0")
    [entry] = ledger()
    assert (entry.file, entry.run, entry.cv_log_rmse) == ("mine.csv", None, None)


def test_a_runs_own_file_given_by_name_keeps_its_score(houseprices: Command, run_folder: Path) -> None:
    assert houseprices("submit", "--file", str(run_folder / "submission.csv")).exit_code == 0
    assert ledger()[0].cv_log_rmse == 0.12


def test_a_copy_of_a_runs_file_is_known_again(houseprices: Command, run_folder: Path) -> None:
    Path("copy.csv").write_bytes((run_folder / "submission.csv").read_bytes())
    assert houseprices("submit", "--file", "copy.csv").exit_code == 0
    [entry] = ledger()
    assert (entry.file, entry.run, entry.cv_log_rmse) == ("copy.csv", "runs/first", 0.12)
    write_run(Path("runs/synthetic"), kind="sample", price=170_000)
    Path("copy.csv").write_bytes(Path("runs/synthetic/submission.csv").read_bytes())
    refused = houseprices("submit", "--file", "copy.csv")
    assert refused.exit_code == 1
    assert only_line(refused.err).startswith("runs/synthetic: trained on the synthetic sample")


def test_no_wait_leaves_the_score_to_refresh(houseprices: Command, run_folder: Path) -> None:
    done = houseprices("submit", "--no-wait")
    assert done.exit_code == 0
    assert done.out.endswith("not waiting; `houseprices ledger --refresh` brings the score\n")
    assert [(entry.status, entry.public_score) for entry in ledger()] == [("pending", None)]
    assert houseprices("ledger", "--refresh").exit_code == 0
    assert [(entry.status, entry.public_score) for entry in ledger()] == [("complete", 0.12345)]


def test_the_ledger_is_written_before_the_wait(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(competition.Kaggle, "wait_for_score", interrupted)
    done = houseprices("submit")
    assert done.exit_code == 130
    assert only_line(done.err) == (
        "interrupted; submission 56073537 is made and noted: `houseprices ledger --refresh` brings its score"
    )
    assert [(entry.ref, entry.status) for entry in ledger()] == [(56073537, "pending")]


def test_a_leaderboard_that_fails_costs_the_rank_only(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    server.faults["GetLeaderboard"] = [page(500)] * 9
    done = houseprices("submit")
    assert done.exit_code == 0
    assert done.out.endswith("public score 0.12345 (+0.00345), rank unknown\n")


@pytest.mark.parametrize(("score", "rank"), [("0.1", 1), ("0.11", 1), ("0.125", 3), ("0.2", 5)])
def test_rank_counts_better_teams_over_all_pages(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
    score: str,
    rank: int,
) -> None:
    server.script = [{"status": "COMPLETE", "publicScore": score}]
    assert houseprices("submit").out.endswith(f"rank {rank}\n")


# ---- refused before anything leaves ----


def test_a_run_on_the_synthetic_sample_is_refused(server: KaggleServer, houseprices: Command, run_folder: Path) -> None:
    write_run(Path("runs/synthetic"), kind="sample")
    for tokens in ((), ("--run", "runs/synthetic"), ("--file", "runs/synthetic/submission.csv")):
        if tokens[:1] == ("--file",):
            # The file is byte for byte that of the other run, but it stands in this one.
            assert (run_folder / "submission.csv").read_bytes() == Path(tokens[1]).read_bytes()
        done = houseprices("submit", *tokens)
        assert done.exit_code == 1
        assert only_line(done.err).startswith("runs/synthetic: trained on the synthetic sample")
    assert (server.calls, server.uploads, ledger()) == ([], [], [])


def test_a_repetition_says_when_and_what_it_scored(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    assert houseprices("submit").exit_code == 0
    n_calls = len(server.calls)
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err) == (
        f"runs/first/submission.csv: this very file was submitted at {ledger()[0].submitted_utc} (scored 0.12345); "
        "--again submits it again"
    )
    assert len(server.calls) == n_calls
    assert houseprices("submit", "--again").exit_code == 0
    assert len(ledger()) == len(server.submissions) == 2


def test_a_missing_test_file_is_named(houseprices: Command, run_folder: Path) -> None:
    Path("data/raw/test.csv").unlink()
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err) == (
        "data/raw/test.csv: no such file, and without it no submission can be checked; run `make download`"
    )


@pytest.mark.parametrize(
    ("tokens", "exit_code", "line"),
    [
        (
            ("--run", "runs/none"),
            1,
            "runs/none: no such folder; accepted: a folder that `houseprices cv` has written, or a run's name in runs/",
        ),
        (("--file", "none.csv"), 1, "none.csv: no such file; accepted: a CSV file with Id,SalePrice"),
        (("--run", "a", "--file", "b"), 2, "--run and --file are both given; accepted: one of them"),
    ],
)
def test_a_wrong_choice_is_one_line(houseprices: Command, tokens: tuple[str, ...], exit_code: int, line: str) -> None:
    done = houseprices("submit", *tokens)
    assert (done.exit_code, only_line(done.err)) == (exit_code, line)


def test_without_any_run_the_way_to_one_is_named(houseprices: Command) -> None:
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err).startswith("runs/latest: there is no run yet; `make cv` makes one")


def test_a_csv_changed_after_its_run_is_refused(houseprices: Command, run_folder: Path) -> None:
    with (run_folder / "submission.csv").open("a") as stream:
        stream.write("\n")
    assert only_line(houseprices("submit").err).startswith("runs/first/submission.csv: changed since the run wrote it")


ROWS = [f"{house},150000" for house in range(61, 101)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "the file is empty; accepted: the header Id,SalePrice and one line a house"),
        ("\n".join(ROWS), "the header is '61,150000'; accepted: Id,SalePrice"),
        ("\n".join(["\ufeffId,SalePrice", *ROWS]), "the header is '\\ufeffId,SalePrice'; accepted: Id,SalePrice"),
        ("\n".join(["Id,SalePrice", *ROWS[1:]]), "no price for 1 of the test file's Ids: 61"),
        ("\n".join(["Id,SalePrice", *ROWS, "61,1"]), "line 42: Id 61 stands here for the second time"),
        ("\n".join(["Id,SalePrice", *ROWS, "7,1"]), "line 42: Id 7 is not in the test file"),
        ("\n".join(["Id,SalePrice", *ROWS[1:], "61,nan"]), "line 41: SalePrice is 'nan'; accepted: a finite number"),
        ("\n".join(["Id,SalePrice", *ROWS[1:], "61,-1"]), "line 41: SalePrice is '-1'; accepted: a finite number"),
        ("\n".join(["Id,SalePrice", *ROWS[1:], "61,"]), "line 41: SalePrice is ''; accepted: a finite number above 0"),
        ("\n".join(["Id,SalePrice", *ROWS[1:], "61,1_000_00"]), "line 41: SalePrice is '1_000_00'; accepted: a finite"),
        (
            "\n".join(["Id,SalePrice", *ROWS[1:], "61,１００"]),
            "line 41: SalePrice is '１００'; accepted: a finite number",
        ),
        ("\n".join(["Id,SalePrice", *ROWS[1:], "６１,100"]), "line 41: Id is '６１'; accepted: a whole number"),
        ("\n".join(["Id,SalePrice", *ROWS[1:], "61,1,2"]), "line 41: 3 fields; accepted: 2, Id and SalePrice"),
        ("\n".join(["Id,SalePrice", *ROWS[1:], "61.0,1"]), "line 41: Id is '61.0'; accepted: a whole number"),
        (
            "\n".join(["Id,SalePrice", *(f"{house},11.9" for house in range(61, 101))]),
            "the median price is 11.9; accepted: dollars, not logarithms or thousands",
        ),
    ],
)
def test_a_faulty_csv_is_refused_here(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
    text: str,
    line: str,
) -> None:
    Path("mine.csv").write_text(text, "utf-8")
    done = houseprices("submit", "--file", "mine.csv")
    assert done.exit_code == 1
    assert only_line(done.err).startswith(f"mine.csv: {line}")
    assert (server.calls, ledger()) == ([], [])


def test_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("Id,SalePrice\r\n2,200000\r\n1,100000\r\n")
    assert check_submission(file, [1, 2]) == 2


# ---- Kaggle refuses before the upload ----


def test_rules_not_accepted_names_the_page(server: KaggleServer, houseprices: Command, run_folder: Path) -> None:
    server.has_entered = False
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err) == f"the competition's rules are not accepted; open {RULES_PAGE}, accept them"
    assert (server.uploads, ledger()) == ([], [])


def test_daily_limit_says_when_it_resets(server: KaggleServer, houseprices: Command, run_folder: Path) -> None:
    server.limits = {"numToday": 10, "numTotal": 12, "numAllowedNow": 0}
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err).startswith(
        "the daily limit of submissions is used up (10 today); it resets at 00:00 UTC, in "
    )
    assert (server.uploads, ledger()) == ([], [])


def test_a_closed_competition_and_a_used_up_total_are_named(
    server: KaggleServer, houseprices: Command, run_folder: Path
) -> None:
    server.limits = {"numToday": 0, "numTotal": 99, "numAllowedNow": 0, "limitedByTotal": True}
    assert only_line(houseprices("submit").err) == ("the team has used all the submissions it will ever have (99)")
    server.is_closed = True
    assert only_line(houseprices("submit").err) == "the competition takes no submissions at present"
    assert (server.uploads, ledger()) == ([], [])


def test_a_first_submission_is_not_taken_for_a_used_up_limit(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    server.limits = {}
    assert houseprices("submit").exit_code == 0


def test_without_credentials_nothing_is_noted(
    houseprices: Command,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    done = houseprices("submit")
    assert done.exit_code == 1
    assert len(done.err.splitlines()) == 4
    assert "mirror" not in done.err
    assert ledger() == []


# ---- the upload fails ----


@pytest.mark.parametrize(
    ("call", "fault", "words"),
    [
        ("StartSubmissionUpload", status(403, "You must accept this competition's rules"), "rules are not accepted"),
        ("StartSubmissionUpload", status(404, "x"), "no competition"),
        ("StartSubmissionUpload", page(500), "Kaggle's server failed (500)"),
        ("StartSubmissionUpload", page(200), "the answer is not Kaggle's"),
        ("StartSubmissionUpload", drop, "no connection to Kaggle"),
        ("Upload", drop, "the upload broke off; nothing was submitted; try again"),
        ("Upload", stall, "the upload broke off; nothing was submitted; try again"),
        ("Upload", status(308), "Kaggle's storage refused the upload (308); nothing was submitted; try again"),
        ("Upload", status(403), "Kaggle's storage refused the upload (403); nothing was submitted; try again"),
        ("Upload", page(503), "Kaggle's storage refused the upload (503); nothing was submitted; try again"),
    ],
)
def test_a_failed_upload_is_one_line_and_notes_nothing(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
    patience: object,
    call: str,
    fault: object,
    words: str,
) -> None:
    patience(read_s=0.2)
    server.faults[call] = [fault] * 9
    done = houseprices("submit")
    assert done.exit_code == 1
    assert words in only_line(done.err)
    assert (server.submissions, ledger()) == ([], [])


@pytest.mark.parametrize("fault", [drop, page(503)])
def test_an_upload_cut_once_is_sent_again(
    server: KaggleServer, houseprices: Command, run_folder: Path, fault: object
) -> None:
    server.faults["Upload"] = [fault]
    assert houseprices("submit").exit_code == 0
    assert server.uploads == [(run_folder / "submission.csv").read_bytes()]


# ---- the one call that counts ----


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            status(
                400,
                "Submission not allowed: Your team has used its daily Submission allowance (10) today, please try "
                "again tomorrow UTC (3 hours from now).",
            ),
            "the daily limit of submissions is used up (Submission not allowed: Your team has used its daily "
            "Submission allowance (10) today, please try again tomorrow UTC (3 hours from now).); it resets at 00:00",
        ),
        (status(400, "Bad file", nested=True), "Kaggle refused (400) (Bad file)"),
        (status(400), "Kaggle refused (400) without giving a reason"),
        (status(401, "no"), "Kaggle rejected the credentials"),
        (status(429, "slow"), "Kaggle asks to slow down (429)"),
    ],
)
def test_a_clear_no_leaves_no_entry(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
    fault: object,
    words: str,
) -> None:
    server.faults["CreateSubmission"] = [fault]
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err).startswith(words)
    assert server.calls.count("CreateSubmission") == 1
    assert (server.submissions, ledger()) == ([], [])


def test_a_lost_answer_is_found_in_the_list_and_never_sent_twice(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    server.faults["CreateSubmission"] = [drop_after_acting]
    done = houseprices("submit")
    assert (done.exit_code, done.err) == (0, "")
    assert server.calls.count("CreateSubmission") == 1
    assert len(server.submissions) == 1
    assert [(entry.ref, entry.status) for entry in ledger()] == [(56073537, "complete")]


@pytest.mark.parametrize("fault", [drop, page(500), page(502), page(200), page(500, "", "application/json"), stall])
def test_a_lost_answer_that_the_list_does_not_show_stays_unconfirmed(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
    patience: object,
    fault: object,
) -> None:
    patience(read_s=0.2)
    server.faults["CreateSubmission"] = [fault]
    done = houseprices("submit")
    assert done.exit_code == 1
    assert "it was not sent twice: `houseprices ledger --refresh` looks again" in only_line(done.err)
    assert server.calls.count("CreateSubmission") == 1
    assert [(entry.ref, entry.status) for entry in ledger()] == [(None, "unconfirmed")]
    again = houseprices("submit")
    assert again.exit_code == 1
    assert "on its way, or the answer was lost; `houseprices ledger --refresh` looks for it" in only_line(again.err)
    assert server.calls.count("CreateSubmission") == 1


def test_a_ledger_that_cannot_be_written_stops_before_the_one_call(
    server: KaggleServer, houseprices: Command, run_folder: Path
) -> None:
    Path("submissions").touch()
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err).startswith("submissions/ledger.jsonl: ")
    assert "CreateSubmission" not in server.calls


def test_an_interruption_before_the_one_call_leaves_nothing(
    server: KaggleServer, houseprices: Command, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(competition.Kaggle, "submit", interrupted)
    done = houseprices("submit")
    assert (done.exit_code, only_line(done.err)) == (130, "interrupted; nothing was written")
    assert (server.submissions, ledger()) == ([], [])


def test_an_interruption_in_the_middle_leaves_an_entry_to_look_for(
    server: KaggleServer, houseprices: Command, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    server.faults["CreateSubmission"] = [drop_after_acting]
    monkeypatch.setattr(competition.Kaggle, "find", interrupted)
    done = houseprices("submit")
    assert done.exit_code == 130
    assert only_line(done.err).startswith("interrupted in the middle of submitting; `houseprices ledger --refresh`")
    assert [entry.status for entry in ledger()] == ["unconfirmed"]


def test_of_two_at_once_only_one_goes_out_unless_again_is_said(
    server: KaggleServer, houseprices: Command, run_folder: Path
) -> None:
    assert houseprices("submit").exit_code == 0
    [first] = ledger()

    def noted_by_another(handler: Any, body: bytes) -> None:
        add_entry(first, LEDGER)
        handler.serve(body)

    for options, n_sent in (((), 1), (("--again",), 2)):
        LEDGER.unlink()
        server.faults["Upload"] = [noted_by_another]
        done = houseprices("submit", *options)
        assert len(server.submissions) == n_sent
        assert done.exit_code == (0 if options else 1)
        assert ("this very file was submitted at" in done.err) == (not options)
        assert len(ledger()) == n_sent


def test_an_answer_without_a_number_is_reconciled(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    server.faults["CreateSubmission"] = [page(200, '{"message": "Could not submit"}', "application/json")]
    done = houseprices("submit")
    assert done.exit_code == 1
    assert "lost" in only_line(done.err)
    assert [entry.status for entry in ledger()] == ["unconfirmed"]


def test_the_message_is_unique_even_for_the_same_file(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    for _ in range(3):
        assert houseprices("submit", "--again").exit_code == 0
    assert len({submission["description"] for submission in server.submissions}) == 3
    assert len({entry.ref for entry in ledger()}) == 3


# ---- the score ----


def test_error_shows_kaggles_reason(server: KaggleServer, houseprices: Command, run_folder: Path) -> None:
    server.script = [{"status": "ERROR", "errorDescription": "ERROR: Unable to find 1459\nrequired key values"}]
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err) == (
        "Kaggle could not score submission 56073537: ERROR: Unable to find 1459 required key values"
    )
    [entry] = ledger()
    assert (entry.status, entry.reason) == ("error", "ERROR: Unable to find 1459 required key values")


@pytest.mark.parametrize(
    "answer",
    [{"status": "PENDING"}, {"status": "COMPLETE", "publicScore": ""}, {"status": "BREWING"}],
    ids=["pending", "complete without a score", "unknown word"],
)
def test_a_score_that_stays_away_ends_by_the_deadline(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
    patience: object,
    answer: dict[str, str],
) -> None:
    patience(score_s=0.3)
    server.script = [answer]
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err) == (
        "submission 56073537 has no score after 0.3 s; it is made and noted: `houseprices ledger --refresh` brings its "
        "score"
    )
    assert [(entry.ref, entry.status) for entry in ledger()] == [(56073537, "pending")]


def test_polling_survives_a_hiccup(server: KaggleServer, houseprices: Command, run_folder: Path) -> None:
    server.faults["GetSubmission"] = [page(502), drop]
    assert houseprices("submit").exit_code == 0


def test_polling_that_fails_for_good_says_that_the_submission_is_made(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
) -> None:
    server.faults["GetSubmission"] = [page(500)] * 9
    done = houseprices("submit")
    assert done.exit_code == 1
    assert only_line(done.err).startswith("submission 56073537 is made and noted, but its score could not be asked for")
    assert [(entry.ref, entry.status) for entry in ledger()] == [(56073537, "pending")]


def test_two_at_once_lose_no_entry(houseprices: Command, run_folder: Path) -> None:
    from houseprices.kaggle.ledger import Entry, add_entry

    def add(start: int) -> None:
        for number in range(start, start + 20):
            add_entry(Entry("2026-01-31T12:00:00Z", "x.csv", "0" * 64, None, None, f"message {number}"))

    threads = [threading.Thread(target=add, args=(20 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry.message for entry in ledger()}) == 80


def test_debugging_variables_do_not_show_the_token(
    server: KaggleServer,
    houseprices: Command,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The fixture looks for credentials in all that was written; this only makes the client as talkative as it gets.
    monkeypatch.setenv("VERBOSE", "1")
    monkeypatch.setenv("VERBOSE_OUTPUT", "true")
    assert houseprices("submit").exit_code == 0
    server.faults["GetCompetition"] = [status(401, f"bad token {TOKEN}")]
    assert "bad token ***" in only_line(houseprices("submit", "--again").err)
