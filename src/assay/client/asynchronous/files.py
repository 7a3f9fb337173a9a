"""Files, such as recordings; they belong to the user of the API key."""

from collections.abc import AsyncIterator
from typing import BinaryIO

from assay.apps.files.schemas import FileRead
from assay.client.asynchronous.resource import AsyncResource
from assay.client.asynchronous.saving import async_save
from assay.client.concurrency import async_blocks
from assay.client.payloads import Form, Source, Target, name_of, opened
from assay.client.wire import Call, Id, at

API = "/api"


class AsyncFiles(AsyncResource):
    """`client.files`; the API key needs the scopes of apps."""

    async def upload(self, source: Source, *, name: str | None = None) -> FileRead:
        """Store a file, which is sent while it is read.

        Args:
            source: a path, or a file open for bytes.
            name: what it is called; without it, as at its path.
        """
        form = Form(name or name_of(source) or "file")
        with opened(source) as file:
            call = Call(
                "POST",
                at("files", "upload", root=API),
                headers=form.headers(file),
                content=lambda: _body(form, file),
            )
            return await self._transport.read(FileRead, call)

    async def get(self, file_id: Id) -> FileRead:
        """Read what is known of a file."""
        return await self._transport.read(FileRead, Call("GET", at("files", file_id, root=API)))

    async def download(self, file_id: Id, target: Target) -> None:
        """Write the bytes of a file to a path, or into a file open for bytes.

        Raises:
            BrokenDownload: what arrived is not what was stored.
        """
        call = Call("GET", at("files", file_id, "download", root=API))
        async with self._transport.stream(call) as response:
            # A proxy may take it away, or mark it as weak.
            tag = response.headers.get("ETag", "").removeprefix("W/").strip('"')
            await async_save(response, target, sha256=tag or None)

    async def delete(self, file_id: Id) -> None:
        """Delete a file."""
        await self._transport.send(Call("DELETE", at("files", file_id, root=API)))


async def _body(form: Form, file: BinaryIO) -> AsyncIterator[bytes]:
    yield form.head
    async for block in async_blocks(file):
        yield block
    yield form.tail
