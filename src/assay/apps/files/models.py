"""The table of uploaded files."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from assay.apps.columns import Str100, UserId
from assay.core.database import Base, CreatedAt, Id, UpdatedAt

LONGEST_NAME = 500


class File(Base):
    """A file whose bytes are in the storage."""

    __tablename__ = "files"
    __table_args__ = {"schema": "apps"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    id: Mapped[Id]
    user_id: Mapped[UserId]
    original_name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    mime_type: Mapped[Str100 | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    # Made of the id alone; see `key_of`.
    storage_path: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
