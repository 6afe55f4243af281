"""Weight decay x dropout: the whole grid, several seeds and all folds as members of one job of the engine.

The network is that of the settings' first group made smaller and trained for less long, and without noise or dropout
on its inputs, so that the two regularisers are seen alone and the grid takes a minute or two. Its scores are of single
networks: compare them with each other, not with the ensemble's.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from houseprices.console import training_progress
from houseprices.cross_validation.cross_validate import fit_fold, live_columns
from houseprices.cross_validation.folds import assign_folds
from houseprices.data.schema import PRICE
from houseprices.data.source import TRAIN_FILE, Source
from houseprices.data.table import read_houses
from houseprices.engine.device import choose_device
from houseprices.engine.members import Member
from houseprices.engine.pool import PendingMembers, TrainingPool
from houseprices.errors import RunError
from houseprices.files import read_json, replacing, sha256_of, write_json
from houseprices.preprocessing.house_array import code_houses
from houseprices.runs.write import FORMAT_VERSION, code_version
from houseprices.settings import GroupSettings, Settings

WEIGHT_DECAYS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
DROPOUTS = (0.0, 0.05, 0.15, 0.3, 0.5, 0.7)
N_SEEDS = 3
N_FOLDS = 5
WIDTH, EPOCHS = 32, 20
"""At most so many units a layer and passes over the rows; members of the main job may have more."""

TABLE, NOTE = "ablation.csv", "ablation.json"


@dataclass(frozen=True)
class Ablation:
    """A finished grid.

    Attributes:
        table: a row a network: seed, fold, n_rows, weight_decay, dropout, training_log_rmse, validation_log_rmse,
            weight_norm.
        note: what it was made with: data's checksums, network, seconds.
    """

    table: pd.DataFrame
    note: dict[str, Any]


def run_ablation(source: Source, settings: Settings, folder: Path, *, show: bool = False) -> Ablation:
    """Train the grid on the source's priced houses and write the folder, whole or not at all.

    Raises:
        DataError: a fault in train.csv.
        RunError: the folder cannot be written, or holds something else.
    """
    if folder.exists() and not (folder / NOTE).is_file():
        raise RunError(f"{folder}: exists and holds no ablation; accepted: a new folder or one of `houseprices ablate`")
    start = time.perf_counter()
    houses = read_houses(source.folder / TRAIN_FILE, priced=True)
    name, group = _small(settings)
    n_folds = min(N_FOLDS, settings.folds.n_folds)
    n_members = len(WEIGHT_DECAYS) * len(DROPOUTS) * N_SEEDS * n_folds
    with replacing(folder) as (staging,), training_progress(n_members, show=show) as advance:
        staging.mkdir()
        table = ablate(houses, settings, group, n_folds, on_trained=advance)
        table.to_csv(staging / TABLE, index=False)
        note = {
            "format_version": FORMAT_VERSION,
            "code_version": code_version(),
            "data": {"kind": source.kind, "sha256": source.sha256},
            "group": name,
            "network": asdict(group),
            "n_folds": n_folds,
            "n_seeds": N_SEEDS,
            "n_networks": len(table),
            "seconds": time.perf_counter() - start,
            "outputs_sha256": {TABLE: sha256_of(staging / TABLE)},
        }
        write_json(staging / NOTE, note)
    return Ablation(table, note)


def ablate(
    houses: pd.DataFrame,
    settings: Settings,
    group: GroupSettings,
    n_folds: int,
    on_trained: Callable[[int], object] = lambda _n_members: None,
) -> pd.DataFrame:
    """Train a network for each weight decay, dropout rate, seed and fold; see `Ablation.table`."""
    log_price = np.log(houses[PRICE].to_numpy())
    coded = code_houses(houses.drop(columns=PRICE))
    fold_of_row = assign_folds(len(houses), n_folds, 1, settings.seed)[0]
    cells = [(decay, rate, seed) for decay in WEIGHT_DECAYS for rate in DROPOUTS for seed in range(N_SEEDS)]
    in_training: list[tuple[int, float, PendingMembers]] = []
    with TrainingPool(settings.workers, choose_device(settings.device)) as pool:
        for fold in range(n_folds):
            training, held_out = np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold)
            fitted, matrix = fit_fold(0, fold, coded, log_price, training, settings)
            inputs = matrix[:, live_columns(group.blocks, matrix[training])]
            # The same seed in every cell: cells differ in their regularisation and in nothing else.
            members = [
                Member(
                    rows=training,
                    seed=settings.seed * N_SEEDS + seed,
                    hyperparameters=replace(group, weight_decay=decay, dropout=rate),
                    validation_rows=held_out,
                )
                for decay, rate, seed in cells
            ]
            pending = pool.submit(inputs, fitted.targets, members)
            in_training.append((fold, fitted.log_price_std, pending))
        tables = []
        for fold, log_price_std, pending in in_training:
            curves = pending.wait(on_trained)[1].scaled(log_price_std)
            table = pd.DataFrame(cells, columns=["weight_decay", "dropout", "seed"])
            table["fold"], table["n_rows"] = fold, int((fold_of_row == fold).sum())
            table["training_log_rmse"] = curves.training[:, -1]
            table["validation_log_rmse"] = curves.validation[:, -1]
            table["weight_norm"] = curves.weight_norm[:, -1]
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def grid_of(table: pd.DataFrame) -> pd.DataFrame:
    """The grid's figures, a row a cell: errors pooled over folds, their mean over seeds and its spread.

    Returns:
        weight_decay, dropout, validation_log_rmse, validation_std (over seeds), training_log_rmse, gap (validation -
        training), weight_norm.
    """
    squares = table.assign(
        validation=table["validation_log_rmse"] ** 2 * table["n_rows"],
        training=table["training_log_rmse"] ** 2 * table["n_rows"],
    )
    sums = squares.groupby(["weight_decay", "dropout", "seed"])[["validation", "training", "n_rows"]].sum()
    of_seeds = pd.DataFrame(
        {name: np.sqrt(sums[name] / sums["n_rows"]) for name in ("validation", "training")}, index=sums.index
    )
    by_cell = of_seeds.groupby(["weight_decay", "dropout"])
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
    file = folder / NOTE
    accepted = "a folder as `houseprices ablate` writes it"
    note = read_json(file, RunError, accepted)
    try:
        version, sha256 = note["format_version"], note["outputs_sha256"][TABLE]
    except (KeyError, TypeError):
        raise RunError(f"{file}: no note of an ablation; accepted: {accepted}") from None
    if version != FORMAT_VERSION:
        raise RunError(f"{file}: format_version is {version!r}; accepted: {FORMAT_VERSION}")
    if not (folder / TABLE).is_file() or sha256_of(folder / TABLE) != sha256:
        raise RunError(f"{folder / TABLE}: missing or altered since it was written; accepted: {accepted}")
    return Ablation(pd.read_csv(folder / TABLE), note)


def _small(settings: Settings) -> tuple[str, GroupSettings]:
    name, group = next(iter(settings.groups.items()))
    hidden = tuple(min(width, WIDTH) for width in group.hidden)
    epochs = min(group.epochs, EPOCHS)
    return name, replace(group, hidden=hidden, epochs=epochs, input_dropout=0.0, n_members=1)
