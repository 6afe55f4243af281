"""A search: stopped and gone on with, refused, shown; its committee; by the command line."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from houseprices.cli import main
from houseprices.cross_validation.fold import assign_folds, split_rows
from houseprices.data.schema import PRICE
from houseprices.data.table import read_houses
from houseprices.errors import RunError
from houseprices.selection.gate import HALVINGS_SEED, N_HALVINGS, halvings
from houseprices.selection.search import BATCH, SearchResult, constant_prediction, search, show
from houseprices.selection.search_journal import open_journal
from houseprices.selection.search_space import Space, read_space
from houseprices.settings import Settings, load_settings

STORAGE = Path("found/search.journal")
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
    """Search with some settings; afterwards what is kept of each trial."""

    def run(n_trials: int = N_TRIALS, storage: Path = STORAGE, settings: Settings = fast_settings) -> SearchResult:
        return search(data_folder, settings, space, n_trials, storage=storage)

    return run


def kept(storage: Path = STORAGE) -> list[tuple[dict, bytes]]:
    """What was found, trial by trial: settings and predictions."""
    with open_journal(storage, {}, to_read=True) as journal:
        return [(dict(trial.settings), trial.prediction.tobytes()) for trial in journal.finished()]


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def tune(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        main(["tune", *arguments])
    return exit_info.value.code


# ---- what is trained ----


def test_a_trial_is_scored_on_halves_that_its_networks_never_saw(searched, data_folder, raw_train, write_csv):
    """Other prices in one half of a halving change what the networks of the other half's houses learn, and no more."""
    searched(1)
    before = np.frombuffer(kept()[0][1], dtype=np.float32)
    raw_train[PRICE] = [str(2 * int(price)) if row < 2 else price for row, price in enumerate(raw_train[PRICE])]
    write_csv(raw_train, "data/train.csv")
    searched(1, storage=Path("other/search.journal"))
    after = np.frombuffer(kept(Path("other/search.journal"))[0][1], dtype=np.float32)
    n_rows = len(raw_train)
    same = (before == after).reshape(-1, n_rows)
    for place, one in enumerate(halvings(n_rows)):
        assert same[place // 2, one.held_out].all() == (not np.isin(np.arange(2), one.training).any())


def test_the_number_of_workers_changes_no_bit(searched, fast_settings):
    for workers in (1, 3):
        searched(storage=Path(f"{workers}/search.journal"), settings=replace(fast_settings, workers=workers))
    assert files(Path("1/search.journal-predictions")) == files(Path("3/search.journal-predictions"))
    assert kept(Path("1/search.journal")) == kept(Path("3/search.journal"))
    assert len(kept(Path("1/search.journal"))) == N_TRIALS


def test_the_best_is_the_lowest_and_its_correction_only_adds(searched, data_folder):
    found = searched()
    log_price = np.log(load_prices(data_folder))
    scores = []
    for _, prediction in kept():
        errors = np.frombuffer(prediction, dtype=np.float32).reshape(-1, len(log_price)) - log_price
        scores.append(np.sqrt((errors**2).mean(axis=1)).mean())
    assert found.best == int(np.argmin(scores))
    assert found.naive.whole == pytest.approx(min(scores), rel=1e-6)
    assert found.n_trials == N_TRIALS
    assert found.constant.whole == pytest.approx(constant_score(log_price), rel=1e-12)


def load_prices(folder: Path) -> np.ndarray:
    return read_houses(folder / "train.csv", priced=True)[PRICE].to_numpy(dtype=np.float64)


def constant_score(log_price: np.ndarray) -> float:
    of_halvings = []
    for fold_of_row in assign_folds(len(log_price), 2, N_HALVINGS, HALVINGS_SEED):
        squared = np.empty(len(log_price))
        for half in range(2):
            training, held_out = split_rows(fold_of_row, half)
            squared[held_out] = (log_price[held_out] - log_price[training].mean()) ** 2
        of_halvings.append(np.sqrt(squared.mean()))
    return float(np.mean(of_halvings))


def test_the_constant_is_the_mean_of_the_other_half():
    prices = np.random.default_rng(0).normal(size=10)
    prediction = constant_prediction(prices)
    assert np.sqrt(((prediction - prices) ** 2).mean(axis=1)).mean() == pytest.approx(constant_score(prices), rel=1e-12)


# ---- the committee ----


def test_the_committee_is_a_file_of_settings_with_the_trials_own(searched):
    found = searched()
    assert found.committee
    models = load_settings(found.committee.file).models
    assert list(models) == [f"trial_{number}" for number in found.committee.trials]
    assert found.committee.trials[0] == found.best
    best = models[f"trial_{found.best}"]
    for name, value in found.settings.items():
        assert getattr(best, name) == (tuple(value) if isinstance(value, list) else value)
    assert best.n_members == 2  # as the base has


def test_the_gate_takes_the_committee_and_trains_none_of_it_again(searched, data_folder, fast_config, capsys):
    file = searched().committee.file
    arguments = ["compare", "--data", str(data_folder), "--config", str(fast_config), "--against", str(file), "--json"]
    before = set(Path("runs/gate/predictions").iterdir())
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 0
    of_base = len(set(Path("runs/gate/predictions").iterdir()) - before)
    assert of_base == 20  # its one group on the halves
    assert json.loads(capsys.readouterr().out)["judgement"]["whole"]["second"] > 0


# ---- stopped, and gone on with ----


def test_a_search_killed_again_and_again_comes_to_what_one_in_peace_finds(searched, data_folder, fast_config):
    searched(storage=Path("peace/search.journal"))
    command = [sys.executable, "-m", "houseprices", "tune", "--data", str(data_folder), "--config", str(fast_config)]
    command += ["--space", "space.toml", "--trials", str(N_TRIALS), "--storage", str(STORAGE)]
    predictions = STORAGE.with_name("search.journal-predictions")
    kills = 0
    for n_files in (1, 4, N_TRIALS - 1):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        while process.poll() is None and len(list(predictions.glob("*.npy"))) < n_files:
            time.sleep(0.002)
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills  # at least one was in the middle
    subprocess.run(command, check=True, capture_output=True)
    assert kept() == kept(Path("peace/search.journal"))
    n_files = len(list(predictions.iterdir()))
    assert n_files == N_TRIALS  # nothing of the trials that were lost
    with open_journal(STORAGE, {}, to_read=True) as journal:
        states = [trial.state.name for trial in journal.study.trials]
    assert set(states) <= {"COMPLETE", "FAIL"}
    assert states.count("COMPLETE") == N_TRIALS


def test_ctrl_c_ends_it_in_one_line_and_the_same_command_goes_on(searched, data_folder, fast_config):
    command = [sys.executable, "-m", "houseprices", "tune", "--data", str(data_folder), "--config", str(fast_config)]
    command += ["--space", "space.toml", "--trials", "100", "--storage", str(STORAGE)]
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # whatever these tests are deaf to
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    while process.poll() is None and len(list(STORAGE.parent.glob("search.journal-predictions/*.npy"))) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert told.splitlines()[-1].endswith("are kept in found/search.journal, and the same command goes on")
    assert "Traceback" not in told
    assert searched(len(kept()) + 1).n_trials == len(kept())


def test_more_trials_go_on_where_fewer_ended_and_none_are_trained_twice(searched):
    searched(3)
    first = kept()
    assert searched(5).n_trials == 5
    assert kept()[:3] == first
    assert searched(2).n_trials == 5


def test_a_line_that_a_power_cut_has_torn_is_forgotten(searched):
    searched(2)
    first = kept()
    with STORAGE.open("ab") as stream:
        stream.write(STORAGE.read_bytes().splitlines()[-1][:20])
    assert searched(3).n_trials == 3
    assert kept()[:2] == first


def test_no_batch_is_begun_after_the_time_is_over(space, data_folder, fast_settings):
    for n_trials in (BATCH, 2 * BATCH):
        assert search(data_folder, fast_settings, space, 100, storage=STORAGE, timeout=1e-3).n_trials == n_trials


def test_a_trial_that_diverges_is_told_as_failed_and_counted(place, data_folder, fast_settings):
    Path("space.toml").write_text('learning_rate = [1e-2, 1e30]\nloss = ["huber"]\nactivation = ["relu"]', "utf-8")
    found = search(data_folder, fast_settings, read_space(Path("space.toml")), 3, storage=STORAGE)
    assert found.n_trials == 3
    assert found.n_diverged > 0
    assert found.settings["learning_rate"] == 1e-2


# ---- shown ----


def test_show_trains_and_changes_nothing(searched, data_folder, capsys):
    found = searched(3)
    before = files(Path())
    assert show(data_folder, STORAGE) == found
    assert tune("--show", "--data", str(data_folder), "--storage", str(STORAGE)) == 0
    assert files(Path()) == before
    out = capsys.readouterr().out
    assert f"best of 3 trials: {found.best}" in out
    assert f"{found.corrected.whole:.4f}" in out


# ---- refused ----


@pytest.mark.parametrize("what", ["space", "base", "batch", "data"])
def test_a_storage_of_another_search_is_refused_and_left_alone(
    what, searched, space, data_folder, fast_settings, raw_train, write_csv
):
    searched(1)
    before = files(STORAGE.parent)
    if what == "space":
        Path("space.toml").write_text(SPACE.replace("0.4", "0.5"), "utf-8")
        space = read_space(Path("space.toml"))
    elif what == "base":
        fast_settings = replace(fast_settings, seed=7)
    elif what == "data":
        write_csv(raw_train.iloc[1:], "data/train.csv")
    with pytest.raises(RunError, match=f"its search has another {what} .*; accepted: the one it began with") as refused:
        search(data_folder, fast_settings, space, 2, storage=STORAGE, batch=9 if what == "batch" else BATCH)
    assert "\n" not in str(refused.value)
    assert files(STORAGE.parent) == before


@pytest.mark.parametrize(
    "content", [b"a letter to a friend", b"one\ntwo\n", b'{"op_code": 99}\n', b"\xff\x00\n", b"{}\n"]
)
def test_a_file_that_is_no_journal_is_refused_and_left_alone(content, space, data_folder, fast_settings):
    STORAGE.parent.mkdir()
    STORAGE.write_bytes(content)
    with pytest.raises(RunError, match="accepted: a journal that `houseprices tune` wrote, or a new file"):
        search(data_folder, fast_settings, space, 1, storage=STORAGE)
    assert STORAGE.read_bytes() == content


def test_two_processes_do_not_search_in_one_storage(searched):
    searched(1)
    with (
        open_journal(STORAGE, {}),
        pytest.raises(RunError, match="another process searches with it"),
        open_journal(STORAGE, {}),
    ):
        pass


def test_where_there_is_no_search_there_is_nothing_to_show(place, data_folder, capsys):
    assert tune("--show", "--data", str(data_folder)) == 1
    assert "search.journal: no such file; accepted" in capsys.readouterr().err
    assert not os.listdir()


def test_predictions_that_were_altered_or_removed_are_named(searched, data_folder):
    searched(2)
    file = STORAGE.parent / "search.journal-predictions" / "000001.npy"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    with pytest.raises(RunError, match=r"000001\.npy: missing or altered"):
        show(data_folder, STORAGE)
    file.unlink()
    with pytest.raises(RunError, match=r"000001\.npy: missing or altered"):
        show(data_folder, STORAGE)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--models.tiny.lr", "1"], 2, "lr is unknown"),
        (["--space", "nowhere.toml"], 2, "nowhere.toml: No such file"),
        (["--trials", "0"], 2, "trials"),
        (["--timeout", "-1"], 2, "timeout"),
        (["--keep", "0"], 2, "keep"),
        (["--max-correlation", "1.5"], 2, "max-correlation is 1.5; accepted"),
        (["--storage", "folder"], 1, "folder: is a folder"),
        (["--data", "nowhere"], 1, "nowhere: no such folder"),
        (["--ray", "nowhere"], 2, "ray"),
        (["--show", "--space", "space.toml"], 2, "--show stands beside settings"),
        (["--storage", "."], 1, ".: is a folder"),
    ],
)
def test_wrong_input_is_refused_in_one_line(place, data_folder, fast_config, capsys, arguments, code, message):
    Path("folder").mkdir()
    options = [] if "--data" in arguments else ["--data", str(data_folder)]
    assert tune("--config", str(fast_config), *options, *arguments) == code
    told = capsys.readouterr().err.strip()
    assert message in told
    assert len(told.splitlines()) == 1
    assert os.listdir() == ["folder"]


@pytest.mark.parametrize(
    ("installed", "message"), [(True, "no Ray cluster answers at 127.0.0.1:1"), (False, "ray is not installed")]
)
def test_where_no_cluster_answers_the_study_is_untouched(
    installed, message, searched, data_folder, fast_config, capsys, monkeypatch
):
    if installed:
        pytest.importorskip("ray", reason="Ray is not installed")
    else:
        monkeypatch.setitem(sys.modules, "ray", None)
    searched(1)
    before = files(STORAGE.parent)
    arguments = ["--config", str(fast_config), "--data", str(data_folder), "--space", "space.toml"]
    assert tune(*arguments, "--storage", str(STORAGE), "--ray", "127.0.0.1:1") == 1
    told = capsys.readouterr().err.strip()
    assert message in told
    assert len(told.splitlines()) == 1
    assert files(STORAGE.parent) == before


def test_searches_in_one_folder_leave_each_other_alone(searched):
    searched(1, storage=Path("found/search.one"))
    before = files(Path("found"))
    searched(2, storage=Path("found/search.two"))
    assert before.items() <= files(Path("found")).items()


def test_a_search_stopped_before_it_asks_again_still_owes_the_same_trials(searched, space, fast_settings):
    searched(N_TRIALS, storage=Path("peace/search.journal"))
    group = fast_settings.models["tiny"]
    with open_journal(STORAGE, {}) as journal:
        journal.ask(BATCH, fast_settings.seed, lambda trial: space.suggest(trial, group))
    for _ in range(2):
        with open_journal(STORAGE, {}):
            pass  # stopped at once
    searched(N_TRIALS)
    assert kept() == kept(Path("peace/search.journal"))
