"""What goes over the wire about comments."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from assay.core.schemas import Input, Output
from assay.core.text import Text


class CommentCreate(Input):
    """Something to say."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Which account?"}]})

    text: Annotated[Text, Field(min_length=1, max_length=20_000, examples=["Which account?"])]


class CommentRead(Output):
    """What somebody said."""

    id: UUID
    user_id: str
    name: str | None
    text: str
    created_at: datetime
