"""Every setting of a run: one name in the TOML file, on the command line, in Python and in a run's own config.toml.

A file is overlaid on the defaults below, and the command line on the file: `--folds.n_folds 5` is

    [folds]
    n_folds = 5

and `--models.tanh.dropout 0.2` changes one model of the file. The ensemble of `Settings()` is that of
configs/default.toml.
"""

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from houseprices.engine.specs import STRICT, Count, Hyperparameters, Positive
from houseprices.errors import SettingsError
from houseprices.preprocessing.columns import CUSTOM, DEFAULT_BLOCKS, Block

CONFIGS = Path(__file__).with_name("configs")
"""Configurations that come with the package: a name such as "quick" stands for a file here."""


@dataclass(frozen=True, config=STRICT)
class FoldSettings:
    """K-fold cross-validation."""

    n_folds: int = Field(default=10, ge=2, description="folds; each is held out once")
    n_repeats: Count = Field(default=2, description="repeats of the whole cross-validation on other folds, averaged")


@dataclass(frozen=True, config=STRICT)
class FeatureSettings:
    """Preprocessing, see `preprocessing.features.HouseFeatures`."""

    clip: Positive = Field(default=3.0, description="scaled numbers are squeezed smoothly into +-clip")
    min_level_rows: Count = Field(default=5, description="training rows that a level needs for a one-hot column")
    columns: str = Field(
        default="",
        description="Python file with features of your own, for models with the block custom",
    )


@dataclass(frozen=True, config=STRICT)
class ModelSettings(Hyperparameters):
    """One model of the ensemble; its targets are log prices in standard deviations."""

    n_members: Count = Field(default=1, description="networks per fold, alike but for their seeds")
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)] = Field(
        default=DEFAULT_BLOCKS, description="blocks of features that its networks see"
    )


def _default_models() -> dict[str, ModelSettings]:
    return TypeAdapter(dict[str, ModelSettings]).validate_python(_read_toml(CONFIGS / "default.toml")["models"])


@dataclass(frozen=True, config=STRICT)
class Settings:
    """Settings of a run.

    Raises:
        pydantic.ValidationError: a value out of range, or custom features without a file or a model; a ValueError.
    """

    seed: int = Field(default=0, ge=0, lt=2**63, description="fixes the folds and every network's random numbers")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="device that trains; auto takes a CUDA device if there is one"
    )
    workers: int = Field(default=0, ge=0, description="threads that train at the same time; 0 for one per core")
    ray: str = Field(
        default="",
        pattern=r"^(\S+:\d+)?$",
        description="HOST:PORT of a Ray cluster that trains in place of this machine; empty for none",
    )
    folds: FoldSettings = Field(default_factory=FoldSettings)
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    models: Annotated[dict[str, ModelSettings], Field(min_length=1)] = Field(default_factory=_default_models)

    def __post_init__(self) -> None:
        if self.ray and self.device == "cuda":
            raise SettingsError(
                f"device is 'cuda' beside ray {self.ray!r}; accepted: auto or cpu, a cluster's CPUs train"
            )
        with_custom = [name for name, model in self.models.items() if CUSTOM in model.blocks]
        if with_custom and not self.features.columns:
            raise SettingsError(
                f"models.{with_custom[0]}.blocks names {CUSTOM!r}, but features.columns is empty; accepted: a Python"
                " file of features, or blocks without it"
            )
        if self.features.columns and not with_custom:
            raise SettingsError(
                f"features.columns is {self.features.columns!r}, but no model has the block {CUSTOM!r}; accepted: a"
                " model whose blocks name it (--columns FILE adds it to every model)"
            )


WHERE = ("device", "workers", "ray")
"""Settings that choose where networks train; they change no result."""

_TABLES: dict[str, Any] = {
    "": Settings,
    "folds.": FoldSettings,
    "features.": FeatureSettings,
    "models.<model>.": ModelSettings,
}
_LISTS = ("hidden", "blocks")

_SYNONYMS = {
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
    "noise": "input_noise",
}
"""Names that other programs have for a setting."""

_RENAMED = {"groups": "models", "levels": "one_hot", "pieces": "piecewise_linear", "own": "custom"}
"""Names of an earlier version."""


def load_settings(
    config: Path | str | Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read a configuration, overlay the overrides and check it all.

    Args:
        config: a TOML file, the name of a configuration of the package ("default", "quick", "single"), or settings by
            name, laid over the default; None for the default.
        overrides: settings by name, such as {"folds.n_folds": 5}.

    Raises:
        SettingsError: the file is missing or no TOML, or a name is unknown or a value out of range; one line a fault.

    >>> load_settings("default", {"models.deep.dropout": 0.4}).models["deep"].dropout
    0.4
    """
    if isinstance(config, Mapping):
        return load_settings(None, {**config, **(overrides or {})})
    tree = _read_toml(_config_file(config or "default"))
    models = list(tree["models"]) if isinstance(tree.get("models"), dict) else []
    for name, value in (overrides or {}).items():
        table, _, rest = name.partition(".")
        model = rest.partition(".")[0]
        if models and model and table == "models" and model not in models:
            raise SettingsError(
                f"models.{model} is unknown; accepted: {config or 'the default'} has the models {', '.join(models)}"
            )
        _place(tree, name, value)
    try:
        return TypeAdapter(Settings).validate_python(tree)
    except ValidationError as error:
        raise SettingsError("\n".join(_fault(fault, models) for fault in error.errors())) from None


def with_custom_features(settings: Settings, file: Path | None) -> Settings:
    """Return the settings with the file's features in every model, or as they are for None."""
    if file is None:
        return settings
    models = {
        name: model if CUSTOM in model.blocks else replace(model, blocks=(*model.blocks, CUSTOM))
        for name, model in settings.models.items()
    }
    return replace(settings, features=replace(settings.features, columns=str(file)), models=models)


def dump_settings(settings: Settings) -> str:
    """Return the complete settings as TOML, which `load_settings` reads back."""
    import tomli_w

    return tomli_w.dumps(TypeAdapter(Settings).dump_python(settings, mode="json"))


def parse_overrides(tokens: Sequence[str]) -> dict[str, Any]:
    """Read command-line tokens `--name value` or `--name=value` as {name: value}; values are written as in TOML.

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
        # A hyphen may stand for an underscore, but a model is called what its file calls it.
        keys = name.split(".")
        is_model = [depth == 1 and keys[0] == "models" for depth in range(len(keys))]
        name = ".".join(key if kept else key.replace("-", "_") for key, kept in zip(keys, is_model, strict=True))
        overrides[name] = _toml_value(value)
    return overrides


class ExplainedSetting(NamedTuple):
    """One setting as on the command line, explained from the field that defines it.

    Attributes:
        name: with its table; `<model>` stands for a model's name.
        default: as TOML.
        accepted: the accepted values, in words.
        meaning: in a line.
    """

    name: str
    default: str
    accepted: str
    meaning: str

    @property
    def key(self) -> str:
        """Name without its table."""
        return self.name.rpartition(".")[2]


def explained_settings() -> Iterator[ExplainedSetting]:
    """Explain all settings, table by table."""
    for prefix, table in _TABLES.items():
        schema, defaults = TypeAdapter(table).json_schema()["properties"], table()
        for field in fields(table):
            if "description" in schema[field.name]:  # others are tables themselves
                # JSON writes these values as TOML does.
                default = json.dumps(getattr(defaults, field.name))
                yield ExplainedSetting(
                    prefix + field.name, default, _accepted(schema[field.name]), schema[field.name]["description"]
                )


def _accepted(schema: dict[str, Any]) -> str:
    """Describe the values that a field's JSON schema accepts."""
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if schema["type"] == "boolean":
        return "true, false"
    if schema["type"] == "string":
        return "text"
    if schema["type"] == "array":
        return f"a list of: {_accepted(schema['items'])}"
    kind = "whole number" if schema["type"] == "integer" else "number"
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [
        f"{words} 2^63" if schema[key] == 2**63 else f"{words} {schema[key]:g}"
        for key, words in bounds.items()
        if key in schema
    ]
    return ", ".join([kind, *limits])


def _config_file(config: Path | str) -> Path:
    packaged = CONFIGS / f"{config}.toml"
    return packaged if packaged.parent == CONFIGS and packaged.is_file() else Path(config)


def _read_toml(file: Path) -> dict[str, Any]:
    names = ", ".join(sorted(config.stem for config in CONFIGS.glob("*.toml")))
    accepted = f"accepted: a TOML file, or one of {names}"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; {accepted}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{file}: {error}; {accepted}") from None


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _place(tree: dict[str, Any], name: str, value: Any) -> None:
    """Set one value; a list may be written as `128,64` or `128`."""
    *path, last = name.split(".")
    for key in path:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"{name} is unknown: {key} is a value, not a table")
    if last in _LISTS and isinstance(value, str | int):
        value = [_toml_value(part.strip()) for part in str(value).split(",")]
    tree[last] = value


def _fault(error: Any, models: Sequence[str]) -> str:
    """Describe one fault that pydantic found in one line."""
    *path, key = [str(part) for part in error["loc"]] or [""]
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "unexpected_keyword_argument":
            prefix = "".join(f"{part}." for part in path)
            table = ModelSettings if path[:1] == ["models"] else _TABLES[prefix]
            similar = _similar_settings(key, models)
            hint = f" (is it {' or '.join(similar)}?)" if similar else ""
            accepted = ", ".join(prefix + field.name for field in fields(table))
            return f"{prefix}{key} is unknown{hint}; accepted: {accepted}"
    renamed = _RENAMED.get(str(error["input"]))
    hint = f"; it is called {renamed!r} now" if renamed else ""
    message = error["msg"]
    return f"{'.'.join([*path, key])}: {message[0].lower()}{message[1:]}, got {error['input']!r}{hint}"


def _similar_settings(key: str, models: Sequence[str]) -> list[str]:
    """Return the settings that somebody may mean who writes `key`, by their names beside these models."""
    key = key.rpartition(".")[2].replace("-", "_").lower()
    names = {field.name: prefix + field.name for prefix, table in _TABLES.items() for field in fields(table)}
    key = _RENAMED.get(key, _SYNONYMS.get(key, key))
    similar = [names[name] for name in difflib.get_close_matches(key, names, n=1, cutoff=0.7)]
    return [name.replace("<model>", model) for name in similar for model in (models if "<model>" in name else [""])]
