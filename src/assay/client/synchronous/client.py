# Written by `make client` from assay/client/asynchronous/client.py: change that.

"""The client: one server, and its resources."""

from types import TracebackType
from typing import Self

import httpx2

from assay.client.settings import server_address
from assay.client.synchronous.datasets import Datasets
from assay.client.synchronous.files import Files
from assay.client.synchronous.projects import Projects, UseCases
from assay.client.synchronous.prompts import Prompts
from assay.client.synchronous.requests import Requests
from assay.client.synchronous.runs import Runs
from assay.client.synchronous.transport import Transport


class Client:
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
        transport: httpx2.BaseTransport | None = None,
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
        self._transport = Transport(server, timeout=timeout, retries=retries, http=transport)
        self.url = server.url
        self.projects = Projects(self._transport)
        self.use_cases = UseCases(self._transport)
        self.prompts = Prompts(self._transport)
        self.datasets = Datasets(self._transport)
        self.runs = Runs(self._transport)
        self.files = Files(self._transport)
        self.requests = Requests(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.prompts.close()
        self._transport.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"
