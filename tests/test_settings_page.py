"""The examples of docs/settings.md do what the page says."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from houseprices.cli import app
from houseprices.preprocessing.custom_features import CustomFile
from houseprices.preprocessing.houses import house_array
from houseprices.settings import explained_settings, load_settings

PAGE = (Path(__file__).parents[1] / "docs" / "settings.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(("position", "names"), [(0, ["built_share", "is_corner"]), (1, ["price_level"])])
def test_each_example_computes_its_features_even_of_houses_with_gaps(houses, position, names):
    log_price = np.log(houses.pop("SalePrice").to_numpy())
    custom = CustomFile(Path("page.py"), blocks("python")[position].encode()).fit(house_array(houses), log_price)
    assert custom.names == names
    for name in ("LotArea", "GrLivArea", "LotConfig", "Neighborhood"):
        houses[name] = houses[name].mask(np.arange(len(houses)) % 2 == 0)
    assert custom.transform(house_array(houses)).shape == (len(houses), len(names))


def test_the_settings_are_accepted_and_the_commands_exist(tmp_path):
    (tmp_path / "page.toml").write_text(blocks("toml")[-1], "utf-8")
    assert load_settings(tmp_path / "page.toml").features.columns == "lot.py"
    assert tomllib.loads(blocks("toml")[-1])["models"]["tanh"]["blocks"][-1] == "custom"
    lines = blocks("sh")[0].splitlines()
    assert len(lines) == 3
    for line in lines:
        program, *tokens = line.split()
        assert program == "houseprices"
        app.parse_args(tokens, exit_on_error=False, print_error=False)


def test_every_setting_stands_in_the_page_with_its_default_and_meaning():
    for setting in explained_settings():
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{setting.name}` | "))
        _, _, default, meaning, _ = (cell.strip() for cell in row.split("|"))
        assert meaning == setting.meaning
        assert setting.key == "blocks" or default == setting.default
