"""The space of a search: a range or a list of choices for each setting of a model that varies, as TOML."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from houseprices.errors import SettingsError
from houseprices.preprocessing.columns import Block
from houseprices.settings import ModelSettings

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DEFAULT_SPACE = Path(__file__).with_name("space.toml")

DEPTH, WIDTH = "depth", "width"
"""The number of hidden layers, and the units of each. Together they stand for `hidden`."""

_NOT_VARIED = ("n_members", "hidden")
_VARIED = (DEPTH, WIDTH, *(field.name for field in fields(ModelSettings) if field.name not in _NOT_VARIED))


@dataclass(frozen=True)
class Space:
    """The dimensions of a search, sorted by name: the order of the file changes nothing.

    Attributes:
        distributions: what Optuna suggests parameters from. Choices are JSON, which its journal keeps whatever they
            are. Each of the most layers has a width of its own, which counts if the trial is that deep.
    """

    distributions: Mapping[str, "BaseDistribution"]

    def model(self, params: Mapping[str, Any], base: ModelSettings) -> ModelSettings:
        """Return the model with a trial's parameters; what does not vary is as in `base`."""
        settings = {name: json.loads(value) if isinstance(value, str) else value for name, value in params.items()}
        if DEPTH in settings:
            settings["hidden"] = [settings[f"{WIDTH}_{layer}"] for layer in range(1, settings[DEPTH] + 1)]
        varied = {name: value for name, value in settings.items() if name == "hidden" or name in _VARIED[2:]}
        return _changed_model(base, varied)

    @property
    def blocks(self) -> set[Block]:
        """All blocks of columns that some choice names."""
        choices = getattr(self.distributions.get("blocks"), "choices", ())
        return {block for choice in choices for block in json.loads(choice)}


def read_space(file: Path = DEFAULT_SPACE) -> Space:
    """Read a space; each end of a range and each choice must be accepted by the setting itself.

    Raises:
        SettingsError: the file is missing or no TOML; a name is unknown, a range or list empty, a value not accepted.
    """
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{file}: {reason}; accepted: a TOML file of ranges and choices") from None
    if unknown := [name for name in tree if name not in _VARIED]:
        raise SettingsError(f"{file}: {unknown[0]} is unknown; accepted: {', '.join(_VARIED)}")
    if not tree or (DEPTH in tree) != (WIDTH in tree):
        varied = ", ".join(tree) or "nothing"
        raise SettingsError(f"{file}: varies {varied}; accepted: one of {', '.join(_VARIED)}; {DEPTH} beside {WIDTH}")
    distributions = {name: _distribution(f"{file}: {name}", name, tree[name]) for name in sorted(tree)}
    if width := distributions.pop(WIDTH, None):
        depth: Any = distributions[DEPTH]
        most = max(map(int, depth.choices)) if hasattr(depth, "choices") else depth.high
        distributions |= {f"{WIDTH}_{layer}": width for layer in range(1, most + 1)}
    return Space(distributions)


def _distribution(setting: str, name: str, value: Any) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(value, list):
        choices = [json.dumps(_accepted(setting, name, choice)) for choice in value]
        if not choices or len(set(choices)) < len(choices):
            raise SettingsError(f"{setting} is {value!r}; accepted: one choice or more, no two alike")
        return CategoricalDistribution(choices)
    try:
        numbers = {key: _accepted(setting, name, value[key]) for key in ("low", "high")}
        whole = isinstance(numbers["low"], int)
        if whole and "step" in value:
            _accepted(setting, name, numbers["low"] + value["step"])
        return (IntDistribution if whole else FloatDistribution)(**{**value, **numbers})
    except (TypeError, KeyError, ValueError) as error:
        accepted = "a list of choices, or a table such as { low = 0.1, high = 0.5 }, with log = true or step = 0.1"
        raise SettingsError(f"{setting} is {value!r} ({error}); accepted: {accepted}") from None


def _accepted(setting: str, name: str, value: Any) -> Any:
    """Return the value as the model's setting has it: 1 is 1.0 in a setting that is not whole."""
    try:
        if name == DEPTH:
            return TypeAdapter(NonNegativeInt).validate_python(value)
        model = _changed_model(ModelSettings(), {"hidden": [value]} if name == WIDTH else {name: value})
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise SettingsError(f"{setting}: {value!r} is refused: {reason[0].lower()}{reason[1:]}") from None
    return model.hidden[0] if name == WIDTH else getattr(model, name)


def _changed_model(base: ModelSettings, settings: Mapping[str, Any]) -> ModelSettings:
    model = TypeAdapter(ModelSettings)
    return model.validate_python({**model.dump_python(base), **settings})
