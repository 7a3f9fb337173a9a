"""The storage of a request."""

from collections.abc import Sequence
from typing import Annotated, cast

from fastapi import BackgroundTasks, Depends, Request

from assay.core.database import Database
from assay.files.removals import remove_now
from assay.files.storage import Storage


def get_storage(request: Request) -> Storage:
    """The storage of this server."""
    return cast("Storage", request.app.state.storage)


StorageOf = Annotated[Storage, Depends(get_storage)]


class Remover:
    """Removes bytes when the response is sent, which is after the commit."""

    def __init__(self, request: Request, background: BackgroundTasks) -> None:
        """Remove them from the storage of the server that has this request."""
        self._database = cast("Database", request.app.state.database)
        self._storage = get_storage(request)
        self._background = background

    def remove_later(self, keys: Sequence[str]) -> None:
        """Remove bytes whose removal the session of the request has planned."""
        self._background.add_task(remove_now, self._database, self._storage, keys)


BytesRemover = Annotated[Remover, Depends()]
