"""What exactly is to be approved, so that the approval of one thing is none of another."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic_core import PydanticSerializationError, to_jsonable_python

from assay.core.text import json_fault

LONGEST_TITLE = 255


def subject_hash(name: str, arguments: Mapping[str, Any]) -> str:
    """The hash of a call: SHA-256 over its name and arguments as JSON with sorted members.

    Args:
        name: of what is called.
        arguments: by name, as JSON.
    """
    content = orjson.dumps([name, arguments], option=orjson.OPT_SORT_KEYS)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def as_json(name: str, value: Any) -> Any:
    """An argument as JSON.

    Raises:
        TypeError: it is none, and which one that is.
    """
    if isinstance(value, Iterator):
        raise TypeError(_told(name, value, "it can be read only once; give a list"))
    try:
        made = to_jsonable_python(_in_order(value), by_alias=False)
    except (PydanticSerializationError, UnicodeDecodeError, ValueError) as error:
        raise TypeError(_told(name, value, str(error))) from error
    if fault := json_fault(made):
        place, message = fault
        inside = "".join(f"[{step!r}]" for step in place)
        raise TypeError(_told(f"{name}{inside}", value, message))
    return made


def titled(text: str) -> str:
    """A text as a title: one line of what a title may have, with a sign where it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"


def _told(name: str, value: Any, reason: str) -> str:
    return (
        f"The argument {name} cannot be shown to a reviewer: {type(value).__name__} is no JSON "
        f"({reason}). Name it in exclude if the approval need not cover it."
    )


def _in_order(value: Any) -> Any:
    """Sets as sorted lists: from one process to another their order differs."""
    if isinstance(value, set | frozenset):
        made = [to_jsonable_python(_in_order(each)) for each in value]
        return sorted(made, key=lambda each: orjson.dumps(each, option=orjson.OPT_SORT_KEYS))
    if type(value) is dict:
        return {name: _in_order(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return [_in_order(each) for each in value]
    return value
