"""The grid differs in weight decay and dropout alone; all else is the settings'."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprices.errors import RunError
from houseprices.progress import Progress
from houseprices.runs.format import FORMAT_VERSION, DataNote, write_record
from houseprices.selection import ablation
from houseprices.selection.ablation import AblationNote, ablate, grid_of, read_ablation
from houseprices.settings import ModelSettings, Settings

TINY = ModelSettings(hidden=(4,), epochs=2, batch_size=8)
ERRORS = ["training_log_rmse", "validation_log_rmse"]


@pytest.fixture
def _small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WEIGHT_DECAYS": (0.0, 5.0), "DROPOUTS": (0.0, 0.5), "N_SEEDS": 2}.items():
        monkeypatch.setattr(ablation, name, value)


@pytest.mark.usefixtures("_small_grid")
def test_every_setting_of_the_model_reaches_the_networks(houses):
    before = ablate(houses, Settings(), TINY, n_folds=2)
    for name, value in {
        "activation": "relu",
        "linear_path": False,
        "huber_delta": 0.1,
        "input_dropout": 0.5,
        "learning_rate": 0.1,
        "schedule": "constant",
        "batch_size": 4,
        "blocks": ("numbers",),
    }.items():
        after = ablate(houses, Settings(), replace(TINY, **{name: value}), n_folds=2)
        assert (after[ERRORS] != before[ERRORS]).all(axis=None), name


@pytest.mark.usefixtures("_small_grid")
def test_weight_decay_and_dropout_are_the_cells_and_not_the_models(houses):
    reports = []
    table = ablate(houses, Settings(), TINY, 2, reports.append)
    again = ablate(houses, Settings(), replace(TINY, weight_decay=9.0, dropout=0.9), n_folds=2)
    pd.testing.assert_frame_equal(table, again)
    assert len(table) == len(table[["weight_decay", "dropout", "seed", "fold"]].drop_duplicates()) == 2 * 2 * 2 * 2
    assert reports[0] == Progress("training networks", 0, 16)
    assert reports[-1] == Progress("training networks", 16, 16)


@pytest.mark.usefixtures("_small_grid")
def test_jobs_of_different_seeds_share_no_networks(houses):
    """At such a learning rate they end where they start, and a weight norm tells which start that was."""
    still = replace(TINY, learning_rate=1e-30, blocks=("numbers",))
    norms = [set(ablate(houses, Settings(seed=seed), still, n_folds=6)["weight_norm"]) for seed in (0, 1)]
    assert not norms[0] & norms[1]


def test_the_grid_is_pooled_over_folds_and_averaged_over_seeds():
    table = pd.DataFrame(
        [(0.0, 0.1, seed, fold, n, 0.1, error, 2.0) for seed, fold, n, error in
         [(0, 0, 10, 0.3), (0, 1, 30, 0.1), (1, 0, 10, 0.2), (1, 1, 30, 0.2)]],
        columns=["weight_decay", "dropout", "seed", "fold", "n_rows", "training_log_rmse", "validation_log_rmse",
                 "weight_norm"],
    )  # fmt: skip
    (cell,) = grid_of(table).to_dict("records")
    of_seeds = [np.sqrt((10 * 0.09 + 30 * 0.01) / 40), 0.2]
    assert cell["validation_log_rmse"] == pytest.approx(np.mean(of_seeds))
    assert cell["validation_std"] == pytest.approx(np.std(of_seeds))
    assert cell["gap"] == pytest.approx(np.mean(of_seeds) - 0.1)


def test_a_folder_that_is_no_ablation_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"ablation\.json: No such file"):
        read_ablation(tmp_path)
    note = AblationNote(FORMAT_VERSION, "0.1.0", DataNote("other", {}), "tiny", TINY, 2, 2, 16, 1.0, {})
    write_record(tmp_path / "ablation.json", replace(note, format_version=1))
    with pytest.raises(RunError, match="format_version is 1"):
        read_ablation(tmp_path)
    write_record(tmp_path / "ablation.json", note)
    (tmp_path / "ablation.csv").write_text("seed\n")
    with pytest.raises(RunError, match=r"ablation\.csv: missing or altered"):
        read_ablation(tmp_path)
