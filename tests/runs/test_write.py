"""A run folder appears whole or not at all, and what stood there before stays."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
import safetensors
from conftest import N_EPOCHS, N_FOLDS, N_ROWS, FinishedRun

from houseprices.errors import RunError
from houseprices.files import sha256_of
from houseprices.runs.format import RUNS_FOLDER
from houseprices.runs.write import new_run_folder

FILES = {
    "config.toml", "metrics.json", "curves.csv", "oof.csv", "submission.csv", "members.safetensors",
    "preprocessing.json", "manifest.json", "train.csv", "test.csv",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("place")


def everything_in(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def make_run(folder: Path, failure: BaseException | None = None) -> None:
    with new_run_folder(folder) as staging:
        (staging / "metrics.json").write_text("done")
        if failure:
            raise failure


# ---- whole or not at all ----


@pytest.mark.parametrize("name", ["runs/first", "run", "a/b/c"])
def test_a_folder_appears_with_all_that_was_written(name: str, place: Path) -> None:
    with new_run_folder(Path(name)) as staging:
        (staging / "one.txt").write_text("1")
        assert not Path(name).exists()
        (staging / "two.txt").write_text("2")
    assert sorted(path.name for path in (place / name).iterdir()) == ["one.txt", "two.txt"]
    assert [path for path in (place / name).parent.iterdir() if path.name.endswith(".partial")] == []


@pytest.mark.parametrize("failure", [ValueError("no"), RunError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_a_failure_inside_the_block_leaves_nothing(failure: BaseException, place: Path) -> None:
    with pytest.raises(type(failure)):
        make_run(Path("run"), failure)
    assert everything_in(place) == {}


def test_a_full_disk_inside_the_block_is_a_run_error_and_leaves_nothing(place: Path) -> None:
    with pytest.raises(RunError, match=r"^run: No space left on device; nothing was written$"):
        make_run(Path("run"), OSError(28, "No space left on device"))
    assert everything_in(place) == {}


def test_an_empty_folder_that_exists_is_filled(place: Path) -> None:
    (place / "run").mkdir()
    make_run(Path("run"))
    assert (place / "run" / "metrics.json").read_text() == "done"


# ---- refused before any work ----


def test_a_folder_with_something_in_it_is_refused_before_work_and_left_as_it_was(place: Path) -> None:
    (place / "run").mkdir()
    (place / "run" / "old.txt").write_text("old")
    before = everything_in(place)
    with (
        pytest.raises(RunError, match=r"^run: exists already; accepted: a new or empty folder$"),
        new_run_folder(Path("run")),
    ):
        pytest.fail("the work began")
    assert everything_in(place) == before


def test_a_folder_that_somebody_else_filled_meanwhile_is_left_to_them(place: Path) -> None:
    def theirs_comes_first() -> None:
        with new_run_folder(Path("run")):
            (place / "run").mkdir()
            (place / "run" / "theirs.txt").write_text("theirs")

    with pytest.raises(RunError, match=r"^run: exists already; accepted: a new or empty folder$"):
        theirs_comes_first()
    assert everything_in(place) == {place / "run": None, place / "run" / "theirs.txt": b"theirs"}


def test_a_file_or_link_in_the_folders_place_is_refused_and_left_as_it_was(place: Path) -> None:
    (place / "file").write_text("old")
    (place / "link").symlink_to("nowhere")
    before = everything_in(place)
    for name in ("file", "link"):
        with pytest.raises(RunError, match=f"^{name}: exists already"), new_run_folder(Path(name)):
            pytest.fail("the work began")
    assert everything_in(place) == before


def test_a_place_that_cannot_be_written_is_refused_before_work(place: Path) -> None:
    (place / "file").write_text("old")
    before = everything_in(place)
    with (
        pytest.raises(RunError, match=r"^file/run: Not a directory; accepted: a folder that can be written$"),
        new_run_folder(Path("file/run")),
    ):
        pytest.fail("the work began")
    assert everything_in(place) == before


def test_the_working_folder_itself_is_refused(place: Path) -> None:
    with pytest.raises(RunError, match="accepted: "), new_run_folder(Path(".")):
        pytest.fail("the work began")
    assert everything_in(place) == {}


# ---- runs/latest ----


def test_latest_points_to_the_newest_run_wherever_it_is(place: Path) -> None:
    latest = place / RUNS_FOLDER / "latest"
    for folder in (Path("runs/first"), Path("elsewhere/second"), place / "third", Path("runs/fourth")):
        make_run(folder)
        assert latest.is_symlink()
        assert latest.resolve() == folder.resolve()
    assert not [path for path in (place / RUNS_FOLDER).iterdir() if path.name.startswith(".")]


def test_latest_still_holds_after_the_checkout_has_moved(place: Path) -> None:
    make_run(Path("runs/first"))
    moved = place.with_name("moved")
    place.rename(moved)
    assert (moved / "runs" / "latest" / "metrics.json").read_text() == "done"


def test_a_failed_run_leaves_latest_where_it_pointed(place: Path) -> None:
    make_run(Path("runs/good"))
    with pytest.raises(ValueError, match="no"):
        make_run(Path("runs/bad"), ValueError("no"))
    assert (place / "runs" / "latest").resolve() == place / "runs" / "good"


# ---- a finished run ----


def test_a_finished_run_holds_the_documented_files_and_nothing_else(finished_run: FinishedRun) -> None:
    assert {path.name for path in finished_run.folder.iterdir()} == FILES


def test_the_manifests_checksums_are_those_of_the_files(finished_run: FinishedRun) -> None:
    manifest = json.loads((finished_run.folder / "manifest.json").read_text("utf-8"))
    others = [path for path in finished_run.folder.iterdir() if path.name != "manifest.json"]
    assert manifest["outputs_sha256"] == {path.name: sha256_of(path) for path in others}
    inputs = (finished_run.data / "train.csv", finished_run.data / "test.csv")
    assert manifest["data"] == {"kind": "other", "sha256": {path.name: sha256_of(path) for path in inputs}}


def test_the_manifest_says_with_what_the_run_was_made(finished_run: FinishedRun) -> None:
    manifest = json.loads((finished_run.folder / "manifest.json").read_text("utf-8"))
    assert manifest["code_version"]
    assert manifest["device"] == "cpu"
    assert {"numpy", "pandas", "scikit-learn", "torch"} <= set(manifest["libraries"])
    assert {"features", "training", "prediction"} <= set(manifest["seconds"])


def test_curves_have_a_line_an_epoch_fold_and_group(finished_run: FinishedRun) -> None:
    curves = pd.read_csv(finished_run.folder / "curves.csv")
    assert {"training_log_rmse", "validation_log_rmse", "weight_norm"} <= set(curves.columns)
    keys = curves[["repeat", "fold", "model", "epoch"]].itertuples(index=False, name=None)
    assert list(keys) == [(0, fold, "tiny", epoch + 1) for fold in range(N_FOLDS) for epoch in range(N_EPOCHS)]
    assert (curves[["training_log_rmse", "validation_log_rmse", "weight_norm"]] > 0).all(axis=None)


def test_members_and_preprocessing_are_kept_for_each_fold(finished_run: FinishedRun) -> None:
    with safetensors.safe_open(finished_run.folder / "members.safetensors", "np") as members:
        assert sorted(members.keys()) == [f"0/{fold}/tiny" for fold in range(N_FOLDS)]
        for name in members.keys():  # noqa: SIM118  # no mapping
            assert len(members.get_tensor(name)) == 2
    preprocessing = json.loads((finished_run.folder / "preprocessing.json").read_text("utf-8"))
    assert [(fold["repeat"], fold["fold"]) for fold in preprocessing["folds"]] == [(0, 0), (0, 1), (0, 2)]
    prices = pd.read_csv(finished_run.folder / "oof.csv")
    for fold in preprocessing["folds"]:
        training = prices.loc[prices["fold"] != fold["fold"], "log_price"]
        assert len(training) < N_ROWS
        assert fold["log_price_mean"] == pytest.approx(training.mean())
        assert fold["log_price_std"] == pytest.approx(training.std(ddof=0))


def test_the_files_are_readable_by_whoever_may_read_the_folder(finished_run: FinishedRun) -> None:
    umask = os.umask(0)
    os.umask(umask)
    for path in finished_run.folder.iterdir():
        assert path.stat().st_mode & 0o444 == 0o444 & ~umask, path.name
