"""What an import takes and tells."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from assay.core.decoding import Encoding
from assay.core.delimited import Delimiter
from assay.core.schemas import Count, Input


class FileFormat(StrEnum):
    """What items are read from and written to."""

    csv = "csv"
    jsonl = "jsonl"


class DelimiterName(StrEnum):
    """Delimiters by name, as a tab is hard to type."""

    comma = "comma"
    semicolon = "semicolon"
    tab = "tab"
    pipe = "pipe"

    @property
    def delimiter(self) -> Delimiter:
        """The character itself."""
        return Delimiter[self.name]


class ImportParameters(Input):
    """How a file is to be read; what is not said is found from the file."""

    format: FileFormat | None = Field(
        default=None, description="Without it, what the header Content-Type says"
    )
    delimiter: DelimiterName | None = Field(
        default=None, description="Between the cells of CSV; without it, found from the first rows"
    )
    encoding: Encoding | None = Field(
        default=None, description="Without it, the charset of Content-Type, or found from the file"
    )
    mapping: str | None = Field(
        default=None,
        max_length=100_000,
        description="A JSON object from columns to where they go: `input.NAME`, "
        "`expected_output`, `metadata.NAME`, `assertions`, each with `json:` before it where "
        "cells hold JSON; null leaves a column out",
        examples=['{"question": "input.message", "answer": "expected_output"}'],
    )
    partial: bool = Field(
        default=False, description="Import the rows that fit; else one that does not stops all"
    )


class Refusal(BaseModel):
    """Something that keeps a row from being an item."""

    line: Annotated[int, Field(ge=1, examples=[17])]
    place: str = Field(
        description="The column, or the field of the item; empty for the whole row",
        examples=["input.message"],
    )
    message: str = Field(examples=['3 is not of type "string"'])


class LeftOutColumn(BaseModel):
    """A column that is not carried over."""

    column: str = Field(examples=["__prefix"])
    reason: str = Field(examples=["Write it into the prompt."])


class ImportReport(BaseModel):
    """What came of an import."""

    model_config = ConfigDict(from_attributes=True)

    items: Count = Field(description="Items that were made")
    refused: Count = Field(description="Rows that were not")
    refusals: list[Refusal] = Field(max_length=100, description="What is wrong with the first ones")
    left_out: list[LeftOutColumn]
    version: Count = Field(description="The version that the dataset is at now")
