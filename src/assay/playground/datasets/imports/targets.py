"""Where a column of a file goes in an item, and how that is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from assay.core.errors import FieldFault, Invalid

JSON = "json:"
OWN = "__json:"
"""Begins the name of a column that says itself where it goes: `__json:input.lines`."""

_WHOLE = ("input", "expected_output", "metadata", "assertions")
_PARTS = ("input", "metadata")
_FORMS = "input.NAME, expected_output, metadata.NAME or assertions, with json: before it for JSON"

ColumnMapping = Mapping[str, str | None]


class MappingFault(Invalid):
    """The mapping of columns cannot be used."""

    code = "mapping"


@dataclass(frozen=True, slots=True)
class Target:
    """A place in an item.

    Attributes:
        field: `input`, `expected_output`, `metadata` or `assertions`.
        name: of a part of the input or the metadata; `None` for the whole field.
        is_json: whether cells hold JSON; an empty one nothing.
    """

    field: str
    name: str | None
    is_json: bool


def target_of(text: str) -> Target:
    """Read `input.question` or `json:metadata.tags`.

    Raises:
        MappingFault: with what can stand there.
    """
    where = text.removeprefix(JSON)
    is_json = where != text
    if where in _WHOLE:
        return Target(where, None, is_json or where != "expected_output")
    field, dot, name = where.partition(".")
    if dot and field in _PARTS:
        return Target(field, name, is_json)
    raise MappingFault(f"A column cannot go to {text!r}, only to {_FORMS}.")


def goes_to(column: str, mapping: ColumnMapping) -> str | None:
    """Where a column goes, in the form of `target_of`; `None` where that is not said.

    That is by the mapping, or by a name that says so itself.
    """
    if column in mapping:
        return mapping[column]
    if column == "expected_output":
        return column
    return f"{JSON}{column.removeprefix(OWN)}" if column.startswith(OWN) else None


def read_mapping(text: str, place: str) -> dict[str, str | None]:
    """A mapping written as a JSON object from columns to where they go; null leaves one out.

    Raises:
        MappingFault: at `place`.
    """
    try:
        mapping: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _fault(place, f"Not valid JSON: {error}") from None
    if not isinstance(mapping, dict):
        raise _fault(place, 'Takes an object such as {"question": "input.question"}')
    for column, target in mapping.items():
        if target is not None and not isinstance(target, str):
            raise _fault(f"{place}.{column}", f"Takes {_FORMS}, or null")
        if target is not None:
            try:
                target_of(target)
            except MappingFault as fault:
                raise _fault(f"{place}.{column}", fault.detail) from None
    return mapping


def _fault(place: str, message: str) -> MappingFault:
    return MappingFault(errors=[FieldFault(place, message)])
