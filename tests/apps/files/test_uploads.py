"""Uploads: what is taken, and what is left of those that stop."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, update
from tests.apps.files.uploading import make_due, removals, rows, stored, upload
from tests.identity.people import installed

from assay.core.config import Settings
from assay.core.database import Database
from assay.files.models import Removal
from assay.files.removals import LONGEST_UPLOAD, remove_due
from assay.files.storage import Storage


async def test_nul_in_a_name(client: httpx2.AsyncClient) -> None:
    made = await send_raw(client, form(b'form-data; name="file"; filename="a\x00b.wav"'))
    # Some clients and the parser refuse such a header; what is stored is safe either way.
    assert made.status_code == 201, made.text
    assert made.json()["original_name"] == "a\N{REPLACEMENT CHARACTER}b.wav"


BOUNDARY = b"limit"


def form(disposition: bytes, content: bytes = b"abc", end: bytes = b"--") -> bytes:
    head = b"--%b\r\nContent-Disposition: %b\r\n\r\n" % (BOUNDARY, disposition)
    return head + content + b"\r\n--%b%b\r\n" % (BOUNDARY, end)


async def send_raw(
    client: httpx2.AsyncClient, body: bytes, kind: str = "multipart/form-data; boundary=limit"
) -> httpx2.Response:
    headers = {"Content-Type": kind}
    return await client.post("/api/files/upload", content=body, headers=headers)


FILE = b'form-data; name="file"; filename="a.txt"'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=limit"),
        (form(FILE), "multipart/form-data"),
        (form(FILE), "application/json"),
        (form(FILE), ""),
        (form(FILE), f"multipart/form-data; boundary={'x' * 300}"),
        (form(FILE)[:-8], "multipart/form-data; boundary=limit"),
        (form(FILE)[:20], "multipart/form-data; boundary=limit"),
        (form(FILE, end=b"") + form(FILE)[9:], "multipart/form-data; boundary=limit"),
        (form(b'form-data; name="other"; filename="a"'), "multipart/form-data; boundary=limit"),
        (form(b'form-data; name="file"'), "multipart/form-data; boundary=limit"),
        (form(b'form-data; name="file"; filename=""'), "multipart/form-data; boundary=limit"),
        (form(FILE + b"; x=" + b"y" * 20_000), "multipart/form-data; boundary=limit"),
        (b"no form at all", "multipart/form-data; boundary=limit"),
    ],
)
async def test_what_is_no_form_with_one_file(
    client: httpx2.AsyncClient, settings: Settings, database: Database, body: bytes, kind: str
) -> None:
    before = stored(settings), await rows(database), await removals(database)
    answer = await send_raw(client, body, kind)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]
    assert (stored(settings), await rows(database), await removals(database)) == before


async def test_other_fields_are_left_out(client: httpx2.AsyncClient) -> None:
    # The second part begins after the line that ends the first.
    body = form(b'form-data; name="app_id"', b"voice-rx", b"") + form(FILE)[9:]
    answer = await send_raw(client, body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["size_bytes"] == 3


async def test_a_body_that_comes_a_byte_at_a_time(client: httpx2.AsyncClient) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for byte in form(FILE, b"a\r\n--limi\r\nb"):
            yield bytes([byte])

    headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    answer = await client.post("/api/files/upload", content=slowly(), headers=headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    download = await client.get(f"/api/files/{made['id']}/download")
    assert download.content == b"a\r\n--limi\r\nb"


async def test_a_file_over_the_limit(settings: Settings, own_database: Database) -> None:
    changes = {"max_upload_bytes": 1000, "database_url": own_database.dsn}
    async with installed(settings, **changes) as place:
        client = await place.client()
        before = stored(settings)
        await upload(client, b"x" * 1000)
        for size in (1001, 200_000):
            answer = await client.post("/api/files/upload", files={"file": ("a", b"x" * size)})
            assert answer.status_code == 413
            assert answer.json()["code"] == "too_large"
        assert len(stored(settings) - before) == 1
        assert await rows(own_database) == 1
        assert await removals(own_database) == 0


async def test_an_upload_that_is_stopped_half_way(
    settings: Settings, own_database: Database
) -> None:
    async with installed(settings, database_url=own_database.dsn) as place:
        client = await place.client()
        before = stored(settings)
        begun = asyncio.Event()

        async def stalling() -> AsyncIterator[bytes]:
            yield form(FILE, b"x" * 20_000_000, b"")[:-20]
            begun.set()
            await asyncio.Event().wait()

        headers = {"Content-Type": "multipart/form-data; boundary=limit"}
        asking = asyncio.create_task(
            client.post("/api/files/upload", content=stalling(), headers=headers)
        )
        await begun.wait()
        while len(stored(settings)) == len(before):
            await asyncio.sleep(0.01)
        # Bytes are there, and a row that would have them removed if this process were killed.
        assert await removals(own_database) == 1
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert stored(settings) == before
        assert await rows(own_database) == 0
        assert await removals(own_database) == 0


async def test_what_a_killed_upload_left_is_removed_when_it_is_due(
    app: FastAPI, client: httpx2.AsyncClient, settings: Settings, database: Database
) -> None:
    storage: Storage = app.state.storage
    left = "aa/bb/left"
    folder = settings.assay_home / "files" / "aa" / "bb"
    folder.mkdir(parents=True)
    (folder / "left#1").write_bytes(b"half")
    async with database.session() as session:
        session.add(Removal(storage_key=left, due_at=func.now() + LONGEST_UPLOAD))
    await remove_due(database, storage)
    assert f"{left}#1" in stored(settings)
    await make_due(database)
    assert await remove_due(database, storage) == 1
    assert f"{left}#1" not in stored(settings)
    assert await removals(database) == 0


async def test_an_upload_that_housekeeping_gave_up_leaves_nothing(
    settings: Settings, own_database: Database
) -> None:
    async with installed(settings, database_url=own_database.dsn) as place:
        client = await place.client()
        before = stored(settings)

        async def slowly() -> AsyncIterator[bytes]:
            body = form(FILE)
            yield body[:-10]
            while await removals(own_database) == 0:
                await asyncio.sleep(0.01)
            async with own_database.session() as session:
                await session.execute(update(Removal).values(attempts=1))
            yield body[-10:]

        headers = {"Content-Type": "multipart/form-data; boundary=limit"}
        answer = await client.post("/api/files/upload", content=slowly(), headers=headers)
        assert answer.status_code == 409
        assert answer.json()["code"] == "upload_too_slow"
        assert await rows(own_database) == 0
        assert await removals(own_database) == 0
        assert stored(settings) == before
