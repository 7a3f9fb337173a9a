"""The table of bytes that have to go."""

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, Timestamp


class Removal(Base):
    """Bytes that nobody needs, or will not need unless their upload ends well.

    The row is written before the bytes are, or in the transaction that makes them useless, so
    that no bytes are ever without a row that knows of them.
    """

    __tablename__ = "removals"
    __table_args__ = (Index(None, "due_at"), {"schema": "files"})

    storage_key: Mapped[str] = mapped_column(String(1000), primary_key=True)
    due_at: Mapped[Timestamp]
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
