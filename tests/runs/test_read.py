"""A run that is read back is the run that was written, or one line names the file that is not."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import N_EPOCHS, N_FOLDS, N_ROWS, FinishedRun
from safetensors.torch import load_file, safe_open, save_file

from houseprices.data.table import read_houses
from houseprices.errors import RunError
from houseprices.files import sha256_of
from houseprices.preprocessing.features import HouseFeatures
from houseprices.runs.format import FORMAT_VERSION, MANIFEST, OUTPUTS, as_json
from houseprices.runs.read import SavedRun, read_run
from houseprices.runs.write import submission_table
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


def change_json(file: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(file.read_text("utf-8"))
    change(content)
    file.write_text(json.dumps(content), "utf-8")


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


def test_new_houses_get_the_submissions_prices_to_the_byte(
    saved: SavedRun, finished_run: FinishedRun, tmp_path: Path
) -> None:
    houses = read_houses(finished_run.data / "test.csv", priced=False)
    log_price = saved.ensemble.predict_folds(houses).mean
    submission_table(houses.index.to_numpy(), log_price).to_csv(tmp_path / "again.csv", index=False)
    assert (tmp_path / "again.csv").read_bytes() == (finished_run.folder / "submission.csv").read_bytes()


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


def test_curves_end_at_the_root_mean_square_of_the_members_errors(saved: SavedRun, finished_run: FinishedRun) -> None:
    houses = read_houses(finished_run.data / "train.csv", priced=True)
    for fold in saved.ensemble.folds:
        held_out = houses[saved.ensemble.out_of_fold.fold_of_row[0] == fold.fold]
        errors = fold.predict("tiny", fold.features.transform(held_out)) - np.log(held_out["SalePrice"].to_numpy())
        (last,) = saved.curves.query(f"fold == {fold.fold} and epoch == {N_EPOCHS}")["validation_log_rmse"]
        assert last == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)


def test_all_else_is_as_the_run_wrote_it(saved: SavedRun, finished_run: FinishedRun) -> None:
    assert saved.settings == load_settings(finished_run.config)
    assert as_json(saved.metrics) == json.loads((finished_run.folder / "metrics.json").read_text("utf-8"))
    assert as_json(saved.manifest) == json.loads((finished_run.folder / "manifest.json").read_text("utf-8"))
    assert saved.ensemble.out_of_fold.fold_of_row.shape == (1, N_ROWS)
    assert len(saved.curves) == N_FOLDS * 2


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_houses_are_the_runs_own_or_refused(copy: Path, name: str) -> None:
    training, test = read_run(copy).houses()
    assert training.index.tolist() == read_run(copy).ensemble.out_of_fold.ids.tolist()
    assert "SalePrice" not in training
    assert not set(test.index) & set(training.index)
    (copy / name).write_text((copy / name).read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(RunError, match=rf"{name}: was altered since the run; accepted:"):
        read_run(copy).houses()
    (copy / name).unlink()
    with pytest.raises(RunError, match=rf"{name}: no such file; accepted:"):
        read_run(copy).houses()


def test_out_of_fold_predictions_of_other_houses_are_refused(copy: Path) -> None:
    pd.read_csv(copy / "oof.csv", dtype="str")[::-1].to_csv(copy / "oof.csv", index=False)
    sign(copy)
    with pytest.raises(RunError, match=r"oof\.csv: its Ids are not those of train\.csv"):
        read_run(copy).houses()


def test_a_folder_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'}: no such folder")
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty").startswith(f"{tmp_path / 'empty' / 'manifest.json'}: No such file")


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


@pytest.mark.parametrize("version", [0, FORMAT_VERSION + 1, None, "1"])
def test_a_run_of_another_version_is_refused(copy: Path, version: object) -> None:
    change_json(copy / "manifest.json", lambda content: content.update(format_version=version))
    assert refusal(copy).startswith(f"{copy / 'manifest.json'}: format_version is {version!r}; accepted: ")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda content: content["folds"][1].update(colour="red"), "folds.1.colour"),
        (lambda content: content["folds"][1]["features"].update(colour="red"), "folds.1.features.colour is unknown"),
        (lambda content: content["folds"][0]["features"].pop("centre"), "the features of fold 0 cannot be read"),
        (lambda content: content["folds"][0]["features"]["parameters"].update(colour=1), "the features of fold 0"),
        (lambda content: content["folds"][0].update(log_price_mean="high"), "folds.0.log_price_mean"),
        (lambda content: content["folds"][0].pop("columns"), "folds.0.columns"),
        (lambda content: content["folds"][0]["columns"]["tiny"].append(10**6), "the columns of model tiny in fold 0"),
        (
            # One past the last column.
            lambda content: content["folds"][0]["columns"]["tiny"].append(
                len(HouseFeatures.from_dict(content["folds"][0]["features"]).get_feature_names_out())
            ),
            "the columns of model tiny in fold 0",
        ),
        (lambda content: content["folds"][0]["columns"]["tiny"].pop(), "tensor 0/0/tiny is"),
        (lambda content: content["folds"][0]["columns"].clear(), "the models of fold 0 are not config.toml's"),
        (lambda content: content["folds"].pop(), "its folds are not those of config.toml"),
        (lambda content: content.update(format_version=9), "format_version is 9"),
        (lambda content: content.clear(), "format_version is None"),
    ],
)
def test_preprocessing_that_no_run_writes_is_refused(copy: Path, change: Callable[[Any], Any], fault: str) -> None:
    """Even where the checksums are right."""
    change_json(copy / "preprocessing.json", change)
    sign(copy)
    assert fault in refusal(copy)


def test_members_that_no_run_writes_are_refused(copy: Path) -> None:
    file = copy / "members.safetensors"
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    good = load_file(file)
    for tensors, fault in (
        ({**good, "0/0/tiny": good["0/0/tiny"].double()}, "tensor 0/0/tiny is"),
        ({**good, "0/0/tiny": good["0/0/tiny"][:, :-1].contiguous()}, "tensor 0/0/tiny is"),
        ({**good, "0/9/tiny": torch.zeros(1)}, "tensor 0/9/tiny is not of this run"),
        ({name: good[name] for name in good if name != "0/1/tiny"}, "tensor 0/1/tiny is missing"),
    ):
        save_file(tensors, file, metadata)
        sign(copy)
        assert fault in refusal(copy)
    save_file(good, file)
    sign(copy)
    assert "format_version is None" in refusal(copy)
    file.write_bytes(b"not safetensors")
    sign(copy)
    assert refusal(copy).startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("name", "column", "value", "fault"),
    [
        ("oof.csv", "Id", "1.5", "an Id or a fold is no whole number"),
        ("oof.csv", "fold", "NA", "an Id or a fold is no whole number"),
        ("oof.csv", "fold", str(N_FOLDS), "its folds are not those of config.toml"),
        ("oof.csv", "prediction", "nan", "a number is not finite"),
        ("oof.csv", "error_scale", "0", "an error scale not above 0"),
        ("oof.csv", "error_scale", "wide", "could not convert"),
        ("curves.csv", "epoch", "first", "a cell is no number"),
        ("curves.csv", "model", "other", "its models are not those of config.toml"),
    ],
)
def test_a_cell_that_no_run_writes_is_refused(copy: Path, name: str, column: str, value: str, fault: str) -> None:
    table = pd.read_csv(copy / name, dtype="str")
    table.loc[3, column] = value
    table.to_csv(copy / name, index=False)
    sign(copy)
    text = refusal(copy)
    assert text.startswith(f"{copy / name}: ")
    assert fault in text


@pytest.mark.parametrize(
    ("name", "fault", "change"),
    [
        ("metrics.json", "its models are not those of config.toml", lambda text: re.sub('"tiny"', '"other"', text)),
        ("metrics.json", "or a baseline is missing", lambda text: text.replace('"ridge"', '"lasso"')),
        ("metrics.json", "no JSON (", lambda _: 100_000 * "["),
        ("oof.csv", "column prediction is missing", lambda text: text.replace("prediction", "guess")),
        ("config.toml", "colour is unknown", lambda text: f"colour = 1\n{text}"),
    ],
)
def test_a_file_that_no_run_writes_is_refused(copy: Path, name: str, fault: str, change: Callable[[str], str]) -> None:
    (copy / name).write_text(change((copy / name).read_text("utf-8")), "utf-8")
    sign(copy)
    assert fault in refusal(copy)
