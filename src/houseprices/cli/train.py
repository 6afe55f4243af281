"""Commands that train or prepare: cv, ablate, sample and settings."""

import json
import textwrap
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from houseprices.cli.terminal import AsJson, Override, in_terminal, print_table
from houseprices.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from houseprices.runs.format import Metrics

MAX_REPEATS_SHOWN = 8
"""As many as fit into 80 columns."""

INDENT = "      "


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
        config: TOML file with settings, such as a run's config.toml, or default, quick or single.
        run: Folder to write, new or empty. Without it a new one in runs/.
        seed: Fixes the folds and every network's random numbers.
        device: auto, cpu or cuda.
        columns: Python file with features of your own for every model, see docs/settings.md; it runs as code.
        as_json: Print the metrics as JSON on stdout.
    """
    from houseprices.settings import load_settings, parse_overrides, with_custom_features

    overrides = parse_overrides(settings)
    overrides |= {name: value for name, value in (("seed", seed), ("device", device)) if value is not None}
    options = with_custom_features(load_settings(config, overrides), columns)

    from houseprices.cli.terminal import progress_bars
    from houseprices.runs.format import as_json as json_of
    from houseprices.runs.write import run_main_job

    with progress_bars() as notify:
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
        config: TOML file whose first model lends the network's shape and learning rate.
        as_json: Print the grid as JSON on stdout.
    """
    if run and (data or config):
        raise SettingsError("--run and --data or --config are both given; accepted: a run, or data and settings")
    if run:
        from houseprices.runs.format import check_run

        run, _ = check_run(run)
    from houseprices.cli.terminal import progress_bars
    from houseprices.selection.ablation import run_ablation

    with progress_bars() as notify:
        folder, grid = run_ablation(data, run, config, notify)
    if as_json:
        print(grid.to_json(orient="records"))
    else:
        print_best_cell(folder, grid)


def list_settings(*, config: Path | None = None) -> None:
    """Explain every setting: name, default, accepted values and meaning, and its value in each model.

    Args:
        config: Configuration whose models to show; without it the default's.
    """
    from houseprices.settings import explained_settings, load_settings

    settings = load_settings(config)
    for setting in explained_settings():
        values = {name: getattr(model, setting.key, None) for name, model in settings.models.items()}
        by_model = ", ".join(
            f"{name} {json.dumps(value)}" for name, value in values.items() if "<model>" in setting.name
        )
        if not in_terminal():
            print(f"--{setting.name}", setting.default, setting.accepted, setting.meaning, by_model, sep="\t")
            continue
        print(f"--{setting.name} {setting.default}")
        texts = [setting.meaning, f"accepted: {setting.accepted}", *([f"here: {by_model}"] if by_model else [])]
        for text in texts:
            print(textwrap.fill(text, get_terminal_size().columns, initial_indent=INDENT, subsequent_indent=INDENT))


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
    from houseprices.data.sample import NOISE_FLOOR, write_sample

    write_sample(to, rows, test_rows, seed)
    print(f"{to}: {rows} priced and {test_rows} unpriced synthetic houses; best possible log-RMSE {NOISE_FLOOR:.3f}")


def print_summary(run: Path, metrics: "Metrics") -> None:
    """Print tables of the scores in a terminal, and always the line that sums up the run."""
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
    """Print a row a fold and a column a repeat: as many as a terminal has room for."""
    n_repeats = metrics.by_fold[-1].repeat + 1
    if n_repeats > MAX_REPEATS_SHOWN:
        return
    scores = {(score.fold, score.repeat): score.log_rmse for score in metrics.by_fold}
    folds = sorted({fold for fold, _ in scores})
    headings = ("fold", *(f"repeat {repeat + 1}" for repeat in range(n_repeats)))
    rows = [(str(fold + 1), *(_score(scores[fold, repeat]) for repeat in range(n_repeats))) for fold in folds]
    means = [sum(scores[fold, repeat] for fold in folds) / len(folds) for repeat in range(n_repeats)]
    print_table("log-RMSE out of fold", headings, rows, [("mean", *map(_score, means))])


def _print_scores(metrics: "Metrics") -> None:
    scores = metrics.log_rmse
    rows = [
        (f"mean of {len(metrics.by_fold)} folds", f"{_score(scores.fold_mean)} ± {_score(scores.fold_std)}", ""),
        (f"all {metrics.n_rows:,} rows", _score(scores.pooled), _score(scores.train)),
    ]
    baselines = [(f"baseline: {name}", _score(score), "") for name, score in metrics.baselines.items()]
    print_table("", ("", "out of fold", "training"), rows, baselines, words=("",))


def _print_models(metrics: "Metrics") -> None:
    """Print the score of each model's mean prediction, and mean and spread over its single networks."""
    rows = []
    for name, score in metrics.models.items():
        spread = f" ± {_score(score.member_std)}" if score.member_std > 0 else ""
        rows.append((name, _score(score.pooled), f"{_score(score.member_mean)}{spread}"))
    print_table("log-RMSE out of fold, by model", ("model", "its mean", "one network"), rows, words=("model",))


def _score(log_rmse: float) -> str:
    return f"{log_rmse:.4f}"


def print_best_cell(folder: Path, grid: "pd.DataFrame") -> None:
    """Print the cell of the ablation with the lowest validation error, and where all of them are."""
    best = grid.iloc[int(grid["validation_log_rmse"].argmin())]
    print(
        f"lowest validation log-RMSE {best['validation_log_rmse']:.4f} ± {best['validation_std']:.4f} (over seeds) "
        f"at weight decay {best['weight_decay']:g}, dropout {best['dropout']:g}"
    )
    print(folder)
