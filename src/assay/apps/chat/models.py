"""Tables of chats: sessions and their messages."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, literal_column, text, true
from sqlalchemy.orm import Mapped, mapped_column

from assay.apps.columns import AppId, LongText, Str20, Str100, Str200, UserId
from assay.core.database import Base, CreatedAt, Id, Json, UpdatedAt


class ChatSession(Base):
    """A conversation of somebody with a bot."""

    __tablename__ = "chat_sessions"
    __table_args__ = (
        Index(None, "app_id"),
        # Lists are of one owner and app, and ids sort by the time they were made.
        Index(None, "user_id", "app_id", "id"),
        {"schema": "apps"},
    )

    id: Mapped[Id]
    app_id: Mapped[AppId]
    external_user_id: Mapped[Str100 | None]
    thread_id: Mapped[Str200 | None]
    server_session_id: Mapped[Str200 | None]
    last_response_id: Mapped[Str200 | None]
    title: Mapped[str] = mapped_column(
        String(500), default="New Chat", server_default=text("'New Chat'")
    )
    status: Mapped[Str20] = mapped_column(default="active", server_default=text("'active'"))
    is_first_message: Mapped[bool] = mapped_column(default=True, server_default=true())
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    user_id: Mapped[UserId]


class ChatMessage(Base):
    """One message of a session; its tags are in `metadata`, each once."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        Index(None, "session_id", "id"),
        # Who carries a tag, for renaming it.
        Index(
            "ix_chat_messages_tags",
            literal_column("(metadata -> 'tags')").label("tags"),
            postgresql_using="gin",
            postgresql_ops={"tags": "jsonb_path_ops"},
        ),
        CheckConstraint("jsonb_typeof(metadata -> 'tags') = 'array'", name="tags_are_a_list"),
        {"schema": "apps"},
    )

    id: Mapped[Id]
    session_id: Mapped[UUID] = mapped_column(ForeignKey(ChatSession.id, ondelete="CASCADE"))
    role: Mapped[Str20]
    content: Mapped[LongText] = mapped_column(default="", server_default=text("''"))
    # `metadata` is taken by SQLAlchemy on the class; the column has the contract's name.
    message_metadata: Mapped[Json | None] = mapped_column("metadata")
    status: Mapped[Str20] = mapped_column(default="complete", server_default=text("'complete'"))
    error_message: Mapped[LongText | None]
    created_at: Mapped[CreatedAt]
    user_id: Mapped[UserId]

    @property
    def tags(self) -> list[str]:
        """The tags that it carries."""
        tags: list[str] = (self.message_metadata or {}).get("tags", [])
        return tags
