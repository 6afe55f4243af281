"""The space of a search: a range or a list of choices for each setting of a model that varies, as TOML."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import StrictBool, StrictFloat, StrictInt, TypeAdapter, ValidationError
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
_ACCEPTED = "a list of choices, or a table such as { low = 0.1, high = 0.5 }, with log = true or step = 0.1"


@checked_dataclass(frozen=True, config=STRICT)
class Range:
    """Numbers from low to high, both among them; whole numbers, if low is one."""

    low: StrictInt | StrictFloat
    high: StrictInt | StrictFloat
    log: StrictBool = False
    step: StrictInt | StrictFloat | None = None

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
    """The dimensions of a search by name."""

    dimensions: Mapping[str, Range | Choices]

    def suggest(self, trial: "Trial", base: ModelSettings) -> ModelSettings:
        """Suggest a model for the trial; what does not vary is as in `base`."""
        settings = {
            name: dimension.suggest(trial, name)
            for name, dimension in self.dimensions.items()
            if name not in (DEPTH, WIDTH)
        }
        if DEPTH in self.dimensions:
            layers = range(1, int(self.dimensions[DEPTH].suggest(trial, DEPTH)) + 1)
            settings["hidden"] = [self.dimensions[WIDTH].suggest(trial, f"{WIDTH}_{layer}") for layer in layers]
        return changed_model(base, settings)

    @property
    def blocks(self) -> set[Block]:
        """All blocks of columns that some choice names."""
        choices = self.dimensions.get("blocks")
        values = choices.values if isinstance(choices, Choices) else ()
        return {block for value in values for block in json.loads(value)}

    def as_json(self) -> str:
        """The space in one line; equal spaces have equal lines."""
        return json.dumps({name: vars(dimension) for name, dimension in self.dimensions.items()}, sort_keys=True)


def changed_model(base: ModelSettings, settings: Mapping[str, Any]) -> ModelSettings:
    """The base with these settings in place of its own, checked.

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
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{file}: {reason}; accepted: a TOML file of ranges and choices") from None
    unknown = [name for name in tree if name not in _VARIED]
    if unknown:
        raise SettingsError(f"{file}: {unknown[0]} is unknown; accepted: {', '.join(_VARIED)}")
    if not tree:
        raise SettingsError(f"{file}: varies nothing; accepted: a range or choices for some of {', '.join(_VARIED)}")
    if (DEPTH in tree) != (WIDTH in tree):
        raise SettingsError(f"{file}: {DEPTH} and {WIDTH} stand for hidden; accepted: both or neither")
    return Space({name: _dimension(f"{file}: {name}", name, value) for name, value in tree.items()})


def _dimension(setting: str, name: str, value: Any) -> Range | Choices:
    if isinstance(value, list):
        if not value or any(choice in value[:index] for index, choice in enumerate(value)):
            raise SettingsError(f"{setting} is {value!r}; accepted: one choice or more, no two alike")
        for choice in value:
            _check(setting, name, choice)
        return Choices(tuple(json.dumps(choice) for choice in value))
    if not isinstance(value, dict):
        raise SettingsError(f"{setting} is {value!r}; accepted: {_ACCEPTED}")
    try:
        dimension = Range(**value)
    except (ValidationError, TypeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        reason = reason.removeprefix("Value error, ")
        raise SettingsError(f"{setting} is {value!r}: {reason}; accepted: {_ACCEPTED}") from None
    for end in (dimension.low, dimension.high):
        _check(setting, name, end)
    numbers = [dimension.low, dimension.high, *([] if dimension.step is None else [dimension.step])]
    if name in (DEPTH, WIDTH) or type(getattr(ModelSettings(), name)) is int:
        if not all(isinstance(number, int) for number in numbers):
            raise SettingsError(f"{setting} is {value!r}; accepted: whole numbers for low, high and step")
        return dimension
    low, high, step = float(dimension.low), float(dimension.high), dimension.step
    return Range(low, high, dimension.log, None if step is None else float(step))


def _check(setting: str, name: str, value: Any) -> None:
    """Check that the model's setting accepts the value."""
    if name == DEPTH:
        if type(value) is not int or value < 0:
            raise SettingsError(f"{setting}: {value!r} is no depth; accepted: whole numbers from 0 on")
        return
    try:
        changed_model(ModelSettings(), {"hidden": [value]} if name == WIDTH else {name: value})
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise SettingsError(f"{setting}: {value!r} is refused: {reason[0].lower()}{reason[1:]}") from None
