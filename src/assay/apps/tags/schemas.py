"""Wire shapes of tags."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from assay.apps.wire import AppName
from assay.core.schemas import Count, Input, Output
from assay.core.text import Text

LONGEST_TAG = 100

TagName = Annotated[Text, Field(min_length=1, max_length=LONGEST_TAG, examples=["orthopedics"])]


class TagCreate(Input):
    """A tag to make, as yet on no message."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"app_id": "kaira-bot", "name": "orthopedics"}]}
    )

    app_id: AppName
    name: TagName


class TagUpdate(Input):
    """The new name of a tag."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "knee"}]})

    name: TagName


class TagRead(Output):
    """A tag."""

    id: int = Field(examples=[7])
    app_id: str = Field(examples=["kaira-bot"])
    name: str = Field(examples=["orthopedics"])
    count: Count = Field(description="How often it is used", examples=[12])
    last_used: datetime
    user_id: str = Field(examples=["default"])
