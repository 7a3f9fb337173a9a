"""What every storage does, and that nothing is left of what was stopped half way."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from obstore.store import LocalStore
from pydantic import SecretStr
from tests.files.conftest import AZURE_KEY, Place, free_port

from assay.core.config import FileStorage, Settings
from assay.core.errors import SetupError, TooLarge
from assay.files.backends import open_storage
from assay.files.storage import PART_BYTES, BytesGone, Storage, StorageUnavailable, key_of

BLOCK = 64 * 1024
LIMIT = 1024**3
# Two whole parts and a bit, so that the parts of each storage are used.
LARGE = 2 * PART_BYTES + 3 * BLOCK + 5


async def some(size: int, *, fail_at: int | None = None) -> AsyncIterator[bytes]:
    """So many bytes, in blocks; each says where it is from."""
    sent = 0
    while sent < size:
        if fail_at is not None and sent >= fail_at:
            raise ValueError("no more comes")
        block = content(sent, min(sent + BLOCK, size))
        yield block
        sent += len(block)


def content(start: int, end: int) -> bytes:
    first, last = start // 8, -(-end // 8)
    numbers = b"".join(number.to_bytes(8, "big") for number in range(first, last))
    return numbers[start - first * 8 : end - first * 8]


async def read(storage: Storage, key: str, start: int = 0, end: int | None = None) -> bytes:
    found = await storage.open(key, start, end)
    return b"".join([chunk async for chunk in found.chunks])


@pytest.mark.parametrize("size", [0, 1, BLOCK, PART_BYTES, LARGE])
async def test_bytes_come_back(place: Place, size: int) -> None:
    key = key_of(uuid4())
    saved = await place.storage.save(key, some(size), limit=size)
    whole = content(0, size)
    assert saved.size == size
    assert saved.sha256 == hashlib.sha256(whole).hexdigest()
    assert place.stored() == [key]
    assert await read(place.storage, key) == whole


async def test_ranges(place: Place) -> None:
    key = key_of(uuid4())
    await place.storage.save(key, some(LARGE), limit=LIMIT)
    for start, end in ((0, 1), (PART_BYTES - 3, PART_BYTES + 3), (LARGE - 1, LARGE)):
        found = await place.storage.open(key, start, end)
        assert (found.start, found.end, found.size) == (start, end, LARGE)
        assert b"".join([chunk async for chunk in found.chunks]) == content(start, end)
    assert await read(place.storage, key, LARGE - 5) == content(LARGE - 5, LARGE)


async def test_bytes_are_removed_once_and_for_all(place: Place) -> None:
    key = key_of(uuid4())
    await place.storage.save(key, some(5), limit=LIMIT)
    await place.storage.remove(key)
    assert place.stored() == []
    await place.storage.remove(key)
    with pytest.raises(BytesGone):
        await place.storage.open(key)


@pytest.mark.parametrize("fail_at", [0, BLOCK, LARGE - 5])
async def test_nothing_is_left_of_what_fails(place: Place, fail_at: int) -> None:
    with pytest.raises(ValueError, match="no more comes"):
        await place.storage.save(key_of(uuid4()), some(LARGE, fail_at=fail_at), limit=LIMIT)
    assert place.stored() == []


async def test_nothing_is_left_of_what_is_too_large(place: Place) -> None:
    with pytest.raises(TooLarge, match="MAX_UPLOAD_BYTES"):
        await place.storage.save(key_of(uuid4()), some(LARGE), limit=LARGE - 1)
    assert place.stored() == []


async def test_nothing_is_left_of_what_is_cancelled(place: Place) -> None:
    waiting = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        async for block in some(LARGE):
            yield block
        waiting.set()
        await asyncio.Event().wait()

    saving = asyncio.create_task(place.storage.save(key_of(uuid4()), stalling(), limit=LIMIT))
    await waiting.wait()
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert place.stored() == []


async def test_bytes_that_are_there_are_replaced(place: Place) -> None:
    key = key_of(uuid4())
    for size in (100, 50):
        await place.storage.save(key, some(size), limit=LIMIT)
    assert await read(place.storage, key) == content(0, 50)


async def test_a_killed_upload_is_cleared_away_on_disk(tmp_path: Path) -> None:
    storage = Storage(LocalStore(tmp_path), tmp_path)
    key = key_of(uuid4())
    begun = tmp_path / f"{key}#1"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"half")
    other = begun.with_name("other#1")
    other.touch()
    await storage.remove(key)
    assert not begun.exists()
    assert other.exists()


async def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    storage = Storage(LocalStore(tmp_path), tmp_path)
    key = key_of(uuid4())
    # A file stands where a folder has to be.
    (tmp_path / key.split("/", 1)[0]).touch()
    with pytest.raises(StorageUnavailable):
        await storage.save(key, some(LARGE), limit=LIMIT)


@pytest.mark.parametrize("kind", [FileStorage.s3, FileStorage.azure_blob])
async def test_a_service_that_is_down(
    settings: Settings, kind: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    endpoint = f"http://127.0.0.1:{free_port()}"
    connection = f"AccountName=a;AccountKey={AZURE_KEY};BlobEndpoint={endpoint}/a"
    changes = {
        "file_storage_type": kind,
        "s3_bucket": "evals-files",
        "s3_endpoint": endpoint,
        "azure_storage_connection_string": SecretStr(connection),
    }
    storage = open_storage(settings.model_copy(update=changes))
    for work in (
        storage.save("a/b/c", some(5), limit=LIMIT),
        storage.save("a/b/c", some(LARGE), limit=LIMIT),
        storage.open("a/b/c"),
        storage.remove("a/b/c"),
    ):
        with pytest.raises(StorageUnavailable):
            await work


def test_keys_are_made_of_ids_alone() -> None:
    file_id = UUID("0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3c")
    assert key_of(file_id) == "3c/2f/0197a4f05c1e7d0a9c550d1b8a1e2f3c"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"file_storage_type": FileStorage.s3}, "S3_BUCKET"),
        ({"file_storage_type": FileStorage.gcs}, "GCS_BUCKET"),
        ({"file_storage_type": FileStorage.azure_blob}, "AZURE_STORAGE_CONNECTION_STRING"),
        (
            {
                "file_storage_type": FileStorage.azure_blob,
                "azure_storage_connection_string": SecretStr("AccountName=a"),
            },
            "AccountKey",
        ),
        ({"file_storage_path": Path("/dev/null/files")}, "FILE_STORAGE_TYPE is local"),
    ],
)
def test_settings_that_do_not_do(settings: Settings, changes: dict[str, object], told: str) -> None:
    with pytest.raises(SetupError, match=told):
        open_storage(settings.model_copy(update=changes))
