"""Fixtures for the tests of Kaggle's commands: a stand-in server, a fresh home and working folder, and small files."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kaggle_server import KEY, TOKEN, KaggleServer, kaggle_server

from houseprices.cli import main
from houseprices.cross_validation.metrics import LogRmse
from houseprices.data import source
from houseprices.data.sample import draw_sample
from houseprices.files import write_json
from houseprices.kaggle import client
from houseprices.kaggle.ledger import Entry, read_ledger
from houseprices.runs.format import Metrics, write_record

N_RETRIES = 2


@dataclass(frozen=True)
class Outcome:
    """Output of a command as a user sees it."""

    exit_code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The last line on stderr of a command that failed; notices may stand above it."""
        assert self.exit_code != 0, self
        return self.err.splitlines()[-1].removeprefix("houseprices: ")


Command = Callable[..., Outcome]


@pytest.fixture(scope="session")
def raw_files() -> dict[str, bytes]:
    """A small competition as Kaggle packs it."""
    sample = draw_sample(n_rows=60, n_test_rows=40, seed=0)
    files = {"data_description.txt": b"79 features\n", "sample_submission.csv": b"Id,SalePrice\n61,1\n"}
    tables = {"train.csv": sample.train, "test.csv": sample.test}
    return files | {name: table.to_csv(index=False, na_rep="NA").encode() for name, table in tables.items()}


@pytest.fixture
def server(raw_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KaggleServer]:
    """The stand-in, with a fresh home, working folder and environment that lead to it, and short pauses."""
    for folder in ("home", "home/.kaggle", "project"):
        (tmp_path / folder).mkdir()
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME", "http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path / "project")
    known = {name: hashlib.sha256(raw_files[name]).hexdigest() for name in ("train.csv", "test.csv")}
    monkeypatch.setattr(source, "KAGGLE_SHA256", known)
    monkeypatch.setattr("houseprices.kaggle.download.KAGGLE_SHA256", known)
    with kaggle_server() as stand_in:
        stand_in.files = dict(raw_files)
        stand_in.mirror = {f"kaggle_house_pred_{name}": raw_files[name] for name in ("train.csv", "test.csv")}
        for name, value in {"HOME": f"{tmp_path}/home", "KAGGLE_API_TOKEN": TOKEN, **stand_in.environment}.items():
            monkeypatch.setenv(name, value)
        kaggle_api = type(client._new_client()).__mro__[1]  # it reads the home folder only when it is imported
        monkeypatch.setattr(kaggle_api, "config", f"{tmp_path}/home/.kaggle/kaggle.json")
        monkeypatch.setattr(client, "RETRY", client.RETRY.new(total=N_RETRIES, backoff_factor=0.01))
        monkeypatch.setattr(client, "POLL_S", 0.01)
        yield stand_in


@pytest.fixture
def houseprices(server: KaggleServer, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Command]:
    """Run a command as the command line does; afterwards no credential may stand in what it wrote anywhere."""
    seen: list[str] = []

    def command(*tokens: str) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main(list(tokens))
        out, err = capsys.readouterr()
        seen.extend((out, err))
        assert "Traceback" not in err
        return Outcome(int(str(ending.value.code)), out, err)

    yield command
    seen += [file.read_text("utf-8", "replace") for file in (tmp_path / "project").rglob("*") if file.is_file()]
    assert not any(secret in text for text in seen for secret in (TOKEN, KEY, "Bearer", "Basic "))


@pytest.fixture
def run_folder(server: KaggleServer, raw_files: dict[str, bytes]) -> Path:
    """runs/first, as `houseprices cv` writes it on Kaggle's files, with data/raw beside it."""
    Path("data/raw").mkdir(parents=True)
    for name in ("train.csv", "test.csv"):
        (Path("data/raw") / name).write_bytes(raw_files[name])
    return write_run(Path("runs/first"))


def write_run(folder: Path, kind: str = "kaggle", cv: float = 0.12, price: float = 150_000.5) -> Path:
    """Write the files of a run of format 4 that submitting reads; runs/latest points to it."""
    folder.mkdir(parents=True)
    lines = ["Id,SalePrice", *(f"{house},{price}" for house in range(61, 101))]
    submission = ("\n".join(lines) + "\n").encode()
    (folder / "submission.csv").write_bytes(submission)
    scores = LogRmse(pooled=cv, fold_mean=cv, fold_std=0, train=cv)
    write_record(folder / "metrics.json", Metrics(scores, [], {}, {}, 1, 60, data=kind, seconds={}))
    noted = {"python": "3.11.7", "libraries": {}, "device": "cpu", "seconds": {}, "argv": []}
    manifest = noted | {
        "format_version": 4,
        "code_version": "0.1.0+abc1234",
        "data": {"kind": kind, "sha256": {"train.csv": "0" * 64}},
        "outputs_sha256": {"submission.csv": hashlib.sha256(submission).hexdigest()},
        "finished_utc": "2026-01-01T00:00:00+00:00",
    }
    write_json(folder / "manifest.json", manifest)
    latest = Path("runs/latest")
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    return folder


def ledger() -> list[Entry]:
    """Read the ledger in the working folder."""
    return read_ledger(Path("submissions/ledger.jsonl"))
