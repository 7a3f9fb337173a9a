"""Rules and queries of files."""

import asyncio
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.files.kinds import HEAD_BYTES, kind_of
from assay.apps.files.models import File
from assay.apps.files.receiving import Incoming
from assay.apps.recording import tell
from assay.core.database import DATABASE_ERRORS, Database
from assay.core.errors import NotFound
from assay.core.ids import new_id
from assay.files.removals import LONGEST_UPLOAD, keep, make_due, plan_removal, remove_now
from assay.files.storage import Storage, key_of
from assay.identity.actor import Actor


class FileNotFound(NotFound):
    """There is no file with this id."""


async def upload(
    database: Database, storage: Storage, actor: Actor, incoming: Incoming, *, limit: int
) -> File:
    """Store a file while it comes in; where that ends early, neither row nor bytes are left.

    No transaction is open meanwhile. Should this process be killed, the bytes are on the list
    of removals all the time until the file has its row.

    Raises:
        TooLarge: it has more than `limit` bytes.
        UploadBrokenOff, UploadInvalid: what came is not a whole file.
        StorageUnavailable, UploadTooSlow
    """
    file_id = new_id()
    key = key_of(file_id)
    async with database.session() as session:
        await plan_removal(session, [key], after=LONGEST_UPLOAD)
    try:
        head = bytearray()
        saved = await storage.save(key, incoming.read(head, HEAD_BYTES), limit=limit)
        file = File(
            id=file_id,
            user_id=actor.user_id,
            original_name=incoming.name,
            mime_type=kind_of(bytes(head), incoming.declared_type),
            size_bytes=saved.size,
            sha256=saved.sha256,
            storage_path=key,
        )
        async with database.session() as session:
            await keep(session, key)
            session.add(file)
            await session.flush()
            tell(session, actor, "file.uploaded", file_id, name=file.original_name)
    except BaseException:
        await asyncio.shield(_give_up(database, storage, key))
        raise
    return file


async def _give_up(database: Database, storage: Storage, key: str) -> None:
    try:
        async with database.session() as session:
            await make_due(session, key)
    except DATABASE_ERRORS:
        # It stays on the list, to be due in a day.
        return
    await remove_now(database, storage, [key])


async def get_file(session: AsyncSession, actor: Actor, file_id: UUID) -> File:
    """A file of the actor.

    Raises:
        FileNotFound
    """
    mine = owned(actor, File.user_id)
    file = await session.scalar(select(File).where(File.id == file_id, mine))
    if file is None:
        raise FileNotFound
    return file


async def delete_file(session: AsyncSession, actor: Actor, file_id: UUID) -> Sequence[str]:
    """Delete a file; gives the keys of the bytes that may go after the commit.

    Raises:
        FileNotFound
    """
    keys = await delete_files(session, actor, [file_id])
    if not keys:
        raise FileNotFound
    return keys


async def delete_files(
    session: AsyncSession, actor: Actor, file_ids: Collection[UUID]
) -> Sequence[str]:
    """Delete those of these files that are there, as `delete_file` does."""
    statement = (
        delete(File)
        .where(File.id.in_(file_ids), owned(actor, File.user_id))
        .returning(File.id, File.original_name, File.storage_path)
    )
    gone = (await session.execute(statement)).all()
    keys = [row.storage_path for row in gone]
    await plan_removal(session, keys)
    for row in gone:
        tell(session, actor, "file.deleted", row.id, name=row.original_name)
    return keys
