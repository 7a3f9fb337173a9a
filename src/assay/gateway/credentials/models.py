"""The table of what is stored for providers."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, UpdatedAt
from assay.core.secrets import Sealed


class ProviderCredential(Base):
    """A provider's key, sealed, and its address. What the environment says comes before it."""

    __tablename__ = "provider_credentials"
    __table_args__ = {"schema": "gateway"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    provider: Mapped[str] = mapped_column(String(50), primary_key=True)
    api_key: Mapped[bytes | None] = mapped_column(Sealed)
    base_url: Mapped[str | None] = mapped_column(String(500))
    updated_by: Mapped[str] = mapped_column(String(100))
    updated_at: Mapped[UpdatedAt]
