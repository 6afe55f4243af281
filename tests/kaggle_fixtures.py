"""Fixtures for the tests of Kaggle's commands: a stand-in server, a fresh home and working folder, and small files."""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kaggle_server import KEY, TOKEN, USERNAME, KaggleServer, kaggle_server

from houseprices.cli import main
from houseprices.cross_validation.metrics import LogRmse
from houseprices.data import source
from houseprices.data.sample import draw_sample
from houseprices.files import write_json
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
        """The one line on stderr of a command that failed, without notices of what went well before."""
        lines = [line for line in self.err.splitlines() if not any(notice in line for notice in NOTICES)]
        assert (self.exit_code != 0, len(lines)) == (True, 1), self
        return lines[0].removeprefix("houseprices: ")


NOTICES = ("fit for Kaggle", "cross-validated log-RMSE", "uploading as", "submitted, Kaggle's number", "is read as")
Command = Callable[..., Outcome]


@pytest.fixture(scope="session")
def raw_files() -> dict[str, bytes]:
    """A small competition as Kaggle packs it."""
    return make_raw_files()


def make_raw_files() -> dict[str, bytes]:
    """Draw 60 houses with prices, and 40 without, whose Ids are 61 to 100."""
    sample = draw_sample(n_rows=60, n_test_rows=40, seed=0)
    files = {"data_description.txt": b"79 features\n", "sample_submission.csv": b"Id,SalePrice\n61,1\n"}
    for name, table in (("train.csv", sample.train), ("test.csv", sample.test)):
        stream = io.StringIO()
        table.to_csv(stream, index=False, na_rep="NA")
        files[name] = stream.getvalue().encode()
    return files


@pytest.fixture
def server(raw_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KaggleServer]:
    """The stand-in, with a fresh home, working folder and environment that lead to it, and short pauses."""
    for folder in ("home", "home/.kaggle", "project"):
        (tmp_path / folder).mkdir()
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME", "http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path / "project")
    known = {name: hashlib.sha256(raw_files[name]).hexdigest() for name in ("train.csv", "test.csv")}
    monkeypatch.setattr(source, "KAGGLE_SHA256", known)
    monkeypatch.setattr("houseprices.kaggle.download.KAGGLE_SHA256", known)
    with kaggle_server() as stand_in:
        stand_in.files = dict(raw_files)
        stand_in.mirror = {f"kaggle_house_pred_{name}": raw_files[name] for name in ("train.csv", "test.csv")}
        for name, value in stand_in.environment.items():
            monkeypatch.setenv(name, value)
        from houseprices.kaggle import client

        client._new_client()  # its class reads the home folder when it is imported
        from kaggle.api.kaggle_api_extended import KaggleApi

        monkeypatch.setattr(KaggleApi, "config", str(tmp_path / "home" / ".kaggle" / "kaggle.json"))
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
def with_key(server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign in by user name and key in place of the token."""
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)


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
    manifest = {
        "format_version": 4,
        "code_version": "0.1.0+abc1234",
        "data": {"kind": kind, "sha256": {"train.csv": "0" * 64}},
        "outputs_sha256": {"submission.csv": hashlib.sha256(submission).hexdigest()},
        "python": "3.11.7",
        "libraries": {},
        "device": "cpu",
        "seconds": {},
        "argv": [],
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
