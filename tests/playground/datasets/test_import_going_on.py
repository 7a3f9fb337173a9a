"""Imports while they go on: told of, broken off, and beside other changes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from tests.identity.people import installed
from tests.playground.conftest import Factory, Row
from tests.playground.datasets.files import CSV, items, upload
from tests.playground.datasets.importing import STRICT, version_of

from assay.core.config import Settings
from assay.core.database import Database
from assay.events.models import Event
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.datasets.imports import service
from assay.playground.datasets.imports.reading import FileForm
from assay.playground.datasets.imports.schemas import FileFormat
from assay.playground.datasets.imports.service import Progress


async def test_progress_is_told(
    make: Factory, client: httpx2.AsyncClient, database: Database
) -> None:
    dataset = await make.dataset()
    content = b"message\n" + b"Where is my parcel?\n" * 50_000
    path = f"/api/v1/datasets/{dataset['id']}/import"
    headers = {"Content-Type": CSV, "X-Request-ID": "my-import"}
    response = await client.post(path, content=content, headers=headers)
    assert response.json()["items"] == 50_000
    async with database.session() as session:
        query = select(Event).where(Event.subject == dataset["id"]).order_by(Event.id)
        events = (await session.scalars(query)).all()
    first = next(event for event in events if event.type == "dataset.import_progress")
    assert first.data["request_id"] == "my-import"
    assert first.data["project_id"]
    assert 0 < first.data["rows"] <= 50_000
    last = events[-1]
    assert last.type == "dataset.imported"
    assert {"items": 50_000, "refused": 0, "version": 1}.items() <= last.data.items()


async def test_a_request_that_breaks_off_leaves_nothing(
    make: Factory, client: httpx2.AsyncClient, app: FastAPI
) -> None:
    """What a server sees of a caller that goes away in the middle of the file."""
    dataset = await make.dataset()
    messages: list[Row] = [
        {"type": "http.request", "body": b"message\n" + b"x\n" * 200_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Row] = []

    async def receive() -> Row:
        return messages.pop(0) if len(messages) > 1 else messages[0]

    async def send(message: Any) -> None:
        sent.append(message)

    request = client.build_request("POST", f"/api/v1/datasets/{dataset['id']}/import")
    scope = {
        "type": "http",
        "method": "POST",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"text/csv")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 422
    assert await items(make, dataset) == []
    assert await version_of(make, dataset) == 0
    await upload(client, dataset, b"message\nx\n")
    assert await version_of(make, dataset) == 1


async def test_an_import_that_is_cancelled_leaves_nothing_and_frees_the_connection(
    make: Factory, database: Database
) -> None:
    """As by Ctrl-C in the shell, wherever it is."""
    dataset = await make.dataset()
    form = FileForm(FileFormat.csv)
    dataset_id = UUID(dataset["id"])

    async def tell(_progress: Progress) -> None:
        """Nobody wants to know."""

    async def endless() -> AsyncIterator[bytes]:
        yield b"message\n"
        while True:
            yield b"Where is my parcel?\n" * 10_000

    async def importing() -> None:
        async with database.session() as session:
            await service.import_items(session, LOCAL_ACTOR, dataset_id, endless(), form, tell)

    for hundredths in range(1, 30, 3):
        task = asyncio.create_task(importing())
        await asyncio.sleep(hundredths / 100)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with database.session() as session:
            assert await session.scalar(text("SELECT 1")) == 1
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of a queue pool
    assert await items(make, dataset) == []


async def test_a_file_that_stops_coming_is_given_up(
    make: Factory, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "IDLE_SECONDS", 0.2)
    dataset = await make.dataset()

    async def stalling() -> AsyncIterator[bytes]:
        yield b"message\n" + b"x\n" * 200_000
        await asyncio.sleep(30)

    problem = await upload(client, dataset, stalling(), status=408)
    assert problem["code"] == "import_stalled"
    assert await items(make, dataset) == []


async def test_others_change_the_dataset_while_a_file_comes_in(
    make: Factory, client: httpx2.AsyncClient, database: Database
) -> None:
    """Nobody waits for the import, and each change is a version of its own."""
    dataset = await make.dataset()
    path = f"/datasets/{dataset['id']}/items"

    async def slow(tag: str, meanwhile: Callable[[], Awaitable[Any]]) -> AsyncIterator[bytes]:
        # More than is gathered, so that rows are in the database before the others come.
        yield b"message\n" + f"{tag}\n".encode() * 200_000
        await meanwhile()
        yield f"{tag}\n".encode() * 10

    async def one_more() -> None:
        await make.call("POST", path, 201, {"input": {"message": "alone"}})

    async def another_file() -> None:
        await upload(client, dataset, slow("inner", one_more))

    report = await upload(client, dataset, slow("outer", another_file))
    assert (report["items"], report["version"]) == (200_010, 3)
    query = text("""
        SELECT input ->> 'message', created_in, changed_in, count(*)
        FROM playground.dataset_items WHERE dataset_id = :id GROUP BY 1, 2, 3 ORDER BY 2
    """)
    async with database.session() as session:
        rows = (await session.execute(query, {"id": UUID(dataset["id"])})).all()
    assert [tuple(row) for row in rows] == [
        ("alone", 1, 1, 1),
        ("inner", 2, 2, 200_010),
        ("outer", 3, 3, 200_010),
    ]
    assert len(await make.call("GET", path, 200, version=1, limit=200)) == 1


async def test_a_schema_that_changes_in_the_middle_is_409(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await make.dataset()

    async def slow() -> AsyncIterator[bytes]:
        yield b"message\n" + b"x\n" * 200_000
        await make.call("PATCH", f"/datasets/{dataset['id']}", 200, STRICT)
        yield b"too long\n"

    problem = await upload(client, dataset, slow(), status=409)
    assert problem["code"] == "schema_changed"
    assert await items(make, dataset) == []


async def test_many_imports_at_once_each_make_one_version(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await make.dataset()
    files = [b"message\n" + f"{number}\n".encode() * 300 for number in range(8)]
    reports = await asyncio.gather(*(upload(client, dataset, file) for file in files))
    assert sorted(report["version"] for report in reports) == list(range(1, 9))
    for report in reports:
        path = f"/datasets/{dataset['id']}/items"
        pages = await make.pages(path, 200, version=report["version"])
        assert sum(map(len, pages)) == 300 * report["version"]


async def test_other_requests_are_served_meanwhile(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await make.dataset()
    content = b"message\n" + b"Where is my parcel?\n" * 200_000
    importing = asyncio.create_task(upload(client, dataset, content))
    served = 0
    while not importing.done():
        await make.call("GET", f"/datasets/{dataset['id']}", 200)
        served += 1
    assert (await importing)["items"] == 200_000
    assert served > 5


async def test_a_file_may_be_larger_than_other_bodies(
    settings: Settings, new_database_dsn: Callable[[], Any]
) -> None:
    limits = {"max_body_bytes": 2000, "max_import_bytes": 10_000}
    dsn = await new_database_dsn()
    async with installed(settings, database_url=dsn, **limits) as installation:
        client = await installation.client()
        make = Factory(client, installation.database)
        dataset = await make.dataset()
        report = await upload(client, dataset, b"message\n" + b"x\n" * 4000)
        assert report["items"] == 4000
        too_long = b"message\n" + b"x\n" * 6000

        async def streamed() -> AsyncIterator[bytes]:
            for start in range(0, len(too_long), 1000):
                yield too_long[start : start + 1000]

        for content in (too_long, streamed()):
            problem = await upload(client, dataset, content, status=413)
            assert problem["code"] == "too_large"
        assert (await make.call("GET", f"/datasets/{dataset['id']}", 200))["version"] == 1
