"""A run that is read back is the run that was written, or one line names the file that is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import N_FOLDS, N_ROWS, FinishedRun, sign
from safetensors.torch import load_file, save_file

from houseprices.data.table import read_houses
from houseprices.errors import DataError, RunError
from houseprices.runs.format import MANIFEST, OUTPUTS
from houseprices.runs.read import SavedRun, read_run
from houseprices.settings import load_settings


@pytest.fixture(scope="module")
def saved(finished_run: FinishedRun) -> SavedRun:
    return read_run(finished_run.folder)


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


Fault = Callable[[Path], None]


def in_json(change: Callable[[Any], Any]) -> Fault:
    def spoil(file: Path) -> None:
        tree = json.loads(file.read_text("utf-8"))
        change(tree)
        file.write_text(json.dumps(tree), "utf-8")

    return spoil


def in_cell(column: str, value: str | None) -> Fault:
    def spoil(file: Path) -> None:
        table = pd.read_csv(file, dtype="str")
        if value is None:
            del table[column]
        else:
            table.loc[3, column] = value
        table.to_csv(file, index=False)

    return spoil


def in_tensor(name: str, change: Callable[[Any], Any] | None) -> Fault:
    def spoil(file: Path) -> None:
        tensors = load_file(file)
        tensor = tensors.pop(name)
        save_file(tensors | ({name: change(tensor)} if change else {}), file)

    return spoil


@pytest.mark.parametrize(
    ("name", "spoil", "fault"),
    [
        ("preprocessing.json", in_json(lambda tree: tree["folds"][1].update(colour="red")), "folds.1.colour"),
        (
            "preprocessing.json",
            in_json(lambda tree: tree["folds"][1]["features"].update(colour="red")),
            "fold 1 has fea",
        ),
        ("preprocessing.json", in_json(lambda tree: tree["folds"][0]["features"].pop("centre")), "'centre' is missing"),
        ("preprocessing.json", in_json(lambda tree: tree["folds"][0].update(log_price_mean="high")), "log_price_mean"),
        ("preprocessing.json", in_json(lambda tree: tree["folds"][0]["columns"]["tiny"].append(10**6)), "a model of"),
        ("preprocessing.json", in_json(lambda tree: tree["folds"][0]["columns"]["tiny"].append(-1)), "a model of fold"),
        ("preprocessing.json", in_json(lambda tree: tree["folds"][0]["columns"]["tiny"].pop()), "tensor 0/0/tiny is"),
        ("preprocessing.json", in_json(lambda tree: tree["folds"][0]["columns"].clear()), "fold 0 has features or m"),
        ("preprocessing.json", in_json(lambda tree: tree["folds"].pop()), "its folds are not those of config.toml"),
        ("preprocessing.json", in_json(lambda tree: tree.update(format_version=9)), "format_version is 9"),
        ("metrics.json", in_json(lambda tree: tree["models"].clear()), "its models are not those of config.toml"),
        ("metrics.json", in_json(lambda tree: tree["baselines"].pop("ridge")), "or a baseline is missing"),
        ("metrics.json", lambda file: file.write_text(100_000 * "["), "no JSON ("),
        ("config.toml", lambda file: file.write_text("colour = 1\n"), "colour is unknown"),
        ("members.safetensors", in_tensor("0/0/tiny", lambda tensor: tensor.double()), "tensor 0/0/tiny is not"),
        ("members.safetensors", in_tensor("0/0/tiny", lambda tensor: tensor[:, :-1].contiguous()), "0/0/tiny is not"),
        ("members.safetensors", in_tensor("0/1/tiny", None), "'0/1/tiny' is missing"),
        ("members.safetensors", lambda file: file.write_bytes(b"not safetensors"), "members.safetensors: "),
        ("oof.csv", in_cell("Id", "1.5"), "invalid literal for int() with base 10: '1.5'"),
        ("oof.csv", in_cell("fold", str(N_FOLDS)), "its folds are not those of config.toml"),
        ("oof.csv", in_cell("prediction", "nan"), "a number is not finite"),
        ("oof.csv", in_cell("error_scale", "0"), "an error scale not above 0"),
        ("oof.csv", in_cell("error_scale", "wide"), "could not convert string to float: 'wide'"),
        ("oof.csv", in_cell("prediction", None), "columns expected but not found: ['prediction']"),
        ("curves.csv", in_cell("epoch", "first"), "invalid literal for int() with base 10: 'first'"),
        ("curves.csv", in_cell("model", "other"), "its models are not those of config.toml"),
    ],
)
def test_content_that_no_run_writes_is_refused_even_with_its_checksum(
    copy: Path, name: str, spoil: Fault, fault: str
) -> None:
    spoil(copy / name)
    sign(copy)
    text = refusal(copy)
    if name != "config.toml":
        assert text.startswith(f"{copy / ('members.safetensors' if '0/0/tiny' in fault else name)}: ")
    assert fault in text
