"""`houseprices ablate`: trains the grid and draws its heat maps, for a run or for a folder of data."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from houseprices.data.source import read_tables
from houseprices.progress import Notify, silent
from houseprices.runs.format import ABLATION, RUNS_FOLDER
from houseprices.runs.read import read_run
from houseprices.selection.ablation import grid_of, run_ablation
from houseprices.settings import load_settings


def make_ablation(
    data: Path | None, run: Path | None, config: Path | None, notify: Notify = silent
) -> tuple[Path, pd.DataFrame]:
    """Train the grid; return its folder and its cells.

    With a run, its houses and settings are taken and the folder is its ablation/: the manifest lists no such file, so
    that the run stays as it was. Else the folder is runs/ablation, which the report of every run on the same houses
    shows that has none of its own.

    Raises:
        DataError, RunError, SettingsError: as `cv` and `report`.
    """
    if run:
        saved = read_run(run)
        saved.houses()
        settings, folder = saved.settings, run / ABLATION
        tables = replace(read_tables(run, notify), kind=saved.manifest.data.kind)
    else:
        settings, folder = load_settings(config), RUNS_FOLDER / ABLATION
        tables = read_tables(data, notify)
    ablation = run_ablation(tables, settings, folder, notify)
    return folder, grid_of(ablation.table)
