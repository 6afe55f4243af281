"""Commands that train or prepare: cv, ablate, sample and settings."""

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from houseprices.cli.terminal import AsJson, Override, in_terminal, print_table
from houseprices.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from houseprices.runs.format import Metrics
    from houseprices.setting_help import ExplainedSetting


def cv(
    *settings: Override,
    data: Path | None = None,
    config: Path | None = None,
    run: Path | None = None,
    seed: int | None = None,
    device: str | None = None,
    columns: Path | None = None,
    as_json: AsJson = False,
) -> None:
    """Cross-validate, predict the test set and write a run folder: the main job.

    Args:
        settings: Any setting by its name in the TOML file, e.g. --folds.n_folds 5 --models.tanh.dropout 0.3;
            `houseprices settings` lists them.
        data: Folder with train.csv and test.csv. Without it data/raw, or the synthetic sample if that is empty.
        config: TOML file with settings, such as configs/default.toml or a run's config.toml.
        run: Folder to write, new or empty. Without it a new one in runs/.
        seed: Fixes the folds and every network's random numbers.
        device: auto, cpu or cuda.
        columns: Python file with features of your own for every model, see docs/settings.md; it runs as code.
        as_json: Print the metrics as JSON on stdout.
    """
    from houseprices.settings import load_settings, parse_overrides, with_own_columns

    overrides = parse_overrides(settings)
    overrides |= {name: value for name, value in (("seed", seed), ("device", device)) if value is not None}
    options = with_own_columns(load_settings(config, overrides), columns)

    from houseprices.cli.terminal import listening
    from houseprices.runs.format import as_json as json_of
    from houseprices.runs.write import run_main_job

    with listening() as notify:
        folder, metrics = run_main_job(data, options, run, notify)
    if as_json:
        print(json.dumps(json_of(metrics)))
    else:
        print_summary(folder, metrics)


def ablate(
    *,
    data: Path | None = None,
    run: Path | None = None,
    config: Path | None = None,
    as_json: AsJson = False,
) -> None:
    """Train the grid of weight decay x dropout in one job: a CSV and heat maps, which the report shows.

    Args:
        data: Folder with train.csv and test.csv, as for cv; the grid is written to runs/ablation.
        run: Run folder whose houses and settings to take instead; the grid is written to its ablation/.
        config: TOML file whose first group lends the network's shape and learning rate.
        as_json: Print the grid as JSON on stdout.
    """
    if run and (data or config):
        raise SettingsError("--run and --data or --config are both given; accepted: a run, or data and settings")
    if run:
        from houseprices.runs.format import check_run, find_run

        run = find_run(run)
        check_run(run)
    from houseprices.cli.terminal import listening
    from houseprices.report.ablation_job import make_ablation

    with listening() as notify:
        folder, grid = make_ablation(data, run, config, notify)
    if as_json:
        print(grid.to_json(orient="records"))
    else:
        print_best_cell(folder, grid)


def list_settings() -> None:
    """Explain every setting of the main job: name, default, accepted values and meaning."""
    from houseprices.setting_help import explained_settings

    print_settings(explained_settings())


def sample(
    *,
    rows: int = 1460,
    test_rows: int = 1459,
    seed: int = 0,
    to: Path = Path("data/sample"),
) -> None:
    """Write the synthetic sample: train.csv, test.csv and sample_submission.csv.

    Args:
        rows: Houses with a price.
        test_rows: Houses without.
        seed: Another seed draws another town.
        to: The folder.
    """
    from houseprices.data.sample.write import NOISE_FLOOR, write_sample

    write_sample(to, rows, test_rows, seed)
    print(f"{to}: {rows} priced and {test_rows} unpriced synthetic houses; best possible log-RMSE {NOISE_FLOOR:.3f}")


_MOST_SPLITS = 8
"""That fit into 80 columns."""


def print_summary(run: Path, metrics: "Metrics") -> None:
    """Tables of the scores in a terminal, and always the line that sums up the run."""
    from houseprices.runs.format import MANIFEST, SUBMISSION, Manifest, read_record

    scores, baselines = metrics.log_rmse, metrics.baselines
    manifest = read_record(Manifest, run / MANIFEST)
    if in_terminal():
        _print_folds(metrics)
        _print_scores(metrics)
        if len(metrics.models) > 1:
            _print_models(metrics)
    # A terminal has the baselines above, and 80 columns.
    others = "\n" if in_terminal() else f"; ridge {baselines['ridge']:.4f}, median {baselines['median']:.4f}; "
    print(
        f"log-RMSE {scores.pooled:.4f} out of fold, {scores.train:.4f} in training{others}"
        f"{metrics.n_members} networks in {metrics.seconds['total']:.1f} s, {manifest.step} step on {manifest.device}"
    )
    if metrics.test_log_rmse is not None:
        print(f"log-RMSE {metrics.test_log_rmse:.4f} on the prices of the test table")
    if metrics.noise_floor is not None:
        print(f"synthetic data, best possible {metrics.noise_floor:.4f}")
    print(run / SUBMISSION)
    if in_terminal():
        sample = metrics.data == "sample"
        after = "`make download` brings Kaggle's files" if sample else "`make submit` sends it to Kaggle"
        print(f"next: `make report` shows why on one page; {after}")


def _print_folds(metrics: "Metrics") -> None:
    """A row a fold, a column a split: as many as a terminal has room for."""
    folds = metrics.by_fold
    n_splits = folds[-1].repeat + 1
    if n_splits > _MOST_SPLITS:
        return
    places = range(max(one.fold for one in folds) + 1)
    score_of = {(one.fold, one.repeat): one for one in folds}
    if n_splits == 1:
        headings: tuple[str, ...] = ("fold", "rows", "out of fold", "training")
        rows = [(str(one.fold + 1), str(one.n_rows), _score(one.log_rmse), _score(one.train)) for one in folds]
        print_table("log-RMSE by fold", headings, rows)
        return
    splits = range(n_splits)
    headings = ("fold", *(f"split {split + 1}" for split in splits))
    table = [(str(fold + 1), *(_score(score_of[fold, split].log_rmse) for split in splits)) for fold in places]
    means = [sum(score_of[fold, split].log_rmse for fold in places) / len(places) for split in splits]
    print_table("log-RMSE out of fold, by fold and split", headings, table, [("mean", *map(_score, means))])


def _print_scores(metrics: "Metrics") -> None:
    scores = metrics.log_rmse
    named = {"median": "median price"}
    rows = [
        (f"mean of {len(metrics.by_fold)} folds", f"{_score(scores.fold_mean)} ± {_score(scores.fold_std)}", ""),
        (f"all {metrics.n_rows:,} rows", _score(scores.pooled), _score(scores.train)),
    ]
    baselines = [(f"baseline: {named.get(name, name)}", _score(score), "") for name, score in metrics.baselines.items()]
    print_table("", ("", "out of fold", "training"), rows, baselines, words=("",))


def _print_models(metrics: "Metrics") -> None:
    """A group's mean, and the spread of its networks: over splits, where there are several."""
    n_splits = metrics.by_fold[-1].repeat + 1
    rows = []
    for name, group in metrics.models.items():
        spread = f" ± {_score(group.member_std)}" if group.member_std > 0 else ""
        rows.append((name, _score(group.pooled), f"{_score(group.member_mean)}{spread}"))
    headings = ("model", "its mean", "one network" + (f", over {n_splits} splits" if n_splits > 1 else ""))
    print_table("log-RMSE by group, out of fold", headings, rows, words=("model",))


def _score(log_rmse: float) -> str:
    return f"{log_rmse:.4f}"


def print_best_cell(folder: Path, grid: "pd.DataFrame") -> None:
    """The cell of the ablation with the lowest validation error, and where all of them are."""
    best = grid.iloc[int(grid["validation_log_rmse"].argmin())]
    print(
        f"lowest validation log-RMSE {best['validation_log_rmse']:.4f} ± {best['validation_std']:.4f} (over seeds) "
        f"at weight decay {best['weight_decay']:g}, dropout {best['dropout']:g}"
    )
    print(folder)


def print_settings(settings: Iterable["ExplainedSetting"]) -> None:
    """Option and default with the accepted values and the meaning below; tab-separated for another program."""
    if not in_terminal():
        rows = [(f"--{one.name}", one.default, one.accepted, one.meaning) for one in settings]
        print_table("settings", ("setting", "default", "accepted", "meaning"), rows)
        return
    indent = "      "
    for one in settings:
        first = textwrap.wrap(f"--{one.name} {one.default}", get_terminal_size().columns, subsequent_indent=indent)
        below = [f"accepted: {one.accepted}", one.meaning]
        wrapped = [line for text in below for line in textwrap.wrap(
            text, get_terminal_size().columns, initial_indent=indent, subsequent_indent=indent)]  # fmt: skip
        print("\n".join([*first, *wrapped]))
