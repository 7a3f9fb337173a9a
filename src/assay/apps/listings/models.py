"""The table of listings, and how their titles are found."""

from uuid import UUID

from sqlalchemy import DDL, Index, String, Text, Uuid, event, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, validates

from assay.apps.columns import AppId, Str20, UserId
from assay.core.database import Base, CreatedAt, Id, Json, UpdatedAt

LONGEST_GRAM = 3
# All pieces of one to three characters that a text has. It looks at no locale, so an index on
# it stays right wherever the database goes.
GRAMS = """
CREATE FUNCTION apps.grams(value text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT coalesce(array_agg(DISTINCT substr(value, place, size)), '{}')
    FROM generate_series(1, length(value)) AS place, generate_series(1, 3) AS size
    WHERE place + size <= length(value) + 1
$$
"""
NONE = text("'[]'::jsonb")


class Listing(Base):
    """A recording of a consultation, or a chat, with what was made of it."""

    __tablename__ = "listings"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    app_id: Mapped[AppId]
    title: Mapped[str] = mapped_column(String(500), default="", server_default="")
    # As it is searched. The service writes it, since what a database takes for lower case
    # depends on where it was made.
    title_folded: Mapped[str] = mapped_column(Text, default="", server_default="")
    status: Mapped[Str20] = mapped_column(default="draft", server_default="draft")
    source_type: Mapped[Str20] = mapped_column(default="upload", server_default="upload")
    audio_file: Mapped[Json | None]
    transcript_file: Mapped[Json | None]
    structured_json_file: Mapped[Json | None]
    # The ids of files that are named in the three above.
    file_ids: Mapped[list[UUID]] = mapped_column(
        ARRAY(Uuid), default=list, server_default=text("'{}'::uuid[]")
    )
    transcript: Mapped[Json | None]
    api_response: Mapped[Json | None]
    structured_output_references: Mapped[Json] = mapped_column(default=list, server_default=NONE)
    structured_outputs: Mapped[Json] = mapped_column(default=list, server_default=NONE)
    ai_eval: Mapped[Json | None]
    human_eval: Mapped[Json | None]
    evaluator_runs: Mapped[Json] = mapped_column(default=list, server_default=NONE)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    @validates("title")
    def _fold(self, _key: str, title: str) -> str:
        self.title_folded = folded(title)
        return title

    # A title has some hundred pieces; new ones go into the index one by one, since a list of
    # them that waits for it (fastupdate) is read whole by each search.
    __table_args__ = (
        # Ids are made in the order of time: this is the list, newest first.
        Index(None, "user_id", "app_id", "id"),
        Index(None, "app_id"),
        Index(None, "updated_at"),
        Index(
            "ix_listings_grams",
            text("apps.grams(title_folded)"),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
        Index(None, "file_ids", postgresql_using="gin"),
        {"schema": "apps"},
    )


_grams = DDL(GRAMS)  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
event.listen(Listing.__table__, "before_create", _grams)


def folded(title: str) -> str:
    """A title as it is searched: without the difference of upper and lower case."""
    return title.casefold()


def grams(wanted: str) -> list[str]:
    """Pieces of three characters that any title has that contains `wanted`; shorter if it is.

    They stand side by side: those that overlap would say little more, and cost as much.
    """
    size = min(LONGEST_GRAM, len(wanted))
    last = len(wanted) - size
    return sorted({wanted[at : at + size] for at in (*range(0, last, LONGEST_GRAM), last)})
