"""Datasets and their items."""

from collections.abc import AsyncIterator, Sequence
from typing import Unpack

from assay.client.asynchronous.resource import AsyncResource
from assay.client.asynchronous.saving import async_save
from assay.client.asynchronous.transport import AsyncTransport
from assay.client.concurrency import async_blocks
from assay.client.options import (
    AnyFormat,
    DatasetChanges,
    DatasetOptions,
    ImportOptions,
    ItemChanges,
    NewItem,
)
from assay.client.payloads import Source, Target, format_of, opened
from assay.client.wire import Call, Id, at, patch, post
from assay.playground.datasets.imports.schemas import ImportReport
from assay.playground.datasets.items.schemas import ItemRead
from assay.playground.datasets.schemas import DatasetRead

BATCH = 1000
# Large files take the server a while after their last byte.
IMPORT_SECONDS = 3600.0


class AsyncItems(AsyncResource):
    """`client.datasets.items`."""

    def list(
        self, dataset_id: Id, *, version: int | None = None, limit: int | None = None
    ) -> AsyncIterator[ItemRead]:
        """All items of a dataset, in the order they were made in.

        Args:
            dataset_id: the dataset.
            version: as they were in this one.
            limit: how many a request brings.
        """
        path = at("datasets", dataset_id, "items")
        return self._transport.pages(ItemRead, path, limit=limit, version=version)

    async def add(self, dataset_id: Id, items: Sequence[NewItem]) -> Sequence[ItemRead]:
        """Make items, each `{"input": …, "expected_output": …}`; gives them in the same order.

        They are sent in batches of 1,000: where one of them does not fit, nothing of its batch is
        made, and what was sent before stays. `import_file` makes all or none.

        Raises:
            Invalid: `errors` names the items by their places in the batch.
        """
        made: Sequence[ItemRead] = []
        path = at("datasets", dataset_id, "items")
        for start in range(0, len(items), BATCH):
            call = post(path, {"items": items[start : start + BATCH]})
            made = [*made, *await self._transport.read_list(ItemRead, call)]
        return made

    async def get(self, item_id: Id) -> ItemRead:
        """Read an item."""
        return await self._transport.read(ItemRead, Call("GET", at("dataset-items", item_id)))

    async def update(self, item_id: Id, **changes: Unpack[ItemChanges]) -> ItemRead:
        """Change what is said; the rest stays as it is, and so do earlier versions.

        Raises:
            Invalid: it would not fit the schemas of its dataset.
        """
        return await self._transport.read(ItemRead, patch(at("dataset-items", item_id), changes))

    async def delete(self, item_id: Id) -> None:
        """Delete an item; runs that saw it, and earlier versions of the dataset, keep it."""
        await self._transport.send(Call("DELETE", at("dataset-items", item_id)))


class AsyncDatasets(AsyncResource):
    """`client.datasets`."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Send calls by `transport`."""
        super().__init__(transport)
        self.items = AsyncItems(transport)

    def list(self, use_case_id: Id, *, limit: int | None = None) -> AsyncIterator[DatasetRead]:
        """All datasets of a use case, newest first; `limit` is how many a request brings."""
        path = at("use-cases", use_case_id, "datasets")
        return self._transport.pages(DatasetRead, path, limit=limit)

    async def create(
        self, use_case_id: Id, name: str, **options: Unpack[DatasetOptions]
    ) -> DatasetRead:
        """Make a dataset, as yet without items."""
        call = post(at("use-cases", use_case_id, "datasets"), {"name": name, **options})
        return await self._transport.read(DatasetRead, call)

    async def get(self, dataset_id: Id) -> DatasetRead:
        """Read a dataset."""
        return await self._transport.read(DatasetRead, Call("GET", at("datasets", dataset_id)))

    async def update(self, dataset_id: Id, **changes: Unpack[DatasetChanges]) -> DatasetRead:
        """Change what is said; the rest stays as it is. New schemas hold for what comes later."""
        return await self._transport.read(DatasetRead, patch(at("datasets", dataset_id), changes))

    async def delete(self, dataset_id: Id) -> None:
        """Delete a dataset with its items and the runs on it."""
        await self._transport.send(Call("DELETE", at("datasets", dataset_id)))

    async def import_file(
        self, dataset_id: Id, source: Source, **options: Unpack[ImportOptions]
    ) -> ImportReport:
        """Make items of the rows of a CSV or JSON Lines file, which is sent while it is read.

        Args:
            dataset_id: the dataset.
            source: a path, or a file open for bytes; without `format` its suffix says what it is.
            options: how it is to be read; with `partial` rows that do not fit are left out,
                without it one of them stops all.

        Raises:
            Invalid: rows do not fit; `errors` names the first ones by line.
        """
        form = {"format": format_of(source), **options} if "format" not in options else options
        with opened(source) as file:
            call = Call(
                "POST",
                at("datasets", dataset_id, "import"),
                dict(form),
                headers={"Content-Type": "application/octet-stream"},
                content=lambda: async_blocks(file),
                read_seconds=IMPORT_SECONDS,
            )
            return await self._transport.read(ImportReport, call)

    async def export(
        self,
        dataset_id: Id,
        target: Target,
        *,
        format: AnyFormat | None = None,  # noqa: A002  # the parameter's name in the API
        version: int | None = None,
    ) -> None:
        """Write the items of a dataset to a file, as an import reads them back.

        Args:
            dataset_id: the dataset.
            target: a path, at which nothing is before all has arrived; or a file open for bytes.
            format: without it, what the suffix of the file says.
            version: as they were in this version of the dataset.
        """
        params = {"format": format or format_of(target), "version": version}
        call = Call("GET", at("datasets", dataset_id, "export"), params)
        async with self._transport.stream(call) as response:
            await async_save(response, target)
