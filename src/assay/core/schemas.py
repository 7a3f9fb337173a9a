"""What the wire shapes of all parts share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

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
