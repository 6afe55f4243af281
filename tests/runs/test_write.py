"""A run folder appears whole or not at all; what stood there before stays; its submission is as Kaggle accepts it."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import N_EPOCHS, N_FOLDS, FinishedRun

from houseprices.errors import DataError, RunError
from houseprices.files import sha256_of
from houseprices.runs.format import MANIFEST, OUTPUTS, RUNS_FOLDER
from houseprices.runs.write import new_run_folder, submission_table

pytestmark = pytest.mark.usefixtures("place")


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def make_run(folder: Path, failure: BaseException | None = None) -> None:
    with new_run_folder(folder) as staging:
        (staging / "metrics.json").write_text("done")
        if failure:
            raise failure


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("full", "full: exists already; accepted: a new or empty folder"),
        ("file", "file: exists already; accepted: a new or empty folder"),
        ("link", "link: exists already; accepted: a new or empty folder"),
        ("file/run", "file/run: Not a directory; accepted: a folder that can be written"),
        (".", ".: "),
    ],
)
def test_a_place_that_is_taken_is_refused_before_any_work(name: str, line: str, place: Path) -> None:
    (place / "full").mkdir()
    (place / "full" / "old.txt").write_text("old")
    (place / "file").write_text("old")
    (place / "link").symlink_to("nowhere")
    before = contents(place)
    with pytest.raises(RunError) as error, new_run_folder(Path(name)):
        pytest.fail("the work began")
    assert str(error.value).startswith(line)
    assert contents(place) == before


def test_a_folder_that_another_process_filled_meanwhile_is_left_to_it(place: Path) -> None:
    def other_run_comes_first() -> None:
        with new_run_folder(Path("run")):
            (place / "run").mkdir()
            (place / "run" / "other.txt").write_text("other")

    with pytest.raises(RunError, match=r"^run: exists already; accepted: a new or empty folder$"):
        other_run_comes_first()
    assert contents(place) == {"run": None, "run/other.txt": b"other"}


def test_latest_points_to_the_newest_run_wherever_it_is_and_after_the_folder_has_moved(place: Path) -> None:
    latest = place / RUNS_FOLDER / "latest"
    for folder in (Path("runs/first"), Path("elsewhere/second"), place / "third", Path("runs/fourth")):
        make_run(folder)
        assert latest.is_symlink()
        assert latest.resolve() == folder.resolve()
    with pytest.raises(ValueError, match="no"):
        make_run(Path("runs/bad"), ValueError("no"))
    assert latest.resolve().name == "fourth"
    assert not [path for path in (place / RUNS_FOLDER).iterdir() if path.name.startswith(".")]
    place.rename(place.with_name("moved"))
    assert (place.with_name("moved") / "runs" / "latest" / "metrics.json").read_text() == "done"


def test_a_finished_run_holds_the_documented_files_with_their_checksums(finished_run: FinishedRun) -> None:
    names = {MANIFEST, *OUTPUTS, "train.csv", "test.csv"}
    assert {path.name for path in finished_run.folder.iterdir()} == names
    manifest = json.loads((finished_run.folder / MANIFEST).read_text("utf-8"))
    assert manifest["outputs_sha256"] == {name: sha256_of(finished_run.folder / name) for name in names - {MANIFEST}}
    checksums = {name: sha256_of(finished_run.data / name) for name in ("train.csv", "test.csv")}
    assert (manifest["data"]["kind"], manifest["data"]["sha256"]) == ("other", checksums)
    umask = os.umask(0)
    os.umask(umask)
    for path in finished_run.folder.iterdir():
        assert path.stat().st_mode & 0o444 == 0o444 & ~umask, path.name


def test_curves_have_a_row_an_epoch_fold_and_model(finished_run: FinishedRun) -> None:
    curves = pd.read_csv(finished_run.folder / "curves.csv")
    keys = curves[["repeat", "fold", "model", "epoch"]].itertuples(index=False, name=None)
    assert list(keys) == [(0, fold, "tiny", epoch + 1) for fold in range(N_FOLDS) for epoch in range(N_EPOCHS)]
    assert (curves[["training_log_rmse", "validation_log_rmse", "weight_norm"]] > 0).all(axis=None)


def test_a_submission_has_each_id_in_its_order_and_its_price_in_whole_cents() -> None:
    ids, log_price = np.array([1470, 1461, 1465]), np.random.default_rng(0).normal(12, 0.4, 3)
    table = submission_table(ids, log_price)
    assert list(table.columns) == ["Id", "SalePrice"]
    assert table["Id"].tolist() == ids.tolist()
    price_usd = table["SalePrice"].to_numpy()
    np.testing.assert_allclose(price_usd, np.exp(log_price), atol=0.005, rtol=0)
    np.testing.assert_allclose(price_usd * 100, np.rint(price_usd * 100), rtol=1e-12)


@pytest.mark.parametrize(
    ("log_price", "price"),
    [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "0.0"), (800.0, "inf"), (-800.0, "0.0"), (-7.0, "0.0")],
)
def test_a_price_that_is_not_finite_and_positive_is_refused_by_id(log_price: float, price: str) -> None:
    with pytest.raises(DataError) as error:
        submission_table(np.array([1461, 1463, 1462, 1464]), np.array([12.0, log_price, 11.0, log_price]))
    accepted = "accepted: a finite price above 0 dollars"
    assert all(f"Id {house}, SalePrice: {price}; {accepted}" in str(error.value) for house in (1463, 1464))
    assert "Id 1461" not in str(error.value)
