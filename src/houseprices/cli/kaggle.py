"""Commands on Kaggle's files and scores: download, submit and ledger."""

import json
from pathlib import Path
from typing import Literal

from houseprices.cli.parameters import AsJson, Flag
from houseprices.errors import SettingsError


def download_files(
    *,
    dataset: Literal["house-prices", "fashion-mnist"] = "house-prices",
    source: Literal["kaggle", "mirror"] | None = None,
    to: Path | None = None,
) -> None:
    """Bring the competition's files, or the images of the lesson on dropout; does nothing where they are.

    Args:
        dataset: house-prices or fashion-mnist.
        source: Of house-prices: kaggle, the default, which needs credentials, or mirror, a public copy of train.csv
            and test.csv.
        to: The folder. Without it data/raw or data/fashion-mnist.
    """
    if dataset == "fashion-mnist":
        _download_fashion_mnist(source, to)
        return
    from houseprices.console import listening
    from houseprices.data.source import RAW_FOLDER
    from houseprices.kaggle.download import download

    to = to or RAW_FOLDER
    with listening() as notify:
        files = download(source or "kaggle", to, notify=notify)
    print(f"{to}: {', '.join(files)}, checked" if files else f"{to}: train.csv and test.csv are there; nothing to do")


def _download_fashion_mnist(source: str | None, to: Path | None) -> None:
    from houseprices.console import listening
    from houseprices.lessons.fashion_mnist import FASHION_MNIST_FOLDER, download_fashion_mnist

    if source:
        raise SettingsError(f"--source {source} belongs to --dataset house-prices; fashion-mnist has one source")
    to = to or FASHION_MNIST_FOLDER
    with listening() as notify:
        files = download_fashion_mnist(to, notify=notify)
    print(f"{to}: {', '.join(files)}, checked" if files else f"{to}: Fashion-MNIST is there; nothing to do")


def submit_run(
    run: Path | None = None,
    *,
    file: Path | None = None,
    message: str = "",
    dry_run: Flag = False,
    no_wait: Flag = False,
    again: Flag = False,
) -> None:
    """Check a run's submission, upload it, wait for the score and note it in submissions/ledger.jsonl.

    Args:
        run: Run folder; without it and --file the newest one.
        file: Any CSV with Id,SalePrice in place of a run's.
        message: Put before the run's name, CV score and code version.
        dry_run: Do everything but the upload.
        no_wait: Return after the upload; `houseprices ledger --refresh` brings the score later.
        again: Submit a file that was submitted before.
    """
    from houseprices.console import listening
    from houseprices.kaggle.submit import submit

    with listening() as notify:
        submit(run, file, message, dry_run=dry_run, wait=not no_wait, again=again, say=print, notify=notify)


def ledger(
    *,
    refresh: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Show cross-validation against leaderboard, submission by submission.

    Args:
        refresh: Ask Kaggle for the scores that are missing.
        as_json: Print the entries as JSON on stdout.
    """
    from dataclasses import asdict

    from houseprices.kaggle.ledger import LEDGER, read_ledger

    if refresh:
        from houseprices.kaggle.submit import refresh as refresh_ledger

        entries = refresh_ledger()
    else:
        entries = read_ledger()
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries]))
        return
    if not entries:
        print(f"{LEDGER}: no submissions yet; `make submit` makes one")
        return
    from houseprices.console.ledger import print_ledger

    print_ledger(entries)
