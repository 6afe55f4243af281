"""Every setting of the main job: one name in the TOML file, on the command line and in a run's saved config.toml.

A file is overlaid on the defaults below, and the command line on the file: `--folds.n_folds 5` is

    [folds]
    n_folds = 5

and `--models.tanh.dropout 0.2` changes one group of the file.
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from houseprices.engine.specs import STRICT, Count, Hyperparameters, Positive
from houseprices.errors import SettingsError
from houseprices.preprocessing.columns import CUSTOM, DEFAULT_BLOCKS, Block


@dataclass(frozen=True, config=STRICT)
class FoldSettings:
    """How the training rows are split.

    Attributes:
        n_folds: parts; each is held out once.
        n_repeats: whole cross-validations with other splits, averaged.
    """

    n_folds: Annotated[int, Field(ge=2)] = 10
    n_repeats: Count = 2


@dataclass(frozen=True, config=STRICT)
class FeatureSettings:
    """See `preprocessing.features.HouseFeatures`.

    Attributes:
        clip: scaled numbers stay within +-clip.
        min_level_rows: training rows that a level needs for a column.
        columns: Python file with features of your own, for the models whose blocks name `custom`; empty for none. It
            runs as code; see `preprocessing.custom_features`.
    """

    clip: Positive = 3.0
    min_level_rows: Count = 5
    columns: str = ""


@dataclass(frozen=True, config=STRICT)
class ModelSettings(Hyperparameters):
    """Members of one shape and regularisation, trained on every fold; targets are log prices in standard deviations.

    Attributes:
        n_members: networks a fold, alike but for their seeds.
        blocks: the blocks of columns that they are given, see `preprocessing.columns`.
    """

    n_members: Count = 1
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)] = DEFAULT_BLOCKS


def _default_models() -> dict[str, ModelSettings]:
    """Four kinds of network that err differently: by width and depth, loss, and above all by view of the columns."""
    wide = ModelSettings()
    deep = replace(wide, hidden=(256, 128), activation="relu", loss="student_t", dropout=0.3)
    crosses = tuple(block for block in DEFAULT_BLOCKS if block not in ("numbers", "products"))
    additive_blocks: tuple[Block, ...] = ("piecewise_linear", "numbers", *crosses)
    return {
        "tanh": wide,
        "deep": deep,
        "ranks": replace(deep, blocks=("ranks", *crosses)),
        "additive": replace(wide, hidden=(), loss="student_t", blocks=additive_blocks),
    }


@dataclass(frozen=True, config=STRICT)
class Settings:
    """The main job.

    Attributes:
        seed: fixes the folds and every member's seed.
        device: where members train; auto takes a CUDA device if there is one.
        workers: threads that train at the same time; 0 for one a core.
        ray: HOST:PORT of a Ray cluster that trains in place of this machine; empty for none.
        folds: how the rows are split.
        features: how columns are made.
        models: the models of members by name; their mean predictions are averaged in log space.

    Raises:
        pydantic.ValidationError: a value out of range, or own columns without a file or a group; it is a ValueError.
    """

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Annotated[int, Field(ge=0)] = 0
    ray: Annotated[str, Field(pattern=r"^(\S+:\d+)?$")] = ""
    folds: FoldSettings = Field(default_factory=FoldSettings)
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    models: Annotated[dict[str, ModelSettings], Field(min_length=1)] = Field(default_factory=_default_models)

    def __post_init__(self) -> None:
        if self.ray and self.device == "cuda":
            raise SettingsError(
                f"device is 'cuda' beside ray {self.ray!r}; accepted: auto or cpu, a cluster's CPUs train"
            )
        with_own = [name for name, group in self.models.items() if CUSTOM in group.blocks]
        if with_own and not self.features.columns:
            raise SettingsError(
                f"models.{with_own[0]}.blocks names {CUSTOM!r}, but features.columns is empty; accepted: a Python file"
                " of features, or blocks without it"
            )
        if self.features.columns and not with_own:
            raise SettingsError(
                f"features.columns is {self.features.columns!r}, but no model has the block {CUSTOM!r}; accepted: a"
                f" model whose blocks name it (--columns FILE adds it to every group)"
            )


WHERE = ("device", "workers", "ray")
"""Settings that say where networks train, and not which."""

STAGES: tuple[tuple[str, Any], ...] = (
    ("", Settings),
    ("folds.", FoldSettings),
    ("features.", FeatureSettings),
    ("models.<model>.", ModelSettings),
)
"""The records of settings, each with what stands before its settings' names."""

_ALSO_CALLED = {
    "lr": "learning_rate",
    "l2": "weight_decay",
    "wd": "weight_decay",
    "decay": "weight_decay",
    "batch": "batch_size",
    "bs": "batch_size",
    "layers": "hidden",
    "width": "hidden",
    "units": "hidden",
    "members": "n_members",
    "networks": "n_members",
    "splits": "n_repeats",
    "repeats": "n_repeats",
    "threads": "workers",
}
"""Names that other programs have for a setting."""


def load_settings(file: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the TOML file, overlay the overrides ({"folds.n_folds": 5}) and check it all.

    Raises:
        SettingsError: the file is missing or no TOML, or a key is unknown or a value out of range; one line a fault.
    """
    tree = _read_toml(file) if file else tomllib.loads(dump_settings(Settings()))
    models = list(tree["models"]) if isinstance(tree.get("models"), dict) else []
    for name, value in (overrides or {}).items():
        group = name.removeprefix("models.").partition(".")[0]
        if models and name.startswith("models.") and group not in models:
            raise SettingsError(
                f"models.{group} is unknown; accepted: {file or 'the default'} has the models {', '.join(models)}"
            )
        _place(tree, name, value)
    faults = _unknown_keys(tree, Settings, "", models)
    if faults:
        raise SettingsError("\n".join(faults))
    try:
        return TypeAdapter(Settings).validate_python(tree)
    except ValidationError as error:
        raise SettingsError("\n".join(_fault(one) for one in error.errors())) from None


def with_own_columns(settings: Settings, file: Path | None) -> Settings:
    """The settings with the file's columns in every group; as they are for None."""
    if file is None:
        return settings
    models = {
        name: group if CUSTOM in group.blocks else replace(group, blocks=(*group.blocks, CUSTOM))
        for name, group in settings.models.items()
    }
    return replace(settings, features=replace(settings.features, columns=str(file)), models=models)


def dump_settings(settings: Settings) -> str:
    """The complete settings as TOML, which `load_settings` reads back."""
    import tomli_w

    return tomli_w.dumps(TypeAdapter(Settings).dump_python(settings, mode="json"))


def parse_overrides(tokens: Sequence[str]) -> dict[str, Any]:
    """Command-line tokens `--name value` or `--name=value` -> {name: value}; values are written as in TOML.

    Raises:
        SettingsError: a token is no option, or an option has no value.

    >>> parse_overrides(["--folds.n_folds", "5", "--models.deep.hidden=[64, 32]", "--models.deep.activation", "tanh"])
    {'folds.n_folds': 5, 'models.deep.hidden': [64, 32], 'models.deep.activation': 'tanh'}
    """
    overrides: dict[str, Any] = {}
    waiting = list(tokens)
    while waiting:
        token = waiting.pop(0)
        if not token.startswith("--"):
            example = "--name value, e.g. --folds.n_folds 5"
            if Path(token).exists():
                example = f"--data {token} or --run {token}" if Path(token).is_dir() else f"--config {token}"
            raise SettingsError(f"{token!r} is not expected here; accepted: {example}")
        name, equals, value = token[2:].partition("=")
        if not equals:
            if not waiting or waiting[0].startswith("--"):
                raise SettingsError(f"{token} has no value; accepted: {token} VALUE")
            value = waiting.pop(0)
        path = name.split(".")
        # A hyphen may stand for an underscore, but a group is called what its file calls it.
        named_by_user = {1} if path[0] == "models" else set()
        path = [key if place in named_by_user else key.replace("-", "_") for place, key in enumerate(path)]
        overrides[".".join(path)] = _toml_value(value)
    return overrides


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; accepted: a TOML file such as configs/default.toml") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{file}: {error}; accepted: TOML such as configs/default.toml") from None


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _place(tree: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for key in path:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"{name} is unknown: {key} is a value, not a table")
    tree[last] = value


def _unknown_keys(tree: Any, stage: Any, prefix: str, models: Sequence[str]) -> list[str]:
    """One line for each key that no setting has, with the accepted names."""
    faults = []
    accepted = {field.name: field.type for field in fields(stage)}
    for key, value in tree.items() if isinstance(tree, dict) else ():
        if key not in accepted:
            near = _natural_names(key, models)
            hint = f" (is it {' or '.join(near)}?)" if near else ""
            faults.append(f"{prefix}{key} is unknown{hint}; accepted: {', '.join(prefix + name for name in accepted)}")
        elif key == "models" and isinstance(value, dict):
            for group, settings in value.items():
                faults += _unknown_keys(settings, ModelSettings, f"{prefix}models.{group}.", models)
        elif is_dataclass(accepted[key]):
            faults += _unknown_keys(value, accepted[key], f"{prefix}{key}.", models)
    return faults


def _natural_names(key: str, models: Sequence[str]) -> list[str]:
    """The settings that somebody may mean who writes `key`, as they are called with these models."""
    key = key.rpartition(".")[2].replace("-", "_").lower()
    by_name = {field.name: prefix + field.name for prefix, stage in STAGES for field in fields(stage)}
    near = difflib.get_close_matches(_ALSO_CALLED.get(key, key), by_name, n=1, cutoff=0.7)
    return list(
        dict.fromkeys(by_name[name].replace("<model>", group) for name in near for group in models or ["<model>"])
    )


def _fault(error: Any) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    name = ".".join(str(part) for part in error["loc"])
    return f"{name}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"
