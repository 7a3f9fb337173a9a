"""Bytes on disk or in a bucket, by obstore: streamed in and out, never whole in memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from assay.core.errors import NotFound, TooLarge, Unavailable
from assay.files.feeding import Feed, TakerGone

if TYPE_CHECKING:
    # It exists for type checkers alone.
    from obstore import GetOptions

# Of an upload so much is in memory, twice: what is sent, and what comes meanwhile.
PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 2
READ_BYTES = 1024 * 1024
# How long an upload that was stopped may take to clear away what it had stored.
ABORT_SECONDS = 20.0


class StorageUnavailable(Unavailable):
    """The storage of files does not answer; try again in a moment."""

    code = "storage_unavailable"


class BytesGone(NotFound):
    """The bytes of this file are not in the storage any more."""

    code = "bytes_gone"


@dataclass(frozen=True, slots=True)
class Saved:
    """What was stored: how many bytes, and the SHA-256 of them in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes that are there: some or all of an object.

    Attributes:
        start: where the first of `chunks` stands in the object.
        end: behind the last of them.
        size: of the whole object.
        modified_at: when it was stored.
        chunks: the bytes, some at a time.
    """

    start: int
    end: int
    size: int
    modified_at: datetime
    chunks: AsyncIterator[bytes]


def key_of(file_id: UUID) -> str:
    """Where the bytes of a file are kept: named by its id alone, whatever its name is.

    Two levels of folders, since a folder with a million files is slow on many disks; the last
    digits, since ids that were made together begin alike.
    """
    name = file_id.hex
    return f"{name[-2:]}/{name[-4:-2]}/{name}"


class Storage:
    """The one place where bytes go; errors of any backend become `StorageUnavailable`."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        """Keep bytes in `store`; `folder` is where it keeps them, if it is on this disk."""
        self._store = store
        self._folder = folder

    async def save(self, key: str, chunks: AsyncIterator[bytes], *, limit: int) -> Saved:
        """Store what comes, all or nothing: where it stops half way, no bytes are left.

        Args:
            key: where to.
            chunks: the bytes, some at a time.
            limit: how many there may be.

        Raises:
            TooLarge: more came.
            StorageUnavailable: they could not be stored.
        """
        digest, size, feed = hashlib.sha256(), 0, Feed()
        # A store clears up after an iterator that fails, but not after being cancelled. So it
        # works in a task of its own, and learns from what it is fed with that all is off.
        putting = asyncio.create_task(self._put(key, feed))
        putting.add_done_callback(feed.close)
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise TooLarge(f"A file may have {limit:,} bytes at most (MAX_UPLOAD_BYTES).")
                digest.update(chunk)
                await feed.give(chunk)
            await feed.give(None)
            await asyncio.shield(putting)
        except TakerGone:
            await putting
            raise StorageUnavailable from None
        except BaseException as error:
            feed.break_off(error)
            await self._put_away(key, putting)
            raise
        return Saved(size, digest.hexdigest())

    async def _put(self, key: str, feed: Feed) -> None:
        try:
            await obstore.put_async(
                self._store,
                key,
                feed.chunks(),
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        except (BaseError, OSError) as error:
            raise StorageUnavailable from error

    async def _put_away(self, key: str, putting: "asyncio.Task[None]") -> None:
        done, _ = await asyncio.wait({putting}, timeout=ABORT_SECONDS)
        if done and not putting.cancelled() and putting.exception() is None:
            # It was stopped in the moment after the last byte.
            with suppress(StorageUnavailable):
                await self.remove(key)

    async def open(self, key: str, start: int = 0, end: int | None = None) -> Found:
        """Open what is stored from `start` to before `end`, or to its end.

        Raises:
            BytesGone: there is nothing at `key`.
            StorageUnavailable: it cannot be read.
        """
        options: GetOptions = {}
        if end is not None:
            options = {"range": (start, end)}
        elif start:
            options = {"range": {"offset": start}}
        try:
            got = await obstore.get_async(self._store, key, options=options)
        except FileNotFoundError:
            raise BytesGone from None
        except (BaseError, OSError) as error:
            raise StorageUnavailable from error
        first, last = got.range
        return Found(first, last, got.meta["size"], got.meta["last_modified"], _read(got))

    async def remove(self, key: str) -> None:
        """Remove what is stored, also by halves; where there is nothing, nothing happens.

        Raises:
            StorageUnavailable: it could not be removed.
        """
        try:
            if self._folder is not None:
                await asyncio.to_thread(_remove_begun, self._folder / key)
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise StorageUnavailable from error


def _remove_begun(path: Path) -> None:
    # Uploads go to `name#1` and get their name at the end; a killed process leaves that behind.
    for begun in path.parent.glob(f"{path.name}#*"):
        begun.unlink(missing_ok=True)


async def _read(got: "obstore.GetResult") -> AsyncIterator[bytes]:
    try:
        async for chunk in got.stream(min_chunk_size=READ_BYTES):
            yield bytes(chunk)
    except (BaseError, OSError) as error:
        raise StorageUnavailable from error
