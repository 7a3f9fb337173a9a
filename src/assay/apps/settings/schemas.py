"""Wire shapes of settings."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from assay.apps.wire import AppName
from assay.core.schemas import Input, Output
from assay.core.text import JsonValue, Text

SettingKey = Annotated[Text, Field(min_length=1, max_length=200, examples=["theme"])]


class SettingPut(Input):
    """A value to keep under a key; without an app it is for all apps."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"app_id": "voice-rx", "key": "theme", "value": "dark"}]}
    )

    app_id: AppName | None = Field(default=None, description="null: for all apps")
    key: SettingKey
    value: JsonValue = Field(description="Any JSON, also null")


class SettingUpdated(BaseModel):
    """The value is kept."""

    updated: bool = True


class SettingDeleted(BaseModel):
    """The value is gone."""

    deleted: bool = True
    app_id: str | None = Field(examples=["voice-rx"])
    key: str = Field(examples=["theme"])


class SettingRead(Output):
    """A setting."""

    id: int = Field(examples=[3])
    app_id: str | None = Field(description="null: for all apps", examples=["voice-rx"])
    key: str = Field(examples=["theme"])
    value: Any = Field(description="Any JSON", examples=["dark"])
    updated_at: datetime
    user_id: str = Field(examples=["default"])
