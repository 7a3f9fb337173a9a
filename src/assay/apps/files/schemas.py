"""Wire shapes of files."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from assay.core.schemas import Output


class FileRead(Output):
    """A file that was uploaded."""

    id: UUID
    original_name: str = Field(examples=["visit.mp3"])
    mime_type: str | None = Field(
        examples=["audio/mpeg"], description="Found from its first bytes; see docs/apps.md"
    )
    size_bytes: int | None = Field(ge=0, examples=[4_194_304])
    sha256: str | None = Field(
        examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
    )
    storage_path: str = Field(
        examples=["3c/2f/0197a4f05c1e7d0a9c550d1b8a1e2f3c"],
        description="Where the storage keeps it; made of its id",
    )
    created_at: datetime
    updated_at: datetime
    user_id: str = Field(examples=["default"])
