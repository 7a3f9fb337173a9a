"""The pagination of `/api`: by limit and offset, with the total in `X-Total-Count`.

The clients of that API count in pages and show how many there are. Everything else pages by
keyset, see `pagination`.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

MOST = 500
FURTHEST = 2**31 - 1
TOTAL = "X-Total-Count"

Order = InstrumentedAttribute[Any] | ColumnElement[Any]


class OffsetPage:
    """Rows `offset` to `offset + limit` of a list; `total` is set once they were fetched."""

    def __init__(self, limit: int, offset: int = 0) -> None:
        """Take the limit (1 to 500) and how many rows to leave out."""
        self.limit = limit
        self.offset = offset
        self.total = 0

    async def fetch(
        self,
        session: AsyncSession,
        statement: Select[*tuple[Any, ...]],
        *order: Order,
        total: Select[int] | None = None,
    ) -> Sequence[Any]:
        """The rows of this page: entities where `statement` selects one, else tuples.

        Args:
            session: the session.
            statement: selects the whole list.
            order: what it is ordered by, together unique.
            total: counts the list, where there is a cheaper way than counting its rows.
        """
        if total is None:
            rows = statement.with_only_columns(func.count(), maintain_column_froms=True)
            total = select(rows.order_by(None).scalar_subquery())
        counted = await session.scalar(total) or 0
        page = statement.order_by(*order).limit(self.limit).offset(self.offset)
        width = len(statement.column_descriptions)
        found = (await session.execute(page)).all()
        self.tell(counted, len(found))
        return [row[0] if width == 1 else tuple(row) for row in found]

    def tell(self, total: int, shown: int) -> None:
        """Say how many there are in all, and how many of them this page shows."""
        self.total = total


class HttpOffsetPage(OffsetPage):
    """A page of a request; the response has the total, and a `Link` where the list goes on."""

    def __init__(self, request: Request, response: Response, limit: int, offset: int) -> None:
        """Answer `request` by `response`."""
        super().__init__(limit, offset)
        self._request = request
        self._response = response

    def tell(self, total: int, shown: int) -> None:
        """As `OffsetPage.tell`, in the headers of the response."""
        super().tell(total, shown)
        self._response.headers[TOTAL] = str(total)
        following = self.offset + shown
        if shown and following < total:
            url = self._request.url.include_query_params(limit=self.limit, offset=following)
            self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


def offset_paging(usual: int) -> Callable[..., HttpOffsetPage]:
    """A dependency that reads a page with `usual` rows where the request names no limit."""

    def read(
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MOST, description="Rows a page")] = usual,
        offset: Annotated[int, Query(ge=0, le=FURTHEST, description="Rows before them")] = 0,
    ) -> HttpOffsetPage:
        return HttpOffsetPage(request, response, limit, offset)

    return read


OffsetPaging = Annotated[HttpOffsetPage, Depends(offset_paging(100))]
"""A page of up to 100 rows, where the request says nothing else."""
