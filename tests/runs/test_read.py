"""A run that is read back is the run that was written, or one line names the file that is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import N_FOLDS, N_ROWS, FinishedRun
from safetensors.torch import load_file, save_file

from houseprices.data.table import read_houses
from houseprices.errors import DataError, RunError
from houseprices.files import sha256_of
from houseprices.runs.format import MANIFEST, OUTPUTS, as_json
from houseprices.runs.read import SavedRun, read_run
from houseprices.settings import load_settings


@pytest.fixture
def copy(finished_run: FinishedRun, tmp_path: Path) -> Path:
    """A copy of the finished run, to be corrupted."""
    return Path(shutil.copytree(finished_run.folder, tmp_path / "copy"))


@pytest.fixture(scope="module")
def saved(finished_run: FinishedRun) -> SavedRun:
    return read_run(finished_run.folder)


def sign(folder: Path) -> None:
    """Give the manifest the checksums of the files as they are now."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["outputs_sha256"] = {name: sha256_of(folder / name) for name in manifest["outputs_sha256"]}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def refusal(folder: Path) -> str:
    with pytest.raises(RunError) as error:
        read_run(folder)
    text = str(error.value)
    assert "\n" not in text
    assert "accepted: " in text
    return text


def both(saved: SavedRun, houses: pd.DataFrame) -> np.ndarray:
    """Log prices and error scales of each fold: (2, n_repeats, n_folds, n_rows)."""
    predictions = saved.ensemble.predict_folds(houses)
    return np.stack([predictions.log_price, predictions.error_scale])


def test_a_houses_prediction_has_the_same_bits_alone_and_among_others(
    saved: SavedRun, finished_run: FinishedRun
) -> None:
    houses = read_houses(finished_run.data / "test.csv", priced=False)
    together = both(saved, houses)
    for row in (0, 7, len(houses) - 1):
        np.testing.assert_array_equal(both(saved, houses.iloc[[row]])[..., 0], together[..., row])
    np.testing.assert_array_equal(both(saved, houses.iloc[::-1]), together[..., ::-1])


def test_training_houses_get_their_out_of_fold_predictions_bit_for_bit(
    saved: SavedRun, finished_run: FinishedRun
) -> None:
    houses = read_houses(finished_run.data / "train.csv", priced=True)
    of_folds = both(saved, houses.drop(columns="SalePrice"))
    out_of_fold, error_scale = of_folds[:, 0, saved.ensemble.out_of_fold.fold_of_row[0], np.arange(N_ROWS)]
    np.testing.assert_array_equal(out_of_fold, saved.ensemble.out_of_fold.prediction)
    np.testing.assert_array_equal(error_scale, saved.ensemble.out_of_fold.error_scale)
    log_price = np.log(houses["SalePrice"].to_numpy())
    np.testing.assert_array_equal(saved.ensemble.out_of_fold.residuals, log_price - out_of_fold)


def test_all_else_is_as_the_run_wrote_it(saved: SavedRun, finished_run: FinishedRun) -> None:
    assert saved.settings == load_settings(finished_run.config)
    assert as_json(saved.metrics) == json.loads((finished_run.folder / "metrics.json").read_text("utf-8"))
    assert as_json(saved.manifest) == json.loads((finished_run.folder / "manifest.json").read_text("utf-8"))
    assert saved.ensemble.out_of_fold.fold_of_row.shape == (1, N_ROWS)
    assert len(saved.curves) == N_FOLDS * 2


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_houses_are_the_runs_own_or_refused(copy: Path, name: str) -> None:
    training, test = read_run(copy).houses()
    assert "SalePrice" not in training
    assert not set(test.index) & set(training.index)
    (copy / name).write_text((copy / name).read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(RunError, match=rf"{name}: is not the run's \(its SHA-256 differs\); accepted:"):
        read_run(copy).houses()
    (copy / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: no such file; accepted:"):
        read_run(copy).houses()


def test_out_of_fold_predictions_of_other_houses_are_refused(copy: Path) -> None:
    pd.read_csv(copy / "oof.csv", dtype="str")[::-1].to_csv(copy / "oof.csv", index=False)
    sign(copy)
    with pytest.raises(RunError, match=r"oof\.csv: its Ids are not those of the training houses"):
        read_run(copy).houses()


@pytest.mark.parametrize("name", [MANIFEST, *OUTPUTS])
def test_a_missing_truncated_or_altered_file_is_named(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    assert refusal(copy).startswith(f"{copy / name}: ")
    if name != MANIFEST:
        (copy / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert refusal(copy).startswith(f"{copy / name}: was truncated or altered since the run")
    (copy / name).unlink()
    assert refusal(copy).startswith(f"{copy / name}: No such file")


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("preprocessing.json", lambda tree: tree["folds"][1].update(colour="red"), "folds.1.colour"),
        ("preprocessing.json", lambda tree: tree["folds"][1]["features"].update(colour="red"), "fold 1 has features"),
        ("preprocessing.json", lambda tree: tree["folds"][0]["features"].pop("centre"), "'centre' is missing"),
        ("preprocessing.json", lambda tree: tree["folds"][0]["features"]["parameters"].update(colour=1), "'colour'"),
        ("preprocessing.json", lambda tree: tree["folds"][0].update(log_price_mean="high"), "folds.0.log_price_mean"),
        ("preprocessing.json", lambda tree: tree["folds"][0].pop("columns"), "folds.0.columns"),
        ("preprocessing.json", lambda tree: tree["folds"][0]["columns"]["tiny"].append(10**6), "a model of fold 0"),
        ("preprocessing.json", lambda tree: tree["folds"][0]["columns"]["tiny"].append(-1), "a model of fold 0"),
        ("preprocessing.json", lambda tree: tree["folds"][0]["columns"]["tiny"].pop(), "tensor 0/0/tiny is not"),
        ("preprocessing.json", lambda tree: tree["folds"][0]["columns"].clear(), "fold 0 has features or models"),
        ("preprocessing.json", lambda tree: tree["folds"].pop(), "its folds are not those of config.toml"),
        ("preprocessing.json", lambda tree: tree.update(format_version=9), "format_version is 9"),
        ("metrics.json", lambda tree: tree["models"].clear(), "its models are not those of config.toml"),
        ("metrics.json", lambda tree: tree["baselines"].pop("ridge"), "or a baseline is missing"),
    ],
)
def test_json_that_no_run_writes_is_refused(copy: Path, name: str, change: Callable[[Any], Any], fault: str) -> None:
    """Even where the checksums are right; so below."""
    tree = json.loads((copy / name).read_text("utf-8"))
    change(tree)
    (copy / name).write_text(json.dumps(tree), "utf-8")
    sign(copy)
    assert fault in refusal(copy)


def test_members_that_no_run_writes_are_refused(copy: Path) -> None:
    file = copy / "members.safetensors"
    good = load_file(file)
    for tensors, fault in (
        ({**good, "0/0/tiny": good["0/0/tiny"].double()}, "tensor 0/0/tiny is not"),
        ({**good, "0/0/tiny": good["0/0/tiny"][:, :-1].contiguous()}, "tensor 0/0/tiny is not"),
        ({name: good[name] for name in good if name != "0/1/tiny"}, "'0/1/tiny' is missing"),
    ):
        save_file(tensors, file)
        sign(copy)
        assert fault in refusal(copy)
    file.write_bytes(b"not safetensors")
    sign(copy)
    assert refusal(copy).startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("name", "column", "value", "fault"),
    [
        ("oof.csv", "Id", "1.5", "invalid literal for int() with base 10: '1.5'"),
        ("oof.csv", "fold", "NA", "invalid literal for int() with base 10: 'NA'"),
        ("oof.csv", "fold", str(N_FOLDS), "its folds are not those of config.toml"),
        ("oof.csv", "prediction", "nan", "a number is not finite"),
        ("oof.csv", "error_scale", "0", "an error scale not above 0"),
        ("oof.csv", "error_scale", "wide", "could not convert string to float: 'wide'"),
        ("oof.csv", "prediction", None, "columns expected but not found: ['prediction']"),
        ("curves.csv", "epoch", "first", "invalid literal for int() with base 10: 'first'"),
        ("curves.csv", "model", "other", "its models are not those of config.toml"),
    ],
)
def test_a_cell_that_no_run_writes_is_refused(
    copy: Path, name: str, column: str, value: str | None, fault: str
) -> None:
    table = pd.read_csv(copy / name, dtype="str")
    if value is None:
        del table[column]
    else:
        table.loc[3, column] = value
    table.to_csv(copy / name, index=False)
    sign(copy)
    text = refusal(copy)
    assert text.startswith(f"{copy / name}: ")
    assert fault in text


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [("metrics.json", 100_000 * "[", "no JSON ("), ("config.toml", "colour = 1\n", "colour is unknown")],
)
def test_a_file_that_no_run_writes_is_refused(copy: Path, name: str, content: str, fault: str) -> None:
    (copy / name).write_text(content, "utf-8")
    sign(copy)
    assert fault in refusal(copy)
