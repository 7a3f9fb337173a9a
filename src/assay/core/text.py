"""Text and JSON from outside, held against what can be stored and sent on.

PostgreSQL stores no NUL character, UTF-8 has no lone surrogates, and JSON as written here has
integers of 64 bits and no infinity. The types below refuse such values where they come in and
name the place, so that nothing behind them has to think of it.
"""

import math
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

MAX_DEPTH = 100
"""How deep objects and lists may be nested."""

_INTEGERS = range(-(2**63), 2**64)

Location = tuple[int | str, ...]
_Value = TypeVar("_Value")


def text_fault(text: str) -> str | None:
    """What keeps a text from being stored, or None."""
    if "\x00" in text:
        return "Text must not contain the NUL character (U+0000)"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "Text must not contain half of a surrogate pair (U+D800 to U+DFFF)"
    return None


def json_fault(value: object, depth: int = 0) -> tuple[Location, str] | None:
    """The first thing that keeps a JSON value from being stored, with its place, or None."""
    if isinstance(value, str):
        return _here(text_fault(value))
    if isinstance(value, dict):
        named = next(filter(None, map(text_fault, value)), None)
        if named:
            return _here(f"Name of a field: {named}")
        return _first_fault(value.items(), depth)
    if isinstance(value, list):
        return _first_fault(enumerate(value), depth)
    return _here(_scalar_fault(value))


def _here(fault: str | None) -> tuple[Location, str] | None:
    return ((), fault) if fault else None


def _scalar_fault(value: object) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else "Numbers must be finite"
    if isinstance(value, int):
        return None if value in _INTEGERS else "Integers must fit into 64 bits"
    return None if value is None else f"{type(value).__name__} is not a JSON type"


def _first_fault(
    entries: Iterable[tuple[int | str, object]], depth: int
) -> tuple[Location, str] | None:
    if depth == MAX_DEPTH:
        return _here(f"JSON must not be nested more than {MAX_DEPTH} levels deep")
    for step, inner in entries:
        if found := json_fault(inner, depth + 1):
            return (step, *found[0]), found[1]
    return None


def located(*faults: tuple[Location, str]) -> ValidationError:
    """An error for validators to raise: each message at its place below the validated value."""
    return ValidationError.from_exception_data(
        "value",
        [
            InitErrorDetails(
                # The message goes in as a value: braces in it are no placeholders.
                type=PydanticCustomError("value", "{message}", {"message": message}),
                loc=location,
                input=None,
            )
            for location, message in faults
        ],
    )


def _check_text(text: str) -> str:
    if fault := text_fault(text):
        raise located(((), fault))
    return text


def _check_json(value: _Value) -> _Value:
    if found := json_fault(value):
        raise located(found)
    return value


# The pattern is for the OpenAPI document, so that clients know before they ask.
Text = Annotated[
    str, AfterValidator(_check_text), Field(json_schema_extra={"pattern": "^[^\\u0000]*$"})
]
JsonValue = Annotated[Any, AfterValidator(_check_json)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_check_json)]
