"""The format's records come back as they were written, and a wrong folder is refused before torch is there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FinishedRun

from houseprices.errors import RunError
from houseprices.runs.format import (
    FORMAT_VERSION,
    OUTPUTS,
    DataNote,
    Manifest,
    Metrics,
    Preprocessing,
    check_run,
    fold_columns,
    read_record,
    record_text,
    tensor_name,
    write_record,
)

MANIFEST = Manifest(FORMAT_VERSION, "0.1.0", DataNote("other", {}), {}, "3.11", {}, "cpu", {"total": 1.5}, [], "now")


@pytest.mark.parametrize(
    ("name", "kind"), [("manifest.json", Manifest), ("metrics.json", Metrics), ("preprocessing.json", Preprocessing)]
)
def test_what_a_run_wrote_is_read_and_written_again_to_the_same_bytes(
    name: str, kind: type, finished_run: FinishedRun
) -> None:
    record = read_record(kind, finished_run.folder / name)
    written = record_text(record, indent=None if kind is Preprocessing else 2)
    assert written.encode() == (finished_run.folder / name).read_bytes()


def test_a_value_that_is_not_there_is_left_out(finished_run: FinishedRun) -> None:
    assert read_record(Metrics, finished_run.folder / "metrics.json").noise_floor is None
    assert "noise_floor" not in json.loads((finished_run.folder / "metrics.json").read_text("utf-8"))


def test_a_whole_run_is_accepted_and_its_manifest_returned(finished_run: FinishedRun) -> None:
    assert set(OUTPUTS) < set(check_run(finished_run.folder).outputs_sha256)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format_version": 2}, "format_version is 2; accepted: 5"),
        ({"seconds": {"total": "long"}}, "seconds.total: "),
        ({"data": {"kind": "mine", "sha256": {}}}, "data.kind: "),
        ({"outputs_sha256": {}}, "outputs_sha256 has no checksum of config.toml"),
    ],
)
def test_a_manifest_that_no_run_writes_is_one_line(change: dict[str, object], told: str, tmp_path: Path) -> None:
    write_record(tmp_path / "manifest.json", MANIFEST)
    content = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps(content | change), "utf-8")
    with pytest.raises(RunError) as error:
        check_run(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'manifest.json'}: {told}")
    assert "\n" not in str(error.value)


def test_an_earlier_versions_record_is_read_where_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    write_record(file, {**vars(MANIFEST), "format_version": 1})
    assert read_record(Manifest, file, any_version=True).code_version == "0.1.0"
    with pytest.raises(RunError, match="format_version is 1"):
        read_record(Manifest, file)


def test_names_of_columns_and_tensors_tell_repeats_and_folds_apart() -> None:
    assert fold_columns(1) == ["fold"]
    assert fold_columns(3) == ["fold", "fold_2", "fold_3"]
    assert len({tensor_name(repeat, fold, group) for repeat in (0, 1) for fold in (0, 1) for group in "ab"}) == 8


@pytest.mark.parametrize("command", [["predict", "--input", "-"], ["report"], ["explain", "--id", "1"], ["ablate"]])
def test_a_wrong_folder_is_refused_before_torch_is_imported(command: list[str], tmp_path: Path) -> None:
    code = f"""
import sys
from houseprices.cli import main
try:
    main([*{command}, "--run", "nowhere"])
except SystemExit as ending:
    print(ending.code, *({{"torch", "pandas", "sklearn", "matplotlib"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "1\n"
    accepted = "a folder that `houseprices cv` has written, or a run's name in runs/"
    assert done.stderr == f"houseprices: nowhere: no such folder; accepted: {accepted}\n"
