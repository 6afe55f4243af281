"""Records come back as they were written, runs are found by their name, and a wrong folder is refused before torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FinishedRun

from houseprices.errors import RunError
from houseprices.runs.format import (
    FORMAT_VERSION,
    DataNote,
    Manifest,
    Metrics,
    PastMetrics,
    Preprocessing,
    check_run,
    find_run,
    read_record,
    record_text,
    write_record,
)

MANIFEST = Manifest(FORMAT_VERSION, "0.1.0", DataNote("other", {}), {}, "3.11", {}, "cpu", {"total": 1.5}, [], "now")
ACCEPTED = "accepted: a folder that `houseprices cv` has written, or a run's name in runs/"


@pytest.mark.parametrize(
    ("name", "record"), [("manifest.json", Manifest), ("metrics.json", Metrics), ("preprocessing.json", Preprocessing)]
)
def test_a_record_is_read_and_written_again_to_the_same_bytes(
    name: str, record: type, finished_run: FinishedRun
) -> None:
    text = record_text(read_record(record, finished_run.folder / name), indent=None if record is Preprocessing else 2)
    assert text.encode() == (finished_run.folder / name).read_bytes()


def test_a_run_is_found_by_its_name_its_folder_or_as_the_newest(place: Path) -> None:
    with pytest.raises(RunError, match=r"^runs/latest: there is no run yet; `make cv` makes one$"):
        find_run(None)
    for name in ("runs/one", "runs/two", "two", "elsewhere/three"):
        (place / name).mkdir(parents=True)
    (place / "runs/latest").symlink_to("one")
    (place / "file").write_text("")
    folders = {None: "runs/latest", "one": "runs/one", "runs/two": "runs/two", "two": "two", "latest": "runs/latest"}
    for name, folder in (folders | {"elsewhere/three": "elsewhere/three"}).items():
        assert find_run(name and Path(name)) == Path(folder)
    for name, reason in (("none", "no such folder"), ("file", "is a file")):
        with pytest.raises(RunError) as error:
            find_run(Path(name))
        assert str(error.value) == f"{name}: {reason}; {ACCEPTED}"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"format_version": 4}, "format_version is 4; accepted: 5 (such a run can be listed and submitted; "),
        ({"seconds": {"total": "long"}}, "seconds.total: "),
        ({"data": {"kind": "mine", "sha256": {}}}, "data.kind: "),
        ({"outputs_sha256": {}}, "outputs_sha256 has no checksum of config.toml"),
    ],
)
def test_a_manifest_that_no_run_writes_is_one_line(change: dict[str, object], line: str, tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    write_record(file, MANIFEST)
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(RunError) as error:
        check_run(tmp_path)
    assert str(error.value).startswith(f"{file}: {line}")
    assert "\n" not in str(error.value)


def test_runs_of_earlier_versions_can_be_listed_and_submitted(tmp_path: Path) -> None:
    write_record(tmp_path / "manifest.json", {**vars(MANIFEST), "format_version": 4})
    scores = {"pooled": 0.12, "fold_mean": 0.12, "fold_std": 0.01, "train": 0.08}
    write_record(tmp_path / "metrics.json", {"log_rmse": scores, "groups": {}, "data": "kaggle", "seconds": {}})
    assert read_record(Manifest, tmp_path / "manifest.json", any_version=True).code_version == "0.1.0"
    assert read_record(PastMetrics, tmp_path / "metrics.json").log_rmse.pooled == 0.12
    with pytest.raises(RunError, match="format_version is 4"):
        read_record(Manifest, tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "command", [["predict", "--input", "-"], ["report"], ["explain", "--id", "1"], ["verify"], ["ablate"]]
)
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
    assert done.stderr == f"houseprices: nowhere: no such folder; {ACCEPTED}\n"
