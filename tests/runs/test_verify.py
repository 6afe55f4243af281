"""A run computed again has the same bytes, and whatever was changed in it is named."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import FAST_TOML, FinishedRun
from safetensors.torch import load_file, save_file

from houseprices.cli import main
from houseprices.errors import RunError
from houseprices.files import sha256_of
from houseprices.runs.format import MEMBERS, METRICS, OUTPUTS
from houseprices.runs.verify import ROUNDING, Verification, verify

EXACT = dict.fromkeys(
    ("log_price", "prediction", "error_scale", "training_log_rmse", "validation_log_rmse", "weight_norm"), float
)
"""Columns read to the last bit."""


@pytest.fixture
def copy(finished_run: FinishedRun, place: Path) -> Path:
    """A copy of the finished run, to be spoilt, in a working folder without any data."""
    return Path(shutil.copytree(finished_run.folder, place / "copy"))


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ending:
        main(list(arguments))
    return ending.value.code


def sign(run: Path) -> None:
    """Give the manifest the checksums of the files as they are now."""
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    manifest["outputs_sha256"] = {name: sha256_of(run / name) for name in manifest["outputs_sha256"]}
    (run / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def add_to_prediction(run: Path, by: float) -> str:
    table = pd.read_csv(run / "oof.csv", converters=EXACT)
    table.loc[7, "prediction"] += by
    table.to_csv(run / "oof.csv", index=False)
    return f"prediction, Id {table.loc[7, 'Id']}: "


def add_to_weight(run: Path, by: float) -> str:
    tensors = load_file(run / MEMBERS)
    tensors["0/1/tiny"][1, 5] += by
    save_file(tensors, run / MEMBERS, {"format_version": "5"})
    return "tensor 0/1/tiny, (1, 5): "


def add_to_price(run: Path, by: float) -> str:
    table = pd.read_csv(run / "submission.csv")
    table.loc[3, "SalePrice"] *= 1 + by
    table.to_csv(run / "submission.csv", index=False)
    return f"SalePrice, Id {table.loc[3, 'Id']}: "


def add_to_mean(run: Path, by: float) -> str:
    content = json.loads((run / "preprocessing.json").read_text("utf-8"))
    content["folds"][2]["log_price_mean"] += by
    (run / "preprocessing.json").write_text(json.dumps(content), "utf-8")
    return "folds.2.log_price_mean: "


def add_to_score(run: Path, by: float) -> str:
    content = json.loads((run / METRICS).read_text("utf-8"))
    content["log_rmse"]["pooled"] -= by
    (run / METRICS).write_text(json.dumps(content), "utf-8")
    return "log_rmse.pooled: "


def add_to_curve(run: Path, by: float) -> str:
    table = pd.read_csv(run / "curves.csv", converters=EXACT)
    table.loc[2, "weight_norm"] += by
    table.to_csv(run / "curves.csv", index=False)
    return "weight_norm, line 4: "


CHANGES = {
    "oof.csv": add_to_prediction,
    MEMBERS: add_to_weight,
    "submission.csv": add_to_price,
    "preprocessing.json": add_to_mean,
    METRICS: add_to_score,
    "curves.csv": add_to_curve,
}


def found_in(verification: Verification) -> dict[str, str]:
    return {one.file: one.place for one in verification.differences if one.place}


def test_a_run_is_computed_again_to_the_last_bit_and_nothing_is_written(
    copy: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert exit_code("verify", "--run", "copy") == 0
    out = capsys.readouterr().out
    table = [line.split("\t") for line in out.splitlines() if "\t" in line]
    assert table[1:] == [[name, "equal", ""] for name in OUTPUTS if name != "config.toml"]
    assert out.endswith(
        "since the run: no other code, library, device or processor\n"
        "verified: every value is the same to the last bit\n"
    )
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", CHANGES)
def test_a_forged_file_is_named_with_the_place(name: str, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its checksum is forged too: computing again alone finds it."""
    place = CHANGES[name](copy, 0.01)
    sign(copy)
    found = found_in(verify(copy))
    assert found.keys() == {name}
    assert found[name].startswith(place)
    assert exit_code("verify", "--run", "copy") == 1
    assert (
        capsys.readouterr().err
        == f"houseprices: copy: {name}: more than rounding differs from what its settings and houses give now\n"
    )


@pytest.mark.parametrize("name", CHANGES)
def test_rounding_is_told_and_passes(name: str, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    CHANGES[name](copy, ROUNDING / 10)
    sign(copy)
    found = verify(copy)
    assert found_in(found).keys() == {name}
    assert (found.equal, found.unexplained) == (False, [])
    assert exit_code("verify", "--run", "copy", "--json") == 0
    assert json.loads(capsys.readouterr().out)["unexplained"] == []


@pytest.mark.parametrize(("by", "unexplained"), [(0.01, []), (1.0, ["oof.csv"])])
def test_more_may_differ_on_another_processor_but_not_everything(copy: Path, by: float, unexplained: list[str]) -> None:
    add_to_prediction(copy, by)
    sign(copy)
    assert verify(copy).unexplained == ["oof.csv"]
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest["processor"]["openblas"] = "another"
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert verify(copy).unexplained == unexplained


@pytest.mark.parametrize("name", CHANGES)
def test_an_altered_file_is_refused_by_its_checksum(name: str, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    CHANGES[name](copy, 0.01)
    assert exit_code("verify", "--run", "copy") == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"houseprices: copy/{name}: was truncated or altered since the run")


def test_other_settings_are_found_by_what_they_give(copy: Path) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text("utf-8").replace("seed = 0", "seed = 1"), "utf-8")
    sign(copy)
    found = verify(copy)
    assert {"oof.csv", MEMBERS, "submission.csv"} <= set(found.unexplained)


def test_what_has_changed_since_the_run_is_told(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest |= {"code_version": "0.0.1", "step": "torch"}
    manifest["libraries"]["numpy"] = "1.0"
    manifest["processor"]["torch"] = "AVX9"
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    since = [one.partition(" -> ")[0] for one in verify(copy).conditions]
    assert since == ["code_version 0.0.1", "libraries.numpy 1.0", "step torch", "processor.torch AVX9"]
    del manifest["processor"], manifest["step"]
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert verify(copy).conditions[2:] == ["step (not noted) -> compiled", "with processor"]


def test_houses_are_found_by_their_checksums_wherever_they_are(copy: Path, finished_run: FinishedRun) -> None:
    assert verify(copy).data == copy
    for name in ("train.csv", "test.csv"):
        (copy / name).unlink()
    with pytest.raises(RunError, match=r"copy: no train.csv and test.csv as the run read them; accepted: --data with"):
        verify(copy)
    assert verify(copy, finished_run.data).equal
    shutil.copytree(finished_run.data, "data/raw")
    assert verify(copy).data == Path("data/raw")
    (Path("data/raw") / "test.csv").write_bytes((finished_run.data / "train.csv").read_bytes())
    for folder in (None, Path("data/raw"), Path("nowhere")):
        with pytest.raises(RunError, match="accepted: --data with these files"):
            verify(copy, folder)


def test_a_model_fitted_on_a_table_has_no_houses_to_compute_it_again_from(
    raw_train: pd.DataFrame, fast_config: Path, place: Path
) -> None:
    from houseprices import HousePriceRegressor

    HousePriceRegressor(fast_config).fit(raw_train).save("model")
    with pytest.raises(RunError, match=r"model: its houses had no files; accepted: a run of `houseprices cv`"):
        verify(Path("model"))


def test_own_columns_are_computed_again_by_their_very_file(data_folder: Path, place: Path) -> None:
    source = "import pandas as pd\ndef columns(houses):\n    return houses[['LotArea']].fillna(0) / 1e4\n"
    Path("mine.py").write_text(source, "utf-8")
    Path("fast.toml").write_text(FAST_TOML, "utf-8")
    options = ["--data", str(data_folder), "--config", "fast.toml", "--columns", "mine.py"]
    assert exit_code("cv", *options, "--run", "one") == 0
    assert verify(Path("one")).equal
    Path("mine.py").rename("moved.py")
    assert exit_code("verify", "--run", "one") == 1
    assert verify(Path("one"), columns=Path("moved.py")).equal
    assert verify(Path("one"), columns=Path("one/custom_features.py")).equal


def test_no_run_is_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("verify", "--run", "nowhere") == 1
    assert capsys.readouterr().err.startswith("houseprices: nowhere: no such folder; accepted: ")
    assert list(place.iterdir()) == []


def found_by_a_process_with(run: Path, **environment: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "houseprices", "verify", "--run", str(run), "--json"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_number_of_threads_changes_no_bit(finished_run: FinishedRun, place: Path) -> None:
    for n_threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        found = found_by_a_process_with(finished_run.folder, **dict.fromkeys(names, n_threads))
        assert [one["place"] for one in found["differences"]] == [""] * (len(OUTPUTS) - 1)


def test_the_machine_code_of_another_processor_is_rounding(finished_run: FinishedRun, place: Path) -> None:
    others = {"OPENBLAS_CORETYPE": "Nehalem", "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    found = found_by_a_process_with(finished_run.folder, **others)
    assert found["unexplained"] == []
