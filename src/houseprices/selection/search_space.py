"""The space of a search: for each setting of a group of networks that varies, a range or a list of choices, as TOML."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from houseprices.errors import SettingsError
from houseprices.preprocessing.columns import Block
from houseprices.settings import ModelSettings

if TYPE_CHECKING:
    from optuna import Trial

DEFAULT_SPACE = Path(__file__).with_name("space.toml")

DEPTH, WIDTH = "depth", "width"
"""How many hidden layers; the units of each. Together they stand for `hidden`."""

_NOT_VARIED = ("n_members", "hidden")
_VARIED = (DEPTH, WIDTH, *(field.name for field in fields(ModelSettings) if field.name not in _NOT_VARIED))
_RANGE_KEYS = {"low", "high", "log", "step"}
_AS_RANGE = "a table such as { low = 0.1, high = 0.5 }, with log = true or step = 0.1 if it is wanted"


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both among them; whole ones, if low is of that type."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def suggest(self, trial: "Trial", name: str) -> float:
        """A number for the trial."""
        if isinstance(self.low, int):
            return trial.suggest_int(name, self.low, int(self.high), log=self.log, step=int(self.step or 1))
        return trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)


@dataclass(frozen=True)
class Choices:
    """Some values; each as JSON, which an Optuna storage keeps whatever it is."""

    values: tuple[str, ...]

    def suggest(self, trial: "Trial", name: str) -> Any:
        """One of them for the trial."""
        return json.loads(trial.suggest_categorical(name, self.values))


@dataclass(frozen=True)
class Space:
    """What varies, by name."""

    dimensions: Mapping[str, Range | Choices]

    def suggest(self, trial: "Trial", base: ModelSettings) -> ModelSettings:
        """A group of one network for the trial; what does not vary is as in `base`."""
        found: dict[str, Any] = {
            name: dimension.suggest(trial, name)
            for name, dimension in self.dimensions.items()
            if name not in (DEPTH, WIDTH)
        }
        if DEPTH in self.dimensions:
            layers = range(1, int(self.dimensions[DEPTH].suggest(trial, DEPTH)) + 1)
            width = self.dimensions[WIDTH]
            found["hidden"] = [width.suggest(trial, f"{WIDTH}_{layer}") for layer in layers]
        return group_of(base, found)

    @property
    def blocks(self) -> set[Block]:
        """All blocks of columns that some choice names."""
        views = self.dimensions.get("blocks")
        return {block for view in views.values for block in json.loads(view)} if isinstance(views, Choices) else set()

    def as_json(self) -> str:
        """The space in one line: two are alike if their lines are."""
        return json.dumps({name: vars(of) for name, of in self.dimensions.items()}, sort_keys=True)


def group_of(base: ModelSettings, settings: Mapping[str, Any]) -> ModelSettings:
    """A group of one network with these settings, others as in `base`, checked.

    Raises:
        pydantic.ValidationError: a value is out of range.
    """
    tree = {**TypeAdapter(ModelSettings).dump_python(base), **settings, "n_members": 1}
    return TypeAdapter(ModelSettings).validate_python(tree)


def read_space(file: Path = DEFAULT_SPACE) -> Space:
    """Read a space and check every end of a range and every choice as the setting that it is.

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


def _dimension(place: str, name: str, value: Any) -> Range | Choices:
    if isinstance(value, list):
        if not value:
            raise SettingsError(f"{place} is an empty list; accepted: one choice or more")
        for choice in value:
            _check(place, name, choice)
        if any(choice in value[:index] for index, choice in enumerate(value)):
            raise SettingsError(f"{place} names a choice twice; accepted: choices that differ")
        return Choices(tuple(json.dumps(choice) for choice in value))
    if not isinstance(value, dict) or not {"low", "high"} <= value.keys() <= _RANGE_KEYS:
        raise SettingsError(f"{place} is {value!r}; accepted: a list of choices, or {_AS_RANGE}")
    of = Range(**value)
    numbers = [of.low, of.high, *([] if of.step is None else [of.step])]
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        raise SettingsError(f"{place} is {value!r}; accepted: numbers for low, high and step")
    if not isinstance(of.log, bool):
        raise SettingsError(f"{place}: log is {of.log!r}; accepted: true or false")
    if not of.low < of.high:
        raise SettingsError(f"{place} is empty from {of.low} to {of.high}; accepted: low below high")
    if of.log and (of.low <= 0 or of.step is not None):
        raise SettingsError(f"{place} is {value!r}; accepted with log = true: low above 0, no step")
    if of.step is not None and not 0 < of.step <= of.high - of.low:
        raise SettingsError(f"{place}: step is {of.step}; accepted: above 0, up to {of.high - of.low}")
    for end in (of.low, of.high):
        _check(place, name, end)
    try:
        _check(place, name, math.nextafter(of.low, of.high))
    except SettingsError:  # a setting of whole numbers
        if not all(isinstance(number, int) for number in numbers):
            raise SettingsError(f"{place} is {value!r}; accepted: whole numbers for low, high and step") from None
        return of
    return Range(float(of.low), float(of.high), of.log, None if of.step is None else float(of.step))


def _check(place: str, name: str, value: Any) -> None:
    """That the setting accepts the value."""
    if name == DEPTH:
        if type(value) is not int or value < 0:
            raise SettingsError(f"{place}: {value!r} is no depth; accepted: whole numbers from 0 on")
        return
    setting = {"hidden": [value]} if name == WIDTH else {name: value}
    try:
        group_of(ModelSettings(), setting)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise SettingsError(f"{place}: {value!r} is refused: {reason[0].lower()}{reason[1:]}") from None
