"""A run with user-defined features predicts its own prices again; their file runs only if the user names it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import FAST_TOML, FinishedRun, exit_code, sign

from houseprices import HousePriceRegressor
from houseprices.data.schema import THEMES
from houseprices.errors import RunError
from houseprices.runs.read import read_run
from houseprices.runs.verify import verify

SOURCE = """
import pandas as pd
from pathlib import Path

Path("it_ran").touch()

class Features:
    def fit(self, houses, log_price):
        places = houses["Neighborhood"].astype("str")
        self.usual, self.of_place = log_price.mean(), log_price.groupby(places).mean()
        return self

    def transform(self, houses):
        level = houses["Neighborhood"].astype("str").map(self.of_place).fillna(self.usual)
        return pd.DataFrame({"level": level, "lot": houses["LotArea"].fillna(0) / 1e4}, index=houses.index)
"""
SECOND_MODEL = "\n[models.other]\nhidden = [4]\nepochs = 2\nblocks = ['numbers']\n"


@pytest.fixture
def run(place: Path, data_folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run with user-defined features, made in the working folder."""
    (place / "mine.py").write_text(SOURCE, "utf-8")
    (place / "fast.toml").write_text(FAST_TOML + SECOND_MODEL, "utf-8")
    options = ["--data", str(data_folder), "--config", "fast.toml", "--columns", "mine.py"]
    assert exit_code("cv", *options, "--run", "one") == 0
    (place / "it_ran").unlink()
    capsys.readouterr()
    return Path("one")


def priced_as_submitted(run: Path, data_folder: Path, *options: str) -> bool:
    """Whether predict gives each test house the price of submission.csv, byte by byte."""
    test = str(data_folder / "test.csv")
    assert exit_code("predict", "--run", str(run), "--input", test, "--output", "prices.csv", *options) == 0
    prices = [line.split(",")[:2] for line in Path("prices.csv").read_text("utf-8").splitlines()[1:]]
    submitted = [line.split(",") for line in (run / "submission.csv").read_text("utf-8").splitlines()[1:]]
    return prices == submitted and len(prices) > 0


def test_a_run_predicts_its_submission_and_its_config_repeats_it(run: Path, data_folder: Path) -> None:
    assert priced_as_submitted(run, data_folder)
    assert (run / "custom_features.py").read_text("utf-8") == SOURCE
    assert verify(run, columns=run / "custom_features.py").verdict == "same"
    config = ["--data", str(data_folder), "--config", "runs/latest/config.toml", "--workers", "3"]
    assert exit_code("cv", *config, "--run", "again") == 0
    for name in ("submission.csv", "oof.csv", "preprocessing.json", "members.safetensors"):
        assert (Path("again") / name).read_bytes() == (run / name).read_bytes()


def test_another_file_is_refused_and_the_copy_runs_only_if_it_is_named(
    run: Path, data_folder: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = ["--input", str(data_folder / "test.csv"), "--output", "prices.csv"]
    (place / "mine.py").write_text(SOURCE + "# better\n", "utf-8")
    for arguments, line in (
        (["predict", *test], "mine.py: its SHA-256 is not that of the run's file; accepted: --columns"),
        (["predict", *test, "--columns", "fast.toml"], "fast.toml: its SHA-256 is not"),
        (["report"], "mine.py: its SHA-256 is not"),
        (["explain", "--id", "1"], "mine.py: its SHA-256 is not"),
        (["verify"], "mine.py: its SHA-256 is not"),
        (["predict", *test, "--columns", "nowhere.py"], "nowhere.py: No such file or directory; accepted: --columns"),
    ):
        assert exit_code(*arguments, "--run", str(run)) == 1
        [error] = capsys.readouterr().err.splitlines()
        assert error.startswith(f"houseprices: {line}")
        assert "its copy one/custom_features.py" in error
    assert not (place / "it_ran").exists()
    assert not (place / "prices.csv").exists()
    assert priced_as_submitted(run, data_folder, "--columns", "one/custom_features.py")


def test_a_run_whose_settings_name_a_file_inside_it_does_not_run_it(run: Path, place: Path) -> None:
    shutil.copy(run / "custom_features.py", run / "copy.py")
    config = (run / "config.toml").read_text("utf-8")
    (run / "config.toml").write_text(config.replace('"mine.py"', '"one/copy.py"'), "utf-8")
    sign(run)
    with pytest.raises(RunError, match=r"^one/copy\.py: lies in the run, whose code runs only if you name it; acc"):
        read_run(run)
    assert not (place / "it_ran").exists()


def test_a_run_without_custom_features_takes_no_file(finished_run: FinishedRun, place: Path) -> None:
    with pytest.raises(RunError, match=r"has no custom features; accepted: the command without --columns mine\.py"):
        read_run(finished_run.folder, Path("mine.py"))


def test_an_explanation_credits_custom_features_in_a_theme_of_their_own(
    run: Path, data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = pd.read_csv(data_folder / "test.csv")["Id"][0]
    assert exit_code("explain", "--run", str(run), "--id", str(house), "--json") == 0
    explanation = json.loads(capsys.readouterr().out)
    effects = [theme["log_price"] for theme in explanation["themes"]]
    assert len(effects) == len(THEMES) + 1
    assert effects[-1] != 0
    total = explanation["average_log_price"] + sum(effects)
    assert total == pytest.approx(np.log(explanation["predicted_usd"]), abs=1e-4)


def test_the_regressor_takes_the_same_settings_is_not_saved_and_loads_the_run(run: Path, data_folder: Path) -> None:
    model = HousePriceRegressor(run / "config.toml").fit(pd.read_csv(data_folder / "train.csv"))
    prices = model.predict(pd.read_csv(data_folder / "test.csv"))
    np.testing.assert_array_equal(prices.round(2), pd.read_csv(run / "submission.csv")["SalePrice"])
    with pytest.raises(RunError, match=r"\(mine\.py\) are fitted anew .*; accepted: "):
        model.save("model")
    assert not Path("model").exists()
    Path("mine.py").rename("moved.py")
    loaded = HousePriceRegressor.load(run, "moved.py")
    np.testing.assert_array_equal(loaded.predict(pd.read_csv(data_folder / "test.csv")), prices)
