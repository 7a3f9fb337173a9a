"""Wire shapes of a dataset's items."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from assay.core.schemas import Input, Output, absent
from assay.core.text import JsonObject, JsonValue
from assay.core.unions import one_of
from assay.playground.assertions import Assertions

ITEM_EXAMPLE: dict[str, Any] = {
    "input": {"message": "Where is my parcel?"},
    "expected_output": "delivery",
    "metadata": {"source": "mail"},
}

# A row keeps the metadata under a name of its own, as SQLAlchemy takes the plain one.
Metadata = Annotated[JsonObject | None, Field(serialization_alias="item_metadata")]


class ItemCreate(Input):
    """An item to make."""

    model_config = ConfigDict(json_schema_extra={"examples": [ITEM_EXAMPLE]})

    input: JsonObject = Field(description="The variables for the prompt, by name")
    expected_output: JsonValue = Field(default=None, description="What a good answer is")
    assertions: Assertions | None = Field(
        default=None, description="Asked of answers to this item, beside those of the dataset"
    )
    metadata: Metadata = Field(default=None, description="For people; runs do not use it")


class ItemBatch(Input):
    """Items to make, all or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        ITEM_EXAMPLE,
                        {"input": {"message": "I want my money back"}, "expected_output": "refund"},
                    ]
                }
            ]
        }
    )

    items: list[ItemCreate] = Field(min_length=1, max_length=1000)


def _one_or_many(value: Any) -> type[ItemCreate | ItemBatch]:
    return ItemBatch if isinstance(value, dict) and "items" in value else ItemCreate


NewItems = Annotated[ItemCreate | ItemBatch, one_of(_one_or_many)]


class ItemUpdate(Input):
    """What to change in an item; what is not sent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"expected_output": "refund"}]})

    input: JsonObject = Field(default_factory=absent)
    expected_output: JsonValue = None
    assertions: Assertions | None = None
    metadata: Metadata = None


class ItemRead(Output):
    """An item."""

    id: UUID
    dataset_id: UUID
    input: dict[str, Any] = Field(examples=[ITEM_EXAMPLE["input"]])
    expected_output: Any = Field(examples=["delivery"])
    assertions: list[dict[str, Any]] | None
    metadata: dict[str, Any] | None = Field(
        validation_alias="item_metadata", examples=[ITEM_EXAMPLE["metadata"]]
    )
    created_at: datetime
    updated_at: datetime
