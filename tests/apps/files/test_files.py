"""Files as a front end uses them: upload, record, download, ranges, delete."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from tests.identity.people import installed

from assay.apps.files.models import File
from assay.core.config import Settings
from assay.core.database import Database
from assay.files.models import Removal
from assay.files.removals import LONGEST_UPLOAD, remove_due
from assay.files.storage import Storage, StorageUnavailable
from assay.identity.actor import Role

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 40
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


async def upload(
    client: httpx2.AsyncClient,
    content: bytes = WAV,
    name: str = "visit.wav",
    kind: str | None = "audio/wav",
) -> Any:
    answer = await client.post("/api/files/upload", files={"file": (name, content, kind)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def stored(settings: Settings) -> set[str]:
    """All bytes on disk, finished or not."""
    folder = settings.assay_home / "files"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def read(settings: Settings, path: str) -> str:
    return (settings.assay_home / "files" / path).read_text()


async def removals(database: Database) -> int:
    async with database.session() as session:
        return await session.scalar(select(func.count()).select_from(Removal)) or 0


async def rows(database: Database) -> int:
    async with database.session() as session:
        return await session.scalar(select(func.count()).select_from(File)) or 0


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


async def test_nul_in_a_name(client: httpx2.AsyncClient) -> None:
    made = await send_raw(client, form(b'form-data; name="file"; filename="a\x00b.wav"'))
    # Some clients and the parser refuse such a header; what is stored is safe either way.
    assert made.status_code == 201, made.text
    assert made.json()["original_name"] == "a\N{REPLACEMENT CHARACTER}b.wav"


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


async def make_due(database: Database) -> None:
    async with database.session() as session:
        await session.execute(update(Removal).values(due_at=func.now()))


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


class Down:
    """The storage of an application, unreachable while the context is open."""

    def __init__(self, app: FastAPI) -> None:
        self.storage: Storage = app.state.storage
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        async def fail(*_: object, **__: object) -> None:
            raise StorageUnavailable from OSError("no route to host")

        self.patch.setattr(self.storage, "remove", fail)

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


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
