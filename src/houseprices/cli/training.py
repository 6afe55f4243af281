"""Commands that train: cv, compare, stress and ablate; with the settings and the sample to train on."""

import json
from pathlib import Path

from houseprices.cli.parameters import AsJson, Flag, Override
from houseprices.errors import SettingsError


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
        columns: Python file with columns of your own for every group, see docs/columns.md; it runs as code.
        as_json: Print the metrics as JSON on stdout.
    """
    from houseprices.settings import load_settings, parse_overrides, with_own_columns

    overrides = parse_overrides(settings)
    overrides |= {name: value for name, value in (("seed", seed), ("device", device)) if value is not None}
    options = with_own_columns(load_settings(config, overrides), columns)

    from houseprices.console import listening
    from houseprices.console.scores import print_summary
    from houseprices.runs.format import as_json as json_of
    from houseprices.runs.job import run_main_job

    with listening() as notify:
        folder, metrics = run_main_job(data, options, run, notify)
    if as_json:
        print(json.dumps(json_of(metrics)))
    else:
        print_summary(folder, metrics)


def compare(
    *settings: Override,
    data: Path | None = None,
    config: Path | None = None,
    against: Path | None = None,
    columns: Path | None = None,
    simplification: Flag = False,
    without_id: tuple[int, ...] = (),
    change: str | None = None,
    log: Path = Path("docs/experiments.csv"),
    corrected: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Judge two settings house by house on repeated halves: is the second better than the first?

    Each look is a line in a log. No network is trained twice: its predictions are kept in runs/gate.

    Args:
        settings: Settings of the second, as for `cv`, e.g. --models.tanh.dropout 0.3; folds play no part here. Those
            that say where networks train (--workers, --device, --ray) are of both.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file of the first.
        against: TOML file of the second; without it the first one's, changed by the settings given here.
        columns: As of `cv`, for the second alone.
        simplification: The second is the simpler one and need only be no worse.
        without_id: Houses left out of a further figure; may be repeated.
        change: What is new in the second, in words for the log; without it the files and settings given.
        log: The CSV of all looks.
        corrected: Compare nothing; print the score of what the log's looks at Kaggle's houses have brought, corrected
            for the choice among so many.
        as_json: Print the figures as JSON on stdout.
    """
    from dataclasses import asdict

    if corrected:
        if settings or data or config or against or simplification or without_id or change or columns:
            raise SettingsError("--corrected stands beside other options; accepted: --corrected [--log FILE] [--json]")
        _correct_looks(log, as_json)
        return
    from houseprices.settings import WHERE, load_settings, parse_overrides, with_own_columns

    overrides = parse_overrides(settings)
    where = {name: overrides.pop(name) for name in WHERE if name in overrides}
    first = load_settings(config, where)
    second = with_own_columns(load_settings(against or config, overrides | where), columns)
    new = [f"{config or 'default'} -> {against}"] if against else [str(config)] if config else []
    new += [f"--columns {columns}"] if columns else []
    new += [f"--{name} {value}" for name, value in overrides.items()]

    from houseprices.console import listening
    from houseprices.console.comparison import print_comparison
    from houseprices.selection.comparison import compare

    with listening() as notify:
        found = compare(
            data,
            first,
            second,
            change=change or " ".join(new),
            log=log,
            simplification=simplification,
            without_ids=without_id,
            notify=notify,
        )
    if as_json:
        print(json.dumps({**asdict(found), "verdict": found.verdict}))
    else:
        print_comparison(found)


def _correct_looks(log: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from houseprices.console import listening
    from houseprices.console.comparison import print_corrected
    from houseprices.selection.corrected import correct_looks

    with listening() as notify:
        found = correct_looks(log, notify=notify)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print_corrected(found)


def stress(
    *settings: Override,
    data: Path | None = None,
    config: Path | None = None,
    as_json: AsJson = False,
) -> None:
    """Hold out rare houses, train on the rest: far from their neighbours, sold unfinished, cheapest, dearest.

    No network is trained twice: its predictions are kept in runs/gate.

    Args:
        settings: Any setting, as for `cv`; folds play no part here.
        data: Folder with train.csv and test.csv, as for `cv`.
        config: TOML file with settings.
        as_json: Print the figures as JSON on stdout.
    """
    from dataclasses import asdict

    from houseprices.settings import load_settings, parse_overrides

    recipe = load_settings(config, parse_overrides(settings))

    from houseprices.console import listening
    from houseprices.console.stress import print_stress
    from houseprices.selection.stress import stress

    with listening() as notify:
        found = stress(data, recipe, notify)
    if as_json:
        print(json.dumps({name: asdict(one) for name, one in found.items()}))
    else:
        print_stress(found)


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
        from houseprices.runs.format import check_run

        check_run(run)
    from houseprices.console import listening
    from houseprices.console.scores import print_best_cell
    from houseprices.report.ablation_job import make_ablation

    with listening() as notify:
        folder, grid = make_ablation(data, run, config, notify)
    if as_json:
        print(grid.to_json(orient="records"))
    else:
        print_best_cell(folder, grid)


def list_settings() -> None:
    """Explain every setting of the main job: name, default, accepted values and meaning."""
    from houseprices.console.settings import print_settings
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
