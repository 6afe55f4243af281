"""A search: its trials, its finalists, killed and gone on with, refused, shown."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from houseprices.cli import main
from houseprices.errors import RunError
from houseprices.selection import tune as tuning
from houseprices.selection.bias_correction import Score, corrected_score, greedy_ensemble
from houseprices.selection.held_out import by_repeat, log_price_of, read_cached
from houseprices.selection.search_space import Space, read_space
from houseprices.selection.tune import Finalist, SearchResult, open_study, show, tune
from houseprices.settings import Settings, load_settings

STORAGE = Path("search/journal")
BATCH = 8
OPTIONS: dict[str, Any] = {"storage": STORAGE, "batch": BATCH, "max_ensemble": 5}
N_TRIALS = BATCH + 2

SPACE = """
depth = [0, 1]
width = [4, 8]
learning_rate = { low = 3e-3, high = 3e-2, log = true }
dropout = { low = 0.05, high = 0.4 }
loss = ["huber", "student_t"]
"""


@pytest.fixture
def space(place) -> Space:
    Path("space.toml").write_text(SPACE, "utf-8")
    return read_space(Path("space.toml"))


@pytest.fixture
def searched(space, data_folder, fast_settings):
    """Search with some settings."""

    def run(
        n_trials: int = N_TRIALS, storage: Path = STORAGE, settings: Settings = fast_settings, batch: int = BATCH
    ) -> SearchResult:
        return tune(data_folder, settings, space, n_trials, storage=storage, batch=batch, max_ensemble=5)

    return run


def kept(storage: Path = STORAGE) -> list[tuple[dict, bytes]]:
    """Parameters and predictions, trial by trial."""
    folder = storage.with_name(f"{storage.name}-predictions")
    with open_study(storage) as study:
        trials = study.get_trials(states=(TrialState.COMPLETE,))
    return [(trial.params, read_cached(folder, trial.user_attrs["predictions"]).tobytes()) for trial in trials]


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def run_command(*arguments: str, command: str = "tune") -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        main([command, *arguments])
    return exit_info.value.code


# ---- the trials ----


def test_the_best_trial_has_the_lowest_score_and_is_corrected_by_resampling(searched, houses):
    result = searched()
    log_price = log_price_of(houses)
    in_folds = [np.frombuffer(prediction) for _, prediction in kept()]
    predictions = np.stack([by_repeat(prediction, len(log_price)) for prediction in in_folds])
    rmse = np.sqrt(((predictions - log_price) ** 2).mean(axis=2)).mean(axis=1)
    assert result.best == int(rmse.argmin())
    assert result.score.rmse == pytest.approx(rmse.min(), rel=1e-6)
    corrected, shares = corrected_score(predictions, log_price, greedy_ensemble(predictions, log_price, 1))
    assert result.corrected.rmse == pytest.approx(corrected.rmse, rel=1e-5)
    assert result.share == pytest.approx(shares[result.best,], abs=0.02)
    assert result.corrected.rmse > result.score.rmse
    assert result.n_trials == N_TRIALS


@pytest.mark.parametrize(
    ("text", "good", "reason"),
    [
        ('learning_rate = [1e-2, 1e30]\nloss = ["huber"]\nactivation = ["relu"]', ("learning_rate", 1e-2), "diverged"),
        ("depth = [2]\nwidth = [4, 2000000000]", ("width_1", 4), "GB of memory"),
    ],
)
def test_a_trial_that_fails_is_one_line_and_the_search_goes_on(text, good, reason, place, data_folder, fast_settings):
    Path("space.toml").write_text(text, "utf-8")
    lines: list[str] = []

    def notify(report) -> None:
        text = getattr(report, "text", "")
        lines.extend([text] if " failed: " in text else [])

    for _ in range(2):  # nothing is tried again
        result = tune(data_folder, fast_settings, read_space(Path("space.toml")), 6, **OPTIONS, notify=notify)
        assert len(lines) == result.n_failed == 6 - result.n_trials > 0
    assert all(reason in line and "\n" not in line for line in lines)
    assert result.settings[good[0]] == good[1]


# ---- the finalists and the recommendation ----


def test_compare_takes_a_finalists_file_and_trains_none_of_it_again(searched, data_folder, fast_config, capsys):
    result = searched()
    assert [finalist.name for finalist in result.finalists][:2] == ["base", "best trial"]
    before = files(Path("runs/compare/predictions"))
    for finalist in result.finalists[1:]:
        models = load_settings(Path(finalist.config)).models
        assert list(models) == [f"trial_{number}" for number in finalist.trials]
        best = models[f"trial_{result.best}"]
        assert (best.dropout, best.loss) == (result.settings["dropout"], result.settings["loss"])
        assert (len(best.hidden), best.n_members) == (result.settings["depth"], 2)  # n_members as the base has
        assert finalist.corrected.rmse > finalist.score.rmse
        arguments = ["--data", str(data_folder), "--config", str(fast_config), "--against", finalist.config, "--json"]
        assert run_command(*arguments, command="compare") == 0
        scores = json.loads(capsys.readouterr().out)["scores"]["rmse"]
        assert scores["first"] == pytest.approx(result.finalists[0].score.rmse)
        assert scores["second"] == pytest.approx(finalist.score.rmse)
    assert files(Path("runs/compare/predictions")) == before


@pytest.mark.parametrize(
    ("base", "trial", "ensemble", "line"),
    [
        (0.1164, 0.1216, 0.1475, "Nothing found is better than the base (RMSE 0.1164): keep it."),
        (0.1300, 0.1216, 0.1475, "The best trial is best (RMSE 0.1216, the base 0.1300)."),
        (0.1300, 0.1216, 0.1164, "The ensemble is best (RMSE 0.1164, the base 0.1300)."),
    ],
)
def test_what_is_best_after_the_correction_is_recommended(base, trial, ensemble, line, capsys, monkeypatch):
    found = Score(0.01, 0.01)  # before the correction every finalist looks alike
    finalists = [
        Finalist(name, (), Score(rmse, 0.1) if name == "base" else found, Score(rmse, 0.1), config)
        for name, rmse, config in (
            ("base", base, ""), ("best trial", trial, "trial.toml"), ("ensemble", ensemble, "ensemble.toml"),
        )
    ]  # fmt: skip
    result = SearchResult(STORAGE, 2, 0, 1, {}, found, found, 1.0, finalists)
    monkeypatch.setattr(tuning, "show", lambda *_: result)
    assert run_command("--show") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == line
    assert (f"--against {result.recommended.config}" in printed[1]) == ("Nothing" not in line)


# ---- killed, and gone on with ----


class Killed(BaseException):
    pass


def test_a_search_killed_at_any_step_comes_to_what_an_undisturbed_one_finds(searched, fast_settings, monkeypatch):
    """Killed before or after any write to the journal, time and again; with another number of workers."""
    searched(N_TRIALS, storage=Path("undisturbed/journal"), settings=replace(fast_settings, workers=3), batch=3)
    from optuna.storages.journal import JournalFileBackend

    budget = [0]
    write = JournalFileBackend.append_logs

    def append_logs(backend, logs) -> None:
        budget[0] -= 1
        if budget[0] < 0:
            raise Killed
        write(backend, logs)

    monkeypatch.setattr(JournalFileBackend, "append_logs", append_logs)
    rng, n_kills = random.Random(1), 0
    while True:
        budget[0] = rng.randint(3, 50)
        try:
            result = searched(N_TRIALS, batch=3)
        except Killed:
            n_kills += 1
        else:
            break
    assert n_kills > 3
    assert result.n_trials == N_TRIALS
    assert kept() == kept(Path("undisturbed/journal"))
    with open_study(STORAGE) as study:
        assert {trial.state.name for trial in study.trials} == {"COMPLETE", "FAIL"}


def test_a_killed_process_and_ctrl_c_leave_a_search_that_goes_on(searched, data_folder, fast_config):
    command = [sys.executable, "-m", "houseprices", "tune", "--data", str(data_folder), "--config", str(fast_config)]
    command += ["--space", "space.toml", "--trials", "100", "--storage", str(STORAGE)]
    for order in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        predictions = STORAGE.with_name("journal-predictions")
        n_before = len(list(predictions.glob("*.npz")))
        while process.poll() is None and len(list(predictions.glob("*.npz"))) < n_before + 2:
            time.sleep(0.01)
        process.send_signal(order)
        message = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert message.splitlines()[-1].endswith("are kept in search/journal, and the same command goes on")
    assert "Traceback" not in message
    n_finished = len(kept())
    assert searched(n_finished + 1).n_trials == n_finished + 1


def test_more_trials_go_on_where_fewer_ended_and_a_torn_line_is_forgotten(searched):
    searched(3)
    first = kept()
    with STORAGE.open("ab") as stream:  # as a power cut may tear it
        stream.write(STORAGE.read_bytes().splitlines()[-1][:20])
    assert searched(5).n_trials == 5
    assert kept()[:3] == first
    assert searched(2).n_trials == 5


# ---- shown, and refused ----


def test_show_needs_no_data_and_changes_nothing(searched, data_folder, capsys):
    result = searched(3)
    for file in data_folder.iterdir():
        file.unlink()
    before = files(Path())
    assert show(STORAGE) == result
    assert run_command("--show", "--storage", str(STORAGE)) == 0
    assert files(Path()) == before
    printed = capsys.readouterr().out
    assert f"trial {result.best}, chosen on" in printed
    assert f"{result.corrected.rmse:.4f}" in printed


@pytest.mark.parametrize("difference", ["space", "base", "data", "batch", "code"])
def test_a_search_goes_on_only_as_it_began(
    difference, searched, space, data_folder, fast_settings, raw_train, write_csv, monkeypatch
):
    searched(1)
    before = files(STORAGE.parent)
    if difference == "space":
        Path("space.toml").write_text(SPACE.replace("0.4", "0.5"), "utf-8")
        space = read_space(Path("space.toml"))
    elif difference == "base":
        fast_settings = replace(fast_settings, seed=7)
    elif difference == "data":
        write_csv(raw_train.iloc[1:], "data/train.csv")
    elif difference == "code":
        monkeypatch.setattr(tuning, "code_digest", lambda *_: "other code")
    with pytest.raises(RunError, match=f"its search has another {difference} .*; accepted: the one it began with"):
        tune(data_folder, fast_settings, space, 2, **OPTIONS | ({"batch": 9} if difference == "batch" else {}))
    assert files(STORAGE.parent) == before


@pytest.mark.parametrize(
    "content", [b"a letter to a friend", b"one\ntwo\n", b'{"op_code": 99}\n', b"\xff\x00\n", b"{}\n"]
)
def test_a_file_that_is_no_journal_is_refused_and_left_alone(content, space, data_folder, fast_settings):
    STORAGE.parent.mkdir()
    STORAGE.write_bytes(content)
    with pytest.raises(RunError, match="accepted: a journal that `houseprices tune` wrote, or a new file"):
        tune(data_folder, fast_settings, space, 1, **OPTIONS)
    assert STORAGE.read_bytes() == content


def test_two_processes_do_not_search_in_one_storage(searched):
    searched(1)
    with open_study(STORAGE, {}), pytest.raises(RunError, match="another process searches with it"):
        searched(1)


def test_damaged_predictions_are_named(searched):
    searched(1)
    [file] = STORAGE.with_name("journal-predictions").glob("*.npz")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RunError, match=rf"{file.name}: missing or damaged"):
        show(STORAGE)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--models.tiny.lr", "1"], 2, "lr is unknown"),
        (["--space", "nowhere.toml"], 2, "nowhere.toml: No such file"),
        (["--storage", "folder"], 1, "folder: is a folder"),
        (["--data", "nowhere"], 1, "nowhere: no such folder"),
        (["--show", "--space", "space.toml"], 2, "--show stands beside other options"),
        (["--show"], 1, "search.journal: No such file or directory; accepted"),
    ],
)
def test_wrong_input_is_refused_in_one_line(place, data_folder, fast_config, capsys, arguments, code, message):
    Path("folder").mkdir()
    data = [] if {"--data", "--show"} & set(arguments) else ["--data", str(data_folder), "--config", str(fast_config)]
    assert run_command(*data, *arguments) == code
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert os.listdir() == ["folder"]
