"""The client: one server, and its resources."""

from types import TracebackType
from typing import Self

import httpx2

from assay.client.asynchronous.datasets import AsyncDatasets
from assay.client.asynchronous.files import AsyncFiles
from assay.client.asynchronous.projects import AsyncProjects, AsyncUseCases
from assay.client.asynchronous.prompts import AsyncPrompts
from assay.client.asynchronous.requests import AsyncRequests
from assay.client.asynchronous.runs import AsyncRuns
from assay.client.asynchronous.transport import AsyncTransport
from assay.client.settings import server_address


class AsyncClient:
    """A client of an Assay server.

    Attributes:
        url: the base URL of the server.
        projects: projects.
        use_cases: use cases of projects.
        prompts: prompts, their versions and labels, and `fetch`.
        datasets: datasets and their items.
        runs: evaluation runs.
        files: files.
        requests: requests to people.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 3,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is sent before the first call.

        Args:
            url: of the server; without it ASSAY_URL, or http://127.0.0.1:8721.
            api_key: without it ASSAY_API_KEY; a server without users takes none.
            timeout: seconds without a byte after which a request has failed.
            retries: how often a request is made again that may be.
            transport: sends requests in another way, such as into an ASGI application.

        Raises:
            Misconfigured: the URL or the key cannot be one.
        """
        server = server_address(url, api_key)
        self._transport = AsyncTransport(server, timeout=timeout, retries=retries, http=transport)
        self.url = server.url
        self.projects = AsyncProjects(self._transport)
        self.use_cases = AsyncUseCases(self._transport)
        self.prompts = AsyncPrompts(self._transport)
        self.datasets = AsyncDatasets(self._transport)
        self.runs = AsyncRuns(self._transport)
        self.files = AsyncFiles(self._transport)
        self.requests = AsyncRequests(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self.prompts.aclose()
        await self._transport.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"
