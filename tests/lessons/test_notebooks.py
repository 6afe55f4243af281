"""The lessons: each notebook executed at small sizes with its exercises solved, and laws on the variables it leaves."""

import re
from pathlib import Path
from typing import Any

import joblib
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from houseprices.data.sample import write_sample

LESSONS = Path(__file__).parents[2] / "lessons"
NOTEBOOKS = sorted(LESSONS.glob("0*.ipynb"))
MOST_BYTES = 1_500_000


def cells_tagged(notebook: Any, tag: str) -> list[Any]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def run(name: str, folder: Path, parameters: dict[str, object], wanted: tuple[str, ...]) -> dict[str, Any]:
    """Execute a notebook with other parameters and each exercise replaced by its folded solution.

    Returns:
        The wanted variables.
    """
    (file,) = LESSONS.glob(f"{name}*.ipynb")
    notebook = nbformat.read(file, as_version=4)
    (cell,) = cells_tagged(notebook, "parameters")
    cell.source += "".join(f"\n{key} = {value!r}" for key, value in parameters.items())
    exercises, solutions = cells_tagged(notebook, "exercise"), cells_tagged(notebook, "solution")
    for exercise, solution in zip(exercises, solutions, strict=True):
        exercise.source = re.search(r"```python\n(.*?)```", solution.source, re.DOTALL)[1]
    left = folder / "variables.joblib"
    dump = f"import joblib\njoblib.dump({{name: globals()[name] for name in {wanted!r}}}, {str(left)!r})"
    notebook.cells.append(nbformat.v4.new_code_cell(dump))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    for number in range(1, len(exercises) + 1):
        assert f"Exercise {number}: not solved" not in printed
        assert f"Exercise {number}:" in printed
    return joblib.load(left)


def test_norms_keep_their_rules_and_the_penalties_equal_the_packages(tmp_path: Path) -> None:
    left = run(
        "01", tmp_path, {"N_FRAMES": 2}, ("norm_difference", "penalty_difference", "gradient_difference", "rule_breaks")
    )
    assert left["norm_difference"] < 1e-12
    assert left["penalty_difference"] < 1e-12
    assert left["gradient_difference"] < 1e-12
    breaks = left["rule_breaks"]
    assert (breaks[["p = 1", "p = 2", "p = 3", "p = inf"]] == 0).all(axis=None)
    assert breaks.loc["triangle inequality", "p = 0.5"] > 0
    assert breaks.loc["homogeneity", "L0, the count"] > 0


def test_decay_shrinks_the_norm_and_each_form_of_it_equals_the_librarys(tmp_path: Path) -> None:
    names = ("norm_without", "norm_decayed", "library_difference", "penalty_difference", "gradient_difference")
    names += ("bias_difference", "explained_difference", "adam_difference", "walks", "posterior_slope", "norms")
    left = run("02", tmp_path, {"N_EPOCHS": 40, "STRENGTHS": [0.0, 1.0, 10.0, 300.0], "N_PROBLEMS": 10}, names)
    assert left["norm_decayed"] < left["norm_without"]
    assert left["norms"] == sorted(left["norms"], reverse=True)
    for name in ("library", "penalty", "gradient", "explained", "adam"):
        assert left[f"{name}_difference"] < 1e-10, name
    assert left["bias_difference"] > 1e-6
    coupled, decoupled = (left["walks"][kind][-1].mean(dim=0) for kind in (True, False))
    assert coupled[1] - coupled[0] > 0.3, "coupled decay spares the weight with large gradients"
    assert abs(decoupled[1] - decoupled[0]) < 0.1, "decoupled decay treats both alike"
    assert left["posterior_slope"] < 1e-9


def test_dropout_keeps_the_mean_and_three_styles_are_one_network(tmp_path: Path) -> None:
    names = ("layer_difference", "dropout_mean", "standard_error", "dropout_variance", "expected_variance")
    names += ("style_differences", "in_training", "at_prediction", "by_share")
    names += ("noise_loss", "noise_error", "decay_loss")
    sizes = {"N_STEPS": 4, "N_SEEDS": 5, "N_EPOCHS": 30, "N_ROWS": 400, "FASHION_MNIST": []}
    left = run("03", tmp_path, sizes, names)
    assert left["layer_difference"] < 1e-12
    assert (np.abs(left["dropout_mean"] - 2) < 5 * left["standard_error"]).all()
    assert np.allclose(left["dropout_variance"], left["expected_variance"], rtol=0.15)
    assert max(left["in_training"], left["at_prediction"]) < 1e-5
    assert max(left["style_differences"].values()) < 1e-6
    accuracy = left["by_share"][0.4].mean(axis=0)
    assert accuracy[1] > accuracy[0] + 2, "dropout gains points of accuracy where labels are noisy"
    assert abs(left["noise_loss"] - left["decay_loss"]) < 5 * left["noise_error"]


def test_derivatives_by_hand_equal_autograd_and_the_packages(tmp_path: Path) -> None:
    names = ("gradient_differences", "forward_difference", "backward_difference", "objective_before", "objective_after")
    left = run("04", tmp_path, {}, names)
    assert len(left["gradient_differences"]) == 11
    assert max(left["gradient_differences"].values()) < 1e-12
    assert max(left["forward_difference"], left["backward_difference"]) < 1e-12
    assert left["objective_after"] < left["objective_before"]


def test_the_ladder_of_house_prices_is_finite_and_ends_below_ridge(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", n_rows=300, n_test_rows=20, seed=1)
    names = ("ladder_scores", "training_errors", "ridge_score", "by_hand_score", "by_engine_score", "submission")
    parameters = {"DATA": str(tmp_path / "sample"), "N_SEEDS": 2, "N_FOLDS": 2, "EPOCHS_DIVISOR": 2}
    left = run("05", tmp_path, parameters, names)
    assert len(left["ladder_scores"]) == 15
    assert np.isfinite(list(left["ladder_scores"].values())).all()
    assert np.isfinite(list(left["training_errors"].values())).all()
    assert left["ladder_scores"]["a second split"] < left["ridge_score"]
    assert 0.7 < left["by_hand_score"] / left["by_engine_score"] < 1.4, "they differ by their initial weights alone"
    assert (left["submission"]["SalePrice"] > 0).all()


def test_advice_since_the_textbook(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", n_rows=100, n_test_rows=20, seed=1)
    names = ("peak", "peak_without", "peak_decayed", "fading_errors", "early_stopping", "spreads")
    sizes = {"N_SEEDS": 3, "N_IMAGE_SEEDS": 2, "N_HOUSE_SEEDS": 2, "N_PROBLEMS": 8, "N_EPOCHS": 8, "N_MASKS": 10}
    left = run("06", tmp_path, sizes | {"DATA": str(tmp_path / "sample")}, names)
    assert 18 <= left["peak"] <= 21, "the peak of double descent lies at the number of rows"
    assert left["peak_decayed"] < left["peak_without"] / 5
    assert all(np.isfinite(errors).all() for errors in left["fading_errors"].values())
    loss = left["early_stopping"].set_index(["start", "training"])["test loss, geometric mean"]
    assert loss["random", "weight decay 30"] < loss["random", "stopped at the best epoch"] / 10
    for found in left["spreads"].values():
        one_pass, averaged = (float(found[f"error, {way}"].mean()) for way in ("one pass", "mean over masks"))
        assert abs(averaged / one_pass - 1) < 0.1, "one pass is about the mean over masks"


@pytest.mark.parametrize("file", [*NOTEBOOKS, LESSONS / "index.ipynb"], ids=lambda file: file.stem)
def test_a_notebook_is_small_and_was_executed_from_top_to_bottom_without_an_error(file: Path) -> None:
    assert file.stat().st_size < MOST_BYTES
    code = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert not [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_lesson_has_exercises_with_a_check_and_a_solution_and_a_figure_that_moves(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    numbers = [len(cells_tagged(notebook, tag)) for tag in ("exercise", "check", "solution")]
    assert 3 <= numbers[0] <= 5
    assert numbers == [numbers[0]] * 3
    assert "to_jshtml" in "".join(cell.source for cell in notebook.cells)
