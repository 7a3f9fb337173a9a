"""Wire shapes of providers and what is stored for them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from assay.core.schemas import Input

ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]


class Source(StrEnum):
    """Where a value comes from."""

    environment = "environment"
    stored = "stored"


class ProviderPut(Input):
    """What to store for a provider, in place of what is there."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"api_key": "sk-example"}]})

    api_key: SecretStr | None = Field(
        default=None, min_length=1, max_length=2000, description="Sealed, and never given out"
    )
    base_url: str | None = Field(
        default=None,
        max_length=500,
        pattern="^https?://[^\\s\\x00@]+$",
        examples=["https://models.example.com/v1"],
    )


class ProviderRead(BaseModel):
    """A provider of models and where its key comes from; the key itself is never shown."""

    provider: str = Field(examples=["openai"])
    key: Source | None = Field(description="Where the key is taken from; null where there is none")
    base_url: str | None = Field(examples=["https://api.openai.com/v1"])
    updated_at: datetime | None = Field(description="When something was stored for it")
