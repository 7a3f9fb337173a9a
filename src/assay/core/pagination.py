"""The one pagination of `/api/v1`: by keyset, with an opaque cursor and a `Link` header.

A page is found by the values of the last row before it, so that page 1,000 costs what page 1
costs and rows that come in meanwhile shift nothing.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request, Response
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Subquery,
    cast,
    literal,
    select,
    tuple_,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from assay.core.database import is_value_refused
from assay.core.errors import FieldFault, Invalid

MAX_LIMIT = 200

Key = InstrumentedAttribute[Any] | ColumnElement[Any]
Sieve = Callable[[Select[*tuple[Any, ...]], Subquery], Select[*tuple[Any, ...]]]
"""Takes a selection of rows from a subquery, and leaves those for which a condition holds."""


class CursorUnknown(Invalid):
    """The cursor is not one that this list gave out."""

    def __init__(self) -> None:
        """Say where to take cursors from."""
        place = FieldFault("query.cursor", "take it from the Link header of the page before")
        super().__init__(errors=[place])


class Page:
    """A page asked for: `limit` rows after `cursor`; `next_cursor` is set where it goes on."""

    def __init__(self, limit: int = 50, cursor: str | None = None) -> None:
        """Take the limit (1 to 200) and the cursor of an earlier page."""
        self.limit = limit
        self.cursor = cursor
        self.next_cursor: str | None = None

    async def fetch(
        self,
        session: AsyncSession,
        statement: Select[*tuple[Any, ...]],
        *keys: Key,
        descending: bool = True,
    ) -> Sequence[Any]:
        """The rows of this page, in the order of `keys`, which together must be unique.

        `statement` selects an entity or columns; where it selects more than one thing, rows
        are tuples. The keys are read again from the last row by one more column each.

        Raises:
            CursorUnknown: the cursor is not one that this list gave out.
        """
        width = len(statement.column_descriptions)
        ordered = self._ordered(statement, keys, descending)
        rows = await self._rows(session, ordered.limit(self.limit + 1))
        if len(rows) > self.limit:
            rows = rows[: self.limit]
            self.next_cursor = _encode(keys, descending, rows[-1][width:])
        return [row[0] if width == 1 else tuple(row[:width]) for row in rows]

    async def sift(
        self,
        session: AsyncSession,
        statement: Select[*tuple[Any, ...]],
        *keys: Key,
        sieve: Sieve,
        at_most: int,
        descending: bool = True,
    ) -> Sequence[tuple[Any, ...]]:
        """As `fetch`, of what a condition holds for that no index helps with.

        At most `at_most` rows are looked at. Where that is not enough to fill the page, it has
        fewer rows than its limit, or none, and the list goes on behind the last row looked at.

        Raises:
            CursorUnknown: the cursor is not one that this list gave out.
        """
        width = len(statement.column_descriptions)
        ordered = self._ordered(statement, keys, descending)
        lot = ordered.limit(at_most).subquery("lot")
        order = _order(list(lot.c)[width:], descending)
        found = sieve(select(*lot.c), lot).order_by(*order).limit(self.limit + 1)
        rows = await self._rows(session, found)
        if len(rows) > self.limit:
            rows = rows[: self.limit]
            self.next_cursor = _encode(keys, descending, rows[-1][width:])
        else:
            last = await self._rows(session, ordered.offset(at_most - 1).limit(1))
            if last:
                self.next_cursor = _encode(keys, descending, last[0][width:])
        return [tuple(row[:width]) for row in rows]

    def _ordered(
        self, statement: Select[*tuple[Any, ...]], keys: Sequence[Key], descending: bool
    ) -> Select[*tuple[Any, ...]]:
        """The rows behind the cursor in order, with their keys as columns more."""
        if self.cursor is not None:
            last = _decode(self.cursor, keys, descending)
            bound = tuple_(
                *(cast(literal(value), key.type) for value, key in zip(last, keys, strict=True))
            )
            row = tuple_(*keys)
            statement = statement.where(row < bound if descending else row > bound)
        named = (key.label(f"key_{place}") for place, key in enumerate(keys))
        return statement.add_columns(*named).order_by(*_order(keys, descending))

    async def _rows(
        self, session: AsyncSession, statement: Select[*tuple[Any, ...]]
    ) -> Sequence[Row[Any]]:
        try:
            return (await session.execute(statement)).all()
        except DBAPIError as error:
            if self.cursor is not None and is_value_refused(error):
                raise CursorUnknown from None
            raise


def _order(keys: Sequence[Key], descending: bool) -> list[ColumnElement[Any]]:
    return [key.desc() if descending else key.asc() for key in keys]


def _list_name(keys: Sequence[Key], descending: bool) -> str:
    """What tells the cursors of one list from those of another."""
    return ",".join(["down" if descending else "up", *map(str, keys)])


def _encode(keys: Sequence[Key], descending: bool, values: Sequence[Any]) -> str:
    content = orjson.dumps([_list_name(keys, descending), *values], default=str)
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(cursor: str, keys: Sequence[Key], descending: bool) -> list[str]:
    """The values of the keys as text, which the database turns into their types."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        content = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        raise CursorUnknown from None
    if not isinstance(content, list) or content[:1] != [_list_name(keys, descending)]:
        raise CursorUnknown
    if len(content) != len(keys) + 1:
        raise CursorUnknown
    return [str(value) for value in content[1:]]


class HttpPage(Page):
    """A page of a request; where the list goes on, the response says so in `Link`."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows a page")] = 50,
        cursor: Annotated[
            str | None, Query(description="Where to go on; from the `Link` header of a page")
        ] = None,
    ) -> None:
        """Read limit and cursor from the query."""
        super().__init__(limit, cursor)
        self._request = request
        self._response = response

    async def fetch(
        self,
        session: AsyncSession,
        statement: Select[*tuple[Any, ...]],
        *keys: Key,
        descending: bool = True,
    ) -> Sequence[Any]:
        """As `Page.fetch`, and the `Link` header (RFC 8288) is set."""
        rows = await super().fetch(session, statement, *keys, descending=descending)
        self._link()
        return rows

    async def sift(
        self,
        session: AsyncSession,
        statement: Select[*tuple[Any, ...]],
        *keys: Key,
        sieve: Sieve,
        at_most: int,
        descending: bool = True,
    ) -> Sequence[tuple[Any, ...]]:
        """As `Page.sift`, and the `Link` header is set."""
        rows = await super().sift(
            session, statement, *keys, sieve=sieve, at_most=at_most, descending=descending
        )
        self._link()
        return rows

    def _link(self) -> None:
        if self.next_cursor:
            url = self._request.url.include_query_params(cursor=self.next_cursor, limit=self.limit)
            self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


Paging = Annotated[HttpPage, Depends()]
