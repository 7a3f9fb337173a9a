"""Lists page by page: all rows once, in order, whatever comes in meanwhile."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    DateTime,
    Double,
    Select,
    SmallInteger,
    Subquery,
    Text,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.core.conftest import Serve

from assay.core.database import Database, Session
from assay.core.errors import Invalid
from assay.core.ids import new_id
from assay.core.pagination import Page, Paging

START = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


class Table(DeclarativeBase):
    """Of these tests alone, so that migrations know nothing of it."""


class Entry(Table):
    __tablename__ = "page_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    rank: Mapped[int] = mapped_column(SmallInteger)
    name: Mapped[str] = mapped_column(Text)
    weight: Mapped[float] = mapped_column(Double)
    cost: Mapped[float | None] = mapped_column(Double)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Other(Table):
    __tablename__ = "page_others"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)


# What lists may be sorted by, with the values of a row.
ORDERS: dict[str, tuple[Sequence[Any], Callable[[Entry], Any]]] = {
    "id": ((Entry.id,), lambda e: (e.id,)),
    "rank": ((Entry.rank, Entry.id), lambda e: (e.rank, e.id)),
    "name": ((Entry.name.collate("C"), Entry.id), lambda e: (e.name.encode(), e.id)),
    "weight": ((Entry.weight, Entry.id), lambda e: (e.weight, e.id)),
    "time": ((Entry.at, Entry.rank, Entry.id), lambda e: (e.at, e.rank, e.id)),
}


def entry(rank: int = 0, name: str = "x", weight: float = 1.0, seconds: float = 0) -> Entry:
    at = START + timedelta(seconds=seconds)
    return Entry(id=new_id(), rank=rank, name=name, weight=weight, at=at)


@pytest.fixture(scope="module")
async def entries(new_database_dsn: Callable[[], Any]) -> AsyncIterator[Database]:
    """A database with the tables of these tests."""
    database = Database(await new_database_dsn())
    async with database.engine.begin() as connection:
        await connection.run_sync(Table.metadata.create_all)
    yield database
    await database.dispose()


async def store(database: Database, *rows: Entry, empty: bool = True) -> list[Entry]:
    async with database.session() as session:
        if empty:
            await session.execute(delete(Entry))
        session.add_all(rows)
    return list(rows)


async def page_after(
    database: Database, cursor: str | None, limit: int, order: str, *, descending: bool
) -> tuple[list[Entry], str | None]:
    page = Page(limit, cursor)
    async with database.session() as session:
        rows = await page.fetch(session, select(Entry), *ORDERS[order][0], descending=descending)
    return list(rows), page.next_cursor


async def all_pages(
    database: Database, limit: int, order: str, *, descending: bool
) -> list[list[Entry]]:
    pages, cursor = [], None
    while True:
        rows, cursor = await page_after(database, cursor, limit, order, descending=descending)
        pages.append(rows)
        if cursor is None:
            return pages


ENTRIES = st.lists(
    st.builds(
        entry,
        rank=st.integers(-1, 1),
        name=st.sampled_from(["", "a", "A", "ä", 'quo"te', "\\", "null", "line\nbreak"]),
        weight=st.sampled_from([-0.1, 0.0, 0.1 + 0.2, 1e-300, 1e300]),
        seconds=st.sampled_from([-1, 0, 0.000001, 86400]),
    ),
    max_size=12,
)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("descending", [True, False], ids=["down", "up"])
@settings(max_examples=12, deadline=None)
@given(rows=ENTRIES, limit=st.integers(1, 5))
async def test_pages_hold_every_row_once_and_in_order(
    entries: Database, order: str, descending: bool, rows: list[Entry], limit: int
) -> None:
    await store(entries, *rows)
    pages = await all_pages(entries, limit, order, descending=descending)
    expected = sorted(rows, key=ORDERS[order][1], reverse=descending)
    assert [row.id for page in pages for row in page] == [row.id for row in expected]
    assert all(len(page) == limit for page in pages[:-1])
    assert len(pages) == max(1, -(-len(rows) // limit)), "no page is empty but an only one"


@pytest.mark.parametrize("descending", [True, False], ids=["down", "up"])
@settings(max_examples=12, deadline=None)
@given(
    ranks=st.lists(st.integers(0, 3), min_size=3, max_size=10),
    late=st.lists(st.integers(0, 3), max_size=4),
    gone=st.integers(0, 2),
)
async def test_what_comes_and_goes_meanwhile_shifts_nothing(
    entries: Database, descending: bool, ranks: list[int], late: list[int], gone: int
) -> None:
    rows = await store(entries, *map(entry, ranks))
    seen, cursor = await page_after(entries, None, 3, "rank", descending=descending)
    await store(entries, *map(entry, late), empty=False)
    async with entries.session() as session:
        await session.execute(delete(Entry).where(Entry.id == seen[gone].id))
    while cursor is not None:
        more, cursor = await page_after(entries, cursor, 2, "rank", descending=descending)
        seen += more
    ids = [row.id for row in seen]
    assert len(set(ids)) == len(ids), "nothing twice"
    assert {row.id for row in rows} <= set(ids), "nothing left out"
    values = [ORDERS["rank"][1](row) for row in seen]
    assert values == sorted(values, reverse=descending)


@pytest.mark.parametrize("descending", [True, False], ids=["down", "up"])
@settings(max_examples=20, deadline=None)
@given(
    costs=st.lists(st.sampled_from([None, 0.0, 0.25, 1.5]), max_size=10), limit=st.integers(1, 4)
)
async def test_a_key_can_be_an_expression_which_puts_nulls_in_their_place(
    entries: Database, descending: bool, costs: list[float | None], limit: int
) -> None:
    await store(entries, *(Entry(**fields(), cost=cost) for cost in costs))
    keys = (func.coalesce(Entry.cost, literal_column("-1"), type_=Double), Entry.id)
    seen: list[float | None] = []
    cursor = None
    while True:
        page = Page(limit, cursor)
        async with entries.session() as session:
            seen += await page.fetch(session, select(Entry.cost), *keys, descending=descending)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(costs, key=lambda c: -1 if c is None else c, reverse=descending)


def fields() -> dict[str, Any]:
    return {"id": new_id(), "rank": 0, "name": "x", "weight": 1.0, "at": START}


@pytest.mark.parametrize("descending", [True, False], ids=["down", "up"])
@settings(max_examples=20, deadline=None)
@given(
    names=st.lists(st.sampled_from("ab"), max_size=14),
    limit=st.integers(1, 4),
    at_most=st.integers(1, 5),
)
async def test_a_sieve_finds_every_row_once_in_pages_that_can_be_short(
    entries: Database, descending: bool, names: list[str], limit: int, at_most: int
) -> None:
    rows = await store(entries, *(entry(place, name) for place, name in enumerate(names)))

    def sieve(statement: Select[Any], lot: Subquery) -> Select[Any]:
        return statement.join(Entry, Entry.id == lot.c.id).where(Entry.name == "b")

    found: list[UUID] = []
    pages, cursor = 0, None
    while True:
        page = Page(limit, cursor)
        async with entries.session() as session:
            part = await page.sift(
                session,
                select(Entry.id),
                Entry.rank,
                Entry.id,
                sieve=sieve,
                at_most=at_most,
                descending=descending,
            )
        assert len(part) <= limit
        found += [row_id for (row_id,) in part]
        pages, cursor = pages + 1, page.next_cursor
        if cursor is None:
            break
    expected = [row.id for row in rows if row.name == "b"]
    assert found == (expected[::-1] if descending else expected)
    assert pages <= 1 + len(names) // at_most + names.count("b") // limit


async def test_rows_can_be_columns(entries: Database) -> None:
    await store(entries, entry(1, "a"), entry(2, "b"), entry(3, "c"))
    page = Page(2)
    statement = select(Entry.name, Entry.rank)
    async with entries.session() as session:
        assert await page.fetch(session, statement, Entry.rank) == [("c", 3), ("b", 2)]
        assert page.next_cursor
        rest = Page(2, page.next_cursor)
        assert await rest.fetch(session, statement, Entry.rank) == [("a", 1)]
    assert rest.next_cursor is None


def encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def decoded(cursor: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


@pytest.fixture
async def cursor(entries: Database) -> str:
    """A good cursor of the list by rank."""
    await store(entries, entry(1), entry(2), entry(3))
    _, cursor = await page_after(entries, None, 1, "rank", descending=True)
    assert cursor
    return cursor


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "not one of ours",
        lambda _: "ä",
        lambda _: "\x00",
        lambda _: encoded(None),
        lambda _: encoded({}),
        lambda _: encoded([]),
        lambda c: encoded("%s") + c,
        lambda c: c[:-4],
        lambda c: c + "AAAA",
        lambda c: encoded(decoded(c)[:-1]),
        lambda c: encoded([*decoded(c), 1]),
        lambda c: encoded(decoded(c)[1:]),
        lambda c: encoded([*decoded(c)[:-1], "no uuid"]),
        lambda c: encoded([*decoded(c)[:-1], None]),
        lambda c: encoded([*decoded(c)[:-1], ["list"]]),
        lambda c: encoded([decoded(c)[0], "1; DROP TABLE page_entries", decoded(c)[2]]),
        lambda c: encoded([decoded(c)[0], 2**31, decoded(c)[2]]),
        lambda c: encoded([decoded(c)[0], 10**400, decoded(c)[2]]),
        lambda c: encoded([decoded(c)[0], "\x00", decoded(c)[2]]),
    ],
)
async def test_a_cursor_that_was_not_given_out_is_refused(
    entries: Database, cursor: str, spoil: Callable[[str], str]
) -> None:
    with pytest.raises(Invalid) as refusal:
        await page_after(entries, spoil(cursor), 1, "rank", descending=True)
    assert [fault.place for fault in refusal.value.errors] == ["query.cursor"]
    rows, _ = await page_after(entries, cursor, 10, "rank", descending=True)
    assert [row.rank for row in rows] == [2, 1]


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=()), max_size=40))
async def test_garbage_is_never_more_than_refused(entries: Database, text: str) -> None:
    with pytest.raises(Invalid):
        await page_after(entries, text, 1, "rank", descending=True)


async def test_a_cursor_of_another_list_is_refused(entries: Database, cursor: str) -> None:
    async with entries.session() as session:
        session.add_all([Other(), Other()])
        await session.flush()
        page = Page(1)
        await page.fetch(session, select(Other), Other.id)
        foreign = page.next_cursor
    for order in ORDERS:
        with pytest.raises(Invalid):
            await page_after(entries, foreign, 1, order, descending=True)
    with pytest.raises(Invalid):
        await page_after(entries, cursor, 1, "id", descending=True)
    with pytest.raises(Invalid):
        await page_after(entries, cursor, 1, "rank", descending=False)


@pytest.fixture
def listing() -> APIRouter:
    router = APIRouter()

    @router.get("/entries")
    async def entries(session: Session, page: Paging, name: str | None = None) -> list[int]:
        rows = await page.fetch(session, select(Entry), Entry.rank)
        return [row.rank for row in rows]

    return router


@pytest.fixture
async def client(serve: Serve, listing: APIRouter, entries: Database) -> httpx2.AsyncClient:
    """Of an application with the list `/entries`, which has the ranks 0 to 210."""
    await store(entries, *map(entry, range(211)))
    return await serve(listing, on=entries)


async def test_a_page_has_50_rows_unless_another_number_is_asked_for(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.get("/entries")).json() == list(range(210, 160, -1))
    assert (await client.get("/entries?limit=1")).json() == [210]
    assert len((await client.get("/entries?limit=200")).json()) == 200


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", "1.5", ""])
async def test_a_limit_out_of_bounds_is_refused(client: httpx2.AsyncClient, limit: str) -> None:
    response = await client.get("/entries", params={"limit": limit})
    assert response.status_code == 422
    assert response.json()["errors"][0]["place"] == "query.limit"


async def test_a_bad_cursor_is_answered_with_422(client: httpx2.AsyncClient) -> None:
    response = await client.get("/entries", params={"cursor": encoded(["Entry.rank", "x"])})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["place"] == "query.cursor"


async def test_links_lead_through_all_pages(client: httpx2.AsyncClient) -> None:
    ranks: list[int] = []
    url: str | None = "/entries?limit=100"
    while url:
        response = await client.get(url)
        ranks += response.json()
        url = response.links.get("next", {}).get("url")
        assert (url is None) == ("link" not in response.headers)
    assert ranks == list(range(210, -1, -1))


async def test_a_link_keeps_the_rest_of_the_query(client: httpx2.AsyncClient) -> None:
    query: list[tuple[str, Any]] = [("name", "a b&c=ä>"), ("tag", "1"), ("tag", ""), ("limit", "7")]
    response = await client.get("/entries", params=query)
    for _ in range(2):
        header = response.headers["link"]
        assert header.isascii()
        assert header.endswith('>; rel="next"')
        target = urlsplit(response.links["next"]["url"])
        assert (target.scheme, target.netloc, target.path) == ("", "", "/entries")
        assert [
            pair for pair in parse_qsl(target.query, keep_blank_values=True) if pair[0] != "cursor"
        ] == query
        assert len(parse_qs(target.query)["cursor"]) == 1
        response = await client.get(target.geturl())
        assert response.status_code == 200
