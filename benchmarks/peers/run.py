"""Other people's models on the folds of `houseprices cv`, from the same raw table: one table of scores and seconds.

    make bench-peers [DATA=data/raw] [ARGS="--peers ridge,lasso"]

A default run is made first; its oof.csv says which fold holds each house out. Each peer prices each fold's houses after
fitting on the others. Every prediction is kept under benchmarks/peers/kept, so that a second call goes on where the
first one ended. Each fit runs in a process of its own on one core; one fold is fitted on two cores for the seconds.
Seconds of one core are the processor's, so that other work on the machine does not count.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from models import PEERS, Floats

HERE = Path(__file__).parent
TRIMMED_SHARE = 0.01
N_RESAMPLES = 10_000
BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"


def main() -> None:
    """Run what is missing, then print the table and write it between the marks of the pages that have them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=HERE / "kept" / "ours", help="a default run on two cores")
    parser.add_argument("--one-core", type=Path, default=HERE / "kept" / "ours-1", help="the same run on one core")
    parser.add_argument("--peers", default=",".join(PEERS), help="names, separated by commas; none for the table alone")
    parser.add_argument("--folds", type=int, nargs="*", help="folds to run; all without it")
    parser.add_argument("--two-cores", action="store_true", help="also time a fold on two cores; wants a quiet machine")
    parser.add_argument("--pages", type=Path, nargs="*", default=[Path("docs/peers.md"), Path("README.md")])
    arguments = parser.parse_args()

    houses, ours = pd.read_csv(arguments.run / "train.csv"), pd.read_csv(arguments.run / "oof.csv")
    fold_of_row, log_price = ours["fold"].to_numpy(), ours["log_price"].to_numpy()
    if not (houses["Id"] == ours["Id"]).all():
        raise SystemExit(f"{arguments.run}: train.csv and oof.csv differ in their houses")
    features = houses.set_index("Id").drop(columns="SalePrice")
    for name in filter(None, arguments.peers.split(",")):
        for fold in arguments.folds or np.unique(fold_of_row):
            run_fold(name, int(fold), 1, features, log_price, fold_of_row)
        if arguments.two_cores:
            run_fold(name, 0, 2, features, log_price, fold_of_row)
    text = table(arguments.run, arguments.one_core, ours, fold_of_row)
    print(text)
    for page in arguments.pages:
        replace_between_marks(page, text)


def kept_file(name: str, fold: int, n_threads: int) -> Path:
    """Name the file of a peer's predictions of a fold."""
    return HERE / "kept" / name.replace(" ", "-") / f"fold-{fold}-of-{n_threads}-cores.json"


def run_fold(
    name: str, fold: int, n_threads: int, features: pd.DataFrame, log_price: Floats, fold_of_row: np.ndarray
) -> None:
    """Fit a peer on all folds but one and keep its predictions of that one, unless they are kept already."""
    file = kept_file(name, fold, n_threads)
    if file.exists():
        return
    held_out = fold_of_row == fold
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        os.environ[variable] = str(n_threads)
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    data = (features[~held_out], log_price[~held_out], features[held_out])
    process = context.Process(target=fit_in_process, args=(name, n_threads, data, answers))
    process.start()
    process.join()
    if process.exitcode != 0:
        print(f"{name}, fold {fold}: failed, left out", flush=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    answer = answers.get() | {"ids": features.index[held_out].tolist()}
    file.with_suffix(".part").write_text(json.dumps(answer))
    file.with_suffix(".part").replace(file)
    rmse = np.sqrt(np.mean((answer["prediction"] - log_price[held_out]) ** 2))
    print(f"{name}, fold {fold}, {n_threads} cores: RMSE {rmse:.4f} in {answer['seconds']:.1f} s", flush=True)


def fit_in_process(name: str, n_threads: int, data: tuple, answers: multiprocessing.Queue) -> None:
    """Fit a peer on this process's cores; the clock starts after its library is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_threads])
    peer = PEERS[name]
    importlib.import_module(peer.library)
    start, cpu_start = time.perf_counter(), time.process_time()
    prediction = np.asarray(peer.fit(*data, n_threads), dtype=float).ravel()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    answers.put({"prediction": prediction.tolist(), "seconds": seconds, "cpu_seconds": cpu_seconds})


# ---- the table ----


def table(run: Path, one_core: Path, ours: pd.DataFrame, fold_of_row: np.ndarray) -> str:
    """Compare every peer that has priced all folds with ours, best first."""
    our_errors = (ours["prediction"] - ours["log_price"]).to_numpy()
    our_seconds = [
        f"{json.loads((folder / 'metrics.json').read_text())['seconds']['total']:.0f}" if folder.exists() else ""
        for folder in (one_core, run)
    ]
    rows = [(rmse(our_errors), ["**this package**, default", *scores(our_errors), "", *our_seconds])]
    unfinished = []
    for name, peer in PEERS.items():
        files = {fold: kept_file(name, fold, 1) for fold in np.unique(fold_of_row)}
        if not all(file.exists() for file in files.values()):
            unfinished.append(f"{name} ({sum(file.exists() for file in files.values())} of {len(files)} folds)")
            continue
        answers = {fold: json.loads(file.read_text()) for fold, file in files.items()}
        errors = np.empty(len(ours))
        for fold, answer in answers.items():
            held_out = fold_of_row == fold
            if answer["ids"] != ours["Id"][held_out].tolist():
                raise SystemExit(f"{files[fold]}: other folds than those of {run}; remove {HERE / 'kept'}")
            errors[held_out] = np.array(answer["prediction"]) - ours["log_price"][held_out]
        both = kept_file(name, 0, 2)
        seconds = [
            f"{sum(answer['cpu_seconds'] for answer in answers.values()):.0f}",
            f"{len(files) * json.loads(both.read_text())['seconds']:.0f}" if both.exists() else "",
        ]
        rows.append(
            (rmse(errors), [f"{name}: {peer.recipe}", *scores(errors), difference(errors, our_errors), *seconds])
        )
    headings = ["", "whole", "trimmed", "difference [95% interval]", "s, one core", "s, two cores"]
    lines = [headings, ["---", *["---:"] * 5], *(cells for _, cells in sorted(rows))]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return text + (f"\n\nNot run to the end: {', '.join(unfinished)}." if unfinished else "")


def rmse(errors: Floats) -> float:
    """Return the root mean square of errors of log prices."""
    return float(np.sqrt(np.mean(errors**2)))


def scores(errors: Floats) -> list[str]:
    """Return the RMSE over all rows, and without the largest 1% of the errors."""
    kept = np.sort(np.abs(errors))[: len(errors) - round(TRIMMED_SHARE * len(errors))]
    return [f"{rmse(errors):.4f}", f"{rmse(kept):.4f}"]


def difference(errors: Floats, our_errors: Floats) -> str:
    """Return a peer's RMSE less ours, with the bootstrap interval over houses, drawn alike for both."""
    rows = np.random.default_rng(0).integers(0, len(errors), (N_RESAMPLES, len(errors)))
    low, high = np.quantile(
        np.sqrt((errors**2)[rows].mean(axis=1)) - np.sqrt((our_errors**2)[rows].mean(axis=1)), [0.025, 0.975]
    )
    return f"{rmse(errors) - rmse(our_errors):+.4f} [{low:+.4f}, {high:+.4f}]"


def replace_between_marks(page: Path, text: str) -> None:
    """Write the table between the marks of a page; a page without marks stays as it is."""
    old = page.read_text("utf-8") if page.is_file() else ""
    if BEGIN in old and END in old:
        before, after = old.split(BEGIN)[0], old.split(END)[1]
        page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
