"""How many rows somebody has of an app, without counting a million of them for each page.

Triggers keep the numbers right, whoever writes the rows and however many at once: attach
`apps.count_rows` to a table that has `user_id` and `app_id`, neither of which changes.
"""

from sqlalchemy import BigInteger, Select, String, func, literal, select
from sqlalchemy.orm import Mapped, mapped_column

from assay.apps.access import owned
from assay.core.database import Base
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor

MOST_COUNTED = 10_000


class Total(Base):
    """How many rows of a table one owner has of one app."""

    __tablename__ = "totals"
    __table_args__ = {"schema": "apps"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    user_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    app_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    table_name: Mapped[str] = mapped_column(String(63), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


def kept_total(actor: Actor, table: type[Base], app_id: str) -> Select[int]:
    """Selects how many rows of `table` the actor has of an app, where triggers count them."""
    return select(func.coalesce(func.max(Total.number), 0)).where(
        owned(actor, Total.user_id),
        Total.app_id == app_id,
        Total.table_name == table.__tablename__,
    )


def counted_total(statement: Select[*tuple[object, ...]], page: OffsetPage) -> Select[int]:
    """Selects how many rows `statement` finds: up to 10,000, or as far as one row after the page.

    A number below that is exact; from there on it says that there are at least so many.
    """
    most = max(MOST_COUNTED, page.offset + page.limit + 1)
    rows = statement.with_only_columns(literal(1), maintain_column_froms=True).order_by(None)
    return select(func.count()).select_from(rows.limit(most).subquery())
