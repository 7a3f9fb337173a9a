"""Wire shapes of gates."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from assay.core.schemas import Input, Output


class GatePut(Input):
    """What a version needs before it gets the label."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"dataset_id": "019ab1de-6f00-7b12-8000-5d0c9b3e4f21", "min_pass_rate": 0.9}
            ]
        }
    )

    dataset_id: UUID = Field(description="A dataset of the prompt's project")
    min_pass_rate: float = Field(
        strict=True,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The part of its items that has to pass, with each model of a run",
    )


class GateRead(Output):
    """The gate of a protected label."""

    label: str = Field(examples=["production"])
    dataset_id: UUID
    min_pass_rate: float = Field(examples=[0.9])
    updated_at: datetime
    updated_by: str = Field(examples=["default"])
