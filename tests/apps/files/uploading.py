"""Files as front ends send them, and what is stored of them."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from assay.apps.files.models import File
from assay.core.config import Settings
from assay.core.database import Database
from assay.files.models import Removal
from assay.files.storage import Storage, StorageUnavailable

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 40


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


async def make_due(database: Database) -> None:
    async with database.session() as session:
        await session.execute(update(Removal).values(due_at=func.now()))


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
