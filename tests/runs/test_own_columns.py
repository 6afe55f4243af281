"""A run with own columns predicts its own prices again, by the file it was made with; none runs unasked."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import FAST_TOML

from houseprices import HousePriceRegressor
from houseprices.cli import main
from houseprices.cross_validation.fold_model import mean_over_folds
from houseprices.data.schema import BY_NAME
from houseprices.errors import RunError
from houseprices.files import sha256_of
from houseprices.report.attributions import explain_new, explain_out_of_fold
from houseprices.report.themes import THEMES
from houseprices.runs.read import read_run

SOURCE = """
import pandas as pd
from pathlib import Path

Path("it_ran").touch()

class Columns:
    def fit(self, houses, log_price):
        places = houses["Neighborhood"].astype("str")
        self.usual, self.of_place = log_price.mean(), log_price.groupby(places).mean()
        return self

    def transform(self, houses):
        level = houses["Neighborhood"].astype("str").map(self.of_place).fillna(self.usual)
        return pd.DataFrame({"level": level, "lot": houses["LotArea"].fillna(0) / 1e4}, index=houses.index)
"""
SECOND_GROUP = "\n[models.other]\nhidden = [4]\nepochs = 2\nblocks = ['numbers']\n"


def command(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        main(list(arguments))
    return exit_info.value.code


@pytest.fixture
def run(place: Path, data_folder: Path, capsys) -> Path:
    """A run with own columns, made in the working folder."""
    (place / "mine.py").write_text(SOURCE, "utf-8")
    (place / "fast.toml").write_text(FAST_TOML + SECOND_GROUP, "utf-8")
    assert (
        command("cv", "--data", str(data_folder), "--config", "fast.toml", "--columns", "mine.py", "--run", "one") == 0
    )
    (place / "it_ran").unlink()
    capsys.readouterr()
    return Path("one")


def priced_as_submitted(run: Path, data_folder: Path, *options: str) -> bool:
    """Whether predict gives each test house the price of submission.csv, byte by byte."""
    test = str(data_folder / "test.csv")
    assert command("predict", "--run", str(run), "--input", test, "--output", "prices.csv", *options) == 0
    prices = [line.split(",")[:2] for line in Path("prices.csv").read_text("utf-8").splitlines()[1:]]
    submitted = [line.split(",") for line in (run / "submission.csv").read_text("utf-8").splitlines()[1:]]
    return prices == submitted and len(prices) > 0


def test_a_run_predicts_its_submission_and_its_config_repeats_it(run, data_folder, place):
    assert priced_as_submitted(run, data_folder)
    assert (run / "custom_features.py").read_text("utf-8") == SOURCE
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    assert manifest["outputs_sha256"]["custom_features.py"] == sha256_of(place / "mine.py")
    config = ["--data", str(data_folder), "--config", "runs/latest/config.toml"]
    assert command("cv", *config, "--run", "again", "--workers", "1") == 0
    assert command("cv", *config, "--run", "three", "--workers", "3") == 0
    for name in ("submission.csv", "oof.csv", "preprocessing.json", "members.safetensors"):
        assert (Path("again") / name).read_bytes() == (run / name).read_bytes() == (Path("three") / name).read_bytes()


def test_own_columns_reach_the_networks_whose_blocks_name_them(run, place, data_folder):
    folds = read_run(run).folds
    names = folds[0].features.get_feature_names_out()
    for group in ("tiny", "other"):
        assert {"own: level", "own: lot"} <= set(names[folds[0].columns[group]])
    settings = ["--features.columns", "mine.py", "--models.other.blocks", '["numbers", "custom"]']
    assert command("cv", "--data", str(data_folder), "--config", "fast.toml", *settings, "--run", "two") == 0
    fold = read_run(Path("two")).folds[0]
    assert {name for name in names[fold.columns["tiny"]] if name.startswith("own: ")} == set()
    assert {name for name in names[fold.columns["other"]] if name.startswith("own: ")} == {"own: level", "own: lot"}


def test_another_file_is_refused_and_does_not_run_and_the_copy_is_taken_if_it_is_named(run, data_folder, place, capsys):
    test = ["--input", str(data_folder / "test.csv"), "--output", "prices.csv"]
    (place / "mine.py").write_text(SOURCE + "# better\n", "utf-8")
    for arguments, told in (
        (["predict", *test], "mine.py: is not the file of the run one (its SHA-256 is another); accepted: --columns"),
        (["predict", *test, "--columns", "fast.toml"], "fast.toml: is not the file of the run one"),
        (["report"], "mine.py: is not the file of the run one"),
        (["explain", "--id", "1"], "mine.py: is not the file of the run one"),
        (["ablate"], "mine.py: is not the file of the run one"),
        (["predict", *test, "--columns", "nowhere.py"], "nowhere.py: No such file or directory; accepted: --columns"),
    ):
        assert command(*arguments, "--run", str(run)) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"houseprices: {told}")
        assert "its copy one/custom_features.py" in error
        assert len(error.splitlines()) == 1
    (place / "mine.py").unlink()
    assert command("predict", *test, "--run", str(run)) == 1
    assert "mine.py: No such file or directory; accepted: --columns" in capsys.readouterr().err
    assert not (place / "it_ran").exists()
    assert not (place / "prices.csv").exists()
    assert priced_as_submitted(run, data_folder, "--columns", "one/custom_features.py")
    assert (place / "it_ran").exists()


def test_a_run_whose_settings_name_a_file_inside_it_does_not_run_it(run, place):
    shutil.copy(run / "custom_features.py", run / "copy.py")
    config = (run / "config.toml").read_text("utf-8")
    (run / "config.toml").write_text(config.replace('"mine.py"', '"one/copy.py"'), "utf-8")
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    manifest["outputs_sha256"]["config.toml"] = sha256_of(run / "config.toml")
    (run / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(RunError, match=r"^one/copy\.py: lies in the run, whose code runs only if it is named; acc"):
        read_run(run)
    assert not (place / "it_ran").exists()


def test_a_run_without_own_columns_takes_no_file(finished_run, place):
    with pytest.raises(RunError, match=r"has no own columns; accepted: the command without --columns mine\.py"):
        read_run(finished_run.folder, Path("mine.py"))


def test_explanations_stay_whole_and_credit_own_columns_in_a_line_of_their_own(run, place, capsys):
    saved = read_run(run)
    training, test = saved.houses()
    for found, prediction in (
        (explain_new(saved, training, test), mean_over_folds(saved.predict_folds(test)[0])),
        (explain_out_of_fold(saved, training), saved.out_of_fold["prediction"]),
    ):
        assert found.attributions.shape[1] == 80
        assert (found.attributions[:, 79] != 0).all()
        np.testing.assert_allclose(found.attributions.sum(axis=1), found.prediction - found.baseline, atol=1e-4)
        np.testing.assert_allclose(found.prediction, prediction, atol=1e-6)
    assert command("explain", "--run", str(run), "--id", str(test.index[0]), "--json") == 0
    themes = json.loads(capsys.readouterr().out)["themes"]
    assert {one["theme"] for one in themes} == {*THEMES, "own columns"}
    for theme in themes:
        assert sum(one["log_price"] for one in theme["features"]) == pytest.approx(theme["log_price"])
    features = [one["feature"] for theme in themes for one in theme["features"]]
    assert sorted(features) == sorted([*BY_NAME, "own columns"])
    assert command("report", "--run", str(run)) == 0
    page = (run / "report.html").read_text("utf-8")
    assert '<th scope="rowgroup" colspan="2">own columns</th>' in page
    assert ">own columns</text>" in page


def test_the_estimator_takes_the_same_settings_is_not_saved_and_loads_the_run(run, data_folder):
    model = HousePriceRegressor(run / "config.toml").fit(pd.read_csv(data_folder / "train.csv"))
    prices = model.predict(pd.read_csv(data_folder / "test.csv"))
    submitted = pd.read_csv(run / "submission.csv")["SalePrice"]
    np.testing.assert_array_equal(prices.round(2), submitted)
    with pytest.raises(RunError, match=r"^model: own columns \(mine\.py\) are fitted anew .*; accepted: ") as refused:
        model.save("model")
    assert "\n" not in str(refused.value)
    assert not Path("model").exists()
    Path("mine.py").rename("moved.py")
    with pytest.raises(RunError, match=r"^mine\.py: No such file"):
        HousePriceRegressor.load(run)
    loaded = HousePriceRegressor.load(run, "moved.py")
    np.testing.assert_array_equal(loaded.predict(pd.read_csv(data_folder / "test.csv")), prices)


def test_a_file_that_fails_leaves_no_run(place, data_folder, fast_config, capsys):
    (place / "mine.py").write_text("def columns(houses):\n    return houses[['LotFrontage']]\n", "utf-8")
    job = ["--data", str(data_folder), "--config", str(fast_config)]
    assert command("cv", *job, "--columns", "mine.py") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("houseprices: mine.py: column LotFrontage: house ")
    assert error.endswith("accepted: a finite number for every house; fill the gaps")
    assert command("compare", *job, "--columns", "nowhere.py") == 1
    assert "nowhere.py: No such file or directory; accepted: a Python file" in capsys.readouterr().err
    assert command("cv", *job, "--features.columns", "mine.py") == 2
    assert "no model has the block 'custom'" in capsys.readouterr().err
    assert [path.name for path in place.iterdir()] == ["mine.py"]
