"""Ablation of weight decay x dropout: the whole grid, several seeds and all folds, as one job.

The network is the settings' first model made smaller and trained for fewer epochs, without dropout of its inputs, so
that the two regularisers act alone and the grid takes a minute or two. Scores are of single networks: compare them with
each other, not with the ensemble's.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from houseprices.cross_validation.fold import assign_folds, split_rows
from houseprices.data.source import read_tables
from houseprices.engine.specs import NetworkSpec
from houseprices.engine.training import open_executor, submit_networks
from houseprices.errors import RunError
from houseprices.files import replacing, sha256_of
from houseprices.progress import Notify, counting, silent
from houseprices.runs.conditions import code_version
from houseprices.runs.format import (
    ABLATION,
    ABLATION_NOTE,
    ABLATION_TABLE,
    FORMAT_VERSION,
    RUNS_FOLDER,
    DataNote,
    read_record,
    write_record,
)
from houseprices.runs.read import read_run
from houseprices.selection.held_out import fit_folds
from houseprices.settings import ModelSettings, Settings, load_settings

WEIGHT_DECAYS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
DROPOUTS = (0.0, 0.05, 0.15, 0.3, 0.5, 0.7)
N_SEEDS = 3
N_FOLDS = 5
WIDTH, EPOCHS = 32, 20
"""The largest number of units of a layer, and of epochs; the main job may have more of both."""


@dataclass(frozen=True)
class AblationNote:
    """Content of ablation.json: the conditions of the grid, and the SHA-256 of its table.

    Attributes:
        model: name of the model that lent its network.
        network: settings of every network, but for weight decay and dropout.
    """

    format_version: int
    code_version: str
    data: DataNote
    model: str
    network: ModelSettings
    n_folds: int
    n_seeds: int
    n_networks: int
    seconds: float
    outputs_sha256: dict[str, str]


@dataclass(frozen=True)
class Ablation:
    """A finished grid: `table` has a row a network, as `ablate` returns it."""

    table: pd.DataFrame
    note: AblationNote


def run_ablation(
    data: Path | None, run: Path | None, config: Path | None, notify: Notify = silent
) -> tuple[Path, pd.DataFrame]:
    """Train the grid and write its folder, whole or not at all; return the folder and the grid's cells.

    With a run, its houses and settings are taken and the folder is its ablation/: the manifest lists no such file, so
    that the run stays as it was. Else the folder is runs/ablation, which the report of every run on the same houses
    shows that has none of its own.

    Raises:
        DataError, SettingsError: as `cross_validate` and `load_settings`.
        RunError: the run cannot be read; the folder cannot be written, or holds something else.
    """
    if run:
        saved = read_run(run)
        saved.houses()
        settings, folder = saved.settings, run / ABLATION
        tables = replace(read_tables(run, notify), kind=saved.manifest.data.kind)
    else:
        settings, folder = load_settings(config), RUNS_FOLDER / ABLATION
        tables = read_tables(data, notify)
    if folder.exists() and not (folder / ABLATION_NOTE).is_file():
        raise RunError(f"{folder}: exists and holds no ablation; accepted: a new folder or one of `houseprices ablate`")
    start = time.perf_counter()
    name, model = next(iter(settings.models.items()))
    hidden = tuple(min(width, WIDTH) for width in model.hidden)
    small = replace(
        model, hidden=hidden, epochs=min(model.epochs, EPOCHS), input_dropout=0.0, input_noise=0.0, n_members=1
    )
    n_folds = min(N_FOLDS, settings.folds.n_folds)
    with replacing(folder) as (staging,):
        staging.mkdir()
        table = ablate(tables.train, settings, small, n_folds, notify)
        table.to_csv(staging / ABLATION_TABLE, index=False)
        note = AblationNote(
            format_version=FORMAT_VERSION,
            code_version=code_version(),
            data=DataNote(tables.kind, tables.sha256),
            model=name,
            network=small,
            n_folds=n_folds,
            n_seeds=N_SEEDS,
            n_networks=len(table),
            seconds=time.perf_counter() - start,
            outputs_sha256={ABLATION_TABLE: sha256_of(staging / ABLATION_TABLE)},
        )
        write_record(staging / ABLATION_NOTE, note)
    return folder, grid_of(table)


def ablate(
    houses: pd.DataFrame, settings: Settings, model: ModelSettings, n_folds: int, notify: Notify = silent
) -> pd.DataFrame:
    """Train a network for each weight decay, dropout rate, seed and fold.

    Returns:
        A row a network: weight_decay, dropout, seed, fold, n_rows, training_log_rmse, validation_log_rmse, weight_norm.
    """
    fold_of_row = assign_folds(len(houses), n_folds, 1, settings.seed)[0]
    cells = [(decay, rate, seed) for decay in WEIGHT_DECAYS for rate in DROPOUTS for seed in range(N_SEEDS)]
    # The same seed in every cell: cells differ in their regularisation and in nothing else.
    networks = [
        NetworkSpec(settings.seed * N_SEEDS + seed, replace(model, weight_decay=decay, dropout=rate))
        for decay, rate, seed in cells
    ]
    count = counting(notify, "training networks", n_folds * len(cells))
    tables = []
    with open_executor(settings.workers, settings.device, settings.ray, notify) as executor:
        splits = [split_rows(fold_of_row, index) for index in range(n_folds)]
        folds = fit_folds(settings.features, model.blocks, houses, splits)
        pending = [submit_networks(executor, fold.data(model.blocks), networks) for fold in folds]
        for index, (fold, waiting) in enumerate(zip(folds, pending, strict=True)):
            curves = waiting.result(count).curves.scaled(fold.log_price_std)
            table = pd.DataFrame(cells, columns=["weight_decay", "dropout", "seed"]).assign(
                fold=index,
                n_rows=len(fold.held_out_rows),
                training_log_rmse=curves.training[:, -1],
                validation_log_rmse=curves.validation[:, -1],
                weight_norm=curves.weight_norm[:, -1],
            )
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def grid_of(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise the grid, a row a cell: errors pooled over folds, their mean over seeds and its spread.

    Returns:
        weight_decay, dropout, validation_log_rmse, validation_std (over seeds), training_log_rmse, gap (validation -
        training), weight_norm.
    """
    squares = table[["weight_decay", "dropout", "seed", "n_rows"]].assign(
        validation=table["validation_log_rmse"] ** 2 * table["n_rows"],
        training=table["training_log_rmse"] ** 2 * table["n_rows"],
    )
    sums = squares.groupby(["weight_decay", "dropout", "seed"]).sum()
    by_seed = sums[["validation", "training"]].div(sums["n_rows"], axis=0) ** 0.5
    by_cell = by_seed.groupby(["weight_decay", "dropout"])
    grid = by_cell.mean().rename(columns=lambda name: f"{name}_log_rmse")
    grid["validation_std"] = by_cell["validation"].std(ddof=0)
    grid["gap"] = grid["validation_log_rmse"] - grid["training_log_rmse"]
    grid["weight_norm"] = table.groupby(["weight_decay", "dropout"])["weight_norm"].mean()
    return grid.reset_index()


def read_ablation(folder: Path) -> Ablation:
    """Read the folder back.

    Raises:
        RunError: a file is missing, altered or of another version.
    """
    note, table = read_record(AblationNote, folder / ABLATION_NOTE), folder / ABLATION_TABLE
    if not table.is_file() or sha256_of(table) != note.outputs_sha256.get(ABLATION_TABLE):
        raise RunError(f"{table}: missing or altered; accepted: a folder as `houseprices ablate` writes it")
    return Ablation(pd.read_csv(table), note)
