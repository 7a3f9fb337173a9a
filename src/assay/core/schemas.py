"""What the wire shapes of all parts share."""

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

_NUMBER = re.compile(r"\s*[-+]?[\d.]+(e[-+]?\d+)?\s*", re.IGNORECASE)


def _written_out(value: object) -> object:
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("Takes a date with time and zone, such as 2026-11-26T12:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""A moment with its zone (RFC 3339); a bare number could be seconds or milliseconds."""

Count = Annotated[int, Field(ge=0)]


def absent() -> Any:
    """What a field of a patch holds that was not sent; `model_dump(exclude_unset=True)` skips it.

    As a default factory it keeps `null` out of the field's type: a name can be left out of a
    patch, but not be sent as null.
    """
    return None


class Input(BaseModel):
    """A request body: a field it does not know is a mistake of the sender, not to be ignored."""

    model_config = ConfigDict(extra="forbid")


class Output(BaseModel):
    """A response body, read from a row."""

    model_config = ConfigDict(from_attributes=True)
