"""A run computed again has the same bits; a falsified run is found under any conditions."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import FinishedRun, change_manifest, exit_code, sign
from safetensors.torch import load_file, save_file

from houseprices.errors import DataError, RunError
from houseprices.runs.format import FORMAT_VERSION, MEMBERS, METRICS
from houseprices.runs.verify import verify

EXACT = dict.fromkeys(
    ("log_price", "prediction", "error_scale", "training_log_rmse", "validation_log_rmse", "weight_norm"), float
)
"""Columns read to the last bit."""


def change_all_conditions(run: Path) -> None:
    """Let the run come from another processor, library and code."""
    change_manifest(run, code_sha256="0" * 64, processor={"openblas": "another"}, libraries={"numpy": "1.0"})


PLACES = {
    "oof.csv": "prediction, Id ",
    "submission.csv": "SalePrice, Id ",
    "curves.csv": "weight_norm, row 2: ",
    MEMBERS: "tensor 0/1/tiny, (1, 5): ",
    METRICS: "log_rmse, pooled: ",
    "preprocessing.json": "folds, 2.log_price_mean: ",
}


def change(run: Path, name: str, by: float) -> None:
    """Add to one value of an output, or to a price its share, and sign the run."""
    file = run / name
    if name.endswith(".csv"):
        table, column = pd.read_csv(file, converters=EXACT), PLACES[name].partition(",")[0]
        table.loc[2, column] += by * (table.loc[2, column] if column == "SalePrice" else 1)
        table.to_csv(file, index=False)
    elif name == MEMBERS:
        tensors = load_file(file)
        tensors["0/1/tiny"][1, 5] += by
        save_file(tensors, file, {"format_version": str(FORMAT_VERSION)})
    else:
        content = json.loads(file.read_text("utf-8"))
        record, key = (content["log_rmse"], "pooled") if name == METRICS else (content["folds"][2], "log_price_mean")
        record[key] += by
        file.write_text(json.dumps(content), "utf-8")
    sign(run)


def test_a_run_computed_again_has_the_same_bits_and_nothing_is_written(
    copy: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_manifest(copy, code_version="0.1.0+1234567-dirty")  # a label: a changed README is no other code
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert exit_code("verify", "--run", "copy") == 0
    out = capsys.readouterr().out
    assert out.endswith("since the run: the same code, libraries, device and processor\nsame\n")
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", PLACES)
def test_any_changed_value_is_named_with_its_place(name: str, copy: Path) -> None:
    """Even a change of the size of rounding, with its checksum in the manifest."""
    change(copy, name, 1e-6)
    verification = verify(copy)
    [difference] = verification.differences
    assert difference.file == name
    assert difference.place.startswith(PLACES[name])
    assert (verification.verdict, verification.unexplained) == ("differs", [name])


@pytest.mark.parametrize(("name", "by"), [*dict.fromkeys(PLACES, 0.01).items(), ("curves.csv", 4.0)])
def test_another_processor_library_and_code_do_not_excuse_a_falsified_run(name: str, by: float, copy: Path) -> None:
    """A weight, prediction, price or score need not move far: the run's own networks must give what it says."""
    change(copy, name, by)
    change_all_conditions(copy)
    verification = verify(copy)
    assert verification.causes == ["another library", "another processor", "other code"]
    training_may_have_moved_it = name == "curves.csv" and by == 0.01
    assert (verification.verdict == "differs") != training_may_have_moved_it
    if training_may_have_moved_it:
        assert verification.verdict.startswith("differs as another library and another processor and other code may (")


def test_falsified_weights_and_predictions_differ_on_any_machine(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = {name: tensor + 5.0 for name, tensor in load_file(copy / MEMBERS).items()}
    save_file(tensors, copy / MEMBERS, {"format_version": str(FORMAT_VERSION)})
    table = pd.read_csv(copy / "oof.csv", converters=EXACT)
    table.assign(prediction=table["prediction"] + 0.3).to_csv(copy / "oof.csv", index=False)
    sign(copy)
    change_all_conditions(copy)
    assert exit_code("verify", "--run", "copy", "--json") == 1
    out, err = capsys.readouterr()
    verification = json.loads(out)
    assert verification["verdict"] == "differs"
    assert {"what its own networks predict", "oof.csv", MEMBERS} <= set(verification["unexplained"])
    assert err.startswith("houseprices: copy: differs in what its own networks predict, ")


def test_other_settings_are_found_by_their_results(copy: Path) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text("utf-8").replace("seed = 0", "seed = 1"), "utf-8")
    sign(copy)
    assert {"oof.csv", MEMBERS, "submission.csv"} <= set(verify(copy).unexplained)


def test_changed_conditions_are_named_and_equal_results_are_still_the_same(copy: Path) -> None:
    change_manifest(copy, code_version="0.0.1", step="torch", libraries={"numpy": "1.0"}, processor={"torch": "AVX9"})
    verification = verify(copy)
    assert verification.verdict == "same"
    assert verification.causes == ["another library", "another processor", "other code"]
    assert {"libraries.numpy 1.0", "step torch", "processor.torch AVX9"} <= {
        condition.partition(" -> ")[0] for condition in verification.conditions
    }
    assert not any("code_version" in condition for condition in verification.conditions)


def test_the_houses_are_the_runs_own_or_the_same_files_elsewhere(copy: Path, finished_run: FinishedRun) -> None:
    for name in ("train.csv", "test.csv"):
        (copy / name).unlink()
    with pytest.raises(DataError, match=r"copy/train\.csv: no such file"):
        verify(copy)
    assert verify(copy, finished_run.data).verdict == "same"
    other = Path(shutil.copytree(finished_run.data, "other"))
    train = (other / "train.csv").read_text("utf-8")
    (other / "train.csv").write_text(train.replace("Gable", "Hip"), "utf-8")
    with pytest.raises(RunError, match=r"other/train\.csv: is not the run's \(its SHA-256 differs\); accepted: "):
        verify(copy, other)
    change_manifest(copy, data={"kind": "other", "sha256": {}})
    with pytest.raises(RunError, match=r"copy: it has no houses; accepted: a run of `houseprices cv`"):
        verify(copy)


def verdict_of_a_process_with(run: Path, **environment: str) -> str:
    command = [sys.executable, "-m", "houseprices", "verify", "--run", str(run), "--json"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["verdict"])


def test_the_number_of_threads_changes_no_bit(finished_run: FinishedRun, place: Path) -> None:
    for n_threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        assert verdict_of_a_process_with(finished_run.folder, **dict.fromkeys(names, n_threads)) == "same"


def test_the_machine_code_of_another_processor_is_within_its_bounds(finished_run: FinishedRun, place: Path) -> None:
    others = {"OPENBLAS_CORETYPE": "Nehalem", "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    verdict = verdict_of_a_process_with(finished_run.folder, **others)
    assert verdict == "same" or verdict.startswith("differs as another processor may (largest ")
