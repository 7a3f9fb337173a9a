"""Tables of sign-ins, their refresh tokens, and failed attempts."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Timestamp
from assay.identity.users.models import User


class UserSession(Base):
    """A sign-in: all the refresh tokens that follow from one another, until one is misused."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_expires_at", "expires_at"),
        {"schema": "identity"},
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    user_agent: Mapped[str | None] = mapped_column(String(300))
    address: Mapped[str | None] = mapped_column(String(45))
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[CreatedAt]
    expires_at: Mapped[Timestamp]
    revoked_at: Mapped[Timestamp | None]
    revoked_because: Mapped[str | None] = mapped_column(String(50))


class RefreshToken(Base):
    """A refresh token that was given out: usable once, and for some seconds again after that."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        Index("ix_refresh_tokens_session_id", "session_id"),
        {"schema": "identity"},
    )

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey(UserSession.id, ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    used_at: Mapped[Timestamp | None]


class LoginLimit(Base):
    """How far attempts to sign in have used up what an account or an address may try.

    `due` is when the allowance is whole again (the generic cell rate algorithm keeps just that).
    """

    __tablename__ = "login_limits"
    __table_args__ = (
        Index("ix_login_limits_due", "due"),
        {"schema": "identity"},
    )

    subject: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    due: Mapped[Timestamp]
