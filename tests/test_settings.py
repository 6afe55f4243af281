"""Every setting has one name in the file, on the command line and in what is written back; others are refused."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from houseprices.errors import SettingsError
from houseprices.preprocessing.columns import BLOCKS, DEFAULT_BLOCKS
from houseprices.preprocessing.features import HouseFeatures
from houseprices.settings import (
    FeatureSettings,
    ModelSettings,
    Settings,
    dump_settings,
    explained_settings,
    load_settings,
    parse_overrides,
    with_custom_features,
)

ROOT = Path(__file__).parents[1]

OTHER_VALUE: dict[str, Any] = {
    "seed": 7,
    "device": "cpu",
    "workers": 3,
    "ray": "127.0.0.1:6379",
    "folds.n_folds": 4,
    "folds.n_repeats": 4,
    "features.clip": 2.5,
    "features.min_level_rows": 9,
    "models.<model>.n_members": 3,
    "models.<model>.blocks": ["numbers", "one_hot"],
    "models.<model>.hidden": [32, 16],
    "models.<model>.activation": "relu",
    "models.<model>.linear_path": False,
    "models.<model>.dropout": 0.45,
    "models.<model>.input_dropout": 0.25,
    "models.<model>.input_noise": 0.1,
    "models.<model>.warmup_steps": 7,
    "models.<model>.beta2": 0.9,
    "models.<model>.huber_delta": 0.75,
    "models.<model>.loss": "student_t",
    "models.<model>.weight_decay": 0.75,
    "models.<model>.decay_kind": "coupled",
    "models.<model>.learning_rate": 0.03,
    "models.<model>.schedule": "constant",
    "models.<model>.epochs": 17,
    "models.<model>.batch_size": 33,
}
"""For each setting a value that is not its default, but for those `IN_COMPANY`."""

IN_COMPANY = {"features.columns"}
"""Settings that ask for another one beside them; they have tests of their own."""

DEFAULTS = {one.name: one.default for one in explained_settings()}


def leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"folds": {"n_folds": 5}} -> {"folds.n_folds": 5}"""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def written(settings: Settings) -> dict[str, Any]:
    return leaves(tomllib.loads(dump_settings(settings)))


def load(text: str, tmp_path: Path, **overrides: Any) -> Settings:
    file = tmp_path / "settings.toml"
    file.write_text(text, "utf-8")
    return load_settings(file, overrides)


def as_token(value: Any) -> str:
    """A value as TOML writes it, names without quotation marks."""
    return value if isinstance(value, str) else tomli_w.dumps({"v": value}).partition("=")[2].strip()


# ---- round trips and names ----


def test_written_settings_are_read_back_alike(fast_settings: Settings, tmp_path: Path) -> None:
    for settings in (Settings(), fast_settings):
        assert load(dump_settings(settings), tmp_path) == settings


def test_written_settings_are_complete(tmp_path: Path) -> None:
    text = dump_settings(load("[models.one]\n[models.two]\nepochs = 3\n", tmp_path))
    names = set(leaves(tomllib.loads(text)))
    stages = {name for name in (*OTHER_VALUE, *IN_COMPANY) if "<model>" not in name}
    of_models = {name for name in OTHER_VALUE if "<model>" in name}
    assert names == stages | {name.replace("<model>", group) for name in of_models for group in ("one", "two")}


@pytest.mark.parametrize("name", ["default", "quick", "single"])
def test_a_configuration_of_the_package_is_found_by_its_name_and_by_its_path(name: str) -> None:
    settings = load_settings(name)
    assert settings == load_settings(ROOT / "configs" / f"{name}.toml") == load_settings(f"{ROOT}/configs/{name}.toml")
    assert (settings == Settings()) == (name == "default")


def test_settings_by_name_lie_over_the_default() -> None:
    assert load_settings({"folds.n_folds": 3, "models.deep.dropout": 0.4}) == load_settings(
        "default", {"folds.n_folds": 3, "models.deep.dropout": 0.4}
    )


@pytest.mark.parametrize(
    ("value", "hidden"), [("[128,64]", (128, 64)), ("128,64", (128, 64)), ("128", (128,)), ("[]", ())]
)
def test_a_list_may_be_written_without_brackets(value: str, hidden: tuple[int, ...]) -> None:
    assert load_settings(None, parse_overrides(["--models.deep.hidden", value])).models["deep"].hidden == hidden


def test_a_name_of_an_earlier_version_is_answered_with_the_new_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"groups is unknown \(is it models\?\)"):
        load("[groups.a]\n", tmp_path)
    with pytest.raises(SettingsError, match=r"models\.a\.blocks\.0: .*'levels'; it is called 'one_hot' now"):
        load('[models.a]\nblocks = ["levels"]\n', tmp_path)


def test_every_setting_is_listed() -> None:
    assert sorted(DEFAULTS) == sorted({*OTHER_VALUE, *IN_COMPANY})


def test_every_setting_is_explained_by_what_it_accepts_and_means() -> None:
    explained = {one.name: one for one in explained_settings()}
    assert all(len(one.meaning) > 10 for one in explained.values())
    assert explained["folds.n_folds"].accepted == "whole number, at least 2"
    assert explained["models.<model>.dropout"].accepted == "number, at least 0, below 1"
    assert explained["models.<model>.linear_path"].accepted == "true, false"
    assert explained["device"].accepted == "auto, cpu, cuda"
    assert explained["features.columns"].accepted == "text"
    assert explained["seed"].accepted == "whole number, at least 0, below 2^63"
    assert set(explained["models.<model>.blocks"].accepted.removeprefix("a list of: ").split(", ")) == {
        *BLOCKS,
        "custom",
    }


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("dropout", "models.tanh.dropout or models.relu.dropout"),
        ("lr", "models.tanh.learning_rate or models.relu.learning_rate"),
        ("folds.lr", "models.tanh.learning_rate or models.relu.learning_rate"),
        ("weight-decay", "models.tanh.weight_decay or models.relu.weight_decay"),
        ("clip", "features.clip"),
        ("threads", "workers"),
    ],
)
def test_a_natural_name_is_hinted_with_the_files_own_models(key: str, meant: str, tmp_path: Path) -> None:
    overrides = parse_overrides([f"--{key}", "0.5"])
    with pytest.raises(SettingsError) as refused:
        load("[models.tanh]\n[models.relu]\n", tmp_path, **overrides)
    assert f"is unknown (is it {meant}?); accepted: " in str(refused.value)


def test_a_listed_default_given_as_an_option_changes_nothing(tmp_path: Path) -> None:
    plain = "[models.plain]\n"
    for name, default in DEFAULTS.items():
        overrides = parse_overrides(["--" + name.replace("<model>", "plain"), default])
        assert load(plain, tmp_path, **overrides) == load(plain, tmp_path), name


def test_an_option_without_a_file_changes_one_of_the_default_group_and_keeps_the_rest() -> None:
    changed = load_settings(None, parse_overrides(["--models.tanh.dropout", "0.25"]))
    assert changed.models == Settings().models | {"tanh": replace(Settings().models["tanh"], dropout=0.25)}
    with pytest.raises(
        SettingsError,
        match=r"^models\.rule is unknown; accepted: .* the models tanh, deep, additive, plain, plain_tanh$",
    ):
        load_settings(None, {"models.rule.dropout": 0.25})


# ---- the command line over the file over the defaults ----


@pytest.mark.parametrize("name", sorted({*OTHER_VALUE, *DEFAULTS} - IN_COMPANY))
@pytest.mark.parametrize("form", ["two tokens", "equals sign", "hyphens"])
def test_every_setting_can_be_given_as_an_option_and_changes_itself_alone(name: str, form: str) -> None:
    option, value = name.replace("<model>", "tanh"), OTHER_VALUE[name]
    if form == "hyphens":
        tokens = ["--" + option.replace("_", "-"), as_token(value)]
    else:
        tokens = [f"--{option}={as_token(value)}"] if form == "equals sign" else [f"--{option}", as_token(value)]
    before, after = written(Settings()), written(load_settings(None, parse_overrides(tokens)))
    assert before[option] != value
    assert after == before | {option: value}


@pytest.mark.parametrize("name", sorted(OTHER_VALUE))
def test_every_setting_can_stand_in_the_file_under_the_same_name(name: str, tmp_path: Path) -> None:
    *path, last = name.replace("<model>", "tanh").split(".")
    tree: dict[str, Any] = {last: OTHER_VALUE[name]}
    for key in reversed(path):
        tree = {key: tree}
    empty = "[models.tanh]\n"
    in_file = tree if path[:1] == ["models"] else {**tree, "models": {"tanh": {}}}
    settings = load(tomli_w.dumps(in_file), tmp_path)
    assert settings == load(empty, tmp_path, **{".".join([*path, last]): OTHER_VALUE[name]})
    assert settings != load(empty, tmp_path)


def test_an_option_beats_the_file_and_the_file_beats_the_default(tmp_path: Path) -> None:
    of_stages = "seed = 3\ndevice = 'cpu'\n[folds]\nn_folds = 4\nn_repeats = 2\n"
    of_models = "[models.a]\ndropout = 0.1\nepochs = 5\n[models.b]\n"
    settings = load(of_stages + of_models, tmp_path, **{"seed": 4, "folds.n_folds": 6, "models.a.dropout": 0.3})
    assert (settings.seed, settings.device, settings.folds.n_folds, settings.folds.n_repeats) == (4, "cpu", 6, 2)
    assert settings.features == Settings().features
    assert (settings.models["a"].dropout, settings.models["a"].epochs) == (0.3, 5)
    assert settings.models["b"] == ModelSettings()


def test_a_group_with_a_hyphen_in_its_name_can_be_changed_by_an_option(tmp_path: Path) -> None:
    overrides = parse_overrides(["--models.wide-relu.batch-size", "64"])
    settings = load("[models.wide-relu]\nepochs = 5\n", tmp_path, **overrides)
    assert settings.models["wide-relu"].batch_size == 64


# ---- what is refused ----


@pytest.mark.parametrize(
    ("text", "unknown", "accepted"),
    [
        ("sed = 1", "sed is unknown (is it seed?)", "seed, device, workers, ray, folds, features, models"),
        (
            "[fold]\nn_folds = 5",
            "fold is unknown (is it folds?)",
            "seed, device, workers, ray, folds, features, models",
        ),
        ("[folds]\nk = 5", "folds.k is unknown", "folds.n_folds, folds.n_repeats"),
        (
            "[features]\nclips = 5",
            "features.clips is unknown (is it features.clip?)",
            "features.clip, features.min_level_rows",
        ),
        ("[models.a]\ndrop_out = 0.1", "models.a.drop_out is unknown (is it models.a.dropout?)", "models.a.n_members"),
    ],
)
def test_an_unknown_key_is_named_with_the_accepted_ones(text: str, unknown: str, accepted: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(text, tmp_path)
    message = str(error.value)
    assert message.startswith(f"{unknown}; accepted: ")
    assert accepted in message


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("seed", -1, "greater than or equal to 0"),
        ("seed", 2**63, "less than 9223372036854775808"),
        ("device", "tpu", "'auto', 'cpu' or 'cuda'"),
        ("folds.n_folds", 1, "greater than or equal to 2"),
        ("features.clip", float("inf"), "finite"),
        ("models.tanh.n_members", 0, "greater than or equal to 1"),
        ("models.tanh.blocks", [], "at least 1 item"),
        ("models.tanh.blocks", ["numbers", "letters"], "'numbers', 'one_hot', 'one_hot_ordinals'"),
        ("models.tanh.hidden", [16, 0], "greater than or equal to 1"),
        ("models.tanh.activation", "gelu", "'relu' or 'tanh'"),
        ("models.tanh.dropout", 1.0, "less than 1"),
        ("models.tanh.dropout", float("nan"), "less than 1"),
        ("models.tanh.huber_delta", float("nan"), "greater than 0"),
        ("models.tanh.weight_decay", float("nan"), "finite"),
        # Of another type altogether.
        ("seed", "many", "integer"),
        ("folds", 5, "FoldSettings"),
        ("features.clip", [1], "number"),
        ("models", {}, "at least 1 item"),
        ("models.tanh", 3, "ModelSettings"),
        ("models.tanh.hidden", "wide", "integer"),
        ("models.tanh.linear_path", 3, "boolean"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_accepted(name: str, value: Any, accepted: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(None, {name: value})
    first = str(error.value).splitlines()[0]
    assert first.startswith(name)
    assert accepted in first
    assert "got " in first


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load("seed = -1\n[folds]\nn_folds = 1\n[models.a]\ndropout = 2\n", tmp_path)
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [
        "seed",
        "folds.n_folds",
        "models.a.dropout",
    ]


def test_an_option_for_a_group_that_the_file_lacks_is_refused(fast_config: Path) -> None:
    with pytest.raises(SettingsError, match=r"^models\.tanh is unknown; accepted: .*fast\.toml has .* tiny$"):
        load_settings(fast_config, {"models.tanh.dropout": 0.2})


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["--folds.n_folds"], "--folds.n_folds has no value; accepted: --folds.n_folds VALUE"),
        (["--folds.n_folds", "--seed", "1"], "--folds.n_folds has no value"),
        (["5"], "'5' is not expected here; accepted: --name value"),
        (["-k", "5"], "'-k' is not expected here; accepted: --name value"),
    ],
)
def test_an_option_without_value_or_name_is_refused(tokens: list[str], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_overrides(tokens)
    assert str(error.value).startswith(message)


DEEP = b"v = " + 100_000 * b"["


@pytest.mark.parametrize(
    "content", [b"folds = [", b"[folds]\nn_folds = 3\nn_folds = 4\n", b"\xff\xfe\x00", DEEP], ids=range(4)
)
def test_a_broken_file_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as error:
        load_settings(file)
    assert str(error.value).startswith(f"{file}: ")
    assert "accepted: a TOML file" in str(error.value)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert "accepted: a TOML file" in str(error.value)


def test_features_made_without_settings_are_those_of_the_default_settings():
    features = HouseFeatures()
    assert (features.clip, features.min_level_rows) == (FeatureSettings().clip, FeatureSettings().min_level_rows)


# ---- own columns: a file and a block, or neither ----


def test_a_file_of_columns_comes_with_a_group_that_has_their_block(tmp_path: Path) -> None:
    blocks = [*DEFAULT_BLOCKS, "custom"]
    given = load_settings(None, {"features.columns": "mine.py", "models.tanh.blocks": blocks})
    assert (given.features.columns, given.models["tanh"].blocks) == ("mine.py", tuple(blocks))
    assert load(dump_settings(given), tmp_path) == given
    for overrides, told in (
        (
            {"features.columns": "mine.py"},
            r"^features\.columns is 'mine\.py', but no model has the block 'custom'",
        ),
        (
            {"models.tanh.blocks": ["custom"]},
            r"^models\.tanh\.blocks names 'custom', but features\.columns is empty; acc",
        ),
    ):
        with pytest.raises(SettingsError, match=told) as error:
            load_settings(None, overrides)
        assert "\n" not in str(error.value)


def test_the_shorthand_adds_the_block_where_it_is_missing_and_changes_nothing_else(tmp_path: Path) -> None:
    one = load(
        '[features]\ncolumns = "old.py"\n[models.a]\nblocks = ["custom", "numbers"]\n[models.b]\nepochs = 3\n', tmp_path
    )
    both = with_custom_features(one, Path("new.py"))
    assert both.features == replace(one.features, columns="new.py")
    assert both.models["a"] == one.models["a"]
    assert both.models["b"] == replace(one.models["b"], blocks=(*DEFAULT_BLOCKS, "custom"))
    assert with_custom_features(one, None) == one
