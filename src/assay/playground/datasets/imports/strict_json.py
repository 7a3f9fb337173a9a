"""JSON of files, with what cannot be stored refused; numbers are read as they were written."""

import json
from decimal import Decimal
from typing import Any

from assay.core.text import MAX_DEPTH, json_fault

_INTEGERS = range(-(2**63), 2**64)


def checked_json(text: str) -> Any:
    """The value of a JSON text.

    PostgreSQL writes whole numbers of any size without an exponent. So an integer of more than
    64 bits is taken where it is what a float is written as, and stays one.

    Raises:
        ValueError: it is not JSON, or cannot be stored; says where and why.
    """
    try:
        value = json.loads(text, parse_int=_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    if found := json_fault(value):
        location, message = found
        raise ValueError(f"{message}, at {_place(location)}" if location else message)
    return value


def _number(digits: str) -> int | float:
    if len(digits) < 19 or (len(digits) < 21 and int(digits) in _INTEGERS):
        return int(digits)
    number = float(digits) if len(digits) < 400 else float("inf")
    if number == float("inf") or Decimal(repr(number)) != Decimal(digits):
        raise ValueError("integers must fit into 64 bits")
    return number


def _place(location: tuple[int | str, ...]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return "".join(steps).removeprefix(".")
