"""Wire shapes of completions."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from assay.core.schemas import Count, Input
from assay.core.text import JsonObject, Text


class CompletionRequest(Input):
    """What to ask, and of which model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "variables": {"message": "Where is my parcel?"},
                    "model": "builtin/keyword-classifier",
                    "parameters": {"temperature": 0},
                }
            ]
        }
    )

    variables: JsonObject = Field(default={})
    model: Text = Field(
        min_length=1,
        max_length=255,
        description="`provider/model`",
        examples=["builtin/keyword-classifier"],
    )
    parameters: JsonObject = Field(
        default={},
        description="Temperature, max_tokens and so on; they win over the version's defaults",
        examples=[{"temperature": 0}],
    )
    output_schema: JsonObject | None = Field(
        default=None, description="A JSON Schema that the answer has to follow"
    )
    stream: bool = Field(
        default=True,
        strict=True,
        description="Whether the answer comes piece by piece, or at once as JSON",
    )


class CompletionUsage(BaseModel):
    """Tokens, as the provider counted them."""

    tokens_in: Count
    tokens_out: Count
    tokens_cached: Count = Field(description="Those of `tokens_in` from the provider's cache")


class Completion(BaseModel):
    """A model's whole answer."""

    output: str = Field(examples=["delivery"])
    output_json: Any = Field(
        description="The answer parsed, where an `output_schema` was given and it is JSON"
    )
    usage: CompletionUsage
    latency_ms: float
    first_token_ms: float | None = Field(description="Null where it was not streamed")
    cost: float | None = Field(description="USD at list price; null where that is not known")
    finish_reason: str | None = Field(examples=["stop"])
