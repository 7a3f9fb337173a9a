"""Files as a front end uses them: upload, record, download, ranges, delete."""

import asyncio
import hashlib
from urllib.parse import unquote
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text
from tests.apps.files.uploading import WAV, Down, make_due, read, removals, stored, upload
from tests.identity.people import installed

from assay.core.config import Settings
from assay.core.database import Database
from assay.files.models import Removal
from assay.files.removals import remove_due
from assay.identity.actor import Role

FIELDS = {
    "id",
    "original_name",
    "mime_type",
    "size_bytes",
    "sha256",
    "storage_path",
    "created_at",
    "updated_at",
    "user_id",
}


async def test_a_file_from_upload_to_deletion(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    made = await upload(client)
    assert made.keys() == FIELDS
    assert made["original_name"] == "visit.wav"
    assert made["mime_type"] == "audio/wav"
    assert made["size_bytes"] == len(WAV)
    assert made["sha256"] == hashlib.sha256(WAV).hexdigest()
    assert made["user_id"] == "default"
    assert made["storage_path"] in stored(settings)
    path = f"/api/files/{made['id']}"
    assert (await client.get(path)).json() == made

    download = await client.get(f"{path}/download")
    assert download.status_code == 200
    assert download.content == WAV
    assert download.headers["content-type"] == "audio/wav"
    assert download.headers["content-length"] == str(len(WAV))
    assert download.headers["accept-ranges"] == "bytes"
    assert download.headers["x-content-type-options"] == "nosniff"
    head = await client.head(f"{path}/download")
    told = ("content-type", "content-length", "etag", "accept-ranges", "content-disposition")
    assert {name: head.headers[name] for name in told} == {
        name: download.headers[name] for name in told
    }

    deleted = await client.delete(path)
    assert deleted.status_code == 200
    assert deleted.json() == {"deleted": True, "id": made["id"]}
    assert made["storage_path"] not in stored(settings)
    for answer in (
        await client.get(path),
        await client.get(f"{path}/download"),
        await client.head(f"{path}/download"),
        await client.delete(path),
    ):
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=100-", 100, None),
        ("bytes=-7", len(WAV) - 7, None),
        ("bytes=-99999999", 0, None),
        ("bytes=0-99999999999", 0, None),
        ("BYTES=3-4", 3, 5),
    ],
)
async def test_ranges(client: httpx2.AsyncClient, header: str, start: int, end: int | None) -> None:
    made = await upload(client)
    path = f"/api/files/{made['id']}/download"
    answer = await client.get(path, headers={"Range": header})
    assert answer.status_code == 206
    assert answer.content == WAV[start:end]
    last = (end or len(WAV)) - 1
    assert answer.headers["content-range"] == f"bytes {start}-{last}/{len(WAV)}"
    assert answer.headers["content-length"] == str(last - start + 1)


@pytest.mark.parametrize("header", ["bytes=999999-", "bytes=-0", "bytes=10400-10500"])
async def test_ranges_that_are_not_there(client: httpx2.AsyncClient, header: str) -> None:
    made = await upload(client)
    answer = await client.get(f"/api/files/{made['id']}/download", headers={"Range": header})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(WAV)}"
    assert answer.json()["code"] == "range_not_satisfiable"


@pytest.mark.parametrize(
    "header", ["bytes=-", "bytes=9-5", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "", "bytes=0-1x"]
)
async def test_what_is_no_single_range_gets_the_whole_file(
    client: httpx2.AsyncClient, header: str
) -> None:
    made = await upload(client)
    answer = await client.get(f"/api/files/{made['id']}/download", headers={"Range": header})
    assert answer.status_code == 200
    assert answer.content == WAV


async def test_a_range_counts_only_while_the_file_is_the_same(client: httpx2.AsyncClient) -> None:
    made = await upload(client)
    path = f"/api/files/{made['id']}/download"
    etag = (await client.get(path)).headers["etag"]
    for if_range, status in ((etag, 206), ('"other"', 200)):
        headers = {"Range": "bytes=0-3", "If-Range": if_range}
        assert (await client.get(path, headers=headers)).status_code == status


async def test_text_is_not_compressed_on_its_way(client: httpx2.AsyncClient) -> None:
    """Else its length and its ranges would be wrong."""
    made = await upload(client, b"word " * 1000, "notes.txt", "text/plain")
    path = f"/api/files/{made['id']}/download"
    answer = await client.get(path, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-length"] == "5000"
    assert answer.content == b"word " * 1000
    part = await client.get(path, headers={"Accept-Encoding": "gzip", "Range": "bytes=5-8"})
    assert part.content == b"word"


async def test_an_empty_file(client: httpx2.AsyncClient) -> None:
    made = await upload(client, b"", "empty.txt", "text/plain")
    assert made["size_bytes"] == 0
    path = f"/api/files/{made['id']}/download"
    assert (await client.get(path)).content == b""
    assert (await client.get(path, headers={"Range": "bytes=0-"})).status_code == 416


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (name, name)
        for name in (
            "../../x",
            "/etc/passwd",
            "a/b\\c.wav",
            "Visite à 10 h.mp3",
            "🩺🎙️.wav",
            'a "quoted"; name=b.wav',
            "line\r\nbreak.wav",
            "100%25.wav",
            ".",
            " ",
            "e" * 500,
        )
    ]
    + [
        ("a" * 3996 + ".mp3", "a" * 399 + "…" + "a" * 96 + ".mp3"),
        ("🩺" * 4000, "🩺" * 399 + "…" + "🩺" * 100),
    ],
)
async def test_names_are_safe_and_come_back(
    client: httpx2.AsyncClient, settings: Settings, sent: str, kept: str
) -> None:
    made = await upload(client, name=sent)
    assert made["original_name"] == kept
    assert made["storage_path"] in stored(settings)
    answer = await client.get(f"/api/files/{made['id']}/download")
    header = answer.headers["content-disposition"]
    assert header.startswith("attachment; ")
    assert header.isascii()
    assert unquote(header.partition("filename*=UTF-8''")[2]) == kept
    await client.delete(f"/api/files/{made['id']}")


@pytest.mark.parametrize(
    ("content", "said", "found"),
    [
        (WAV, None, "audio/wav"),
        (WAV, "text/html", "audio/wav"),
        (b"\x1a\x45\xdf\xa3\x42\x82\x84webm" + bytes(300), "audio/webm", "audio/webm"),
        (b"\x1a\x45\xdf\xa3\x42\x82\x84webm" + bytes(300), "image/png", "video/webm"),
        (b"\xff\xfb\x90\x64" + bytes(300), "application/octet-stream", "audio/mpeg"),
        (b"%PDF-1.7 ...", "text/plain", "application/pdf"),
        (b'{"segments": []}', "application/json", "application/json"),
        (b"a,b\n1,2\n", "text/csv; charset=utf-8", "text/csv"),
        ("é".encode() * 4096 + b"x", "text/plain", "text/plain"),
        (b"x" + "é".encode() * 4096, "text/plain", "text/plain"),
        (b"<script>alert(1)</script>", "text/html", "application/octet-stream"),
        (b"<svg xmlns='x'></svg>", "image/svg+xml", "application/octet-stream"),
        (b"<script>alert(1)</script>", "audio/mpeg", "application/octet-stream"),
        (b"\x00\x01\x02", "text/plain", "application/octet-stream"),
        (b"\xff\xfe\xfd", "application/json", "application/octet-stream"),
        (b"anything", None, "application/octet-stream"),
    ],
)
async def test_a_type_is_not_taken_on_trust(
    client: httpx2.AsyncClient, content: bytes, said: str | None, found: str
) -> None:
    made = await upload(client, content, "file", said)
    assert made["mime_type"] == found


async def test_bytes_wait_for_a_storage_that_is_down(
    app: FastAPI, client: httpx2.AsyncClient, settings: Settings, database: Database
) -> None:
    made = await upload(client)
    with Down(app):
        assert (await client.delete(f"/api/files/{made['id']}")).status_code == 200
        assert (await client.get(f"/api/files/{made['id']}")).status_code == 404
        assert await remove_due(database, app.state.storage) == 0
        async with database.session() as session:
            waiting = await session.get_one(Removal, made["storage_path"])
            assert waiting.attempts == 1
            later = select(Removal.due_at > func.clock_timestamp() + text("interval '30 seconds'"))
            assert await session.scalar(later)
    assert made["storage_path"] in stored(settings)
    assert await remove_due(database, app.state.storage) == 0, "it is not due yet"
    await make_due(database)
    assert await remove_due(database, app.state.storage) == 1
    assert made["storage_path"] not in stored(settings)
    assert await removals(database) == 0


async def test_a_record_whose_bytes_are_gone(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    made = await upload(client)
    (settings.assay_home / "files" / made["storage_path"]).unlink()
    answer = await client.get(f"/api/files/{made['id']}/download")
    assert answer.status_code == 404
    assert answer.json()["code"] == "bytes_gone"


async def test_files_of_others_are_not_there(settings: Settings, own_database: Database) -> None:
    async with installed(settings, database_url=own_database.dsn) as place:
        owner, admin = await place.person(Role.editor), await place.person(Role.admin)
        made = await upload(owner.client)
        assert made["user_id"] == str(owner.id)
        path = f"/api/files/{made['id']}"
        for answer in (
            await admin.client.get(path),
            await admin.client.get(f"{path}/download"),
            await admin.client.head(f"{path}/download"),
            await admin.client.delete(path),
        ):
            assert answer.status_code == 404
        viewer = await place.person(Role.viewer)
        answer = await viewer.client.post("/api/files/upload", files={"file": ("a", b"x")})
        assert answer.status_code == 403
        assert (await owner.client.delete(path)).status_code == 200


@pytest.mark.parametrize(("file_id", "status"), [(str(UUID(int=1)), 404), ("0", 422)])
async def test_unknown_ids(client: httpx2.AsyncClient, file_id: str, status: int) -> None:
    for path in (f"/api/files/{file_id}", f"/api/files/{file_id}/download"):
        assert (await client.get(path)).status_code == status


async def test_many_uploads_at_once(client: httpx2.AsyncClient, settings: Settings) -> None:
    made = await asyncio.gather(*(upload(client, f"file {n}".encode(), f"{n}") for n in range(20)))
    assert len({UUID(file["id"]) for file in made}) == 20
    for number, file in enumerate(made):
        assert read(settings, file["storage_path"]) == f"file {number}"
