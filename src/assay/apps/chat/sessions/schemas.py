"""Wire shapes of chat sessions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from assay.apps.wire import AppName, Text20, Text100, Text200
from assay.core.schemas import Input, Output, absent
from assay.core.text import Text

Title = Annotated[Text, Field(max_length=500, examples=["My knee hurts"])]


class ChatSessionCreate(Input):
    """A session to begin."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"app_id": "kaira-bot", "external_user_id": "user-17", "title": "My knee hurts"}
            ]
        }
    )

    app_id: AppName
    external_user_id: Text100 | None = None
    thread_id: Text200 | None = None
    server_session_id: Text200 | None = None
    last_response_id: Text200 | None = None
    title: Title = "New Chat"
    status: Text20 = "active"
    is_first_message: bool = True


class ChatSessionUpdate(Input):
    """What to change in a session; what is not sent stays as it is, null clears.

    The app stays: the tags on its messages are counted there.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"last_response_id": "resp_42", "is_first_message": False}]}
    )

    external_user_id: Text100 | None = None
    thread_id: Text200 | None = None
    server_session_id: Text200 | None = None
    last_response_id: Text200 | None = None
    title: Title = Field(default_factory=absent)
    status: Text20 = Field(default_factory=absent)
    is_first_message: bool = Field(default_factory=absent)


class ChatSessionRead(Output):
    """A session."""

    id: UUID
    app_id: str = Field(examples=["kaira-bot"])
    external_user_id: str | None
    thread_id: str | None
    server_session_id: str | None
    last_response_id: str | None
    title: str = Field(examples=["My knee hurts"])
    status: str = Field(examples=["active"])
    is_first_message: bool
    created_at: datetime
    updated_at: datetime
    user_id: str = Field(examples=["default"])
