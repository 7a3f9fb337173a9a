"""Tables of API keys and of the secrets that this installation keeps for itself."""

from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Name, Timestamp
from assay.core.secrets import Sealed
from assay.identity.users.models import User


class ApiKey(Base):
    """A key for programs: it acts for its owner, within its scopes. Only its HMAC is stored.

    `lookup` is the part of the key by which it is found and shown in lists; it is no secret.
    """

    __tablename__ = "api_keys"
    __table_args__ = {"schema": "identity"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    name: Mapped[Name]
    lookup: Mapped[str] = mapped_column(String(20), unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(50)))
    project_id: Mapped[UUID | None]
    expires_at: Mapped[Timestamp | None]
    last_used_at: Mapped[Timestamp | None]
    revoked_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]


class OwnSecret(Base):
    """A random secret that Assay made for itself and keeps sealed, as the key of the HMACs."""

    __tablename__ = "own_secrets"
    __table_args__ = {"schema": "identity"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    value: Mapped[bytes] = mapped_column(Sealed)
