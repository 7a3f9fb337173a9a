"""Shapes and types that the wire shapes of this room share."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from assay.core.text import Text

LARGEST_NUMBER = 2**63 - 1

AppName = Annotated[Text, Field(min_length=1, max_length=50, examples=["voice-rx"])]
"""The app that something belongs to."""

AppQuery = Annotated[
    AppName, Query(description="The app whose rows are meant", examples=["voice-rx"])
]
NumberPath = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]
"""An id that is a number."""

Text20 = Annotated[Text, Field(max_length=20)]
Text50 = Annotated[Text, Field(max_length=50)]
Text100 = Annotated[Text, Field(max_length=100)]
Text200 = Annotated[Text, Field(max_length=200)]


class Deleted(BaseModel):
    """Something that is gone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"deleted": True, "id": "0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3c"}]
        }
    )

    deleted: bool = True
    id: UUID | int | str
