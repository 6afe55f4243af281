"""Every setting explained from the one place where it is defined: its record's field, annotation and docstring."""

import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from houseprices.settings import STAGES


@dataclass(frozen=True)
class ExplainedSetting:
    """One setting as on the command line.

    Attributes:
        name: with its table; `<model>` stands for a group's name.
        default: as TOML.
        accepted: which values, in words.
        meaning: in a line.
    """

    name: str
    default: str
    accepted: str
    meaning: str


def explained_settings() -> list[ExplainedSetting]:
    """All of them, stage by stage."""
    from pydantic import TypeAdapter

    explained = []
    for prefix, stage in STAGES:
        defaults, meanings = stage(), _meanings(stage)
        schema = TypeAdapter(stage).json_schema()["properties"]
        for field in fields(stage):
            value = getattr(defaults, field.name)
            if not (is_dataclass(value) or isinstance(value, dict)):
                meaning = schema[field.name].get("description") or meanings[field.name]
                # JSON writes these kinds of values as TOML does.
                one = prefix + field.name, json.dumps(value), _accepted(schema[field.name]), meaning
                explained.append(ExplainedSetting(*one))
    return explained


def _meanings(stage: type) -> dict[str, str]:
    from docstring_parser import parse

    parents = [parse(parent.__doc__ or "") for parent in reversed(stage.__mro__) if is_dataclass(parent)]
    return {one.arg_name: " ".join((one.description or "").split()) for doc in parents for one in doc.params}


def _accepted(schema: dict[str, Any]) -> str:
    """Which values a field's JSON schema accepts, in words."""
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
    told = [
        f"{words} 2^63" if schema[key] == 2**63 else f"{words} {schema[key]:g}"
        for key, words in bounds.items()
        if key in schema
    ]
    return f"{kind}, {', '.join(told)}" if told else kind
