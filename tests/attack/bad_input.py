"""Read corrupted files of every kind: each must be refused by one of our errors, or accepted with every value valid.

`make attack` runs it for a while and prints a line a kind; a fixed small set of it is among the tests.
"""

import argparse
import contextlib
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from attack import mutations
from kaggle_server import zip_of

from houseprices.data.schema import FEATURES
from houseprices.errors import DataError, HousePricesError

LONGEST_S = 10.0
TINY_TOML = """device = "cpu"
[folds]
n_folds = 3
n_repeats = 1
[models.tiny]
hidden = [4]
epochs = 2
"""
ENTRY = {
    "submitted_utc": "2026-01-01T12:00:00Z", "file": "runs/1/submission.csv", "sha256": "0" * 64, "run": "runs/1",
    "cv_log_rmse": 0.12, "message": "run 1 [00000001]", "ref": 101, "status": "complete", "public_score": 0.13,
    "reason": "",
}  # fmt: skip


@dataclass(frozen=True)
class Good:
    """Good files to be corrupted: a folder with train.csv and test.csv, settings, and a run with them."""

    data: Path
    config: Path
    run: Path


def make_good(folder: Path) -> Good:
    """Write a small sample and a run on it."""
    from houseprices.data.sample import write_sample

    write_sample(folder, 40, 12, seed=1)
    (folder / "config.toml").write_text(TINY_TOML, "utf-8")
    arguments = ["cv", "--data", ".", "--config", "config.toml", "--run", "run"]
    subprocess.run([sys.executable, "-m", "houseprices", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return Good(folder, folder / "config.toml", folder / "run")


def table(good: Good, rng: random.Random, place: Path) -> None:
    """train.csv or test.csv; what is accepted lies within the schema."""
    name = rng.choice(("train.csv", "test.csv"))
    _read_valid(corrupted(good.data / name, place, rng, (mutations.table_cells,) * 3), name)


def form(good: Good, rng: random.Random, place: Path) -> None:
    """A table in another form: it gives what its plain form gives, or is refused; corrupted, it stays in the schema."""
    name = rng.choice(("train.csv", "test.csv"))
    text = mutations.odd_cells(pd.read_csv(good.data / name, dtype="str", keep_default_na=False), rng)
    plain, other = place / "plain.csv", place / "other"
    plain.write_bytes(text.to_csv(index=False).encode("utf-8", "replace"))
    other.write_bytes(mutations.in_another_form(text, rng))
    if rng.random() < 0.3:
        other.write_bytes(rng.choice(mutations.ANY)(other.read_bytes(), rng))
        _read_valid(other, name)
        return
    try:
        expected = _read_valid(plain, name)
    except DataError:
        _read_valid(other, name)
        raise AssertionError("accepted, though its plain form is refused") from None
    pd.testing.assert_frame_equal(_read_valid(other, name), expected, check_exact=True)


def _read_valid(file: Path, name: str) -> pd.DataFrame:
    """Read a table; check that each value lies within the schema."""
    from houseprices.data.table import read_houses

    houses = read_houses(file, priced=name == "train.csv")
    for feature in FEATURES:
        known = houses[feature.name].dropna()
        if feature.kind == "number":
            assert known.between(feature.low, feature.high).all()
            assert not feature.whole or (known % 1 == 0).all()
        else:
            assert set(known) <= set(feature.levels)
    assert houses.index.is_unique
    assert "SalePrice" not in houses or houses["SalePrice"].between(1, 1e11).all()
    return houses


def settings(good: Good, rng: random.Random, place: Path) -> None:
    """config.toml; what is accepted is written and read back alike."""
    from houseprices.settings import dump_settings, load_settings

    file = corrupted(good.config, place, rng, (mutations.toml_lines,) * 3)
    settings = load_settings(file)
    file.write_text(dump_settings(settings), "utf-8")
    assert load_settings(file) == settings


def run(good: Good, rng: random.Random, place: Path) -> None:
    """A run folder, half of the time with its checksums mended; what is accepted predicts prices."""
    from houseprices.cli.train import print_summary
    from houseprices.data.table import read_houses
    from houseprices.files import sha256_of
    from houseprices.runs.predict import price_table
    from houseprices.runs.read import read_run

    folder = Path(shutil.copytree(good.run, place / "run"))
    name = rng.choice([file.name for file in sorted(folder.iterdir()) if file.is_file()])
    special = {".json": mutations.json_values, ".csv": mutations.table_cells, ".toml": mutations.toml_lines}
    corrupted(folder / name, folder, rng, (special[Path(name).suffix],) * 3 if Path(name).suffix in special else ())
    if rng.random() < 0.7 and name != "manifest.json":
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        manifest["outputs_sha256"] = {one: sha256_of(folder / one) for one in manifest["outputs_sha256"]}
        (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    saved = read_run(folder)
    prices = price_table(saved, read_houses(good.data / "test.csv", priced=False), 0.8)
    assert (np.isfinite(prices["price"]) & (prices["price"] > 0)).all()
    assert (prices["lower"] <= prices["upper"]).all()
    print_summary(folder, saved.metrics)


def ledger(_good: Good, rng: random.Random, place: Path) -> None:
    """The ledger; what is accepted can be shown."""
    from houseprices.cli.kaggle import print_ledger
    from houseprices.kaggle.ledger import read_ledger

    whole, how = json.dumps(ENTRY).encode(), (*mutations.ANY, *(mutations.json_values,) * 4)
    lines = [rng.choice(how)(whole, rng) for _ in range(rng.choice((1, 2, 3)))]
    file = place / "ledger.jsonl"
    file.write_bytes(b"\n".join([whole, *lines]))
    print_ledger(read_ledger(file))


def archive(_good: Good, rng: random.Random, place: Path) -> None:
    """A zip; nothing appears but what was asked for."""
    from houseprices.kaggle.download import unpack

    good = place / "good.zip"
    good.write_bytes(zip_of({"train.csv": b"Id\n1\n" * 50, "../up.csv": b"x", "test.csv": b"Id\n2\n" * 50}))
    file, folder = corrupted(good, place, rng, ()), place / "unpacked"
    folder.mkdir()
    assert set(unpack(file.read_bytes(), folder)) == {path.name for path in folder.iterdir()}


def submission(good: Good, rng: random.Random, place: Path) -> None:
    """A submission; what is accepted has each Id once and a plain price."""
    from houseprices.kaggle.submission import check_ids, read_submission

    price_of_id = read_submission(good.run / "submission.csv").price_of_id
    file = corrupted(good.run / "submission.csv", place, rng, (mutations.table_cells,) * 3)
    prices = read_submission(file).price_of_id
    check_ids(file, prices, price_of_id)
    assert prices.keys() == price_of_id.keys()


Attack = Callable[[Good, random.Random, Path], None]
KINDS: tuple[Attack, ...] = (table, form, settings, run, ledger, archive, submission)


def corrupted(good: Path, folder: Path, rng: random.Random, special: tuple[mutations.Mutation, ...]) -> Path:
    """Write a corrupted copy of the file into the folder."""
    content = rng.choice((*mutations.ANY, *special))(good.read_bytes(), rng)
    file = folder / good.name
    file.write_bytes(content)
    return file


def attack(kind: Attack, good: Good, seed: int) -> str:
    """Return refused, accepted, or what failed."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        try:
            kind(good, random.Random(f"{kind.__name__} {seed}"), Path(folder))
            outcome = "accepted"
        except HousePricesError as error:
            outcome = "refused" if str(error).strip() else "refused without a word"
        except Exception as error:
            outcome = f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.process_time() - start  # of this process: a busy machine hangs nothing
    return outcome if seconds < LONGEST_S else f"{outcome} after {seconds:.0f} s"


def main() -> None:
    """Read so many corrupted files of each kind; exit 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=300, help="of each kind")
    parser.add_argument("--kind", choices=[kind.__name__ for kind in KINDS], help="one kind alone")
    options = parser.parse_args()
    n_failed = 0
    with tempfile.TemporaryDirectory() as folder:
        good = make_good(Path(folder))
        for kind in (kind for kind in KINDS if options.kind in (None, kind.__name__)):
            counts = Counter[str]()
            for seed in range(options.files):
                outcome = attack(kind, good, seed)
                counts[outcome if outcome in ("accepted", "refused") else "failed"] += 1
                if outcome not in ("accepted", "refused"):
                    print(f"{kind.__name__} {seed}: {outcome}")
            n_failed += counts["failed"]
            print(f"{kind.__name__}: {options.files} corrupted files, {dict(counts)}", flush=True)
    sys.exit(n_failed > 0)


if __name__ == "__main__":
    main()
