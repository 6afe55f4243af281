"""The space of a search: a range or a list of choices for each setting of a model that varies, as TOML."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from houseprices.engine.specs import STRICT
from houseprices.errors import SettingsError
from houseprices.preprocessing.columns import Block
from houseprices.settings import ModelSettings

if TYPE_CHECKING:
    from optuna import Trial

DEFAULT_SPACE = Path(__file__).with_name("space.toml")

DEPTH, WIDTH = "depth", "width"
"""The number of hidden layers, and the units of each. Together they stand for `hidden`."""

_NOT_VARIED = ("n_members", "hidden")
_VARIED = (DEPTH, WIDTH, *(field.name for field in fields(ModelSettings) if field.name not in _NOT_VARIED))


@checked_dataclass(frozen=True, config=STRICT)
class Range:
    """Numbers from low to high, both among them; whole numbers, if low is one."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log = true needs a low above 0, and no step")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError(f"step must be above 0, and at most {self.high - self.low}, got {self.step}")

    def suggest(self, trial: "Trial", name: str) -> float:
        """Suggest a number for the trial."""
        if isinstance(self.low, int):
            return trial.suggest_int(name, self.low, int(self.high), log=self.log, step=int(self.step or 1))
        return trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)


@dataclass(frozen=True)
class Choices:
    """Some values, each as JSON, which Optuna's journal keeps whatever it is."""

    values: tuple[str, ...]

    def suggest(self, trial: "Trial", name: str) -> Any:
        """Suggest one of them for the trial."""
        return json.loads(trial.suggest_categorical(name, self.values))


@dataclass(frozen=True)
class Space:
    """The dimensions of a search, sorted by name: the order of the file changes nothing."""

    dimensions: Mapping[str, Range | Choices]

    def suggest(self, trial: "Trial", base: ModelSettings) -> ModelSettings:
        """Suggest a model for the trial; what does not vary is as in `base`."""
        dimensions = dict(self.dimensions)
        depth, width = dimensions.pop(DEPTH, None), dimensions.pop(WIDTH, None)
        settings = {name: dimension.suggest(trial, name) for name, dimension in dimensions.items()}
        if depth and width:
            layers = range(1, int(depth.suggest(trial, DEPTH)) + 1)
            settings["hidden"] = [width.suggest(trial, f"{WIDTH}_{layer}") for layer in layers]
        return changed_model(base, settings)

    @property
    def blocks(self) -> set[Block]:
        """All blocks of columns that some choice names."""
        choices = self.dimensions.get("blocks")
        values = choices.values if isinstance(choices, Choices) else ()
        return {block for value in values for block in json.loads(value)}


def changed_model(base: ModelSettings, settings: Mapping[str, Any]) -> ModelSettings:
    """Return the base with these settings in place of its own, checked.

    Raises:
        pydantic.ValidationError: a value is out of range.
    """
    model = TypeAdapter(ModelSettings)
    return model.validate_python({**model.dump_python(base), **settings})


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
    return Space({name: _dimension(f"{file}: {name}", name, tree[name]) for name in sorted(tree)})


def _dimension(setting: str, name: str, value: Any) -> Range | Choices:
    if isinstance(value, list):
        choices = tuple(json.dumps(_accepted(setting, name, choice)) for choice in value)
        if not choices or len(set(choices)) < len(choices):
            raise SettingsError(f"{setting} is {value!r}; accepted: one choice or more, no two alike")
        return Choices(choices)
    try:
        given = TypeAdapter(Range).validate_python(value)
    except ValidationError as error:
        accepted = "a list of choices, or a table such as { low = 0.1, high = 0.5 }, with log = true or step = 0.1"
        raise SettingsError(f"{setting} is {value!r}: {_reason(error)}; accepted: {accepted}") from None
    low, high = (_accepted(setting, name, end) for end in (given.low, given.high))
    if given.step:
        _accepted(setting, name, low + given.step)
    return Range(low, high, given.log, given.step and type(low)(given.step))


def _accepted(setting: str, name: str, value: Any) -> Any:
    """Return the value as the model's setting has it: 1 is 1.0 in a setting that is not whole."""
    try:
        if name == DEPTH:
            return TypeAdapter(NonNegativeInt).validate_python(value)
        model = changed_model(ModelSettings(), {"hidden": [value]} if name == WIDTH else {name: value})
    except ValidationError as error:
        raise SettingsError(f"{setting}: {value!r} is refused: {_reason(error)}") from None
    return model.hidden[0] if name == WIDTH else getattr(model, name)


def _reason(error: ValidationError) -> str:
    message = error.errors()[0]["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]
